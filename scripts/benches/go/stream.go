// SPDX-License-Identifier: MIT

package main

func init() {
	register("stream", pass(func(n int) int { return stream(make(chan int), n) }))
}

// stream sends n values through ch.
func stream(ch chan int, n int) int {
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
