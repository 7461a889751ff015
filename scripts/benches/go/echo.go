// SPDX-License-Identifier: MIT

package main

import (
	"io"
	"net"
)

func init() { register("echo", pass(echo)) }

func serveEcho(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			buf := make([]byte, 65536)
			for {
				n, err := conn.Read(buf)
				if err != nil {
					return
				}
				if _, err := conn.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
}

func echoClient(address string, size, count int, done chan<- int) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	message, answer := make([]byte, size), make([]byte, size)
	bytes := 0
	for i := 0; i < count; i++ {
		if _, err := conn.Write(message); err != nil {
			panic(err)
		}
		n, err := io.ReadFull(conn, answer)
		if err != nil {
			panic(err)
		}
		bytes += n
	}
	done <- bytes
}

func echo(n, arg int) int {
	conns, size := arg, 64
	if arg < 0 {
		conns, size = -arg, 16384
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	go serveEcho(l)
	done := make(chan int)
	for i := 0; i < conns; i++ {
		go echoClient(l.Addr().String(), size, n/conns, done)
	}
	bytes := 0
	for i := 0; i < conns; i++ {
		bytes += <-done
	}
	return bytes
}
