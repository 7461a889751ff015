// SPDX-License-Identifier: MIT

package main

import "sync"

func init() { register("rwmutex", pass(rwMutex)) }

func rwMutex(n, _ int) int {
	var mu sync.RWMutex
	count := 0
	for i := 0; i < n; i++ {
		mu.RLock()
		count++
		mu.RUnlock()
	}
	return count
}
