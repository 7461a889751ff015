// SPDX-License-Identifier: MIT

package main

func init() {
	register("select8-recv", pass(select8Recv))
	register("select8-send", pass(select8Send))
	register("select8-default", pass(select8Default))
}

func eightChans() (chans [8]chan int) {
	for k := range chans {
		chans[k] = make(chan int)
	}
	return chans
}

func select8Recv(n, _ int) int {
	chans := eightChans()
	go func() {
		for i := 1; i <= n; i += len(chans) {
			for k, ch := range chans {
				ch <- i + k
			}
		}
	}()
	a, b, c, d := chans[0], chans[1], chans[2], chans[3]
	e, f, g, h := chans[4], chans[5], chans[6], chans[7]
	sum := 0
	for i := 0; i < n; i++ {
		select {
		case v := <-a:
			sum += v
		case v := <-b:
			sum += 2 * v
		case v := <-c:
			sum += 3 * v
		case v := <-d:
			sum += 4 * v
		case v := <-e:
			sum += 5 * v
		case v := <-f:
			sum += 6 * v
		case v := <-g:
			sum += 7 * v
		case v := <-h:
			sum += 8 * v
		}
	}
	return sum
}

func select8Send(n, _ int) int {
	chans, sums := eightChans(), make(chan int)
	go func() {
		sum := 0
		for i := 0; i < n; i += len(chans) {
			for k, ch := range chans {
				sum += (k + 1) * <-ch
			}
		}
		sums <- sum
	}()
	a, b, c, d := chans[0], chans[1], chans[2], chans[3]
	e, f, g, h := chans[4], chans[5], chans[6], chans[7]
	for i := 1; i <= n; i++ {
		select {
		case a <- i:
		case b <- i:
		case c <- i:
		case d <- i:
		case e <- i:
		case f <- i:
		case g <- i:
		case h <- i:
		}
	}
	return <-sums
}

func select8Default(n, _ int) int {
	chans := eightChans()
	a, b, c, d := chans[0], chans[1], chans[2], chans[3]
	e, f, g, h := chans[4], chans[5], chans[6], chans[7]
	sum := 0
	for i := 0; i < n; i++ {
		select {
		case <-a:
		case <-b:
		case <-c:
		case <-d:
		case <-e:
		case <-f:
		case <-g:
		case <-h:
		default:
			sum++
		}
	}
	return sum
}
