// SPDX-License-Identifier: MIT

package main

import "sync"

func init() { register("once", pass(onceDone)) }

func onceDone(n, _ int) int {
	var once sync.Once
	count, calls := 0, 0
	setUp := func() { calls++ }
	for i := 0; i < n; i++ {
		once.Do(setUp)
		count += calls
	}
	return count
}
