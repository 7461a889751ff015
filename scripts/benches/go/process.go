// SPDX-License-Identifier: MIT

package main

import "os/exec"

func init() { register("process", pass(startProcesses)) }

// startProcesses starts a process that does nothing, and waits for its end, n times.
func startProcesses(n, _ int) int {
	for i := 0; i < n; i++ {
		must(exec.Command("true").Run())
	}
	return n
}
