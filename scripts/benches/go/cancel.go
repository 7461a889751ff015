// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"sync"
	"time"
)

const children = 1000

func init() {
	register("cancel", trees(cancelChildren))
	register("cancel-tasks", trees(cancelTasks))
}

// trees makes a pass over n children of what cancels one parent's.
func trees(cancelTree func() (ended int, counted time.Duration)) timedPass {
	return func(n, _ int) (int, time.Duration) {
		ended, counted := 0, time.Duration(0)
		for i := 0; i < n; i += children {
			these, took := cancelTree()
			ended += these
			counted += took
		}
		return ended, counted
	}
}

// cancelChildren counts only the cancel itself, neither the making of the children nor the look at
// them.
func cancelChildren() (ended int, counted time.Duration) {
	parent, cancel := context.WithCancel(context.Background())
	all := make([]context.Context, children)
	for i := range all {
		child, cancelChild := context.WithCancel(parent)
		defer cancelChild()
		all[i] = child
	}
	start := time.Now()
	cancel()
	counted = time.Since(start)
	for _, child := range all {
		if child.Err() == context.Canceled {
			ended++
		}
	}
	return ended, counted
}

// cancelTasks counts from the cancel to the end of the last goroutine that waited on a child.
func cancelTasks() (ended int, counted time.Duration) {
	parent, cancel := context.WithCancel(context.Background())
	seen := make([]int, children)
	var started, tasks sync.WaitGroup
	started.Add(children)
	tasks.Add(children)
	for i := range seen {
		child, cancelChild := context.WithCancel(parent)
		defer cancelChild()
		go func(i int) {
			started.Done()
			<-child.Done()
			seen[i] = 1
			tasks.Done()
		}(i)
	}
	started.Wait()
	start := time.Now()
	cancel()
	tasks.Wait()
	counted = time.Since(start)
	return sumOf(seen), counted
}
