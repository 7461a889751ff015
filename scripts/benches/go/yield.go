// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"sync"
)

func init() { register("yield", pass(yield)) }

func yield(n int) int {
	var tasks sync.WaitGroup
	var turns [2]int
	tasks.Add(len(turns))
	for i := range turns {
		turns := &turns[i]
		go func() {
			defer tasks.Done()
			mine := 0
			for i := 0; i < n/2; i++ {
				runtime.Gosched()
				mine++
			}
			*turns = mine
		}()
	}
	tasks.Wait()
	return turns[0] + turns[1]
}
