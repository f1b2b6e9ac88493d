//! Rules of the item lifecycle.

mod leak_by_number;
pub(crate) mod leak_per_request;
pub(crate) mod sigterm_ignored;
