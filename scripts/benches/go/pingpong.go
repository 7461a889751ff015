// SPDX-License-Identifier: MIT

package main

func init() { register("pingpong", pass(pingPong)) }

func pingPong(n, _ int) int {
	there, back := make(chan int), make(chan int)
	go func() {
		for v := range there {
			back <- v
		}
	}()
	sum := 0
	for i := 1; i <= n; i++ {
		there <- i
		sum += <-back
	}
	close(there)
	return sum
}
