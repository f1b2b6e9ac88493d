//! The ids that a request of ours carries, so that its spans and log lines are known as its own.
//!
//! Source: W3C Trace Context, section 3.2; the flag 01 asks for sampling.

/// A trace and its first span, both new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent {
    trace_id: String,
    span_id: String,
}

impl TraceParent {
    /// New ids from the system's random source.
    #[must_use]
    pub fn fresh() -> Self {
        let mut random = [0; 24];
        // Without a random source (no such Linux is known) the ids would be the forbidden zeros;
        // the last digits keep them valid.
        if getrandom::fill(&mut random).is_err() {
            random[15] = 1;
            random[23] = 1;
        }
        let (trace, span) = random.split_at(16);
        Self {
            trace_id: hex(trace),
            span_id: hex(span),
        }
    }

    /// A new span of a trace that is known.
    #[must_use]
    pub fn within(trace_id: &str) -> Self {
        Self {
            trace_id: trace_id.to_owned(),
            ..Self::fresh()
        }
    }

    /// Trace id, 32 hex digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        &self.trace_id
    }

    /// Span id, 16 hex digits.
    #[must_use]
    pub fn span_id(&self) -> &str {
        &self.span_id
    }

    /// The header's value.
    #[must_use]
    pub fn header(&self) -> String {
        format!("00-{}-{}-01", self.trace_id, self.span_id)
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_new_and_of_the_right_form() {
        let one = TraceParent::fresh();
        assert_ne!(one, TraceParent::fresh());
        let header = one.header();
        let parts: Vec<&str> = header.split('-').collect();
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        assert_eq!(lengths, [2, 32, 16, 2], "{header}");
        assert_eq!((parts[0], parts[1], parts[3]), ("00", one.trace_id(), "01"));
        assert!(header.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit()));
    }

    #[test]
    fn a_span_within_a_trace_keeps_its_id() {
        let one = TraceParent::fresh();
        let two = TraceParent::within(one.trace_id());
        assert_eq!(one.trace_id(), two.trace_id());
        assert_ne!(one, two);
    }
}
