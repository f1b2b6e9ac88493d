//! The receiver of the service's spans: OTLP over gRPC and HTTP on one loopback port.
//!
//! It keeps spans and log records, and forgets metrics and profiles. What it could not take is written down
//! as [`ReceiverEvent::Refused`](shakedown_evidence::ReceiverEvent), what ended it as `Died`:
//! after either, nothing "missing" can be concluded. Every bound stands in [`Limits`].
//!
//! `serve` accepts and watches connections, `answer` sorts requests into `grpc` and `http`, both
//! read a `body`, and `intake` has it decoded (`decode` and `logs` over `wire`, or `json`) and
//! records it.

mod answer;
mod body;
mod canary;
mod decode;
mod environment;
mod grpc;
mod http;
mod intake;
mod json;
mod limits;
mod logs;
mod receiver;
mod serve;
mod wire;

pub use decode::{ATTRIBUTES_MAX, DECODED_MAX, DecodeError, LINKS_MAX, TEXT_MAX, decode_traces};
pub use json::{decode_logs_json, decode_traces_json};
pub use limits::Limits;
pub use logs::{BODY_MAX, LogRecord, decode_logs};
pub use receiver::{Receiver, ReceiverError, Senders};
pub use wire::WireError;
