//! Go's execution traces, as Go 1.22 and later write them.
//!
//! So far one question is answered: how far does a trace reach, and is it whole? [`ExtentReader`]
//! takes a trace as it arrives, keeps none of it, and reads the heads of its batches only. Events
//! are not decoded here yet.
//!
//! Source of the format: Go's runtime/tracebuf.go and internal/trace (batch.go, tracev2/events.go).

mod extent;

pub use extent::{Ending, Extent, ExtentReader};
