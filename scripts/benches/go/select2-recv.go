// SPDX-License-Identifier: MIT

package main

func init() { register("select2-recv", pass(select2Recv)) }

func select2Recv(n int) int {
	a, b := make(chan int), make(chan int)
	go func() {
		for i := 1; i <= n; i += 2 {
			a <- i
			b <- i + 1
		}
	}()
	sum := 0
	for i := 0; i < n; i++ {
		select {
		case v := <-a:
			sum += v
		case v := <-b:
			sum += 2 * v
		}
	}
	return sum
}
