//! Log lines with the ids of their trace: one JSON object a line.
//!
//! [`JsonLayer`] is a layer of `tracing-subscriber`: what a service logs through `tracing` comes out
//! as JSON, with `trace_id` and `span_id` of the span it was logged in. It gives spans their ids
//! itself, so nothing else has to be set up; [`crate::spawn`] carries the span into child tasks.
//!
//! ```
//! # let lines = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
//! # let sink = std::sync::Arc::clone(&lines);
//! use tracing_subscriber::layer::SubscriberExt;
//!
//! let json = shakedown_kit::logs::JsonLayer::new(move |line: &[u8]| {
//!     sink.lock().unwrap().extend_from_slice(line);
//! });
//! tracing::subscriber::with_default(tracing_subscriber::registry().with(json), || {
//!     let _request = tracing::info_span!("request").entered();
//!     tracing::info!(order = 7, "accepted");
//! });
//! # let text = String::from_utf8(lines.lock().unwrap().clone()).unwrap();
//! # assert!(text.contains(r#""message":"accepted","#) && text.contains(r#""order":7"#), "{text}");
//! # assert!(text.contains(r#""trace_id":"#) && text.contains(r#""span_id":"#));
//! ```

mod clock;
mod layer;
mod names;

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;

pub use layer::JsonLayer;
pub use names::Names;

/// Logs to standard output from now on, with the names of [`Names::OTEL`].
///
/// `directives` say what is logged, as in `info,hyper=warn`; what cannot be read is an error, and an
/// empty text is `info`.
///
/// # Errors
/// If the directives cannot be read, or something else logs already.
///
/// ```
/// use shakedown_kit::logs;
///
/// assert!(logs::init("orders=loud").is_err());
/// logs::init("info,hyper=warn")?;
/// tracing::info!("on standard output, as JSON");
/// # Ok::<(), logs::InitError>(())
/// ```
pub fn init(directives: &str) -> Result<(), InitError> {
    init_as(directives, Names::OTEL)
}

/// As [`init`], with other field names.
///
/// # Errors
/// As [`init`].
///
/// ```
/// use shakedown_kit::logs::{self, Names};
///
/// logs::init_as("info", Names::google("projects/shop/traces/"))?;
/// # Ok::<(), logs::InitError>(())
/// ```
pub fn init_as(directives: &str, names: Names) -> Result<(), InitError> {
    let wanted = if directives.trim().is_empty() {
        Targets::new().with_default(LevelFilter::INFO)
    } else {
        directives.parse().map_err(|error| InitError::Directives {
            directives: directives.to_owned(),
            reason: format!("{error}"),
        })?
    };
    let json = JsonLayer::stdout().names(names).with_filter(wanted);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(json))
        .map_err(|_| InitError::Taken)
}

/// Why logging did not begin.
///
/// ```
/// use shakedown_kit::logs::{self, InitError};
///
/// let refused = logs::init("orders=loud");
/// assert!(matches!(refused, Err(InitError::Directives { .. })));
/// ```
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The directives are not `LEVEL` or `TARGET=LEVEL`, set apart by commas.
    #[error("log directives {directives:?}: {reason}; write them like \"info,hyper=warn\"")]
    Directives {
        /// What was given.
        directives: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A subscriber is set already.
    #[error("another tracing subscriber is set; add `logs::JsonLayer` to that one instead")]
    Taken,
}
