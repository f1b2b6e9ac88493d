//! Rules of the item deadline.

mod audits;
pub(crate) mod cancel_ignored;
pub(crate) mod deadline_ignored;
mod quit;
mod stalled;
pub(crate) mod wrong_status;
