//! CPU profile: which code runs, by a timer for each thread on the thread's own CPU clock.
//!
//! A signal handler copies where the thread stands; the profile's own thread unwinds the copies
//! every few milliseconds, and gives threads that started meanwhile their timers.
//!
//! What it cannot see: threads that start and end between two looks at /proc/self/task. How many
//! samples the CPU time of the whole process would have made is written beside those that came, as
//! a comment of the profile.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use super::encode::Encoder;
use super::heap::Unseen;
use super::modules::{self, Module};
use super::signal::{self, LOST, SESSION};
use super::slots::{self, Seen};
use super::stacks::Stacks;
use super::timers::Timers;
use super::unwind::{self, DEPTH_MAX, Walker};
use super::{clock, memory};
use crate::profile::NotMeasured;
pub use crate::profile::contract::Options;

/// How often copies are read, and threads looked for.
const READ_EVERY: Duration = Duration::from_millis(10);
/// Looking for threads takes at most this part of a CPU, however many there are.
const SCAN_SHARE: u32 = 50;
/// How long a handler that had begun is waited for. It takes microseconds; its thread may have to
/// wait for a CPU.
const LAST_HANDLERS: Duration = Duration::from_millis(100);

/// The process that takes a profile, by id; 0 is none. A child process begins without one.
static TAKEN_BY: AtomicU32 = AtomicU32::new(0);
static SESSIONS: AtomicU32 = AtomicU32::new(0);

/// A CPU profile that is being taken. It ends with [`Session::finish`], or is thrown away.
///
/// ```
/// # #[cfg(all(target_os = "linux", target_arch = "x86_64"))] {
/// use shakedown_kit::profile::cpu;
///
/// let session = cpu::start(cpu::Options::default())?;
/// assert!(cpu::start(cpu::Options::default()).is_err(), "one at a time");
/// let profile: Vec<u8> = session.finish();
/// # assert!(shakedown_pprof::Profile::decode(&profile).is_ok());
/// # }
/// # Ok::<(), shakedown_kit::profile::NotMeasured>(())
/// ```
#[derive(Debug)]
#[must_use = "a session that is dropped throws its profile away"]
pub struct Session {
    collector: Option<JoinHandle<Collected>>,
    stop: Arc<AtomicBool>,
    process: u32,
}

/// Begins a CPU profile of all threads, also of those that start later.
///
/// # Errors
/// [`NotMeasured::Busy`] while another is taken, [`NotMeasured::SignalTaken`] where another
/// profiler handles SIGPROF, [`NotMeasured::Refused`] where the system gives no memory or thread.
///
/// ```
/// use shakedown_kit::profile::cpu;
///
/// let session = cpu::start(cpu::Options { hz: 100 })?;
/// // What is to be profiled runs here, or for so long.
/// let profile: Vec<u8> = session.finish();
/// # assert!(!profile.is_empty());
/// # Ok::<(), shakedown_kit::profile::NotMeasured>(())
/// ```
pub fn start(options: Options) -> Result<Session, NotMeasured> {
    let process = std::process::id();
    let before = TAKEN_BY.load(Ordering::Acquire);
    // A process that was forked during a profile inherits the mark, but neither timers nor thread.
    if before == process
        || TAKEN_BY
            .compare_exchange(before, process, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
    {
        return Err(NotMeasured::Busy);
    }
    let started = signal::install().and_then(|()| Session::start(&options, process));
    if started.is_err() {
        TAKEN_BY.store(0, Ordering::Release);
    }
    started
}

impl Session {
    fn start(options: &Options, process: u32) -> Result<Self, NotMeasured> {
        let stop = Arc::new(AtomicBool::new(false));
        // 0 stands for none.
        let number = SESSIONS.fetch_add(1, Ordering::Relaxed) % u32::MAX + 1;
        let period = options.period();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let collector = {
            let stop = Arc::clone(&stop);
            std::thread::Builder::new()
                .name("kit-cpu-profile".to_owned())
                .spawn(move || {
                    clock::block_signals();
                    let _unseen = Unseen::begin();
                    let mut collector = Collector::new(number, period);
                    // Ends only with the one who waits for it.
                    let _ = ready.send(());
                    collector.run(&stop);
                    collector.collected
                })
        };
        let collector = collector.map_err(|error| NotMeasured::Refused {
            what: "starting a thread",
            why: error.to_string(),
        })?;
        // The profile begins when this returns, and not some time later.
        let _ = is_ready.recv();
        Ok(Session {
            collector: Some(collector),
            stop,
            process,
        })
    }

    /// Ends the profile and gives it as profile.proto, not compressed.
    ///
    /// Sample types are `samples/count` and `cpu/nanoseconds`, as Go has them. Names are looked up
    /// here, which takes tens of milliseconds for a large program.
    pub fn finish(mut self) -> Vec<u8> {
        self.end().unwrap_or_default().encode()
    }

    fn end(&mut self) -> Option<Collected> {
        let collector = self.collector.take()?;
        if self.process != std::process::id() {
            // A fork: the thread is the parent's.
            return None;
        }
        self.stop.store(true, Ordering::Release);
        collector.thread().unpark();
        let collected = collector.join().ok();
        TAKEN_BY.store(0, Ordering::Release);
        collected
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a profile has gathered.
#[derive(Debug)]
struct Collected {
    stacks: Stacks,
    period: Duration,
    began: SystemTime,
    lasted: Duration,
    /// CPU time of the process, without that of the profile itself.
    cpu: Duration,
    own_cpu: Duration,
    ticks: u64,
    lost_ticks: u64,
    cut_stacks: u64,
    threads_without_timer: u32,
    modules: Vec<Module>,
}

impl Default for Collected {
    fn default() -> Self {
        Collected {
            stacks: Stacks::default(),
            period: Options::default().period(),
            began: SystemTime::now(),
            lasted: Duration::ZERO,
            cpu: Duration::ZERO,
            own_cpu: Duration::ZERO,
            ticks: 0,
            lost_ticks: 0,
            cut_stacks: 0,
            threads_without_timer: 0,
            modules: Vec::new(),
        }
    }
}

/// The thread of a profile.
struct Collector {
    number: u32,
    timers: Timers,
    walker: Walker,
    generation: u64,
    began: Instant,
    cpu_before: Duration,
    collected: Collected,
}

impl Collector {
    /// From here on samples come.
    fn new(number: u32, period: Duration) -> Self {
        let modules = modules::loaded();
        let seed = RandomState::new().hash_one(number);
        let mut collector = Collector {
            number,
            timers: Timers::new(number, period, clock::thread_id(), seed),
            walker: Walker::new(&modules),
            generation: modules::generation(),
            began: Instant::now(),
            cpu_before: clock::process_cpu(),
            collected: Collected {
                period,
                modules,
                ..Collected::default()
            },
        };
        LOST.store(0, Ordering::Relaxed);
        SESSION.store(number, Ordering::Release);
        collector.look_for_threads();
        collector
    }

    fn run(&mut self, stop: &AtomicBool) {
        let own_before = clock::thread_cpu();
        let mut next_scan = Instant::now() + READ_EVERY;
        while !stop.load(Ordering::Acquire) {
            std::thread::park_timeout(READ_EVERY);
            self.read();
            if Instant::now() >= next_scan {
                let took = self.look_for_threads();
                next_scan = Instant::now() + READ_EVERY.max(took * SCAN_SHARE);
            }
        }
        let cpu = clock::process_cpu().saturating_sub(self.cpu_before);
        self.collected.lasted = self.began.elapsed();
        SESSION.store(0, Ordering::Release);
        self.collected.threads_without_timer = self.timers.refused;
        // Timers end with their owner; handlers that had begun still write.
        self.timers = Timers::new(0, self.collected.period, 0, 1);
        let patience = Instant::now() + LAST_HANDLERS;
        while slots::is_being_written() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.read();
        self.collected.own_cpu = clock::thread_cpu().saturating_sub(own_before);
        self.collected.cpu = cpu.saturating_sub(self.collected.own_cpu);
        self.collected.lost_ticks = LOST.load(Ordering::Relaxed).into();
    }

    fn look_for_threads(&mut self) -> Duration {
        let began = Instant::now();
        if self.timers.scan().is_err() {
            // Without /proc nobody can be found; the comment on samples shows what is missing.
            self.collected.threads_without_timer += 1;
        }
        began.elapsed()
    }

    fn read(&mut self) {
        let generation = modules::generation();
        if generation != self.generation {
            self.generation = generation;
            self.collected.modules = modules::loaded();
            self.walker = Walker::new(&self.collected.modules);
        }
        let (number, walker, collected) = (self.number, &mut self.walker, &mut self.collected);
        slots::drain(|seen, stack| {
            // Of an earlier profile, by a handler that came very late.
            if seen.session == number {
                collected.add(seen, stack, walker);
            }
        });
    }
}

impl Collected {
    fn add(&mut self, seen: &Seen, stack: &[u8], walker: &mut Walker) {
        let mut addresses = [0; DEPTH_MAX];
        let sp = seen.registers.sp;
        let walk = walker.walk(
            seen.registers,
            |at| unwind::read_copy(stack, sp, at),
            &mut addresses,
        );
        self.ticks += u64::from(seen.ticks);
        self.cut_stacks += u64::from(!walk.is_whole);
        let ticks = i64::from(seen.ticks);
        let nanos = ticks.saturating_mul(i64::try_from(self.period.as_nanos()).unwrap_or(0));
        self.stacks
            .add(&addresses[..walk.depth], seen.labels, [ticks, nanos]);
    }

    fn encode(&self) -> Vec<u8> {
        let types = [("samples", "count"), ("cpu", "nanoseconds")];
        let mut encoder = Encoder::new(&types, &self.modules, |_| false);
        let period = i64::try_from(self.period.as_nanos()).unwrap_or(0);
        encoder.period("cpu", "nanoseconds", period);
        encoder.time(self.began, self.lasted);
        for comment in self.comments() {
            encoder.comment(&comment);
        }
        self.stacks.write(&mut encoder);
        encoder.finish()
    }

    /// What a reader has to know to trust the profile, or not to.
    fn comments(&self) -> Vec<String> {
        let expected = self.cpu.as_secs_f64() / self.period.as_secs_f64();
        let mut comments = vec![format!(
            "{} samples; {expected:.0} were expected of {:.2} s CPU time. Taking them cost {:.3} s more.",
            self.ticks,
            self.cpu.as_secs_f64(),
            self.own_cpu.as_secs_f64(),
        )];
        let mut say = |count: u64, what: &str| {
            if count > 0 {
                comments.push(format!("{count} {what}"));
            }
        };
        say(
            self.lost_ticks,
            "samples were lost: more came at once than there is room for",
        );
        say(
            self.threads_without_timer.into(),
            "threads were not profiled: the kernel gave no timer (ulimit -i)",
        );
        say(
            self.cut_stacks,
            "stacks do not reach the root of their thread",
        );
        if !memory::stacks_are_readable() {
            comments.push("stacks are cut short: a sandbox refuses process_vm_readv".to_owned());
        }
        comments
    }
}
