// Command golog writes the log line of crates/kit/examples/costs.rs with zap and slog, and prints the
// nanoseconds of one line. Both write JSON with the ids of a trace to nowhere.
//
//	golog zap|slog COUNT
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Lines of one request.
const lines = 10

type key struct{}

type ids struct{ trace, span string }

// withIDs adds the ids of the context to each record, as bridges to OpenTelemetry do.
type withIDs struct{ slog.Handler }

func (h withIDs) Handle(ctx context.Context, record slog.Record) error {
	if ids, ok := ctx.Value(key{}).(ids); ok {
		record.AddAttrs(slog.String("trace_id", ids.trace), slog.String("span_id", ids.span))
	}
	return h.Handler.Handle(ctx, record)
}

func main() {
	count, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	request := ids{"4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"}
	began := time.Now()
	switch os.Args[1] {
	case "zap":
		encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
		root := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(io.Discard), zap.InfoLevel))
		for n := range count / lines {
			// Once a request, as one does with zap.
			logger := root.With(zap.String("trace_id", request.trace), zap.String("span_id", request.span))
			for line := range lines {
				logger.Info("order line priced", zap.Int("order", n), zap.Int("line", line),
					zap.String("customer", "c-4711"), zap.Float64("price", 12.5))
			}
		}
	case "slog":
		logger := slog.New(withIDs{slog.NewJSONHandler(io.Discard, nil)})
		for n := range count / lines {
			ctx := context.WithValue(context.Background(), key{}, request)
			for line := range lines {
				logger.LogAttrs(ctx, slog.LevelInfo, "order line priced", slog.Int("order", n),
					slog.Int("line", line), slog.String("customer", "c-4711"), slog.Float64("price", 12.5))
			}
		}
	}
	fmt.Printf("%.1f\n", float64(time.Since(began).Nanoseconds())/float64(count))
}
