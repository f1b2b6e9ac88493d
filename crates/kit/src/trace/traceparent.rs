//! `traceparent`, as W3C Trace Context (level 1, section 3.2) has it.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{SpanContext, push_hex};

/// The header that carries trace id, span id and flags.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header that carries what the tracing systems on the way add to `traceparent`.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// The header that carries what the application itself wants to travel with a request.
pub const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

const SAMPLED: u8 = 1;

impl SpanContext {
    /// The caller's context, if the header is there once and well formed.
    ///
    /// ```
    /// use http::{HeaderMap, HeaderValue};
    /// use shakedown_kit::trace::{SpanContext, TRACEPARENT};
    ///
    /// let mut headers = HeaderMap::new();
    /// assert_eq!(SpanContext::from_headers(&headers), None);
    /// headers.insert(TRACEPARENT, HeaderValue::from_static("00-not-an-id"));
    /// assert_eq!(SpanContext::from_headers(&headers), None, "a new trace begins");
    /// ```
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let (value, more) = (values.next()?, values.next());
        // Two of them contradict each other: the specification starts anew then.
        if more.is_some() {
            return None;
        }
        Self::parse(value.as_bytes())
    }

    /// Reads a header value; a later version may append fields, which are passed over.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let (head, rest) = value.split_at_checked(55)?;
        let [version, trace_id, span_id, flags] = fields(head)?;
        let version = number(version)?;
        let well_ended = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest[0] == b'-',
        };
        let context = SpanContext {
            trace_id: number(trace_id)?,
            span_id: u64::try_from(number(span_id)?).ok()?,
            sampled: number(flags)? & u128::from(SAMPLED) != 0,
        };
        (well_ended && context.trace_id != 0 && context.span_id != 0).then_some(context)
    }

    /// The value of the header that carries this context on.
    ///
    /// ```
    /// use shakedown_kit::trace::SpanContext;
    ///
    /// let span = SpanContext { trace_id: 0xab, span_id: 0xcd, sampled: true };
    /// let header = span.to_header();
    /// assert_eq!(header, "00-000000000000000000000000000000ab-00000000000000cd-01");
    /// ```
    pub fn to_header(self) -> HeaderValue {
        let mut text = String::with_capacity(55);
        text.push_str("00-");
        push_hex(&mut text, self.trace_id, 32);
        text.push('-');
        push_hex(&mut text, u128::from(self.span_id), 16);
        text.push_str(if self.sampled { "-01" } else { "-00" });
        HeaderValue::from_str(&text).expect("hexadecimal digits are a header value")
    }
}

/// The four fields of fixed width.
fn fields(head: &[u8]) -> Option<[&[u8]; 4]> {
    let dashes = [head[2], head[35], head[52]];
    let fields = [&head[..2], &head[3..35], &head[36..52], &head[53..]];
    (dashes == [b'-'; 3]).then_some(fields)
}

/// Lower-case hexadecimal only, as the specification demands.
fn number(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0u128, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_written_is_read() {
        let context = SpanContext::parse(EXAMPLE.as_bytes()).expect("it is the specification's");
        assert_eq!(context.trace_id, 0x4bf92f3577b34da6a3ce929d0e0e4736);
        assert_eq!(context.to_header(), EXAMPLE);
        for _ in 0..100 {
            let context = SpanContext::root();
            assert_eq!(
                SpanContext::parse(context.to_header().as_bytes()),
                Some(context)
            );
        }
    }

    #[test]
    fn what_is_malformed_begins_a_new_trace() {
        let zeros = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        let upper = EXAMPLE.to_uppercase();
        let longer = format!("{EXAMPLE}-x");
        let of_version = |version: &str| format!("{version}{}", &EXAMPLE[2..]);
        for wrong in [
            "",
            "00",
            zeros,
            &upper,
            &longer,
            &of_version("ff"),
            &EXAMPLE[..54],
        ] {
            assert_eq!(SpanContext::parse(wrong.as_bytes()), None, "{wrong}");
        }
        let later = format!("{}-more", of_version("01"));
        assert!(SpanContext::parse(later.as_bytes()).is_some());
        for cut in 0..EXAMPLE.len() {
            let mut bytes = EXAMPLE.as_bytes().to_vec();
            bytes[cut] = 0xff;
            SpanContext::parse(&bytes);
        }
    }

    #[test]
    fn two_of_them_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(TRACEPARENT, HeaderValue::from_static(EXAMPLE));
        assert!(SpanContext::from_headers(&headers).is_some());
        headers.append(TRACEPARENT, HeaderValue::from_static(EXAMPLE));
        assert_eq!(SpanContext::from_headers(&headers), None);
    }
}
