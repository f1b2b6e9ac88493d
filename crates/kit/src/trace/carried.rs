//! What comes with a request and goes on with its calls, unread: `baggage`, and `tracestate`.
//!
//! The first belongs to the application. The second belongs to the tracing systems on the way, and to
//! the trace that it came with (W3C Trace Context, section 3.3): where a call is of another trace, it
//! stays behind.

use http::header::Entry;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{BAGGAGE, SpanContext, TRACESTATE};
use crate::headers::Came;

/// The headers of a request that its calls carry on; most requests have none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Carried(Option<Box<Headers>>);

#[derive(Debug, Clone)]
struct Headers {
    baggage: Vec<HeaderValue>,
    /// Of this trace.
    trace_id: u128,
    trace_state: Vec<HeaderValue>,
}

impl Carried {
    /// What came with a request that is of the trace `trace_id`, or of none (0).
    pub(crate) fn of(came: &Came<'_>, trace_id: u128) -> Self {
        let has_state = trace_id != 0 && came.has_trace_state;
        if !has_state && !came.has_baggage {
            return Carried(None);
        }
        let headers = came.all;
        // It means nothing without the context that it came with.
        let remote = SpanContext::from_headers(headers).filter(|_| has_state);
        let is_of_this = remote.is_some_and(|remote| remote.trace_id == trace_id);
        Carried(Some(Box::new(Headers {
            baggage: all(headers, BAGGAGE),
            trace_id,
            trace_state: match is_of_this {
                true => all(headers, TRACESTATE),
                false => Vec::new(),
            },
        })))
    }

    /// Puts it onto a call of the trace `trace_id`, which keeps what it has already.
    pub(crate) fn apply(&self, headers: &mut HeaderMap, trace_id: u128) {
        let Some(carried) = &self.0 else {
            return;
        };
        put(headers, BAGGAGE, &carried.baggage);
        if trace_id == carried.trace_id {
            put(headers, TRACESTATE, &carried.trace_state);
        }
    }
}

fn all(headers: &HeaderMap, name: HeaderName) -> Vec<HeaderValue> {
    headers.get_all(name).iter().cloned().collect()
}

fn put(headers: &mut HeaderMap, name: HeaderName, values: &[HeaderValue]) {
    let Some((first, more)) = values.split_first() else {
        return;
    };
    if let Entry::Vacant(place) = headers.entry(name) {
        let mut place = place.insert_entry(first.clone());
        for value in more {
            place.append(value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::TRACEPARENT;

    const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;

    /// The headers of a call of the trace `of`, in a request with these headers.
    fn call(
        given: &[(HeaderName, &'static str)],
        of: u128,
        has: &[(HeaderName, &'static str)],
    ) -> HeaderMap {
        let map = |pairs: &[(HeaderName, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(name, HeaderValue::from_static(value));
            }
            headers
        };
        let mut headers = map(has);
        Carried::of(&Came::with(&map(given)), TRACE).apply(&mut headers, of);
        headers
    }

    const PARENT: (HeaderName, &str) = (
        TRACEPARENT,
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    );

    #[test]
    fn each_header_goes_on_whole_and_in_its_order() {
        let given = [
            PARENT,
            (TRACESTATE, "one=1"),
            (BAGGAGE, "tenant=a"),
            (TRACESTATE, "two=2"),
            (BAGGAGE, "region=b"),
        ];
        let sent = call(&given, TRACE, &[]);
        assert_eq!(all(&sent, TRACESTATE), ["one=1", "two=2"]);
        assert_eq!(all(&sent, BAGGAGE), ["tenant=a", "region=b"]);
        assert_eq!(sent.len(), 4, "the context itself is another one");
    }

    #[test]
    fn the_state_of_a_trace_stays_in_its_trace() {
        let state = (TRACESTATE, "one=1");
        let other = (
            TRACEPARENT,
            "00-11111111111111111111111111111111-00f067aa0ba902b7-01",
        );
        let check = |given: &[(HeaderName, &'static str)], of| call(given, of, &[]).len();
        assert_eq!(check(&[PARENT, state.clone()], TRACE), 1);
        assert_eq!(
            check(&[PARENT, state.clone()], 7),
            0,
            "the call is of another"
        );
        assert_eq!(check(&[PARENT, state.clone()], 0), 0, "or of none");
        assert_eq!(
            check(&[other, state.clone()], TRACE),
            0,
            "the request is of another"
        );
        assert_eq!(check(&[state], TRACE), 0, "whose is it?");
    }

    #[test]
    fn a_call_keeps_what_it_has() {
        let given = [PARENT, (TRACESTATE, "one=1"), (BAGGAGE, "tenant=a")];
        let has = [(TRACESTATE, "own=1"), (BAGGAGE, "own=b")];
        let sent = call(&given, TRACE, &has);
        assert_eq!(
            (&sent[TRACESTATE], &sent[BAGGAGE]),
            (
                &has[0].1.parse().expect("text"),
                &has[1].1.parse().expect("text")
            )
        );
        assert_eq!(sent.len(), 2);
    }
}
