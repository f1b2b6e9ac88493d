//! Blocked-poll profile: which code holds a worker of the runtime.
//!
//! A future that does not come back from `poll` holds a worker, and everything that waits for it.
//! Whoever polls says so ([`poll_begins`], [`poll_ended`]), which costs two stores; a watchdog looks
//! every few milliseconds, and takes the stack of a worker whose poll lasts over 10 ms, in the act.
//!
//! Time in which the worker was ready to run and had no CPU is not counted: a poll that is slow
//! because the machine is busy holds nobody up by its own fault.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use super::encode::Encoder;
use super::heap::Unseen;
use super::stacks::Stacks;
use super::standing::{self, Onlooker, waited_for_cpu};
use super::{clock, modules, signal};
use crate::labels;
use crate::profile::NotMeasured;

/// A poll that lasts longer holds a worker. Tokio's own advice is 10 to 100 µs between two awaits;
/// 10 ms is what nobody means to do.
pub const THRESHOLD: Duration = Duration::from_millis(10);
const LOOK_EVERY: Duration = Duration::from_millis(3);
/// Between two looks at one poll: this part of what it has lasted, so that a poll of a minute is
/// looked at some hundred times and not ten thousand.
const AGAIN_AFTER: u32 = 10;
const AGAIN_MAX: Duration = Duration::from_secs(1);
/// Threads that can be watched at one moment.
const WORKERS: usize = 1024;

/// A thread that polls.
struct Worker {
    /// 0 is a free place.
    tid: AtomicI32,
    /// The number of the poll that runs; 0 is none.
    poll: AtomicU64,
    labels: AtomicU64,
}

static TABLE: [Worker; WORKERS] = [const {
    Worker {
        tid: AtomicI32::new(0),
        poll: AtomicU64::new(0),
        labels: AtomicU64::new(0),
    }
}; WORKERS];
/// Places that were ever used: nobody has to look further.
static USED: AtomicUsize = AtomicUsize::new(0);
/// Threads for which there was no place.
static UNWATCHED: AtomicU64 = AtomicU64::new(0);

static GATHERED: LazyLock<Mutex<Gathered>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Gathered {
    stacks: Stacks,
    since: Option<SystemTime>,
    unreadable: u64,
}

/// This thread's place, which is free again when the thread ends.
struct Seat(Option<&'static Worker>);

impl Seat {
    #[cold]
    fn take() -> Self {
        let tid = clock::thread_id();
        for (place, worker) in TABLE.iter().enumerate() {
            let taken = worker
                .tid
                .compare_exchange(0, tid, Ordering::AcqRel, Ordering::Relaxed);
            if taken.is_ok() {
                USED.fetch_max(place + 1, Ordering::AcqRel);
                return Seat(Some(worker));
            }
        }
        UNWATCHED.fetch_add(1, Ordering::Relaxed);
        Seat(None)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(worker) = self.0 {
            worker.poll.store(0, Ordering::Relaxed);
            worker.tid.store(0, Ordering::Release);
        }
    }
}

thread_local! {
    static SEAT: Seat = Seat::take();
    /// Polls within polls: only the outermost counts.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static POLLS: Cell<u64> = const { Cell::new(0) };
}

/// Says that this thread begins to poll. Each is followed by a [`poll_ended`], also when the poll
/// panics: [`Poll`] does that by itself.
#[inline]
pub fn poll_begins() {
    let depth = DEPTH.get();
    DEPTH.set(depth.wrapping_add(1));
    if depth != 0 {
        return;
    }
    let number = POLLS.get() + 1;
    POLLS.set(number);
    // A thread that is ending has no place any more.
    let _ = SEAT.try_with(|seat| {
        if let Some(worker) = seat.0 {
            worker.labels.store(labels::current_id(), Ordering::Relaxed);
            worker.poll.store(number, Ordering::Relaxed);
        }
    });
}

/// Says that the poll that began last has come back.
#[inline]
pub fn poll_ended() {
    let depth = DEPTH.get().saturating_sub(1);
    DEPTH.set(depth);
    if depth == 0 {
        let _ = SEAT.try_with(|seat| {
            if let Some(worker) = seat.0 {
                worker.poll.store(0, Ordering::Relaxed);
            }
        });
    }
}

/// A poll, from its making to its dropping.
///
/// ```
/// use std::future::Future;
/// use std::pin::Pin;
/// use std::task::{Context, Poll};
/// use shakedown_kit::profile::block;
///
/// fn poll_watched<F: Future>(future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
///     let _poll = block::Poll::begin();
///     future.poll(context)
/// }
/// # let future = std::pin::pin!(async { 7 });
/// # let waker = std::task::Waker::noop();
/// # assert_eq!(poll_watched(future, &mut Context::from_waker(waker)), Poll::Ready(7));
/// ```
#[derive(Debug)]
#[must_use = "the poll ends when this is dropped"]
pub struct Poll {
    /// It belongs to the thread that polls.
    _not_send: std::marker::PhantomData<*const ()>,
}

impl Poll {
    /// The poll begins.
    #[inline]
    pub fn begin() -> Self {
        poll_begins();
        Poll {
            _not_send: std::marker::PhantomData,
        }
    }
}

impl Drop for Poll {
    #[inline]
    fn drop(&mut self) {
        poll_ended();
    }
}

/// Looks after the workers, on a thread of its own, until it is dropped.
///
/// ```
/// use std::time::Duration;
/// use shakedown_kit::profile::block;
///
/// let watchdog = block::Watchdog::start()?;
/// {
///     let _poll = block::Poll::begin(); // `spawn` does this for each poll.
///     std::thread::sleep(Duration::from_millis(50));
/// }
/// drop(watchdog);
/// let profile: Vec<u8> = block::profile()?;
/// # assert!(!profile.is_empty());
/// # Ok::<(), shakedown_kit::profile::NotMeasured>(())
/// ```
#[derive(Debug)]
#[must_use = "the watchdog stops when this is dropped"]
pub struct Watchdog {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    process: u32,
}

impl Watchdog {
    /// Begins to watch.
    ///
    /// # Errors
    /// [`NotMeasured::SignalTaken`] where another profiler handles SIGPROF,
    /// [`NotMeasured::Refused`] where the system gives no memory or thread.
    pub fn start() -> Result<Self, NotMeasured> {
        signal::install()?;
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let stop = Arc::clone(&stop);
            std::thread::Builder::new()
                .name("kit-watchdog".to_owned())
                .spawn(move || {
                    clock::block_signals();
                    let _unseen = Unseen::begin();
                    let mut watch = Watch::new();
                    while !stop.load(Ordering::Acquire) {
                        std::thread::park_timeout(LOOK_EVERY);
                        watch.look(Instant::now());
                    }
                })
        };
        let thread = thread.map_err(|error| NotMeasured::Refused {
            what: "starting a thread",
            why: error.to_string(),
        })?;
        let mut gathered = GATHERED.lock().unwrap_or_else(PoisonError::into_inner);
        gathered.since.get_or_insert_with(SystemTime::now);
        Ok(Watchdog {
            stop,
            thread: Some(thread),
            process: std::process::id(),
        })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // After a fork the thread is the parent's, and nobody's to wait for.
        if let Some(thread) = self.thread.take()
            && self.process == std::process::id()
        {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// A poll that was seen twice.
#[derive(Debug, Clone, Copy)]
struct Held {
    tid: i32,
    poll: u64,
    since: Instant,
    /// How long the thread had waited for a CPU when the poll was seen the second time.
    waited_before: Option<Duration>,
    /// How much of the poll is in the profile.
    counted: Duration,
    look_again: Duration,
}

struct Watch {
    held: HashMap<usize, Held>,
    onlooker: Onlooker,
}

impl Watch {
    fn new() -> Self {
        Watch {
            held: HashMap::new(),
            onlooker: Onlooker::new(),
        }
    }

    fn look(&mut self, now: Instant) {
        let used = USED.load(Ordering::Acquire).min(WORKERS);
        for (place, worker) in TABLE[..used].iter().enumerate() {
            let (tid, poll) = (
                worker.tid.load(Ordering::Acquire),
                worker.poll.load(Ordering::Relaxed),
            );
            if tid == 0 || poll == 0 {
                self.held.remove(&place);
                continue;
            }
            match self.held.get_mut(&place) {
                Some(held) if held.tid == tid && held.poll == poll => {
                    let waited = waited_for_cpu(tid);
                    let before = *held.waited_before.get_or_insert(waited);
                    let lasted = (now - held.since).saturating_sub(waited.saturating_sub(before));
                    if lasted >= THRESHOLD && lasted >= held.look_again {
                        hold(worker, held, lasted, &mut self.onlooker);
                    }
                }
                _ => {
                    let held = Held {
                        tid,
                        poll,
                        since: now,
                        waited_before: None,
                        counted: Duration::ZERO,
                        look_again: THRESHOLD,
                    };
                    self.held.insert(place, held);
                }
            }
        }
    }
}

/// Takes the stack of a worker that is held, and counts what the poll has lasted since the last one.
fn hold(worker: &Worker, held: &mut Held, lasted: Duration, onlooker: &mut Onlooker) {
    let labels = worker.labels.load(Ordering::Relaxed);
    let standing = onlooker.look(held.tid);
    if standing.is_none() && !standing::is_there(held.tid) {
        // A thread of the process that we were forked from.
        worker.tid.store(0, Ordering::Release);
        return;
    }
    if worker.poll.load(Ordering::Acquire) != held.poll {
        // It came back meanwhile: the stack may be of another poll.
        return;
    }
    let first = i64::from(held.counted.is_zero());
    let delay = i64::try_from((lasted - held.counted).as_nanos()).unwrap_or(i64::MAX);
    held.counted = lasted;
    held.look_again = lasted + (lasted / AGAIN_AFTER).clamp(THRESHOLD, AGAIN_MAX);
    let mut gathered = GATHERED.lock().unwrap_or_else(PoisonError::into_inner);
    match standing {
        Some(standing) => {
            let labels = standing.labels.unwrap_or(labels);
            gathered.stacks.add(&standing.stack, labels, [first, delay]);
        }
        None => {
            gathered.unreadable += 1;
            gathered.stacks.add(&[], labels, [first, delay]);
        }
    }
}

/// Everything that held a worker since the first watchdog, as profile.proto, not compressed.
///
/// Sample types are those of Go's block profile: `contentions/count`, the polls, and
/// `delay/nanoseconds`, how long they held a worker while somebody looked. The last few
/// milliseconds of a poll, after the last look, are not in it.
///
/// # Errors
/// [`NotMeasured::NotInstalled`] if no [`Watchdog`] was started.
pub fn profile() -> Result<Vec<u8>, NotMeasured> {
    let _unseen = Unseen::begin();
    let modules = modules::loaded();
    let types = [("contentions", "count"), ("delay", "nanoseconds")];
    let mut encoder = Encoder::new(&types, &modules, |_| false);
    encoder.period("contentions", "count", 1);
    let gathered = GATHERED.lock().unwrap_or_else(PoisonError::into_inner);
    let since = gathered
        .since
        .ok_or(NotMeasured::NotInstalled("block::Watchdog was not started"))?;
    encoder.time(SystemTime::now(), since.elapsed().unwrap_or_default());
    encoder.comment("polls that held a worker for over 10 ms, by what they did meanwhile");
    if gathered.unreadable > 0 {
        let count = gathered.unreadable;
        encoder.comment(&format!(
            "{count} times the stack of a held worker could not be read"
        ));
    }
    let unwatched = UNWATCHED.load(Ordering::Relaxed);
    if unwatched > 0 {
        encoder.comment(&format!("{unwatched} threads polled and were not watched"));
    }
    gathered.stacks.write(&mut encoder);
    Ok(encoder.finish())
}
