//! The variables that make a service export to us.
//!
//! | set | why | ignored by |
//! |---|---|---|
//! | `OTEL_EXPORTER_OTLP_ENDPOINT` | our port; without its scheme otlptracegrpc fails | `WithEndpoint`, `WithGRPCConn` in code; an OTLP exporter that reads variables of its own |
//! | `OTEL_EXPORTER_OTLP_INSECURE=true` | an inherited `false` beats the scheme in otel-go | as above |
//! | `OTEL_TRACES_EXPORTER=otlp` | an inherited `none` or `console` | a provider built by hand in Go |
//! | `OTEL_LOGS_EXPORTER=otlp` | likewise; without it an SDK's own default is `otlp` too | a provider built by hand in Go |
//! | `OTEL_SDK_DISABLED=false` | an inherited `true` | Go's SDK, which does not know it |
//! | `OTEL_TRACES_SAMPLER=parentbased_always_on` | a sampled probe is always recorded, and the flag of our traceparent decides | `WithSampler` in code |
//! | `OTEL_PROPAGATORS=tracecontext,baggage` | our traceparent is understood where production uses B3 or Jaeger's header | `SetTextMapPropagator` in code, and its absence |
//! | `OTEL_BSP_SCHEDULE_DELAY`, `OTEL_BLRP_SCHEDULE_DELAY` | spans and log records arrive after 0.2 s, not 5 s and 1 s | `WithBatchTimeout` in code |
//!
//! Removed is whatever may stand in the caller's environment and would beat these.
//! `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` cannot be overwritten with one value: OTLP/HTTP uses it as
//! it is, so that it needs `/v1/traces`, and of gRPC exporters some take a path for part of the
//! name. Without it both find our port through the general one. The same goes for the protocol:
//! the port speaks all of them. Removing the headers also keeps credentials of a
//! collector from us, and removing the certificates keeps otlptracegrpc from TLS.
//!
//! Left alone on purpose: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`, which belong to the
//! service; `OTEL_METRICS_EXPORTER`, because `none` would take away a Prometheus listener, and what
//! it sends to us is accepted and forgotten; `OTEL_CONFIG_FILE`, because such a file usually names our variables, and without
//! it the service would not trace at all.

/// Batches are sent this often, milliseconds: with 512 spans a batch and one batch at a time this
/// adds no load worth naming, and rules wait for spans.
const BATCH_DELAY_MS: &str = "200";

const PREFIX: &str = "OTEL_EXPORTER_OTLP_";
/// The general variable, and those of the signals, which beat it.
const SIGNALS: [&str; 5] = ["", "TRACES_", "METRICS_", "LOGS_", "PROFILES_"];
/// What can be set for all signals or for one.
const SETTINGS: [&str; 9] = [
    "ENDPOINT",
    "PROTOCOL",
    "HEADERS",
    "INSECURE",
    "CERTIFICATE",
    "CLIENT_CERTIFICATE",
    "CLIENT_KEY",
    "COMPRESSION",
    "TIMEOUT",
];
/// What else would beat or starve us.
const OTHERS: [&str; 4] = [
    "OTEL_TRACES_SAMPLER_ARG",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_BSP_EXPORT_TIMEOUT",
];

/// The variables to set, in place of inherited ones.
pub(super) fn set(url: &str) -> Vec<(String, String)> {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url),
        ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
        ("OTEL_TRACES_EXPORTER", "otlp"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
        ("OTEL_SDK_DISABLED", "false"),
        ("OTEL_TRACES_SAMPLER", "parentbased_always_on"),
        ("OTEL_PROPAGATORS", "tracecontext,baggage"),
        ("OTEL_BSP_SCHEDULE_DELAY", BATCH_DELAY_MS),
        ("OTEL_BLRP_SCHEDULE_DELAY", BATCH_DELAY_MS),
    ];
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    variables.into_iter().map(owned).collect()
}

/// The variables to remove; none of them is one of those to set.
pub(super) fn removed() -> Vec<String> {
    let kept = set("");
    let of_exporters = SIGNALS.iter().flat_map(|signal| {
        SETTINGS
            .iter()
            .map(move |setting| format!("{PREFIX}{signal}{setting}"))
    });
    of_exporters
        .chain(OTHERS.map(str::to_owned))
        .filter(|name| kept.iter().all(|(set, _)| set != name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_both_set_and_removed() {
        let removed = removed();
        for (name, _) in set("http://127.0.0.1:1") {
            assert!(!removed.contains(&name), "{name}");
        }
    }

    #[test]
    fn every_variable_that_beats_the_general_endpoint_is_removed() {
        let removed = removed();
        for name in [
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "OTEL_EXPORTER_OTLP_TRACES_INSECURE",
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
            "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "OTEL_EXPORTER_OTLP_CERTIFICATE",
        ] {
            assert!(removed.iter().any(|removed| removed == name), "{name}");
        }
    }
}
