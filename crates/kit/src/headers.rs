//! The headers of a request that say how long it has and what goes on with its calls, found in one
//! look: to find one by its name costs as much as to pass by ten.

use http::{HeaderMap, HeaderValue};

/// What came with a request; of a header that came several times the first, as `HeaderMap::get` has it.
pub(crate) struct Came<'a> {
    pub(crate) all: &'a HeaderMap,
    pub(crate) content_type: Option<&'a HeaderValue>,
    pub(crate) grpc_timeout: Option<&'a HeaderValue>,
    pub(crate) has_baggage: bool,
    pub(crate) has_trace_state: bool,
}

impl<'a> Came<'a> {
    pub(crate) fn with(all: &'a HeaderMap) -> Self {
        let mut came = Came {
            all,
            content_type: None,
            grpc_timeout: None,
            has_baggage: false,
            has_trace_state: false,
        };
        for (name, value) in all {
            match name.as_str() {
                "content-type" => came.content_type = came.content_type.or(Some(value)),
                "grpc-timeout" => came.grpc_timeout = came.grpc_timeout.or(Some(value)),
                "baggage" => came.has_baggage = true,
                "tracestate" => came.has_trace_state = true,
                _ => {}
            }
        }
        came
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use http::header::CONTENT_TYPE;

    use super::*;
    use crate::deadline::grpc_timeout::GRPC_TIMEOUT;
    use crate::trace::{BAGGAGE, TRACESTATE};

    /// Headers with each of these names twice.
    fn map(names: &[HeaderName]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for value in ["first", "second"] {
            for name in names {
                map.append(name, HeaderValue::from_static(value));
            }
        }
        map
    }

    #[test]
    fn what_is_found_is_what_lookups_by_name_find() {
        let names = [CONTENT_TYPE, GRPC_TIMEOUT, BAGGAGE, TRACESTATE];
        for among in 0..1 << names.len() {
            let named = |n: &usize| among >> n & 1 == 1;
            let some: Vec<_> = (0..names.len()).filter(named).collect();
            let some: Vec<_> = some.into_iter().map(|n| names[n].clone()).collect();
            let map = map(&some);
            let came = Came::with(&map);
            assert_eq!(came.content_type, map.get(CONTENT_TYPE));
            assert_eq!(came.grpc_timeout, map.get(GRPC_TIMEOUT));
            assert_eq!(came.has_baggage, map.contains_key(BAGGAGE));
            assert_eq!(came.has_trace_state, map.contains_key(TRACESTATE));
        }
    }
}
