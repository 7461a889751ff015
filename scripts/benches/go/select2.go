// SPDX-License-Identifier: MIT

package main

func init() {
	register("select2-recv", pass(select2Recv))
	register("select2-send", pass(select2Send))
	register("select2-default", pass(select2Default))
}

func select2Recv(n, _ int) int {
	a, b := make(chan int), make(chan int)
	go func() {
		for i := 1; i <= n; i += 2 {
			a <- i
			b <- i + 1
		}
	}()
	sum := 0
	for i := 0; i < n; i++ {
		select {
		case v := <-a:
			sum += v
		case v := <-b:
			sum += 2 * v
		}
	}
	return sum
}

func select2Send(n, _ int) int {
	a, b, sums := make(chan int), make(chan int), make(chan int)
	go func() {
		sum := 0
		for i := 0; i < n; i += 2 {
			sum += <-a
			sum += 2 * <-b
		}
		sums <- sum
	}()
	for i := 1; i <= n; i++ {
		select {
		case a <- i:
		case b <- i:
		}
	}
	return <-sums
}

func select2Default(n, _ int) int {
	a, b := make(chan int), make(chan int)
	sum := 0
	for i := 0; i < n; i++ {
		select {
		case <-a:
		case <-b:
		default:
			sum++
		}
	}
	return sum
}
