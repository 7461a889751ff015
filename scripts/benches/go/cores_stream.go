// SPDX-License-Identifier: MIT

package main

func init() {
	register("cores-numbers", pass(stream))
	register("cores-tables", pass(streamPoints))
}

type point struct{ x, y, z int }

func streamPoints(n, capacity int) int {
	ch := make(chan point, capacity)
	go func() {
		for i := 1; i <= n; i++ {
			ch <- point{i, i + 1, i + 2}
		}
		close(ch)
	}()
	sum := 0
	for p := range ch {
		sum += p.x + p.y + p.z
	}
	return sum
}
