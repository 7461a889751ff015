// SPDX-License-Identifier: MIT

package main

import "sync"

func init() { register("cond", pass(cond)) }

// Two goroutines take turns: each waits until it is its own, and signals the other.
func cond(n, _ int) int {
	var mu sync.Mutex
	var group sync.WaitGroup
	changed := sync.NewCond(&mu)
	turn := 0
	player := func(me int) {
		defer group.Done()
		mu.Lock()
		defer mu.Unlock()
		for i := 0; i < n/2; i++ {
			for turn%2 != me {
				changed.Wait()
			}
			turn++
			changed.Signal()
		}
	}
	group.Add(2)
	go player(0)
	go player(1)
	group.Wait()
	return turn
}
