// SPDX-License-Identifier: MIT

package main

import "sync"

func init() { register("mutex", pass(mutex)) }

func mutex(n, _ int) int {
	var mu sync.Mutex
	count := 0
	for i := 0; i < n; i++ {
		mu.Lock()
		count++
		mu.Unlock()
	}
	return count
}
