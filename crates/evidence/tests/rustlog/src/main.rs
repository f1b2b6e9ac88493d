//! Writes log lines with tracing-subscriber's own formats, as services configure them.

use tracing::subscriber::with_default;
use tracing::{Level, debug, error, info, info_span, warn};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

mod store {
    pub(crate) fn save(id: u32) {
        tracing::info!(id, took_ms = 12.5, "order stored");
    }
}

/// What a service writes: outside of requests, in a request's span, and in one inside it.
fn lines() {
    info!("listening");
    info!(port = 8080, "listening on a port");
    info_span!("request", method = "GET", path = "/orders/7", trace_id = TRACE, span_id = SPAN)
        .in_scope(|| {
            store::save(7);
            warn!(error = "card expired", "payment refused");
            info_span!("query", table = "orders").in_scope(|| debug!("rows read: 3"));
            error!(target: "audit", id = 7, "order audited");
        });
    info_span!("job").in_scope(|| info!("cache refreshed"));
    info!(trace_id = TRACE, span_id = SPAN, "ids of the event");
}

fn main() {
    let base = || tracing_subscriber::fmt().with_max_level(Level::TRACE);
    with_default(base().with_ansi(false).finish(), lines);
    with_default(base().with_ansi(true).finish(), lines);
    with_default(base().with_ansi(false).compact().finish(), lines);
    with_default(
        base().with_ansi(false).with_file(true).with_line_number(true).with_thread_ids(true).finish(),
        lines,
    );
    with_default(base().json().finish(), lines);
    with_default(base().json().flatten_event(true).finish(), lines);
    with_default(base().json().with_file(true).with_line_number(true).finish(), lines);
}
