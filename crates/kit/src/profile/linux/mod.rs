//! The profilers on Linux.

mod arch;
pub mod block;
mod clock;
pub mod cpu;
mod encode;
pub mod heap;
mod memory;
mod modules;
mod signal;
mod slots;
mod stacks;
mod standing;
pub mod symbolize;
pub mod threads;
mod timers;
mod unwind;
