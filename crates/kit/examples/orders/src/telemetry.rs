//! Log lines as JSON, and spans over OTLP, with the same ids.

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use shakedown_kit::logs::JsonLayer;
use tokio::runtime::Runtime;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;

/// Sends spans until it is dropped, and those that are left then.
#[derive(Debug)]
pub(crate) struct Telemetry {
    provider: SdkTracerProvider,
    /// Of its own: the service's runtime ends before the last spans have gone out.
    _runtime: Runtime,
}

/// Logs what `directives` say, and sends spans to where `OTEL_EXPORTER_OTLP_ENDPOINT` says.
pub(crate) fn begin(
    service: &'static str,
    directives: &str,
) -> Result<Telemetry, Box<dyn std::error::Error + Send + Sync>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("telemetry")
        .enable_all()
        .build()?;
    let provider = {
        let _inside = runtime.enter();
        let exporter = SpanExporter::builder().with_tonic().build()?;
        SdkTracerProvider::builder()
            .with_resource(Resource::builder().with_service_name(service).build())
            .with_batch_exporter(exporter)
            .build()
    };
    let wanted: Targets = directives.parse()?;
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(service))
        .with_filter(wanted.clone());
    let lines = JsonLayer::stdout().with_filter(wanted);
    let subscriber = tracing_subscriber::registry().with(lines).with(spans);
    tracing::subscriber::set_global_default(subscriber)?;
    Ok(Telemetry {
        provider,
        _runtime: runtime,
    })
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        // Fails where no collector answers: then nobody waits for these spans.
        let _ = self.provider.shutdown();
    }
}
