//! Rules of the item lifecycle.

pub(crate) mod leak_per_request;
pub(crate) mod sigterm_ignored;
