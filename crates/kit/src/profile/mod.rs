//! Profiles of the process that we are part of, in the format of pprof.
//!
//! Each module measures one thing and answers with the bytes of a profile.proto, not compressed.
//! None of them serves HTTP, and none starts by itself.
//!
//! - [`cpu`]: which code the CPU runs, by a timer for each thread.
//! - [`heap`]: who allocated what is live, and all that was ever allocated.
//! - [`block`]: which code holds a worker of the runtime for longer than a poll should last.
//! - [`threads`]: where each thread stands now.
//! - [`symbolize`]: names and lines of code addresses.
//!
//! A signal handler never walks a stack: it copies it, and another thread unwinds the copy by the
//! `.eh_frame` that every Rust binary carries. Nothing has to be compiled with frame pointers, and
//! frames of the C library are unwound like any other.
//!
//! Linux on x86-64 and aarch64, with glibc or musl. Elsewhere the same functions are there and
//! answer [`NotMeasured::Platform`]; the allocator wrapper passes every call on.

mod contract;
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
mod elsewhere;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod linux;

pub use contract::NotMeasured;
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
pub use elsewhere::{block, cpu, heap, symbolize, threads};
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub use linux::{block, cpu, heap, symbolize, threads};
