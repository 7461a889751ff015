// SPDX-License-Identifier: MIT

package main

import "sync"

func init() { register("waitgroup", pass(waitGroup)) }

func waitGroup(n, _ int) int {
	var group sync.WaitGroup
	count := 0
	for i := 0; i < n; i++ {
		group.Add(1)
		count++
		group.Done()
		group.Wait()
	}
	return count
}
