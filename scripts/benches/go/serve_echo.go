// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"net"
)

func init() {
	register("serve-echo", once(serveEchoForEver))
	register("serve-echo-strings", once(serveEchoForEver))
}

// serveEchoForEver is the server for scripts/benches/c/load.c; GOMAXPROCS says on how many cores.
func serveEchoForEver(_, _ int) (int, map[string]float64) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	serveEcho(l)
	return 0, nil
}
