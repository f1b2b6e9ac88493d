//! What an executable says of itself.
//!
//! Everything here works over bytes, or over a reader that the caller opened: no file is looked
//! for, no clock and no environment is read. Input is hostile until shown otherwise: nothing
//! panics, and what is read and kept is bounded.

mod base;
mod build_id;
mod build_info;
mod demangle;
mod descriptors;
mod dwarf;
mod elf;
mod frame;
mod go;
mod rustc;
mod symbols;
mod table;

pub use base::{BaseError, Mapped};
pub use build_info::{BuildInfoError, GoBuild, GoModule, build_info, build_info_from};
pub use demangle::{Names, demangle};
pub use descriptors::{Descriptors, descriptors, descriptors_from};
pub use frame::Frame;
pub use rustc::{rustc, rustc_from};
pub use symbols::{Symbols, SymbolsError};
