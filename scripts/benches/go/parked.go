// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"sync"
	"time"
)

func init() { register("parked", once(parked)) }

// parked has n goroutines wait on one channel. bytes: what each takes; wake: from the channel's
// close to the end of the last.
func parked(n, _ int) (int, map[string]float64) {
	gate := make(chan struct{})
	seen := newSlots(n)
	var started, ended sync.WaitGroup
	runtime.GC()
	before := rssBytes()
	started.Add(n)
	ended.Add(n)
	for i := range seen {
		go func(i int) {
			started.Done()
			<-gate
			seen[i] = i + 1
			ended.Done()
		}(i)
	}
	started.Wait()
	bytes := rssBytes() - before
	start := time.Now()
	close(gate)
	ended.Wait()
	wake := time.Since(start)
	return sumOf(seen), map[string]float64{
		"bytes": float64(bytes) / float64(n),
		"wake":  float64(wake) / float64(n),
	}
}
