//! Log lines as JSON, and spans over OTLP, with the same ids.

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use shakedown_kit::logs::JsonLayer;
use tokio::runtime::Runtime;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Sends spans until it is dropped, and those that are left then.
#[derive(Debug)]
pub(crate) struct Telemetry {
    provider: SdkTracerProvider,
    /// Of its own: the service's runtime ends before the last spans have gone out.
    _runtime: Runtime,
}

/// Logs what `directives` say, and sends spans to where `OTEL_EXPORTER_OTLP_ENDPOINT` says.
pub(crate) fn begin(service: &'static str, directives: &str) -> Result<Telemetry, BoxError> {
    let telemetry = Telemetry::to_collector(service)?;
    let wanted: Targets = directives.parse()?;
    let subscriber = tracing_subscriber::registry()
        .with(JsonLayer::stdout().with_filter(wanted.clone()))
        .with(telemetry.spans().with_filter(wanted));
    tracing::subscriber::set_global_default(subscriber)?;
    Ok(telemetry)
}

impl Telemetry {
    /// An exporter with its own thread.
    pub(crate) fn to_collector(service: &'static str) -> Result<Self, BoxError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("telemetry")
            .enable_all()
            .build()?;
        let inside = runtime.enter();
        let provider = SdkTracerProvider::builder()
            .with_resource(Resource::builder().with_service_name(service).build())
            .with_batch_exporter(SpanExporter::builder().with_tonic().build()?)
            .build();
        drop(inside);
        Ok(Telemetry {
            provider,
            _runtime: runtime,
        })
    }

    /// The layer that makes spans for it.
    pub(crate) fn spans<S>(&self) -> impl Layer<S> + Send + Sync
    where
        S: Subscriber + for<'l> LookupSpan<'l> + Send + Sync,
    {
        tracing_opentelemetry::layer().with_tracer(self.provider.tracer("orders"))
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        // Fails where no collector answers: then nobody waits for these spans.
        let _ = self.provider.shutdown();
    }
}
