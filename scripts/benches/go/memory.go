// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
)

// rssBytes is the memory that this process has now.
func rssBytes() int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	var size, resident int
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		panic(err)
	}
	return resident * os.Getpagesize()
}

// newSlots makes a slot for each of n tasks to leave its value in. Its memory is there already.
func newSlots(n int) []int {
	slots := make([]int, n)
	for i := range slots {
		slots[i] = -1
	}
	return slots
}

func sumOf(slots []int) int {
	sum := 0
	for _, v := range slots {
		sum += v
	}
	return sum
}
