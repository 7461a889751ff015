// SPDX-License-Identifier: MIT

package main

import "sync"

func init() { register("spawn", pass(spawn)) }

func spawn(n int) int {
	const batch = 1000
	var tasks sync.WaitGroup
	var seen [batch]int
	sum := 0
	for first := 1; first <= n; first += batch {
		tasks.Add(batch)
		for i := 0; i < batch; i++ {
			go func(i int) {
				seen[i] = first + i
				tasks.Done()
			}(i)
		}
		tasks.Wait()
		for _, v := range seen {
			sum += v
		}
	}
	return sum
}
