//! Which tracing SDK an executable has, by the modules that are linked into it.
//!
//! An SDK is what records and exports. The API of OpenTelemetry and the instrumentation over it
//! (otelgrpc, otelhttp) do nothing by themselves, so their being there says nothing.

use shakedown_evidence::{BuildInfo, Evidence};

/// The SDK of OpenTelemetry.
const SDK: &str = "go.opentelemetry.io/otel/sdk";
/// Its API, which records nothing without an SDK.
const API: &str = "go.opentelemetry.io/otel";

/// Modules of other tracers, and what they speak. A path stands for its later major versions too.
const OTHERS: [(&str, &str); 17] = [
    ("github.com/DataDog/dd-trace-go", "Datadog's protocol"),
    ("gopkg.in/DataDog/dd-trace-go.v1", "Datadog's protocol"),
    ("go.elastic.co/apm", "Elastic's protocol"),
    ("github.com/newrelic/go-agent", "New Relic's protocol"),
    ("github.com/getsentry/sentry-go", "Sentry's protocol"),
    ("github.com/uber/jaeger-client-go", "Jaeger's protocol"),
    ("github.com/openzipkin/zipkin-go", "Zipkin's protocol"),
    ("github.com/aws/aws-xray-sdk-go", "X-Ray's protocol"),
    ("github.com/honeycombio/beeline-go", "Honeycomb's protocol"),
    ("github.com/instana/go-sensor", "Instana's protocol"),
    (
        "github.com/lightstep/lightstep-tracer-go",
        "Lightstep's protocol",
    ),
    (
        "github.com/signalfx/signalfx-go-tracing",
        "SignalFx's protocol",
    ),
    ("github.com/SkyAPM/go2sky", "SkyWalking's protocol"),
    ("github.com/apache/skywalking-go", "SkyWalking's protocol"),
    (
        "github.com/Dynatrace/OneAgent-SDK-for-Go",
        "Dynatrace's protocol",
    ),
    (
        "contrib.go.opencensus.io",
        "what its OpenCensus exporter speaks",
    ),
    // Last: Google's libraries bring it along without using it.
    ("go.opencensus.io", "what its OpenCensus exporter speaks"),
];

/// What the build info says of tracing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tracer<'a> {
    /// OpenTelemetry's SDK, of a version.
    OpenTelemetry { version: &'a str },
    /// Another tracer: its module, and what it speaks.
    Other {
        module: &'a str,
        speaks: &'static str,
    },
    /// None, though all modules are known; the version of OpenTelemetry's API, if that is there.
    None { api: Option<&'a str> },
    /// The executable does not say.
    Unknown(&'static str),
}

/// The SDK may be there for metrics alone: its metrics are linked, and nothing that exports spans.
pub(super) fn is_for_metrics(seen: &Evidence) -> bool {
    let Some(build) = &seen.build else {
        return false;
    };
    let exports = |path: &str| {
        let known = ["otlptrace", "stdouttrace", "zipkin", "jaeger", "autoexport"];
        let is_exporter = path.contains("/exporters/");
        is_exporter && known.iter().any(|name| path.contains(name))
    };
    let exports = build.modules.iter().any(|module| exports(&module.path));
    build
        .module("go.opentelemetry.io/otel/sdk/metric")
        .is_some()
        && !exports
}

/// Looks through the modules of the service's executable.
pub(super) fn tracer(seen: &Evidence) -> Tracer<'_> {
    let Some(build) = &seen.build else {
        return Tracer::Unknown("the executable was not read");
    };
    if build.rust.is_some() {
        return Tracer::Unknown("an executable of Rust does not list its crates");
    }
    if build.go.is_none() {
        return Tracer::Unknown("the executable is not Go's");
    }
    if let Some(version) = build.module(SDK) {
        return Tracer::OpenTelemetry { version };
    }
    if let Some((module, speaks)) = other(build) {
        return Tracer::Other { module, speaks };
    }
    // Build systems other than `go build` leave the list of modules out.
    if build.main.is_none() && build.modules.is_empty() {
        return Tracer::Unknown("the executable does not list its modules");
    }
    Tracer::None {
        api: build.module(API),
    }
}

fn other(build: &BuildInfo) -> Option<(&str, &'static str)> {
    OTHERS.iter().find_map(|(path, speaks)| {
        let is = |module: &str| {
            let rest = module.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut modules = build.modules.iter();
        let found = modules.find(|module| is(&module.path))?;
        Some((found.path.as_str(), *speaks))
    })
}

#[cfg(test)]
mod tests {
    use shakedown_evidence::Module;

    use super::*;

    fn seen(modules: &[&str]) -> Evidence {
        let module = |path: &&str| Module {
            path: (*path).into(),
            version: "v1.2.3".into(),
        };
        Evidence {
            build: Some(BuildInfo {
                go: Some("go1.26.8".into()),
                main: Some(module(&"shop.test/orders")),
                modules: modules.iter().map(module).collect(),
                ..BuildInfo::default()
            }),
            ..Evidence::default()
        }
    }

    #[test]
    fn the_sdk_counts_and_not_the_api() {
        let both = seen(&[API, SDK]);
        assert_eq!(tracer(&both), Tracer::OpenTelemetry { version: "v1.2.3" });
        let api = seen(&[API, "go.opentelemetry.io/otel/trace"]);
        assert_eq!(
            tracer(&api),
            Tracer::None {
                api: Some("v1.2.3")
            }
        );
        assert_eq!(tracer(&seen(&[])), Tracer::None { api: None });
    }

    #[test]
    fn another_tracer_is_named_whatever_its_version() {
        for path in [
            "github.com/DataDog/dd-trace-go/v2",
            "gopkg.in/DataDog/dd-trace-go.v1",
            "go.elastic.co/apm/module/apmgrpc/v2",
            "github.com/newrelic/go-agent/v3",
        ] {
            let found = seen(&["github.com/DataDog/dd-trace-gone", path]);
            let is = matches!(tracer(&found), Tracer::Other { module, .. } if module == path);
            assert!(is, "{path}");
        }
        let alike = seen(&["github.com/DataDog/dd-trace-gone"]);
        assert_eq!(tracer(&alike), Tracer::None { api: None });
    }

    #[test]
    fn who_does_not_list_modules_says_nothing() {
        let is_unknown = |seen: &Evidence| matches!(tracer(seen), Tracer::Unknown(_));
        assert!(is_unknown(&Evidence::default()));
        let mut seen = seen(&[]);
        let build = seen.build.as_mut().unwrap();
        build.main = None;
        assert!(is_unknown(&seen));
        seen.build.as_mut().unwrap().go = None;
        assert!(is_unknown(&seen));
    }
}
