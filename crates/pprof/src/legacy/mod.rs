//! Legacy profiles: what gperftools, Go's `debug=1` and Java wrote before
//! profile.proto.
//!
//! Parsers are tried in google/pprof's order; the first that recognizes its
//! header decides. Every row is charged to the [`Budget`].
//!
//! Source: google/pprof, profile/legacy_profile.go, profile/legacy_java_profile.go.

mod addresses;
mod builder;
mod contention;
mod count;
mod cpu;
mod drop_frames;
mod heap;
mod java;
mod mappings;
mod scan;
mod threads;

use builder::Builder;

use crate::limits::Budget;
use crate::{DecodeError, Profile};

/// Why a parser gave up.
#[derive(Debug)]
enum Unread {
    /// Another format: the next parser may know it.
    Unrecognized,
    /// This format, but damaged, or too large.
    Failed(DecodeError),
}

type Parsed<T> = Result<T, Unread>;

impl From<DecodeError> for Unread {
    fn from(error: DecodeError) -> Self {
        Unread::Failed(error)
    }
}

type Parser = fn(&[u8], Builder) -> Parsed<Profile>;

fn malformed<T>(what: &'static str) -> Parsed<T> {
    Err(Unread::Failed(DecodeError::Malformed { at: 0, what }))
}

/// Reads a legacy profile; `None` if `bytes` are of no legacy format.
pub(crate) fn decode(bytes: &[u8], budget: Budget) -> Option<Result<Profile, DecodeError>> {
    let parsers: [Parser; 6] = [
        cpu::parse,
        heap::parse,
        count::parse,
        threads::parse,
        contention::parse,
        java::parse,
    ];
    for parse in parsers {
        match parse(bytes, Builder::new(budget.clone())) {
            Ok(mut profile) => {
                drop_frames::set(&mut profile);
                return Some(Ok(profile));
            }
            Err(Unread::Unrecognized) => {}
            Err(Unread::Failed(error)) => return Some(Err(error)),
        }
    }
    None
}
