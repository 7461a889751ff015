// SPDX-License-Identifier: MIT

package main

import "time"

func init() { register("timer", pass(timer)) }

func timer(n, _ int) int {
	stopped := 0
	for i := 0; i < n; i++ {
		t := time.NewTimer(time.Hour)
		if t.Stop() {
			stopped++
		}
	}
	return stopped
}
