// SPDX-License-Identifier: MIT

package main

// startup is a program that does nothing: what is measured is the whole process, from outside.
func init() {
	register("startup", once(func(_, _ int) (int, map[string]float64) { return 0, nil }))
}
