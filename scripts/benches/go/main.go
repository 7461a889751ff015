// SPDX-License-Identifier: MIT

// Command bench runs one work in one process: bench WORK N ARG SECONDS.
//
// It does what scripts/benches/harness.lua does for the works in Lua, and prints the same: a line
// for each figure with its name, its value, the checksum and how many operations it is of.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// A pass does the work of size n and returns a checksum of the values that it moved. It is called
// again and again, after one call to warm up. What arg means is up to the work.
type pass func(n, arg int) (checksum int)

// A timedPass is a pass of which only the returned time counts.
type timedPass func(n, arg int) (checksum int, counted time.Duration)

// A once is called once, and returns its figures itself.
type once func(n, arg int) (checksum int, figures map[string]float64)

// works has every work by its name; each is added by the init function of its file.
var works = map[string]any{}

func register[W pass | timedPass | once](name string, work W) {
	works[name] = work
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 4 {
		return errors.New("usage: bench WORK N ARG SECONDS")
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	arg, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseFloat(args[3], 64)
	if err != nil {
		return err
	}
	budget := time.Duration(seconds * float64(time.Second))
	switch work := works[args[0]].(type) {
	case pass:
		return runPasses(untimed(work), n, arg, budget)
	case timedPass:
		return runPasses(work, n, arg, budget)
	case once:
		checksum, figures := work(n, arg)
		for name, value := range figures {
			printFigure(name, value, checksum, n)
		}
		return nil
	default:
		return fmt.Errorf("no such work: %s", args[0])
	}
}

// untimed makes all of a pass's time count.
func untimed(work pass) timedPass {
	return func(n, arg int) (int, time.Duration) {
		start := time.Now()
		checksum := work(n, arg)
		return checksum, time.Since(start)
	}
}

func runPasses(work timedPass, n, arg int, budget time.Duration) error {
	expected, _ := work(n, arg)
	var counted time.Duration
	passes := 0
	for start := time.Now(); passes == 0 || time.Since(start) < budget; {
		checksum, took := work(n, arg)
		counted += took
		passes++
		if checksum != expected {
			return fmt.Errorf("pass %d has checksum %d, the first has %d", passes, checksum, expected)
		}
	}
	ops := passes * n
	printFigure("time", float64(counted.Nanoseconds())/float64(ops), expected, ops)
	return nil
}

func printFigure(name string, value float64, checksum, ops int) {
	fmt.Printf("%s %.6f %d %d\n", name, value, checksum, ops)
}
