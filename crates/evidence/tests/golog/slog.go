package main

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"os"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// withIDs adds the ids of a record's context: the handler that services write by hand.
type withIDs struct{ slog.Handler }

func (h withIDs) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}
func (h withIDs) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withIDs{h.Handler.WithAttrs(attrs)}
}
func (h withIDs) WithGroup(name string) slog.Handler { return withIDs{h.Handler.WithGroup(name)} }

func slogLines() {
	plain := &slog.HandlerOptions{Level: slog.LevelDebug - 4}
	source := &slog.HandlerOptions{Level: slog.LevelDebug - 4, AddSource: true}
	slogWith(slog.New(withIDs{slog.NewJSONHandler(os.Stdout, plain)}))
	slogWith(slog.New(withIDs{slog.NewJSONHandler(os.Stdout, source)}))
	slogWith(slog.New(withIDs{slog.NewTextHandler(os.Stdout, plain)}))
	slogWith(slog.New(withIDs{slog.NewTextHandler(os.Stdout, source)}))

	slog.SetDefault(slog.New(withIDs{slog.NewJSONHandler(os.Stdout, plain)}))
	log.Print("std log after slog.SetDefault")
}

func slogWith(log *slog.Logger) {
	ctx := traced()
	log.Info("listening", "addr", "127.0.0.1:8080")
	log.InfoContext(ctx, "order stored", "order", "ord-123", "took", 1500*time.Microsecond)
	log.Info("order stored without its context")
	log.Warn("half a pair", "span_id", spanHex)
	log.Info("ids of the request only", slog.Group("req", "trace_id", traceHex, "span_id", spanHex))
	log.WithGroup("req").InfoContext(ctx, "ids swallowed by a group", "order", 12)
	log.ErrorContext(ctx, "payment refused", "error", errors.New("card \"gold\" expired\nask again"))
	log.Log(ctx, slog.LevelInfo+2, "between two levels")
	log.Log(ctx, slog.LevelDebug-4, "below debug")
	log.With("trace_id", traceHex).InfoContext(ctx, "one key twice")
	log.Info("Grüße \t \"quoted\" \\ back <&> \u2028 \x00 \xff", "empty", "", "list", []int{1, 2}, "nil", nil)
}
