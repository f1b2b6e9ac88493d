package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
)

// written is one record as the program wrote it.
type written struct {
	Trace   string `json:"trace"`
	Span    string `json:"span"`
	Level   string `json:"level"`
	Message string `json:"message"`
}

func logExporter(ctx context.Context, kind string) (sdklog.Exporter, error) {
	if kind == "logs-grpc" {
		return otlploggrpc.New(ctx)
	}
	return otlploghttp.New(ctx)
}

// runLogs writes records through the bridge of log/slog and prints what it wrote.
func runLogs(kind string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	exp, err := logExporter(ctx, kind)
	if err != nil {
		return err
	}
	res, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "peer")),
		resource.WithProcessPID())
	if err != nil {
		return err
	}
	provider := sdklog.NewLoggerProvider(
		sdklog.WithProcessor(sdklog.NewBatchProcessor(exp)),
		sdklog.WithResource(res))
	log := slog.New(otelslog.NewHandler("example.com/peer",
		otelslog.WithLoggerProvider(provider), otelslog.WithSource(true)))
	var all []written
	for i := range 300 {
		span := trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{0xab, byte(i), byte(i >> 8)},
			SpanID:  trace.SpanID{0xcd, byte(i), byte(i >> 8)},
		})
		level := []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}[i%4]
		one := written{Level: level.String(), Message: fmt.Sprintf("order \"%d\" stored, größe", i)}
		within := ctx
		if i%3 > 0 {
			within = trace.ContextWithSpanContext(ctx, span)
			one.Trace, one.Span = span.TraceID().String(), span.SpanID().String()
		}
		log.Log(within, level, one.Message, "id", i, "error", "card expired")
		all = append(all, one)
	}
	if err := provider.Shutdown(ctx); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(all)
}
