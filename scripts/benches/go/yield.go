// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"sync"
)

func init() { register("yield", pass(yield)) }

func yield(n, _ int) int {
	var tasks sync.WaitGroup
	turns := make([]int, 2)
	takeTurns := func(turns *int) {
		defer tasks.Done()
		mine := 0
		for i := 0; i < n/2; i++ {
			runtime.Gosched()
			mine++
		}
		*turns = mine
	}
	tasks.Add(2)
	go takeTurns(&turns[0])
	go takeTurns(&turns[1])
	tasks.Wait()
	return sumOf(turns)
}
