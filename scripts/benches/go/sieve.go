// SPDX-License-Identifier: MIT

package main

func init() { register("sieve", pass(sieve)) }

// sieve adds the primes up to limit: a goroutine for each takes its multiples out of the stream.
func sieve(limit, _ int) int {
	ch := make(chan int)
	go generate(ch, limit)
	sum := 0
	for {
		prime, ok := <-ch
		if !ok {
			return sum
		}
		sum += prime
		rest := make(chan int)
		go filter(ch, rest, prime)
		ch = rest
	}
}

func generate(ch chan<- int, limit int) {
	for i := 2; i <= limit; i++ {
		ch <- i
	}
	close(ch)
}

func filter(from <-chan int, to chan<- int, prime int) {
	for v := range from {
		if v%prime != 0 {
			to <- v
		}
	}
	close(to)
}
