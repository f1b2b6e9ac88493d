package main

import (
	"errors"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func zapLines() {
	production := zap.NewProductionEncoderConfig()
	zapWith(zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(production), os.Stdout, zap.DebugLevel), zap.AddCaller()))

	development := zap.NewDevelopmentEncoderConfig()
	zapWith(zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(development), os.Stdout, zap.DebugLevel), zap.AddCaller()))

	coloured := zap.NewDevelopmentEncoderConfig()
	coloured.EncodeLevel = zapcore.CapitalColorLevelEncoder
	zapWith(zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(coloured), os.Stdout, zap.DebugLevel), zap.AddCaller()))

	for _, encode := range []zapcore.TimeEncoder{
		zapcore.EpochMillisTimeEncoder, zapcore.EpochNanosTimeEncoder, zapcore.ISO8601TimeEncoder,
		zapcore.RFC3339TimeEncoder, zapcore.RFC3339NanoTimeEncoder, zapcore.TimeEncoderOfLayout(time.DateTime),
	} {
		timed := zap.NewProductionEncoderConfig()
		timed.EncodeTime = encode
		timed.FunctionKey = "func"
		timed.EncodeLevel = zapcore.CapitalLevelEncoder
		zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(timed), os.Stdout, zap.DebugLevel), zap.AddCaller()).Info("order stored")
	}

	// Console form, plain and coloured.
	for _, config := range []zapcore.EncoderConfig{development, coloured} {
		log := zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(config), os.Stdout, zap.DebugLevel), zap.AddCaller())
		zapWith(log)
		log.With(zap.String("trace_id", traceHex)).Error("payment refused", zap.Error(errors.New("card expired")), zap.Stack("stacktrace"))
	}
}

func zapWith(log *zap.Logger) {
	span := trace.SpanContextFromContext(traced())
	ids := []zap.Field{zap.String("trace_id", span.TraceID().String()), zap.String("span_id", span.SpanID().String())}

	log.Info("listening", zap.String("addr", "127.0.0.1:8080"))
	log.Debug("cache warmed", zap.Int("entries", 4211), zap.Duration("took", 12*time.Millisecond))
	log.Named("orders").Named("store").With(ids...).Info("order stored", zap.String("order", "ord-123"))
	log.With(ids[1]).Warn("half a pair")
	log.With(ids...).With(ids[0]).Info("one key twice")
	log.Info("ids of the request only", zap.Dict("req", ids...))
	log.With(ids...).Error("payment refused", zap.Error(errors.New("card \"gold\" expired\nask again")), zap.Stack("stacktrace"))
	log.Info("Grüße \t \"quoted\" \\ back <&> \u2028 \x00 \xff", zap.ByteString("raw", []byte{0xff, 'a'}))
	log.With(ids...).Info("large", zap.Uint64("n", 18446744073709551615), zap.Float64("f", 1e30), zap.String("text", strings.Repeat("x", 30)))
}
