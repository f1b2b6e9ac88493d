package main

import (
	"context"
	"log"
	"os"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// otelLines lets an exporter fail: the SDK reports that through the std logger.
func otelLines() {
	log.SetOutput(os.Stdout)
	exporter, err := otlptracehttp.New(context.Background(), otlptracehttp.WithInsecure(),
		otlptracehttp.WithEndpoint("127.0.0.1:1"), otlptracehttp.WithRetry(otlptracehttp.RetryConfig{}))
	must(err)
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter))
	_, span := provider.Tracer("golog").Start(context.Background(), "lost")
	span.End()
	if err := provider.ForceFlush(context.Background()); err != nil {
		otel.Handle(err)
	}
	_, span = provider.Tracer("golog").Start(context.Background(), "lost too")
	span.End()
	_ = provider.Shutdown(context.Background())
}
