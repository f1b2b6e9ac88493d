//! Whatever is done to a run, or handed to it: a clear answer, no panic, nothing left behind.
//!
//! `killed` stops the program at any moment; `refused`, `configuration` and `bundle` hand it what
//! it cannot use; `service`, `odd_pprof`, `odd_log` and `odd_spans` start services that behave
//! badly; `wrapped` starts good ones in odd ways, and `streams` takes its own streams away; `lossy` loses evidence.

mod bundle;
mod configuration;
mod killed;
mod lossy;
mod odd_log;
mod odd_pprof;
mod odd_spans;
mod peak;
mod refused;
mod said;
mod service;
mod streams;
mod wrapped;

/// The built program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_shakedown");
