// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"sync"
)

func init() { register("errgroup", pass(errGroups)) }

// A group is what golang.org/x/sync/errgroup has, as that is not part of the standard library.
type group struct {
	cancel func()
	tasks  sync.WaitGroup
	once   sync.Once
	err    error
}

func groupWithContext(parent context.Context) (*group, context.Context) {
	ctx, cancel := context.WithCancel(parent)
	return &group{cancel: cancel}, ctx
}

func (g *group) run(fn func() error) {
	g.tasks.Add(1)
	go func() {
		defer g.tasks.Done()
		if err := fn(); err != nil {
			g.once.Do(func() {
				g.err = err
				g.cancel()
			})
		}
	}()
}

func (g *group) wait() error {
	g.tasks.Wait()
	g.cancel()
	return g.err
}

// errGroups makes groups of a thousand goroutines that do next to nothing; the last one fails.
func errGroups(n, _ int) int {
	const tasks = 1000
	errFailed := errors.New("failed")
	seen := make([]int, tasks)
	sum, failed := 0, 0
	for first := 1; first <= n; first += tasks {
		g, ctx := groupWithContext(context.Background())
		for i := range seen {
			i, value := i, first+i
			g.run(func() error {
				seen[i] = value
				if value%tasks == 0 {
					return errFailed
				}
				return nil
			})
		}
		if err := g.wait(); err == errFailed && ctx.Err() != nil {
			failed++
		}
		sum += sumOf(seen)
	}
	return sum + failed
}
