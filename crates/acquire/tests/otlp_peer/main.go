// Command otlp_peer exports known spans with OpenTelemetry's own exporters, configured by the
// environment alone, and prints what it made: otlp_peer grpc|http none|gzip. With logs-grpc or
// logs-http it exports log records in the same way.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

type made struct {
	Trace        string      `json:"trace"`
	Span         string      `json:"span"`
	Parent       string      `json:"parent"`
	Name         string      `json:"name"`
	Kind         string      `json:"kind"`
	RemoteParent bool        `json:"remote_parent"`
	Links        [][2]string `json:"links"`
	Start        int64       `json:"start"`
	End          int64       `json:"end"`
}

// memory keeps what the SDK says of each span that ended.
type memory struct {
	mu    sync.Mutex
	spans []made
}

func (m *memory) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (m *memory) Shutdown(context.Context) error                  { return nil }
func (m *memory) ForceFlush(context.Context) error                { return nil }
func (m *memory) OnEnd(s sdktrace.ReadOnlySpan) {
	parent := ""
	if s.Parent().SpanID().IsValid() {
		parent = s.Parent().SpanID().String()
	}
	links := [][2]string{}
	for _, l := range s.Links() {
		links = append(links, [2]string{l.SpanContext.TraceID().String(), l.SpanContext.SpanID().String()})
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.spans = append(m.spans, made{
		Trace:        s.SpanContext().TraceID().String(),
		Span:         s.SpanContext().SpanID().String(),
		Parent:       parent,
		Name:         s.Name(),
		Kind:         strings.ToUpper(s.SpanKind().String()),
		RemoteParent: s.Parent().IsRemote(),
		Links:        links,
		Start:        s.StartTime().UnixNano(),
		End:          s.EndTime().UnixNano(),
	})
}

func exporter(ctx context.Context, kind, compression string) (*otlptrace.Exporter, error) {
	switch kind + " " + compression {
	case "grpc none":
		return otlptracegrpc.New(ctx)
	case "grpc gzip":
		return otlptracegrpc.New(ctx, otlptracegrpc.WithCompressor("gzip"))
	case "http none":
		return otlptracehttp.New(ctx)
	case "http gzip":
		return otlptracehttp.New(ctx, otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	}
	return nil, fmt.Errorf("usage: otlp_peer grpc|http none|gzip")
}

func run(kind, compression string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	exp, err := exporter(ctx, kind, compression)
	if err != nil {
		return err
	}
	res, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "peer")),
		resource.WithProcessPID())
	if err != nil {
		return err
	}
	seen := &memory{}
	tp := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exp),
		sdktrace.WithSpanProcessor(seen),
		sdktrace.WithResource(res))
	makeSpans(ctx, tp.Tracer("example.com/peer"))
	if err := tp.Shutdown(ctx); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(seen.spans)
}

func makeSpans(ctx context.Context, tracer trace.Tracer) {
	attributes := trace.WithAttributes(
		attribute.String("text", "größe"),
		attribute.Int("number", -7),
		attribute.Bool("flag", true),
		attribute.StringSlice("list", []string{"a", "b"}),
		attribute.String("long", strings.Repeat("x", 5000)))
	remote := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID:    trace.TraceID{0xfe, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
		SpanID:     trace.SpanID{0xfd, 1, 2, 3, 4, 5, 6, 7},
		TraceFlags: trace.FlagsSampled,
	})
	kinds := []trace.SpanKind{trace.SpanKindInternal, trace.SpanKindClient, trace.SpanKindProducer, trace.SpanKindConsumer}
	for i := range 150 {
		incoming := trace.ContextWithRemoteSpanContext(ctx, remote)
		server, request := tracer.Start(incoming, fmt.Sprintf("GET /orders/%d", i), trace.WithSpanKind(trace.SpanKindServer), attributes)
		for _, kind := range kinds {
			_, child := tracer.Start(server, "child "+kind.String(), trace.WithSpanKind(kind), attributes)
			child.AddEvent("an event", trace.WithAttributes(attribute.Int("n", i)))
			child.End()
		}
		_, root := tracer.Start(ctx, "background", trace.WithNewRoot(), attributes,
			trace.WithLinks(trace.Link{SpanContext: request.SpanContext()}, trace.Link{SpanContext: remote}))
		root.End()
		request.End()
	}
}

func main() {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		fmt.Fprintln(os.Stderr, "otel:", err)
	}))
	args := append(os.Args[1:], "", "")
	err := errors.ErrUnsupported
	switch args[0] {
	case "logs-grpc", "logs-http":
		err = runLogs(args[0])
	default:
		err = run(args[0], args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
