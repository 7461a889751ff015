// SPDX-License-Identifier: MIT

package main

import (
	"math"
	"runtime"
	"sort"
	"time"
)

func init() { register("cores-work", once(coresWork)) }

// coresWork counts the steps of the Collatz sequences from 1 to n, in 256 goroutines; the longest
// is uneven times as long as the shortest, and they come in no order. efficiency: how many times
// faster they are all done on all cores than in one goroutine, a core. time: on all cores, a
// sequence.
func coresWork(n, uneven int) (int, map[string]float64) {
	const rounds = 5
	ends := cut(n, float64(uneven))
	expected := onOne(ends)
	var ones, alls []float64
	for round := 0; round <= rounds; round++ {
		start := time.Now()
		one := onOne(ends)
		middle := time.Now()
		all := onAll(ends)
		end := time.Now()
		if one != expected || all != expected {
			panic("different sums")
		}
		if round > 0 { // the first is to warm up
			ones = append(ones, float64(middle.Sub(start)))
			alls = append(alls, float64(end.Sub(middle)))
		}
	}
	sort.Float64s(ones)
	sort.Float64s(alls)
	one, all := ones[rounds/2], alls[rounds/2]
	return expected, map[string]float64{
		"efficiency": one / all / float64(runtime.GOMAXPROCS(0)),
		"time":       all / float64(n),
	}
}

func countSteps(first, last int) int {
	steps := 0
	for n := first; n <= last; n++ {
		for k := n; k != 1; steps++ {
			if k%2 == 0 {
				k /= 2
			} else {
				k = 3*k + 1
			}
		}
	}
	return steps
}

// cut says where each goroutine's share of the sequences ends.
func cut(n int, uneven float64) [256]int {
	const stride = 97
	var ends [256]int
	length := func(i int) float64 {
		return math.Pow(uneven, float64((i+1)*stride%len(ends))/float64(len(ends)-1))
	}
	total, sum := 0.0, 0.0
	for i := range ends {
		total += length(i)
	}
	for i := range ends {
		sum += length(i)
		ends[i] = int(float64(n)*sum/total + 0.5)
	}
	ends[len(ends)-1] = n
	return ends
}

func onOne(ends [256]int) int {
	sum, first := 0, 1
	for _, last := range ends {
		sum += countSteps(first, last)
		first = last + 1
	}
	return sum
}

func onAll(ends [256]int) int {
	sums := make(chan int, len(ends))
	first := 1
	for _, last := range ends {
		go func(first, last int) { sums <- countSteps(first, last) }(first, last)
		first = last + 1
	}
	sum := 0
	for range ends {
		sum += <-sums
	}
	return sum
}
