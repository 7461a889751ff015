// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"sync"
	"time"
)

func init() { register("sleepers", once(sleepers)) }

// sleepers has n goroutines sleep until the same moment. wake: from then to the end of the last;
// total: that, and from the start of the first to all being asleep (what the program does, without
// its idle time); bytes: what each one asleep takes.
func sleepers(n, _ int) (int, map[string]float64) {
	seen := newSlots(n)
	runtime.GC()
	before := rssBytes()
	for pause := time.Duration(n) * 2 * time.Microsecond; ; pause *= 2 {
		start := time.Now()
		deadline := start.Add(pause)
		asleep, bytes := sleepUntil(deadline, seen)
		if asleep.After(deadline) {
			continue // The moment came before all were asleep.
		}
		wake := time.Since(deadline)
		total := asleep.Sub(start) + wake
		return sumOf(seen), map[string]float64{
			"wake":  float64(wake) / float64(n),
			"total": float64(total) / float64(n),
			"bytes": float64(bytes-before) / float64(n),
		}
	}
}

// sleepUntil returns when all goroutines had gone to sleep, and the memory they took then.
func sleepUntil(deadline time.Time, seen []int) (asleep time.Time, bytes int) {
	var started, ended sync.WaitGroup
	started.Add(len(seen))
	ended.Add(len(seen))
	for i := range seen {
		go func(i int) {
			started.Done()
			time.Sleep(time.Until(deadline))
			seen[i] = i + 1
			ended.Done()
		}(i)
	}
	started.Wait()
	asleep, bytes = time.Now(), rssBytes()
	ended.Wait()
	return asleep, bytes
}
