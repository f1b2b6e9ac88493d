//! Never a false READY: what could not be looked at does not pass, and the report says why.
//!
//! `live` leaves something out of a real run, `replayed` takes something out of a recorded one.

mod live;
mod replayed;
