package main

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

type order struct{ id int }

func (o *order) refuse(reason string) {
	if o.id > 0 {
		panic(fmt.Errorf("order %d: %w", o.id, errors.New(reason)))
	}
}

// panicLines dies of a panic that was recovered and raised again, with another goroutine alive.
// It wants GOTRACEBACK=all, and standard error kept.
func panicLines() {
	go func() { select {} }()
	time.Sleep(10 * time.Millisecond)
	defer func() {
		if reason := recover(); reason != nil {
			var missing *order
			fmt.Println("recovered, and now", missing.id)
		}
	}()
	(&order{id: 17}).refuse("card expired")
}

// fatalLines dies of an error that cannot be recovered from.
func fatalLines() {
	m := map[int]int{}
	for range 4 {
		go func() {
			for {
				m[1]++
			}
		}()
	}
	time.Sleep(time.Second)
}

// gctraceLines wants GODEBUG=gctrace=1,inittrace=1,schedtrace=100 and standard error kept.
func gctraceLines() {
	for range 3 {
		runtime.GC()
	}
	time.Sleep(250 * time.Millisecond)
}
