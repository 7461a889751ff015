// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

func init() { register("read-files", once(readFiles)) }

const (
	fileReaders = 16
	fileRounds  = 5
	fileBytes   = 1000
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// readFiles has 16 goroutines read n small files, again and again; the names come through a
// channel.
func readFiles(n, _ int) (int, map[string]float64) {
	dir, err := os.MkdirTemp("", "weft-bench")
	must(err)
	defer os.RemoveAll(dir)
	for i := 1; i <= n; i++ {
		name := filepath.Join(dir, strconv.Itoa(i))
		must(os.WriteFile(name, bytes.Repeat([]byte("x"), fileBytes), 0o666))
	}
	sum := readAll(dir, n)
	times := make([]float64, fileRounds)
	for i := range times {
		start := time.Now()
		if readAll(dir, n) != sum {
			panic("files have changed")
		}
		times[i] = float64(time.Since(start).Nanoseconds()) / float64(n)
	}
	sort.Float64s(times)
	return sum, map[string]float64{"time": times[fileRounds/2]}
}

func readAll(dir string, n int) int {
	paths := make(chan string, 64)
	var wg sync.WaitGroup
	var sum atomic.Int64
	for i := 0; i < fileReaders; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for path := range paths {
				data, err := os.ReadFile(path)
				must(err)
				sum.Add(int64(len(data)))
			}
		}()
	}
	for i := 1; i <= n; i++ {
		paths <- dir + "/" + strconv.Itoa(i)
	}
	close(paths)
	wg.Wait()
	return int(sum.Load())
}
