//! What the fields of a line are called, and how ids are written.

/// Field names of one log backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names {
    pub(super) time: &'static str,
    pub(super) level: &'static str,
    pub(super) message: &'static str,
    pub(super) target: &'static str,
    pub(super) trace_id: &'static str,
    pub(super) span_id: &'static str,
    pub(super) ids: Ids,
    /// What stands before the trace id in its value.
    pub(super) trace_prefix: &'static str,
}

/// How ids are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ids {
    /// As W3C has them: 32 and 16 hexadecimal digits.
    Hexadecimal,
    /// The lower 64 bits as a decimal number.
    Decimal,
}

impl Names {
    /// `trace_id` and `span_id`, as OpenTelemetry has them in logs that are not OTLP.
    pub const OTEL: Names = Names {
        time: "timestamp",
        level: "level",
        message: "message",
        target: "target",
        trace_id: "trace_id",
        span_id: "span_id",
        ids: Ids::Hexadecimal,
        trace_prefix: "",
    };

    /// Elastic Common Schema: `trace.id`, `span.id`, `@timestamp`.
    pub const ECS: Names = Names {
        time: "@timestamp",
        level: "log.level",
        message: "message",
        target: "log.logger",
        trace_id: "trace.id",
        span_id: "span.id",
        ids: Ids::Hexadecimal,
        trace_prefix: "",
    };

    /// Datadog: `dd.trace_id` and `dd.span_id`, 64-bit decimal numbers as text.
    pub const DATADOG: Names = Names {
        time: "timestamp",
        level: "status",
        message: "message",
        target: "logger.name",
        trace_id: "dd.trace_id",
        span_id: "dd.span_id",
        ids: Ids::Decimal,
        trace_prefix: "",
    };

    /// Google Cloud Logging; `trace_prefix` is `projects/PROJECT/traces/`, without which the console
    /// does not link a line to its trace.
    pub const fn google(trace_prefix: &'static str) -> Names {
        Names {
            time: "time",
            level: "severity",
            message: "message",
            target: "target",
            trace_id: "logging.googleapis.com/trace",
            span_id: "logging.googleapis.com/spanId",
            ids: Ids::Hexadecimal,
            trace_prefix,
        }
    }

    /// Whether a field of the service would write one of these a second time.
    pub(super) fn reserves(&self, name: &str) -> bool {
        [
            self.time,
            self.level,
            self.message,
            self.target,
            self.trace_id,
            self.span_id,
        ]
        .contains(&name)
    }
}
