//! Spans out of an `ExportTraceServiceRequest`.
//!
//! Only what [`Span`] holds is kept; fields of later versions of OTLP are skipped. Sources, by
//! field number: `opentelemetry/proto/{collector/trace,trace,common,resource}/v1/*.proto` of
//! OTLP 1.11. No clock, no socket, no panic: this is what the fuzz target calls.

use shakedown_evidence::{Span, SpanKind, SpanLink};

use super::wire::{Fields, Value, WireError};

/// Attribute values, and every other text, are cut to so many bytes: enough for a route or an
/// address; a statement or a stack trace in an attribute is of no use to a rule.
pub const TEXT_MAX: usize = 256;
/// Attributes of one span that are kept; otel-go's default limit is 128, real spans have about 10.
pub const ATTRIBUTES_MAX: usize = 64;
/// Links of one span that are kept: one is enough to acquit a new root.
pub const LINKS_MAX: usize = 32;
/// What one request may take when it is decoded; a batch of 512 ordinary spans takes 0.5 MiB.
pub const DECODED_MAX: usize = 64 << 20;

/// Why a request holds no readable spans.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are no protobuf.
    #[error("not an OTLP request: {0}")]
    Wire(#[from] WireError),
    /// A trace id is not 16 bytes, or a span id not 8.
    #[error("not an OTLP request: an id of {length} bytes where {wanted} are due")]
    IdLength {
        /// Found.
        length: usize,
        /// What OTLP prescribes.
        wanted: usize,
    },
    /// It is not JSON, or not of OTLP's form.
    #[error("not an OTLP request: {0}")]
    Json(String),
    /// The spans would take too much memory.
    #[error("the request takes more than {DECODED_MAX} bytes when it is decoded")]
    TooLarge,
}

/// Reads the body of an OTLP trace export (protobuf, inflated).
///
/// Ids become lower-case hex; an id of zeros is as good as none and becomes empty.
///
/// # Errors
/// The bytes are no protobuf, ids have impossible lengths, or the spans would take more than
/// [`DECODED_MAX`].
pub fn decode_traces(bytes: &[u8]) -> Result<Vec<Span>, DecodeError> {
    let mut decoder = Decoder::default();
    for resource_spans in messages(bytes, 1) {
        decoder.resource_spans(resource_spans?)?;
    }
    Ok(decoder.spans)
}

/// What a span takes in memory, about: allocations are counted by their length.
pub(super) fn weight(span: &Span) -> usize {
    let texts = [
        &span.trace_id,
        &span.span_id,
        &span.parent_id,
        &span.name,
        &span.service,
        &span.scope,
    ];
    let texts: usize = texts.iter().map(|text| text.len()).sum();
    let attributes = span.attributes.iter();
    let attributes: usize = attributes
        .map(|(key, value)| size_of::<(String, String)>() + key.len() + value.len())
        .sum();
    // 48 digits of ids belong to every link.
    size_of::<Span>() + texts + attributes + span.links.len() * (size_of::<SpanLink>() + 48)
}

#[derive(Default)]
struct Decoder {
    spans: Vec<Span>,
    weight: usize,
}

/// What the resource says of all its spans.
#[derive(Default)]
pub(super) struct Resource {
    pub(super) service: String,
    pub(super) pid: Option<u32>,
}

impl Decoder {
    fn resource_spans(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        // Fields may stand in any order, so the resource is looked for first.
        let mut resource = Resource::default();
        for described in messages(message, 1) {
            resource.read(described?)?;
        }
        for scope_spans in messages(message, 2) {
            self.scope_spans(scope_spans?, &resource)?;
        }
        Ok(())
    }

    fn scope_spans(&mut self, message: &[u8], resource: &Resource) -> Result<(), DecodeError> {
        let mut scope = String::new();
        for described in messages(message, 1) {
            for name in messages(described?, 1) {
                scope = text(name?);
            }
        }
        for span in messages(message, 2) {
            let span = decode_span(span?, resource, &scope)?;
            self.weight += weight(&span);
            if self.weight > DECODED_MAX {
                return Err(DecodeError::TooLarge);
            }
            self.spans.push(span);
        }
        Ok(())
    }
}

impl Resource {
    pub(super) fn read(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        for attribute in messages(message, 1) {
            if let Some((key, value)) = attribute_of(attribute?)? {
                self.take(&key, value);
            }
        }
        Ok(())
    }

    pub(super) fn take(&mut self, key: &str, value: String) {
        match key {
            "service.name" => self.service = value,
            "process.pid" => self.pid = value.parse().ok(),
            _ => {}
        }
    }
}

fn decode_span(message: &[u8], resource: &Resource, scope: &str) -> Result<Span, DecodeError> {
    let mut span = Span {
        trace_id: String::new(),
        span_id: String::new(),
        parent_id: String::new(),
        name: String::new(),
        kind: SpanKind::Unspecified,
        start_unix_ns: 0,
        end_unix_ns: 0,
        flags: 0,
        service: resource.service.clone(),
        pid: resource.pid,
        scope: scope.to_owned(),
        links: Vec::new(),
        attributes: Vec::new(),
    };
    for field in Fields::new(message) {
        match field? {
            (1, Value::Bytes(id)) => span.trace_id = hex::<16>(id)?,
            (2, Value::Bytes(id)) => span.span_id = hex::<8>(id)?,
            (4, Value::Bytes(id)) => span.parent_id = hex::<8>(id)?,
            (5, Value::Bytes(name)) => span.name = text(name),
            (6, Value::Varint(kind)) => span.kind = kind_of(kind),
            (7, Value::Fixed64(time)) => span.start_unix_ns = time,
            (8, Value::Fixed64(time)) => span.end_unix_ns = time,
            (9, Value::Bytes(attribute)) if span.attributes.len() < ATTRIBUTES_MAX => {
                span.attributes.extend(attribute_of(attribute)?);
            }
            (13, Value::Bytes(link)) if span.links.len() < LINKS_MAX => {
                span.links.push(decode_link(link)?);
            }
            (16, Value::Fixed32(flags)) => span.flags = flags,
            _ => {}
        }
    }
    Ok(span)
}

fn decode_link(message: &[u8]) -> Result<SpanLink, DecodeError> {
    let mut link = SpanLink {
        trace_id: String::new(),
        span_id: String::new(),
    };
    for field in Fields::new(message) {
        match field? {
            (1, Value::Bytes(id)) => link.trace_id = hex::<16>(id)?,
            (2, Value::Bytes(id)) => link.span_id = hex::<8>(id)?,
            _ => {}
        }
    }
    Ok(link)
}

/// A `KeyValue`; nothing if it has no name, or a value that is neither text nor number.
pub(super) fn attribute_of(message: &[u8]) -> Result<Option<(String, String)>, DecodeError> {
    let mut key = String::new();
    let mut value = None;
    for field in Fields::new(message) {
        match field? {
            (1, Value::Bytes(name)) => key = text(name),
            (2, Value::Bytes(any)) => value = any_value(any)?,
            _ => {}
        }
    }
    Ok(value.filter(|_| !key.is_empty()).map(|value| (key, value)))
}

fn any_value(message: &[u8]) -> Result<Option<String>, DecodeError> {
    let mut value = None;
    for field in Fields::new(message) {
        match field? {
            (1, Value::Bytes(string)) => value = Some(text(string)),
            (2, Value::Varint(flag)) => value = Some((flag != 0).to_string()),
            (3, Value::Varint(number)) => value = Some(number.cast_signed().to_string()),
            (4, Value::Fixed64(bits)) => value = Some(decimal(f64::from_bits(bits))),
            // Arrays, lists of pairs and bytes.
            (5..=7, _) => value = None,
            _ => {}
        }
    }
    Ok(value)
}

/// `Display` of `f64` writes 1e308 with 309 digits.
pub(super) fn decimal(number: f64) -> String {
    if number == 0.0 || (1e-6..1e16).contains(&number.abs()) {
        number.to_string()
    } else {
        format!("{number:e}")
    }
}

fn kind_of(number: u64) -> SpanKind {
    i32::try_from(number).map_or(SpanKind::Unspecified, SpanKind::from_otlp)
}

/// The bytes of every field with this number, whatever else the message holds.
pub(super) fn messages(
    message: &[u8],
    wanted: u32,
) -> impl Iterator<Item = Result<&[u8], WireError>> {
    Fields::new(message).filter_map(move |field| match field {
        Ok((number, Value::Bytes(bytes))) if number == wanted => Some(Ok(bytes)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

pub(super) fn hex<const N: usize>(id: &[u8]) -> Result<String, DecodeError> {
    if id.iter().all(|byte| *byte == 0) && (id.is_empty() || id.len() == N) {
        return Ok(String::new());
    }
    if id.len() != N {
        return Err(DecodeError::IdLength {
            length: id.len(),
            wanted: N,
        });
    }
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let halves = id.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    Ok(halves.map(|half| DIGITS[usize::from(half)]).collect())
}

/// A text cut to [`TEXT_MAX`]; invalid UTF-8 is replaced.
pub(super) fn text(bytes: &[u8]) -> String {
    cut(bytes, TEXT_MAX)
}

/// A text cut to so many bytes; invalid UTF-8 is replaced.
pub(super) fn cut(bytes: &[u8], max: usize) -> String {
    let is_cut = bytes.len() > max;
    let head = &bytes[..bytes.len().min(max)];
    let mut text = match std::str::from_utf8(head) {
        Ok(text) => text.to_owned(),
        // The cut went through a character.
        Err(error) if is_cut && error.error_len().is_none() => {
            String::from_utf8_lossy(&head[..error.valid_up_to()]).into_owned()
        }
        Err(_) => String::from_utf8_lossy(head).into_owned(),
    };
    // Each replaced byte became three.
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}
