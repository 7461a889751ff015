// SPDX-License-Identifier: MIT

package main

import (
	"strconv"
	"sync"
)

func init() { register("syncmap", pass(syncMap)) }

func syncMap(n, _ int) int {
	const count = 1000
	var m sync.Map
	keys := make([]string, count)
	for i := range keys {
		keys[i] = "key" + strconv.Itoa(i+1)
		m.Store(keys[i], i+1)
	}
	sum := 0
	for i := 1; i <= n; i++ {
		key := keys[i%count]
		if i%100 == 0 {
			m.Store(key, i%7)
		} else {
			v, _ := m.Load(key)
			sum += v.(int)
		}
	}
	return sum
}
