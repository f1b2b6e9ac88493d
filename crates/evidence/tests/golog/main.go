// Golog writes the log lines that the reader of shakedown is tested on, with the real libraries.
//
//	golog NAME   writes lines of one kind to standard output
//
// What runs is in one file a kind; README.md in ../data says how the output was frozen.
package main

import (
	"context"
	"fmt"
	"os"

	"go.opentelemetry.io/otel/trace"
)

// Kinds of lines by name.
var kinds = map[string]func(){
	"zap":     zapLines,
	"zerolog": zerologLines,
	"slog":    slogLines,
	"logrus":  logrusLines,
	"std":     stdLines,
	"nethttp": nethttpLines,
	"grpc":    grpcLines,
	"glog":    glogLines,
	"otel":    otelLines,
	"access":  accessLines,
	"panic":   panicLines,
	"fatal":   fatalLines,
	"gctrace": gctraceLines,
}

func main() {
	if len(os.Args) == 2 {
		if write, ok := kinds[os.Args[1]]; ok {
			write()
			return
		}
	}
	fmt.Fprintln(os.Stderr, "usage: golog NAME, with a NAME of")
	for name := range kinds {
		fmt.Fprintln(os.Stderr, "  "+name)
	}
	os.Exit(2)
}

const (
	traceHex = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanHex  = "00f067aa0ba902b7"
)

// traced returns a context as a server's instrumentation leaves it.
func traced() context.Context {
	traceID, err := trace.TraceIDFromHex(traceHex)
	must(err)
	spanID, err := trace.SpanIDFromHex(spanHex)
	must(err)
	return trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: traceID, SpanID: spanID, TraceFlags: trace.FlagsSampled,
	}))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
