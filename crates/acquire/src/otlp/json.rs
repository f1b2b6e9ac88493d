//! OTLP as JSON: traces and logs.
//!
//! Protobuf's JSON with three exceptions: ids are hex, enumerations are numbers, and unknown
//! fields are skipped. Source: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>.
//! Numbers of 64 bits come as texts, as protobuf prescribes, or as numbers, as some write them.
//! No clock, no socket, no panic: this is what the fuzz target calls.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use shakedown_evidence::{Span, SpanKind, SpanLink};

use super::decode::{
    ATTRIBUTES_MAX, DECODED_MAX, DecodeError, LINKS_MAX, Resource, TEXT_MAX, cut, decimal, weight,
};
use super::logs::{LogRecord, Parts, Records, cut_body};

/// Objects of one request. Each becomes a struct of some hundred bytes whatever it holds, so this
/// bounds memory before anything is built; a batch of 512 ordinary spans has 20,000.
const OBJECTS_MAX: usize = 200_000;

/// Reads the body of an OTLP trace export in JSON.
///
/// # Errors
/// The bytes are not JSON of that form, ids are not hex of their length, or it would take too much
/// memory.
pub fn decode_traces_json(bytes: &[u8]) -> Result<Vec<Span>, DecodeError> {
    let request: TracesRequest = read(bytes)?;
    let mut spans = Vec::new();
    let mut total = 0;
    for of_resource in request.resource_spans.into_iter().flatten() {
        let resource = resource_of(of_resource.resource);
        for of_scope in of_resource.scope_spans.into_iter().flatten() {
            let scope = scope_of(of_scope.scope);
            for span in of_scope.spans.into_iter().flatten() {
                let span = span.into_span(&resource, &scope)?;
                total += weight(&span);
                if total > DECODED_MAX {
                    return Err(DecodeError::TooLarge);
                }
                spans.push(span);
            }
        }
    }
    Ok(spans)
}

/// Reads the body of an OTLP log export in JSON.
///
/// # Errors
/// As [`decode_traces_json`].
pub fn decode_logs_json(bytes: &[u8]) -> Result<Vec<LogRecord>, DecodeError> {
    let request: LogsRequest = read(bytes)?;
    let mut records = Records::default();
    for of_resource in request.resource_logs.into_iter().flatten() {
        let resource = resource_of(of_resource.resource);
        for of_scope in of_resource.scope_logs.into_iter().flatten() {
            let scope = scope_of(of_scope.scope);
            for record in of_scope.log_records.into_iter().flatten() {
                records.push(&resource, &scope, &record.into_parts()?)?;
            }
        }
    }
    Ok(records.found)
}

fn read<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, DecodeError> {
    if memchr::memchr_iter(b'{', bytes).count() > OBJECTS_MAX {
        return Err(DecodeError::TooLarge);
    }
    serde_json::from_slice(bytes).map_err(|error| DecodeError::Json(error.to_string()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TracesRequest {
    resource_spans: Option<Vec<ResourceSpans>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans {
    resource: Option<Described>,
    scope_spans: Option<Vec<ScopeSpans>>,
}

#[derive(Deserialize)]
struct ScopeSpans {
    scope: Option<Named>,
    spans: Option<Vec<JsonSpan>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogsRequest {
    resource_logs: Option<Vec<ResourceLogs>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceLogs {
    resource: Option<Described>,
    scope_logs: Option<Vec<ScopeLogs>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScopeLogs {
    scope: Option<Named>,
    log_records: Option<Vec<JsonRecord>>,
}

#[derive(Deserialize)]
struct Described {
    attributes: Option<Vec<KeyValue>>,
}

#[derive(Deserialize)]
struct Named {
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonSpan {
    trace_id: Option<String>,
    span_id: Option<String>,
    parent_span_id: Option<String>,
    name: Option<String>,
    kind: Option<Number>,
    start_time_unix_nano: Option<Number>,
    end_time_unix_nano: Option<Number>,
    flags: Option<Number>,
    attributes: Option<Vec<KeyValue>>,
    links: Option<Vec<JsonLink>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonLink {
    trace_id: Option<String>,
    span_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonRecord {
    time_unix_nano: Option<Number>,
    observed_time_unix_nano: Option<Number>,
    severity_number: Option<Number>,
    severity_text: Option<String>,
    body: Option<AnyValue>,
    attributes: Option<Vec<KeyValue>>,
    trace_id: Option<String>,
    span_id: Option<String>,
}

#[derive(Deserialize)]
struct KeyValue {
    key: Option<String>,
    value: Option<AnyValue>,
}

/// What is nested has no form as text and is passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyValue {
    string_value: Option<String>,
    bool_value: Option<bool>,
    int_value: Option<Number>,
    double_value: Option<Number>,
}

/// A number, or one that was written as a text.
enum Number {
    Whole(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    /// Anything else, which is passed over without being built.
    Other,
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a text that holds one")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
        Ok(Number::Whole(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
        Ok(Number::Signed(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Number, E> {
        Ok(Number::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Number, E> {
        Ok(Number::Text(bounded(text)))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Number, E> {
        Ok(Number::Other)
    }

    fn visit_unit<E>(self) -> Result<Number, E> {
        Ok(Number::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Number, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Number::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Number, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Number::Other)
    }
}

impl Number {
    fn whole(&self) -> u64 {
        match self {
            Self::Whole(number) => *number,
            Self::Text(text) => text.parse().unwrap_or(0),
            Self::Signed(_) | Self::Float(_) | Self::Other => 0,
        }
    }

    fn written(&self) -> Option<String> {
        match self {
            Self::Whole(number) => Some(number.to_string()),
            Self::Signed(number) => Some(number.to_string()),
            Self::Float(number) => Some(decimal(*number)),
            Self::Text(text) => Some(text.clone()),
            Self::Other => None,
        }
    }
}

impl AnyValue {
    fn written(&self) -> Option<String> {
        let number = self.int_value.as_ref().or(self.double_value.as_ref());
        match (&self.string_value, self.bool_value) {
            (Some(text), _) => Some(bounded(text)),
            (None, Some(flag)) => Some(flag.to_string()),
            (None, None) => number.and_then(Number::written),
        }
    }
}

fn bounded(text: &str) -> String {
    cut(text.as_bytes(), TEXT_MAX)
}

fn attributes_of(pairs: Option<Vec<KeyValue>>) -> impl Iterator<Item = (String, String)> {
    pairs.into_iter().flatten().filter_map(|pair| {
        let key = bounded(&pair.key.filter(|key| !key.is_empty())?);
        Some((key, pair.value?.written()?))
    })
}

fn resource_of(described: Option<Described>) -> Resource {
    let mut resource = Resource::default();
    let attributes = described.and_then(|described| described.attributes);
    for (key, value) in attributes_of(attributes) {
        resource.take(&key, value);
    }
    resource
}

fn scope_of(named: Option<Named>) -> String {
    let name = named.and_then(|named| named.name).unwrap_or_default();
    bounded(&name)
}

fn id<const N: usize>(text: Option<String>) -> Result<String, DecodeError> {
    let text = text.unwrap_or_default().to_ascii_lowercase();
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match text.len() {
        0 => Ok(String::new()),
        length if length == 2 * N && is_hex => {
            let is_zero = text.bytes().all(|byte| byte == b'0');
            Ok(if is_zero { String::new() } else { text })
        }
        length => Err(DecodeError::IdLength {
            length: length / 2,
            wanted: N,
        }),
    }
}

fn number(of: Option<&Number>) -> u64 {
    of.map_or(0, Number::whole)
}

impl JsonSpan {
    fn into_span(self, resource: &Resource, scope: &str) -> Result<Span, DecodeError> {
        let kind = i32::try_from(number(self.kind.as_ref()));
        let links = self.links.into_iter().flatten().take(LINKS_MAX);
        let links = links.map(|link| {
            Ok(SpanLink {
                trace_id: id::<16>(link.trace_id)?,
                span_id: id::<8>(link.span_id)?,
            })
        });
        Ok(Span {
            trace_id: id::<16>(self.trace_id)?,
            span_id: id::<8>(self.span_id)?,
            parent_id: id::<8>(self.parent_span_id)?,
            name: bounded(&self.name.unwrap_or_default()),
            kind: kind.map_or(SpanKind::Unspecified, SpanKind::from_otlp),
            start_unix_ns: number(self.start_time_unix_nano.as_ref()),
            end_unix_ns: number(self.end_time_unix_nano.as_ref()),
            flags: u32::try_from(number(self.flags.as_ref())).unwrap_or(0),
            service: resource.service.clone(),
            pid: resource.pid,
            scope: scope.to_owned(),
            links: links.collect::<Result<_, DecodeError>>()?,
            attributes: attributes_of(self.attributes)
                .take(ATTRIBUTES_MAX)
                .collect(),
        })
    }
}

impl JsonRecord {
    fn into_parts(self) -> Result<Parts, DecodeError> {
        let (body, cut) = match self.body {
            Some(AnyValue {
                string_value: Some(text),
                ..
            }) => cut_body(text.as_bytes()),
            other => (other.and_then(|body| body.written()).unwrap_or_default(), 0),
        };
        Ok(Parts {
            written_ns: number(self.time_unix_nano.as_ref()),
            observed_ns: number(self.observed_time_unix_nano.as_ref()),
            severity: number(self.severity_number.as_ref()),
            severity_text: bounded(&self.severity_text.unwrap_or_default()),
            body,
            cut,
            attributes: attributes_of(self.attributes)
                .take(ATTRIBUTES_MAX)
                .collect(),
            trace_id: id::<16>(self.trace_id)?,
            span_id: id::<8>(self.span_id)?,
        })
    }
}
