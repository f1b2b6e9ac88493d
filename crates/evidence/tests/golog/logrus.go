package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/sirupsen/logrus"
	"go.opentelemetry.io/otel/trace"
)

// spanHook adds the ids of an entry's context: the hook that services write by hand.
type spanHook struct{}

func (spanHook) Levels() []logrus.Level { return logrus.AllLevels }
func (spanHook) Fire(e *logrus.Entry) error {
	if e.Context == nil {
		return nil
	}
	if span := trace.SpanContextFromContext(e.Context); span.IsValid() {
		e.Data["trace_id"] = span.TraceID().String()
		e.Data["span_id"] = span.SpanID().String()
	}
	return nil
}

func logrusLines() {
	for _, format := range []logrus.Formatter{
		&logrus.JSONFormatter{},
		&logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano},
		&logrus.JSONFormatter{DataKey: "fields"},
		&logrus.JSONFormatter{FieldMap: logrus.FieldMap{logrus.FieldKeyTime: "@timestamp", logrus.FieldKeyMsg: "message"}},
		&logrus.TextFormatter{},
		&logrus.TextFormatter{ForceColors: true, FullTimestamp: true},
		&logrus.TextFormatter{ForceColors: true},
	} {
		log := logrus.New()
		log.Out = os.Stdout
		log.Level = logrus.TraceLevel
		log.AddHook(spanHook{})
		log.Formatter = format
		logrusWith(log)
		log.ReportCaller = true
		logrusWith(log)
	}
}

func logrusWith(log *logrus.Logger) {
	ctx := traced()
	log.WithField("addr", "127.0.0.1:8080").Info("listening")
	log.WithContext(ctx).WithField("order", "ord-123").Info("order stored")
	log.WithContext(context.Background()).Info("order stored without its context")
	log.WithField("span_id", spanHex).Warn("half a pair")
	log.WithField("req", map[string]string{"trace_id": traceHex, "span_id": spanHex}).Info("ids of the request only")
	log.WithContext(ctx).WithError(errors.New("card \"gold\" expired\nask again")).Errorf("payment of order %d refused", 4711)
	log.WithContext(ctx).Trace("below debug")
	log.Info("Grüße \t \"quoted\" \\ back <&> \u2028 \x00 \xff")
}
