//! The layer: a span gets its ids, an event becomes a line.

use std::cell::Cell;
use std::fmt::{Debug, Write as _};
use std::io::Write as _;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::dispatcher::WeakDispatch;
use tracing::field::{Field, Visit};
use tracing::{Dispatch, Event, Level, Subscriber, span};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::clock;
use super::names::{Ids, Names};
use crate::json;
use crate::trace::{self, SpanContext, push_hex};

/// A line whose buffer grew beyond this does not keep it.
const BUFFER_KEPT: usize = 64 * 1024;

thread_local! {
    /// The buffer of the last line. Taken while a line is made, so that a `Debug` that logs itself
    /// gets a new one.
    static BUFFER: Cell<String> = const { Cell::new(String::new()) };
}

/// Writes each event as one JSON object with the ids of its span.
///
/// The writer gets whole lines, line end included, from many threads at once.
#[derive(Debug, Clone)]
pub struct JsonLayer<W> {
    write: W,
    names: Names,
    /// The subscriber that this is a layer of; its other layers are asked for ids through it.
    subscriber: OnceLock<WeakDispatch>,
}

impl<W: Fn(&[u8])> JsonLayer<W> {
    /// A layer that hands its lines to `write`.
    pub fn new(write: W) -> Self {
        JsonLayer {
            write,
            names: Names::OTEL,
            subscriber: OnceLock::new(),
        }
    }

    /// The same with other field names.
    #[must_use]
    pub fn names(self, names: Names) -> Self {
        JsonLayer { names, ..self }
    }
}

impl JsonLayer<fn(&[u8])> {
    /// A layer that writes to standard output.
    ///
    /// A line that cannot be written is lost: a service does not stop because its log reader did.
    pub fn stdout() -> Self {
        JsonLayer::new(|line| {
            let _ = std::io::stdout().lock().write_all(line);
        })
    }
}

impl<S, W> Layer<S> for JsonLayer<W>
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    W: Fn(&[u8]) + 'static,
{
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        // A layer is part of one subscriber; it is told once.
        let _ = self.subscriber.set(subscriber.downgrade());
    }

    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        if let Some(span) = context.span(id) {
            trace::identify(&span, attributes);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let ids = context.event_span(event).and_then(|span| {
            let subscriber = self.subscriber.get().filter(|_| cfg!(feature = "otel"));
            let subscriber = subscriber.and_then(WeakDispatch::upgrade);
            trace::of_span(&span, subscriber.as_ref())
        });
        let mut line = BUFFER.take();
        line.clear();
        push_line(&mut line, &self.names, event, ids);
        (self.write)(line.as_bytes());
        if line.capacity() <= BUFFER_KEPT {
            BUFFER.set(line);
        }
    }
}

fn push_line(line: &mut String, names: &Names, event: &Event<'_>, ids: Option<SpanContext>) {
    let metadata = event.metadata();
    push_key(line, '{', names.time);
    line.push('"');
    // Before 1970 the clock is wrong anyway.
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    clock::push_time(line, now);
    line.push('"');
    push_key(line, ',', names.level);
    json::push_text(line, level(*metadata.level()));
    push_key(line, ',', names.target);
    json::push_text(line, metadata.target());
    if let Some(ids) = ids {
        push_ids(line, names, ids);
    }
    event.record(&mut Fields { line, names });
    line.push_str("}\n");
}

fn push_ids(line: &mut String, names: &Names, ids: SpanContext) {
    push_key(line, ',', names.trace_id);
    line.push('"');
    line.push_str(names.trace_prefix);
    match names.ids {
        Ids::Hexadecimal => push_hex(line, ids.trace_id, 32),
        Ids::Decimal => {
            // The lower half, which is what Datadog keeps of a W3C trace id.
            let _ = write!(line, "{}", ids.trace_id as u64);
        }
    }
    line.push('"');
    push_key(line, ',', names.span_id);
    line.push('"');
    match names.ids {
        Ids::Hexadecimal => push_hex(line, u128::from(ids.span_id), 16),
        Ids::Decimal => {
            let _ = write!(line, "{}", ids.span_id);
        }
    }
    line.push('"');
}

/// A name of ours: no character in it needs an escape.
fn push_key(line: &mut String, before: char, name: &str) {
    line.push(before);
    line.push('"');
    line.push_str(name);
    line.push_str("\":");
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        _ => "TRACE",
    }
}

/// Appends the fields of an event.
struct Fields<'l> {
    line: &'l mut String,
    names: &'l Names,
}

impl Fields<'_> {
    fn key(&mut self, field: &Field) {
        let name = match field.name() {
            "message" => self.names.message,
            // A raw identifier is called like its word.
            other => other.strip_prefix("r#").unwrap_or(other),
        };
        self.line.push_str(",\"");
        if field.name() != "message" && self.names.reserves(name) {
            // The second of two equal names wins in most readers: the line keeps its own.
            self.line.push_str("fields.");
        }
        json::push_escaped(self.line, name);
        self.line.push_str("\":");
    }

    fn number(&mut self, field: &Field, value: impl std::fmt::Display) {
        self.key(field);
        let _ = write!(self.line, "{value}");
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.key(field);
        json::push_text(self.line, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.key(field);
        json::push_number(self.line, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.key(field);
        if value < 0 {
            self.line.push('-');
        }
        json::push_number(self.line, value.unsigned_abs());
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.number(field, value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.number(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.key(field);
        self.line.push_str(if value { "true" } else { "false" });
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.number(field, value);
        } else {
            // JSON has no word for these.
            self.record_debug(field, &value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.key(field);
        self.line.push('"');
        // An error comes from the value's own `Debug`; what it wrote until then stands.
        let _ = write!(json::Escaping(self.line), "{value:?}");
        self.line.push('"');
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tracing::{Instrument as _, info, info_span, warn};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// What is logged while `logs` runs.
    fn lines(names: Names, logs: impl FnOnce()) -> Vec<Value> {
        let written = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&written);
        let json = JsonLayer::new(move |line: &[u8]| {
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            sink.lock().expect("nobody panics").push(line.to_vec());
        })
        .names(names);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(json), logs);
        let written = written.lock().expect("nobody panics");
        written
            .iter()
            .map(|line| serde_json::from_slice(line).expect("a line is JSON"))
            .collect()
    }

    #[test]
    fn every_line_of_a_span_has_its_ids() {
        let lines = lines(Names::OTEL, || {
            info!("outside");
            let _outer = info_span!("outer").entered();
            info!("in outer");
            let _inner = info_span!("inner").entered();
            warn!(
                order = "o1",
                count = 3u64,
                ratio = 0.5,
                ok = true,
                "in inner"
            );
        });
        assert_eq!(lines[0].get("trace_id"), None);
        let trace_id = lines[1]["trace_id"].as_str().expect("it is a text");
        assert_eq!((trace_id.len(), trace_id), (32, &*trace_id.to_lowercase()));
        assert_eq!(lines[2]["trace_id"], lines[1]["trace_id"], "one trace");
        assert_ne!(lines[2]["span_id"], lines[1]["span_id"], "two spans");
        assert_eq!(lines[2]["level"], "WARN");
        assert_eq!(lines[2]["message"], "in inner");
        assert_eq!(lines[2]["order"], "o1");
        assert_eq!(lines[2]["count"], 3);
        assert_eq!(lines[2]["ok"], true);
        assert_eq!(lines[2]["target"], module_path!());
    }

    #[test]
    fn ids_cross_a_spawn() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let lines = lines(Names::OTEL, || {
            runtime.block_on(
                async {
                    info!("parent");
                    crate::spawn(async { info!("child") })
                        .await
                        .expect("it ends");
                }
                .instrument(info_span!("request")),
            );
        });
        assert_eq!(lines[0]["trace_id"], lines[1]["trace_id"]);
        assert_eq!(lines[0]["span_id"], lines[1]["span_id"]);
    }

    #[test]
    fn each_backend_has_its_names() {
        let log = || {
            let _span = info_span!("request").entered();
            info!("hello");
        };
        let ecs = &lines(Names::ECS, log)[0];
        assert!(ecs["trace.id"].is_string() && ecs["@timestamp"].is_string());
        let datadog = &lines(Names::DATADOG, log)[0];
        let id = datadog["dd.trace_id"].as_str().expect("it is a text");
        assert!(id.parse::<u64>().is_ok(), "{id}");
        let google = &lines(Names::google("projects/p/traces/"), log)[0];
        let trace = google["logging.googleapis.com/trace"].as_str();
        assert!(trace.is_some_and(|trace| trace.starts_with("projects/p/traces/")));
        assert_eq!(google["severity"], "INFO");
    }

    #[test]
    fn hostile_values_stay_inside_their_line() {
        let lines = lines(Names::OTEL, || {
            info!(
                trace_id = "forged",
                r#type = "t",
                nan = f64::NAN,
                "a\"}}\n{{\u{1b}[31m"
            );
            info!(value = ?"quoted \" and \\", list = ?["a\n"], "debug");
        });
        assert_eq!(lines[0].get("trace_id"), None, "only the layer writes ids");
        assert_eq!(lines[0]["fields.trace_id"], "forged");
        assert_eq!(lines[0]["type"], "t");
        assert_eq!(lines[0]["nan"], "NaN");
        assert_eq!(lines[0]["message"], "a\"}\n{\u{1b}[31m");
        assert_eq!(lines[1]["list"], r#"["a\n"]"#);
    }

    #[test]
    fn a_debug_that_logs_does_not_mix_two_lines() {
        struct Talkative;
        impl Debug for Talkative {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                // tracing itself keeps an event inside an event from its subscriber, or hands it
                // through: either way no line is damaged.
                info!("inner");
                formatter.write_str("outer value")
            }
        }
        let lines = lines(Names::OTEL, || info!(value = ?Talkative, "outer"));
        let outer = lines.last().expect("the outer one is written");
        assert_eq!(outer["value"], "outer value");
    }
}
