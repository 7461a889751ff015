// SPDX-License-Identifier: MIT

package main

import "sync/atomic"

func init() { register("atomic", pass(atomicAdd)) }

func atomicAdd(n, _ int) int {
	var count atomic.Int64
	for i := 0; i < n; i++ {
		count.Add(1)
	}
	return int(count.Load())
}
