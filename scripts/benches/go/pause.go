// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"runtime/debug"
	"sort"
	"sync"
)

func init() { register("pause", once(pause)) }

// pause is how long the collector stops a program that has parked goroutines, while it makes n
// objects, most of them garbage: the median of the collections, by the runtime's own count.
func pause(n, parked int) (int, map[string]float64) {
	gate := make(chan struct{})
	var started sync.WaitGroup
	started.Add(parked)
	for i := 0; i < parked; i++ {
		go func() {
			started.Done()
			<-gate
		}()
	}
	started.Wait()
	runtime.GC()
	var before, after debug.GCStats
	debug.ReadGCStats(&before)
	sum := makeGarbage(n)
	debug.ReadGCStats(&after)
	close(gate)
	// The newest pauses come first, and at most 256 are kept.
	collections := int(after.NumGC - before.NumGC)
	if collections < 2 {
		panic("the garbage was too little for two collections")
	}
	if collections > len(after.Pause) {
		collections = len(after.Pause)
	}
	pauses := after.Pause[:collections]
	sort.Slice(pauses, func(i, j int) bool { return pauses[i] < pauses[j] })
	median := (pauses[(collections-1)/2] + pauses[collections/2]) / 2
	return sum, map[string]float64{"pause": float64(median)}
}

func makeGarbage(n int) int {
	var kept [1024]*[16]int
	for i := 0; i < n; i++ {
		kept[i%len(kept)] = &[16]int{i}
	}
	sum := 0
	for _, object := range kept {
		sum += object[0]
	}
	return sum
}
