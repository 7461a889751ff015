// SPDX-License-Identifier: MIT

package main

func init() { register("stream", pass(stream)) }

func stream(n, capacity int) int {
	ch := make(chan int, capacity)
	go func() {
		for i := 1; i <= n; i++ {
			ch <- i
		}
		close(ch)
	}()
	sum := 0
	for v := range ch {
		sum += v
	}
	return sum
}
