//! The receiver of the service's spans: OTLP over gRPC and HTTP on one loopback port.
//!
//! It keeps spans and forgets metrics, logs and profiles. What it could not take is written down
//! as [`ReceiverEvent::Refused`](shakedown_evidence::ReceiverEvent), what ended it as `Died`:
//! after either, nothing "missing" can be concluded. Every bound stands in [`Limits`].
//!
//! `serve` accepts and watches connections, `answer` sorts requests into `grpc` and `http`, both
//! read a `body`, and `intake` has it decoded (`decode`, over `wire`) and records it.

mod answer;
mod body;
mod canary;
mod decode;
mod environment;
mod grpc;
mod http;
mod intake;
mod limits;
mod receiver;
mod serve;
mod wire;

pub use decode::{ATTRIBUTES_MAX, DECODED_MAX, DecodeError, LINKS_MAX, TEXT_MAX, decode_traces};
pub use limits::Limits;
pub use receiver::{Receiver, ReceiverError, Senders};
pub use wire::WireError;
