package main

import (
	"errors"
	"os"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"
)

// fromContext is the hook that services write by hand.
type fromContext struct{}

func (fromContext) Run(e *zerolog.Event, _ zerolog.Level, _ string) {
	if span := trace.SpanContextFromContext(e.GetCtx()); span.IsValid() {
		e.Str("trace_id", span.TraceID().String()).Str("span_id", span.SpanID().String())
	}
}

func zerologLines() {
	for _, format := range []string{
		time.RFC3339, time.RFC3339Nano, zerolog.TimeFormatUnix, zerolog.TimeFormatUnixMs,
		zerolog.TimeFormatUnixMicro, zerolog.TimeFormatUnixNano,
	} {
		zerolog.TimeFieldFormat = format
		log := zerolog.New(os.Stdout).With().Timestamp().Logger()
		log.Info().Msg("order stored")
	}
	zerolog.TimeFieldFormat = time.RFC3339

	log := zerolog.New(os.Stdout).Hook(fromContext{}).With().Timestamp().Caller().Logger()
	zerologWith(log)
	zerologWith(zerolog.New(os.Stdout).Hook(fromContext{}))
	zerologWith(log.Output(zerolog.ConsoleWriter{Out: os.Stdout, TimeFormat: time.RFC3339}))
	zerologWith(log.Output(zerolog.ConsoleWriter{Out: os.Stdout, NoColor: true}))
}

func zerologWith(log zerolog.Logger) {
	ctx := traced()
	log.Info().Str("addr", "127.0.0.1:8080").Msg("listening")
	log.Info().Ctx(ctx).Str("order", "ord-123").Msg("order stored")
	log.Debug().Msg("order stored without its context")
	log.Warn().Str("span_id", spanHex).Msg("half a pair")
	log.Info().Dict("req", zerolog.Dict().Str("trace_id", traceHex).Str("span_id", spanHex)).Msg("ids of the request only")
	log.Error().Ctx(ctx).Err(errors.New("card \"gold\" expired\nask again")).Msgf("payment of order %d refused", 4711)
	log.Log().Ctx(ctx).Msg("no level")
	log.Info().Ctx(ctx).Send()
	log.Info().Ctx(ctx).Str("trace_id", traceHex).Msg("one key twice")
	log.Info().Msg("Grüße \t \"quoted\" \\ back <&> \u2028 \x00 \xff")
}
