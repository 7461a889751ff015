// SPDX-License-Identifier: MIT

package main

import "sync"

func init() {
	register("spawn", pass(spawn))
	// Every goroutine may run on any core.
	register("cores-spawn", pass(spawn))
	register("cores-parallel", pass(spawn))
}

func spawn(n, _ int) int {
	const batch = 1000
	var tasks sync.WaitGroup
	seen := make([]int, batch)
	sum := 0
	for first := 1; first <= n; first += batch {
		tasks.Add(batch)
		for i := range seen {
			go func(i int) {
				seen[i] = first + i
				tasks.Done()
			}(i)
		}
		tasks.Wait()
		sum += sumOf(seen)
	}
	return sum
}
