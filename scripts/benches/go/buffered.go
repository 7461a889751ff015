// SPDX-License-Identifier: MIT

package main

func init() { register("buffered", pass(buffered)) }

func buffered(n, _ int) int {
	ch := make(chan int, 128)
	sum := 0
	for i := 1; i <= n; i++ {
		ch <- i
		sum += <-ch
	}
	return sum
}
