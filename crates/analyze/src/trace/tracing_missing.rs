//! TRC011: nothing in the executable makes spans.
//!
//! Build info proves it: every module that is linked stands there. What was received beats it: a
//! service may be instrumented from outside.

use shakedown_evidence::{BuildInfo, Evidence, Speaks};
use shakedown_findings::{Certainty, Exhibit, Finding, Item, RuleMeta, Severity};

use super::entries;
use super::tracers::{self, Tracer};
use crate::exhibits;
use crate::judgement::Found;
use crate::target::repeat;
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "TRC011",
        name: "tracing-missing",
        item: Item::Trace,
        severity: Severity::Error,
        required: true,
        page: include_str!("tracing_missing.md"),
    },
    judge,
};

/// Modules that are named with a finding.
const NAMED: usize = 8;

fn judge(seen: &Evidence) -> Judgement {
    let routes = entries::routes(seen);
    let known: usize = routes.iter().map(entries::Route::known).sum();
    let tracer = tracers::tracer(seen);
    match tracer {
        Tracer::OpenTelemetry { version } if known > 0 || !tracers::is_for_metrics(seen) => {
            Judgement::passed(format!("OpenTelemetry SDK {version}"))
        }
        Tracer::OpenTelemetry { .. } => Judgement::inconclusive(
            "the OpenTelemetry SDK is linked with its metrics, and nothing that exports spans",
            "otlptracegrpc or otlptracehttp, and otel.SetTracerProvider",
        ),
        _ if known > 0 => Judgement::passed(format!("{known} spans of our requests arrived")),
        Tracer::Other { module, speaks } => Judgement::inconclusive(
            format!("the service traces with {module}, which speaks {speaks} and not OTLP"),
            "the OpenTelemetry SDK; or waive the rules of this item, with the tracer as the reason",
        ),
        Tracer::Unknown(why) if seen.is_rust() => Judgement::inconclusive(
            why,
            "spans over OTLP: tracing-opentelemetry with opentelemetry-otlp, which reads OTEL_EXPORTER_OTLP_ENDPOINT",
        ),
        Tracer::Unknown(why) => Judgement::inconclusive(
            why,
            "an executable built with go build, or spans over OTLP: OTEL_EXPORTER_OTLP_ENDPOINT",
        ),
        Tracer::None { .. } if !takes_requests(seen) => Judgement::not_exercised(
            "no tracing SDK is linked, and nothing was found that takes requests",
            "--http 'GET /path' or --grpc pkg.Service/Method --data '{…}'",
        ),
        Tracer::None { api } => Judgement::failed(vec![finding(seen, api)]),
    }
}

/// A request was given, or a listener serves more than pprof and figures.
fn takes_requests(seen: &Evidence) -> bool {
    let speaks = |what| seen.speaking(what);
    let mut web = speaks(Speaks::Http1).filter(|listener| {
        let facts = seen.facts_of(&listener.reach);
        facts.is_some_and(|facts| {
            !facts.speaks.contains(&Speaks::Pprof) && !facts.speaks.contains(&Speaks::Prometheus)
        })
    });
    seen.run.requests.iter().any(|request| request.given)
        || speaks(Speaks::Grpc).next().is_some()
        || web.next().is_some()
}

fn finding(seen: &Evidence, api: Option<&str>) -> Finding {
    let modules = seen.build.as_ref().map_or(0, |build| build.modules.len());
    let linked = match modules {
        0 => "It links no module at all besides its own.".to_owned(),
        1 => "It links one module, which makes no spans.".to_owned(),
        _ => format!("It links {modules} modules, and none of them makes spans."),
    };
    let api = api.map_or(String::new(), |version| {
        format!(
            " OpenTelemetry's API {version} is there, so instrumentation may be too; without the SDK it makes nothing."
        )
    });
    let exhibits = seen.build.as_ref().and_then(quote);
    Found {
        certainty: Certainty::Proven,
        subject: "no tracing SDK is linked".into(),
        location: None,
        message: format!("The executable has no tracing SDK: no request leaves a trace, and no log line can be found by one. {linked}{api}"),
        exhibits: exhibits.into_iter().collect(),
        fix: "go.opentelemetry.io/otel/sdk with an OTLP exporter, otel.SetTracerProvider and otel.SetTextMapPropagator where the service starts, otelhttp or otelgrpc on servers and clients".into(),
        repeat: repeat(seen, RULE.meta.name),
    }
    .by(&RULE.meta)
}

/// The first modules of the list.
fn quote(build: &BuildInfo) -> Option<Exhibit> {
    let mut lines: Vec<String> = build
        .modules
        .iter()
        .take(NAMED)
        .map(|module| format!("{} {}", module.path, module.version))
        .collect();
    if build.modules.len() > NAMED {
        lines.push(format!("and {} more", build.modules.len() - NAMED));
    }
    let title = format!("modules linked into {}", exhibits::base(&build.executable));
    (!lines.is_empty()).then_some(Exhibit::Quote { title, lines })
}

#[cfg(test)]
mod tests {
    use super::super::cases::{Case, joined};
    use super::*;

    fn check(seen: &Evidence) -> String {
        judge(seen).outcome.name().to_owned()
    }

    #[test]
    fn no_sdk_is_an_error_for_whoever_takes_requests() {
        let seen = Case::of(&["GET /x"]).linked(&["go.uber.org/zap"]).alive();
        let judged = judge(&seen);
        assert_eq!(judged.outcome.name(), "failed");
        assert_eq!(judged.findings[0].certainty, Certainty::Proven);
    }

    #[test]
    fn the_api_alone_is_no_sdk_and_the_finding_says_so() {
        let seen = Case::of(&["GET /x"])
            .linked(&["go.opentelemetry.io/otel"])
            .alive();
        let judged = judge(&seen);
        assert!(
            judged.findings[0].message.contains("API v1.47.0"),
            "{judged:?}"
        );
    }

    #[test]
    fn the_sdk_passes_whether_or_not_it_exports_to_us() {
        let seen = Case::of(&["GET /x"])
            .linked(&["go.opentelemetry.io/otel/sdk"])
            .alive();
        assert_eq!(check(&seen), "passed");
    }

    #[test]
    fn an_sdk_for_metrics_alone_is_no_proof() {
        const SDK: &str = "go.opentelemetry.io/otel/sdk";
        const METRIC: &str = "go.opentelemetry.io/otel/sdk/metric";
        const EXPORTER: &str = "go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp";
        let of = |modules: &[&str]| Case::of(&["GET /x"]).linked(modules);
        assert_eq!(check(&of(&[SDK, METRIC]).alive()), "inconclusive");
        assert_eq!(check(&of(&[SDK, METRIC, EXPORTER]).alive()), "passed");
        let spans = of(&[SDK, METRIC]).calls(0, 3, joined);
        assert_eq!(check(&spans.alive()), "passed");
    }

    #[test]
    fn another_tracer_cannot_be_judged() {
        let seen = Case::of(&["GET /x"]).linked(&["github.com/DataDog/dd-trace-go/v2"]);
        let judged = judge(&seen.alive());
        assert_eq!(judged.outcome.name(), "inconclusive");
        assert!(judged.outcome.reason().contains("Datadog"), "{judged:?}");
    }

    #[test]
    fn a_worker_that_nobody_asks_is_not_judged() {
        assert_eq!(check(&Case::of(&[]).linked(&[]).alive()), "not exercised");
    }

    #[test]
    fn spans_that_arrived_beat_the_list_of_modules() {
        let seen = Case::of(&["GET /x"])
            .linked(&[])
            .calls(0, 3, joined)
            .alive();
        assert_eq!(check(&seen), "passed");
    }

    #[test]
    fn of_rust_only_spans_are_proof() {
        let rust = |mut seen: Evidence| {
            seen.build = Some(BuildInfo {
                rust: Some("1.95.0".into()),
                ..BuildInfo::default()
            });
            judge(&seen).outcome
        };
        let silent = rust(Case::of(&["GET /x"]).alive());
        assert_eq!(silent.name(), "inconclusive");
        let to_prove = silent.to_prove().expect("it is open");
        assert!(to_prove.contains("tracing-opentelemetry"), "{to_prove}");
        let spans = rust(Case::of(&["GET /x"]).calls(0, 3, joined).alive());
        assert_eq!(spans.name(), "passed");
    }

    #[test]
    fn an_executable_that_says_nothing_is_inconclusive() {
        assert_eq!(check(&Case::of(&["GET /x"]).alive()), "inconclusive");
    }
}
