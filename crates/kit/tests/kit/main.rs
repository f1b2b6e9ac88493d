//! The kit as a service sees it: real tasks, real sockets on port 0.
//!
//! The register of tasks and the counters belong to the process, so these tests run one after
//! another ([`alone`]).

mod admin;
mod calls;
mod deadlines;
mod grpc;
mod hostile;
mod lifecycle;
mod punctual;
mod tasks;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The right to be the only test that runs.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A runtime with two workers, which ends with everything on it.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Waits until something holds; panics with its name if it never does.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        // Generous: the machine that runs tests is busy with others.
        assert!(began.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
