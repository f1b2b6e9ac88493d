//! What the configuration says about our requests.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{AGENT, Declared, TraceParent};

/// What the configuration says about our requests to the service.
#[derive(Debug, Clone)]
pub struct ProbeSettings {
    /// Sent with every request, never recorded.
    pub headers: Headers,
    /// Where net/http/pprof is looked for; begins and ends with a slash.
    pub pprof_prefix: String,
    /// gRPC messages that were given, for servers that do not tell.
    pub declared: Option<Arc<Declared>>,
}

impl Default for ProbeSettings {
    fn default() -> Self {
        Self {
            headers: Headers::default(),
            pprof_prefix: "/debug/pprof/".to_owned(),
            declared: None,
        }
    }
}

/// Headers that go out with every request. They may hold credentials: their values are shown
/// nowhere, not even for debugging.
#[derive(Clone, Default)]
pub struct Headers(HeaderMap);

impl Headers {
    /// Reads names and values.
    ///
    /// # Errors
    /// A name or value that HTTP does not allow; the text names the header and hides its value.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let known: HeaderName = name
                .parse()
                .map_err(|_| format!("header `{name}`: not a name that HTTP allows"))?;
            let mut value: HeaderValue = value
                .parse()
                .map_err(|_| format!("header `{name}`: its value has characters that HTTP does not allow, such as a line break"))?;
            value.set_sensitive(true);
            headers.append(known, value);
        }
        Ok(Self(headers))
    }

    /// What goes out with one request: these, its ids and our name.
    pub(crate) fn with(&self, trace: &TraceParent) -> HeaderMap {
        let mut headers = self.0.clone();
        headers.insert("user-agent", HeaderValue::from_static(AGENT));
        if let Ok(ids) = HeaderValue::try_from(trace.header()) {
            headers.insert("traceparent", ids);
        }
        headers
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_never_shown() {
        let headers = Headers::new([("authorization", "Bearer hunter2")]).expect("fine headers");
        let settings = ProbeSettings {
            headers,
            ..ProbeSettings::default()
        };
        let shown = format!("{settings:?}");
        assert!(
            shown.contains("authorization") && !shown.contains("hunter2"),
            "{shown}"
        );
        let error = Headers::new([("token", "a\nb")]).expect_err("a line break");
        assert!(
            error.contains("`token`") && !error.contains("a\nb"),
            "{error}"
        );
    }
}
