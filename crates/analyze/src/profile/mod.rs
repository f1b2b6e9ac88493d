//! Rules of the item profile.

pub(crate) mod pprof_missing;
pub(crate) mod pprof_public;
