//! Threads of the process, by where each stands now.
//!
//! Go's threadcreate profile is of the stacks that made threads; nobody keeps those of a Rust
//! program. What a reader wants of it is which threads there are and what for: their names and what
//! they do now.

use std::time::{Duration, SystemTime};

use super::encode::{Encoder, Value};
use super::heap::Unseen;
use super::standing::{Onlooker, Standing};
use super::{arch, clock, signal};
use crate::profile::NotMeasured;

/// Threads that are looked at; more are counted without their stack.
const LOOKED_AT_MAX: usize = 1000;

/// A thread, and where it stood.
struct Seen {
    tid: libc::pid_t,
    name: String,
    standing: Option<Standing>,
}

/// All threads as profile.proto, not compressed: sample type `threadcreate/count`, a sample each,
/// labels `thread` (its name) and `tid`.
///
/// Threads that wait are not disturbed; one that runs is asked by a signal.
///
/// # Errors
/// [`NotMeasured::SignalTaken`] where another profiler handles SIGPROF, [`NotMeasured::Refused`]
/// where /proc cannot be read.
///
/// ```
/// let profile: Vec<u8> = shakedown_kit::profile::threads::profile()?;
/// # assert!(!profile.is_empty());
/// # Ok::<(), shakedown_kit::profile::NotMeasured>(())
/// ```
pub fn profile() -> Result<Vec<u8>, NotMeasured> {
    signal::install()?;
    let _unseen = Unseen::begin();
    let threads = std::fs::read_dir("/proc/self/task")
        .map_err(|error| NotMeasured::Refused {
            what: "listing threads",
            why: error.to_string(),
        })?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let ourselves = clock::thread_id();
    let mut onlooker = Onlooker::new();
    let seen: Vec<Seen> = threads
        .enumerate()
        .filter_map(|(count, tid)| {
            let standing = if tid == ourselves {
                Some(our_own(&mut onlooker))
            } else if count < LOOKED_AT_MAX {
                onlooker.look(tid)
            } else {
                None
            };
            // A thread that has ended meanwhile has no name, and is none of the process's any more.
            let name = std::fs::read_to_string(format!("/proc/self/task/{tid}/comm")).ok()?;
            Some(Seen {
                tid,
                name: name.trim().to_owned(),
                standing,
            })
        })
        .collect();
    let mut encoder = Encoder::new(&[("threadcreate", "count")], onlooker.modules(), is_ours);
    encoder.period("threadcreate", "count", 1);
    encoder.time(SystemTime::now(), Duration::ZERO);
    encoder.comment("stacks are where each thread stands now; who made it is not known");
    for Seen {
        tid,
        name,
        standing,
    } in &seen
    {
        let labels = [
            ("thread", Value::Text(name)),
            ("tid", Value::Number((*tid).into())),
        ];
        match standing {
            Some(standing) => encoder.sample(&standing.stack, &[1], &labels),
            None => encoder.unknown("[stack not readable]", &[1], &labels),
        }
    }
    Ok(encoder.finish())
}

/// The thread that asks.
fn our_own(onlooker: &mut Onlooker) -> Standing {
    let stack = onlooker.our_own(arch::here());
    Standing {
        stack,
        labels: None,
    }
}

fn is_ours(function: &str) -> bool {
    function == "here" || function.starts_with("shakedown_kit::profile::linux::threads::")
}
