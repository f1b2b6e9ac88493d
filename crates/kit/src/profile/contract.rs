//! What the profilers are asked and what they answer, the same on each platform.

use std::time::Duration;

/// Why there is no profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotMeasured {
    /// The profiler does not know this operating system or processor.
    #[error("not measured on this platform: Linux on x86-64 or aarch64 is needed")]
    Platform,
    /// Another CPU profile is being taken; the kernel's timers are one set a process.
    #[error("another CPU profile is being taken")]
    Busy,
    /// Something else in this process uses the signal.
    #[error("SIGPROF is taken by another profiler in this process")]
    SignalTaken,
    /// [`heap::start`](super::heap::start) was not called, or
    /// [`heap::Sampler`](super::heap::Sampler) is not the global allocator.
    #[error("{0}")]
    NotInstalled(&'static str),
    /// The operating system refused something.
    #[error("{what}: {why}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// What it answered.
        why: String,
    },
}

/// How a CPU profile is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Samples for each second of CPU time, of each thread; 1 to [`Options::HZ_MAX`].
    pub hz: u32,
}

impl Options {
    /// A CPU clock is looked at by the kernel's tick, which is 250 a second on most machines: more
    /// samples than that would not come.
    pub const HZ_MAX: u32 = 250;

    /// The distance between two samples of a thread, in its CPU time.
    ///
    /// ```
    /// use shakedown_kit::profile::cpu;
    ///
    /// assert_eq!(cpu::Options::default().period().as_millis(), 10);
    /// assert_eq!(cpu::Options { hz: 100_000 }.period().as_millis(), 4, "as often as the kernel looks");
    /// ```
    pub fn period(&self) -> Duration {
        Duration::from_nanos(1_000_000_000 / u64::from(self.hz.clamp(1, Self::HZ_MAX)))
    }
}

impl Default for Options {
    /// 100 samples a second, as Go takes them.
    fn default() -> Self {
        Options { hz: 100 }
    }
}

/// How the heap is sampled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeapOptions {
    /// Bytes between two samples, on average; 1 samples everything.
    pub mean_bytes: u64,
    /// Where the random gaps begin; none is somewhere else in each process. With a seed, a thread
    /// that does the same is sampled at the same places.
    pub seed: Option<u64>,
}

impl Default for HeapOptions {
    /// One sample in 512 KiB, as Go takes them.
    fn default() -> Self {
        HeapOptions {
            mean_bytes: 512 * 1024,
            seed: None,
        }
    }
}

/// Which sample type of a heap profile is shown first; all four are in either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What is live now: `/debug/pprof/heap`.
    Heap,
    /// All that was allocated since the start: `/debug/pprof/allocs`.
    Allocs,
}

/// A function call on a stack.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Frame {
    /// Demangled, without the compiler's hash.
    pub function: String,
    /// Source file as the compiler was given it; empty where the binary does not say.
    pub file: String,
    /// Line in it; 0 is unknown.
    pub line: u32,
}
