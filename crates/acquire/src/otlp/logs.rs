//! Log records out of an `ExportLogsServiceRequest`, as lines of JSON.
//!
//! A record becomes what a logger would have written: so the reader of log lines, and every rule
//! over them, takes it as it takes the others. Sources, by field number:
//! `opentelemetry/proto/{collector/logs,logs,common,resource}/v1/*.proto` of OTLP 1.11. No clock,
//! no socket, no panic: this is what the fuzz target calls.

use std::fmt::Write as _;

use super::decode::{
    ATTRIBUTES_MAX, DECODED_MAX, DecodeError, Resource, attribute_of, cut, hex, messages, text,
};
use super::wire::{Fields, Value};

/// A body is cut to so many bytes; what stands in a log is read by people.
pub const BODY_MAX: usize = 16 << 10;

/// One record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogRecord {
    /// When it was written, or else when the SDK saw it; 0 if neither is said.
    pub unix_ns: u64,
    /// `service.name` of the resource.
    pub service: String,
    /// `process.pid` of the resource, where it says one.
    pub pid: Option<u32>,
    /// The record as one line of JSON.
    pub text: String,
    /// Bytes that were cut off the body.
    pub cut: u64,
}

/// What a record holds, whatever it was encoded in.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) written_ns: u64,
    pub(super) observed_ns: u64,
    pub(super) severity: u64,
    pub(super) severity_text: String,
    pub(super) body: String,
    /// Bytes that the body lost.
    pub(super) cut: u64,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) trace_id: String,
    pub(super) span_id: String,
}

/// Reads the body of an OTLP log export (protobuf, inflated).
///
/// # Errors
/// The bytes are no protobuf, ids have impossible lengths, or the records would take more than
/// [`DECODED_MAX`].
pub fn decode_logs(bytes: &[u8]) -> Result<Vec<LogRecord>, DecodeError> {
    let mut records = Records::default();
    for resource_logs in messages(bytes, 1) {
        let resource_logs = resource_logs?;
        let mut resource = Resource::default();
        for described in messages(resource_logs, 1) {
            resource.read(described?)?;
        }
        for scope_logs in messages(resource_logs, 2) {
            let scope_logs = scope_logs?;
            let mut scope = String::new();
            for described in messages(scope_logs, 1) {
                for name in messages(described?, 1) {
                    scope = text(name?);
                }
            }
            for record in messages(scope_logs, 2) {
                records.push(&resource, &scope, &parts_of(record?)?)?;
            }
        }
    }
    Ok(records.found)
}

/// Records with their bound.
#[derive(Default)]
pub(super) struct Records {
    pub(super) found: Vec<LogRecord>,
    weight: usize,
}

impl Records {
    pub(super) fn push(
        &mut self,
        resource: &Resource,
        scope: &str,
        parts: &Parts,
    ) -> Result<(), DecodeError> {
        let record = LogRecord {
            unix_ns: match parts.written_ns {
                0 => parts.observed_ns,
                written => written,
            },
            service: resource.service.clone(),
            pid: resource.pid,
            text: line(scope, parts),
            cut: parts.cut,
        };
        self.weight += weight(&record);
        if self.weight > DECODED_MAX {
            return Err(DecodeError::TooLarge);
        }
        self.found.push(record);
        Ok(())
    }
}

/// What a record takes in memory, about.
pub(super) fn weight(record: &LogRecord) -> usize {
    size_of::<LogRecord>() + record.service.len() + record.text.len()
}

fn parts_of(message: &[u8]) -> Result<Parts, DecodeError> {
    let mut parts = Parts::default();
    for field in Fields::new(message) {
        match field? {
            (1, Value::Fixed64(time)) => parts.written_ns = time,
            (11, Value::Fixed64(time)) => parts.observed_ns = time,
            (2, Value::Varint(number)) => parts.severity = number,
            (3, Value::Bytes(name)) => parts.severity_text = text(name),
            (5, Value::Bytes(any)) => (parts.body, parts.cut) = body_of(any)?,
            (6, Value::Bytes(attribute)) if parts.attributes.len() < ATTRIBUTES_MAX => {
                parts.attributes.extend(attribute_of(attribute)?);
            }
            (9, Value::Bytes(id)) => parts.trace_id = hex::<16>(id)?,
            (10, Value::Bytes(id)) => parts.span_id = hex::<8>(id)?,
            _ => {}
        }
    }
    Ok(parts)
}

/// A text as it is; other values as attributes have them.
fn body_of(any: &[u8]) -> Result<(String, u64), DecodeError> {
    let mut body = (String::new(), 0);
    for field in Fields::new(any) {
        match field? {
            (1, Value::Bytes(string)) => body = cut_body(string),
            (2, Value::Varint(flag)) => body = ((flag != 0).to_string(), 0),
            (3, Value::Varint(number)) => body = (number.cast_signed().to_string(), 0),
            (4, Value::Fixed64(bits)) => body = (f64::from_bits(bits).to_string(), 0),
            _ => {}
        }
    }
    Ok(body)
}

/// A body within its bound, and how many bytes that costs.
pub(super) fn cut_body(bytes: &[u8]) -> (String, u64) {
    let body = cut(bytes, BODY_MAX);
    (body, bytes.len().saturating_sub(BODY_MAX) as u64)
}

/// The record under the names that loggers use; its own ids come last, so that they count.
fn line(scope: &str, parts: &Parts) -> String {
    let mut line = Line::default();
    if parts.written_ns > 0 {
        line.bare("time", parts.written_ns);
    }
    line.text("level", level(parts));
    line.text("logger", scope);
    line.text("msg", &parts.body);
    for (name, value) in &parts.attributes {
        line.text(name, value);
    }
    line.text("trace_id", &parts.trace_id);
    line.text("span_id", &parts.span_id);
    line.end()
}

/// The level by its number, of which four each have one name; else as the logger named it.
fn level(parts: &Parts) -> &str {
    match parts.severity {
        1..=4 => "TRACE",
        5..=8 => "DEBUG",
        9..=12 => "INFO",
        13..=16 => "WARN",
        17..=20 => "ERROR",
        21..=24 => "FATAL",
        _ => &parts.severity_text,
    }
}

/// A JSON object under construction.
#[derive(Default)]
struct Line(String);

impl Line {
    fn name(&mut self, name: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.string(name);
        self.0.push(':');
    }

    fn string(&mut self, text: &str) {
        // A text always has a form in JSON.
        self.0 += &serde_json::to_string(text).unwrap_or_default();
    }

    fn bare(&mut self, name: &str, number: u64) {
        self.name(name);
        // Writing to a text cannot fail.
        let _ = write!(self.0, "{number}");
    }

    /// Leaves out what is empty, but for the message, without which it would be no line.
    fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() || name == "msg" {
            self.name(name);
            self.string(value);
        }
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
