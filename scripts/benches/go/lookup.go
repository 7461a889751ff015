// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"fmt"
	"net"
	"os"
)

func init() { register("lookup", pass(lookup)) }

// lookup looks n names up in so many tasks, with Go's own resolver, beside c/names.c.
func lookup(n, tasks int) int {
	resolver := &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, os.Getenv("WEFT_NAMESERVERS"))
		},
	}
	sums := make(chan int)
	for first := 1; first <= tasks; first++ {
		go func(first int) {
			sum := 0
			for i := first; i <= n; i += tasks {
				list, err := resolver.LookupIP(context.Background(), "ip4", fmt.Sprintf("n%d.bench.test.", i))
				must(err)
				ip := list[0].To4()
				sum += int(ip[1])<<16 | int(ip[2])<<8 | int(ip[3])
			}
			sums <- sum
		}(first)
	}
	sum := 0
	for i := 0; i < tasks; i++ {
		sum += <-sums
	}
	return sum
}
