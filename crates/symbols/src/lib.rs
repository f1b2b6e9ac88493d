//! What an executable says of itself.
//!
//! Everything here works over bytes, or over a reader that the caller opened: no file is looked
//! for, no clock and no environment is read. Input is hostile until shown otherwise: nothing
//! panics, and what is read and kept is bounded.

mod build_info;
mod descriptors;
mod rustc;

pub use build_info::{BuildInfoError, GoBuild, GoModule, build_info, build_info_from};
pub use descriptors::{Descriptors, descriptors, descriptors_from};
pub use rustc::{rustc, rustc_from};
