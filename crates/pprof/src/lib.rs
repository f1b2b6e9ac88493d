//! Reader and writer of pprof profiles, and reader of Go's goroutine dumps.
//!
//! - [`Profile`]: profile.proto, the legacy formats and folded stacks, decoded from plain bytes
//!   (gzip with the feature `gunzip`, zstd with `zstd`), merged, scaled and encoded again.
//! - [`top`]: flat and cumulative values by function or by line, as
//!   `go tool pprof -top` counts and sorts them.
//! - [`goroutine`]: the text profiles `/debug/pprof/goroutine?debug=1` and
//!   `?debug=2`, SIGQUIT and panic dumps.
//!
//! This crate does no I/O, reads no clock and never panics on what it reads;
//! memory is bounded by [`Limits`]. It does not symbolize. With the feature
//! `report` it prints what `go tool pprof` prints.
//!
//! ```
//! use shakedown_pprof::{Granularity, Line, Profile, top};
//!
//! let mut profile = Profile::new(&[("samples", "count"), ("cpu", "nanoseconds")]);
//! let function = profile.push_function("orders.(*Store).scan", "/src/orders/store.go", 80);
//! let location = profile.push_location(0x1000, None, &[Line { function, line: 88, column: 0 }]);
//! profile.push_sample(&[location], &[1, 10_000_000], &[]);
//!
//! let again = Profile::decode(&profile.encode())?;
//! let cpu = again.sample_type(Some("cpu"))?;
//! let top = top(&again, cpu, Granularity::Function);
//! assert_eq!(top.total, 10_000_000);
//! assert_eq!(top.rows[0].short_name(), "orders.(*Store).scan");
//! assert_eq!(top.rows[0].place(), "store.go:88");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod came;
mod canonical;
mod decode;
mod decode_owned;
mod encode;
mod error;
mod folded;
pub mod goroutine;
#[cfg(feature = "gunzip")]
mod gunzip;
mod hash;
mod ids;
pub mod jitter;
mod legacy;
mod limits;
mod merge;
mod merge_known;
mod merge_stacks;
mod merge_tables;
mod packed;
mod packed_ids;
mod paths;
#[cfg(feature = "report")]
mod pattern;
mod places;
mod profile;
#[cfg(feature = "report")]
pub mod report;
mod sample;
mod sample_type;
mod samples;
mod scale;
mod short_name;
mod simple_names;
mod strings;
mod survey;
mod symbolz;
mod top;
#[cfg(feature = "zstd")]
mod unzstd;
mod wire;

pub use came::Came;
pub use decode_owned::Columns;
pub use error::DecodeError;
#[cfg(feature = "gunzip")]
pub use gunzip::gzip;
pub use limits::Limits;
pub use merge::MergeError;
pub use paths::clean as clean_path;
#[cfg(feature = "report")]
pub use pattern::{Pattern, PatternError};
pub use profile::{
    Function, FunctionId, Label, LabelValue, Line, Location, LocationId, Mapping, MappingId,
    Profile, Sample, StringId, ValueType,
};
pub use sample_type::NoSuchSampleType;
pub use short_name::short_name;
pub use simple_names::SimpleNames;
pub use top::{Granularity, Top, TopRow, top};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
