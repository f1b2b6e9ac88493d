// Busy keeps a processor at work in three ways and profiles itself.
package main

import (
	"crypto/sha256"
	"os"
	"runtime/pprof"
	"sort"
	"time"
)

func sum(data []byte) byte {
	digest := sha256.Sum256(data)
	return digest[0]
}

//go:noinline
func shuffle(numbers []int) {
	for i := range numbers {
		numbers[i] = (i * 7919) % len(numbers)
	}
	sort.Ints(numbers)
}

func work(until time.Time) byte {
	data, numbers := make([]byte, 1<<16), make([]int, 1<<14)
	var last byte
	for time.Now().Before(until) {
		last ^= sum(data)
		shuffle(numbers)
		func() {
			for i := range data {
				data[i] += last
			}
		}()
	}
	return last
}

func main() {
	pprof.StartCPUProfile(os.Stdout)
	work(time.Now().Add(700 * time.Millisecond))
	pprof.StopCPUProfile()
}
