// SPDX-License-Identifier: MIT

package main

import "runtime"

func init() { register("cores-blocking", pass(callThread)) }

// callThread calls a function on an operating system thread of its own, again and again.
func callThread(n, _ int) int {
	calls, results := make(chan int), make(chan int)
	go func() {
		runtime.LockOSThread()
		for i := range calls {
			results <- i
		}
	}()
	defer close(calls)
	sum := 0
	for i := 1; i <= n; i++ {
		calls <- i
		sum += <-results
	}
	return sum
}
