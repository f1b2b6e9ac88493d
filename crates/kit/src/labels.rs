//! What the running code works on: the labels of a request, behind a number that a signal handler
//! can read.
//!
//! A request registers its labels once and gets an id. While a task of the request is polled, its
//! thread carries that id in a plain thread-local number. A sampler that interrupts the thread
//! copies the number and nothing else; what it stands for is looked up later with [`of`], when
//! locks are allowed again. Labels of requests that ended stay known for a while, so that a profile
//! of the last half minute can still name them.
//!
//! Every request pays for this, so nothing is hashed and, once as many places exist as requests run
//! at a time, nothing allocated: an id is the number of a place and how often that was used.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::trace::hex;

/// Enough that requests on many threads rarely meet at one lock. A power of two, and part of ids.
const SHARDS: usize = 1 << SHARD_BITS;
const SHARD_BITS: u32 = 4;
/// Of the number of a place within its shard: more requests at a time than memory is there for.
const PLACE_BITS: u32 = 28;
/// Ended requests whose labels each shard still knows: 16,384 in all, a few MiB of memory at most.
const ENDED_MAX: usize = 1024;

thread_local! {
    // Const and without a destructor: reading it allocates nothing and registers nothing, so that
    // a signal handler may.
    static CURRENT: Cell<u64> = const { Cell::new(0) };
}

static NEXT: AtomicUsize = AtomicUsize::new(0);
static SHARDED: [Mutex<Shard>; SHARDS] = [const { Mutex::new(Shard::new()) }; SHARDS];

struct Shard {
    places: Vec<Place>,
    /// Places whose request has ended and is still known, the oldest first.
    ended: VecDeque<u32>,
    free: Vec<u32>,
}

struct Place {
    /// The id that it stands for, or stood for last.
    id: u64,
    labels: Labels,
    /// How many [`Registered`] there are. It has its own place in memory, and keeps it, so that
    /// clones need no lock.
    users: &'static AtomicUsize,
}

impl Shard {
    const fn new() -> Self {
        Shard {
            places: Vec::new(),
            ended: VecDeque::new(),
            free: Vec::new(),
        }
    }

    /// Gives labels a place.
    fn take(&mut self, shard: usize, labels: Labels) -> Registered {
        let number = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place {
                id: (self.places.len() as u64) << SHARD_BITS | shard as u64,
                labels: Labels::default(),
                // Used again by request after request, and never freed: there are as many as
                // requests ran at one time.
                users: Box::leak(Box::new(AtomicUsize::new(0))),
            });
            self.places.len() as u32 - 1
        });
        let place = &mut self.places[number as usize];
        // The next use of this place is another id. It begins with 1, so that no id is 0.
        place.id = place.id.wrapping_add(1 << (SHARD_BITS + PLACE_BITS));
        place.labels = labels;
        place.users.store(1, Ordering::Relaxed);
        Registered {
            id: place.id,
            users: place.users,
        }
    }

    /// Remembers that a request has ended, and gives what is forgotten for it.
    fn end(&mut self, id: u64) -> Option<Labels> {
        self.ended.push_back(number(id));
        if self.ended.len() <= ENDED_MAX {
            return None;
        }
        let oldest = self.ended.pop_front()?;
        self.free.push(oldest);
        Some(std::mem::take(&mut self.places[oldest as usize].labels))
    }

    fn labels(&self, id: u64) -> Option<&Labels> {
        let place = self.places.get(number(id) as usize)?;
        (place.id == id).then_some(&place.labels)
    }
}

/// The place within its shard that an id stands for.
fn number(id: u64) -> u32 {
    (id >> SHARD_BITS) as u32 & ((1 << PLACE_BITS) - 1)
}

/// What a request, and all that is done for it, is known by.
///
/// ```
/// use shakedown_kit::labels::Labels;
///
/// let batch = Labels { route: Some("nightly report".into()), ..Labels::default() };
/// assert_eq!(batch.trace_id, 0, "in no trace");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    /// `package.Service/Method` of a gRPC request.
    pub rpc: Option<Arc<str>>,
    /// Method and route of another HTTP request, like `GET /orders/{}`.
    pub route: Option<Arc<str>>,
    /// The W3C trace id; 0 where there is none.
    pub trace_id: u128,
}

impl Labels {
    /// Name and value of each label that is set.
    ///
    /// ```
    /// use shakedown_kit::labels::Labels;
    ///
    /// let labels = Labels { rpc: Some("orders.v1.Orders/Get".into()), trace_id: 0xab, ..Labels::default() };
    /// let pairs = labels.pairs();
    /// assert_eq!(pairs[0], ("rpc".to_owned(), "orders.v1.Orders/Get".to_owned()));
    /// assert_eq!(pairs[1], ("trace_id".to_owned(), format!("{:032x}", 0xab)));
    /// ```
    pub fn pairs(&self) -> Vec<(String, String)> {
        let texts = [("rpc", &self.rpc), ("route", &self.route)];
        let mut pairs: Vec<_> = texts
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.as_ref()?.to_string())))
            .collect();
        if self.trace_id != 0 {
            pairs.push(("trace_id".to_owned(), hex(self.trace_id, 32)));
        }
        pairs
    }
}

/// Labels that are known by an id, until the last clone is dropped and for a while longer.
///
/// ```
/// use shakedown_kit::labels::{self, Labels};
///
/// let request = labels::register(Labels { trace_id: 7, ..Labels::default() });
/// let child = request.clone();
/// drop(request);
/// assert_eq!(labels::of(child.id()).len(), 1, "whoever works for it keeps it");
/// ```
#[derive(Debug)]
pub struct Registered {
    id: u64,
    users: &'static AtomicUsize,
}

impl Registered {
    /// The number to carry while this work runs.
    ///
    /// ```
    /// use shakedown_kit::labels::{self, Labels};
    ///
    /// let (one, other) = (labels::register(Labels::default()), labels::register(Labels::default()));
    /// assert_ne!(one.id(), other.id());
    /// assert_ne!(one.id(), 0, "0 is no request");
    /// ```
    pub fn id(&self) -> u64 {
        self.id
    }
}

impl Clone for Registered {
    fn clone(&self) -> Self {
        // Relaxed, as with `Arc`: who clones has one, so the place is held already.
        self.users.fetch_add(1, Ordering::Relaxed);
        Registered {
            id: self.id,
            users: self.users,
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // The lock orders what comes after the last one; nothing is read here before it.
        if self.users.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Dropped outside of the lock.
            let forgotten = lock(self.id as usize % SHARDS).end(self.id);
            drop(forgotten);
        }
    }
}

/// Makes labels known and gives the id that stands for them.
///
/// ```
/// use shakedown_kit::labels::{self, Labels};
///
/// let labels = Labels { rpc: Some("orders.v1.Orders/Get".into()), ..Labels::default() };
/// let request = labels::register(labels);
/// let before = labels::set_current(request.id()); // On this thread, while it works for the request.
/// assert_eq!(labels::of(labels::current_id())[0].1, "orders.v1.Orders/Get");
/// labels::set_current(before);
/// ```
pub fn register(labels: Labels) -> Registered {
    let shard = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    lock(shard).take(shard, labels)
}

/// A panic elsewhere leaves no half-made labels: between two changes of a shard nothing can panic.
fn lock(shard: usize) -> std::sync::MutexGuard<'static, Shard> {
    SHARDED[shard]
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// The labels that this thread carries now; 0 is none. Safe to call from a signal handler.
///
/// ```
/// assert_eq!(shakedown_kit::labels::current_id(), 0, "this thread works for no request");
/// ```
#[inline]
pub fn current_id() -> u64 {
    CURRENT.with(Cell::get)
}

/// Makes `id` the labels of this thread and returns those before.
///
/// ```
/// use shakedown_kit::labels::{self, Labels};
///
/// let request = labels::register(Labels::default());
/// let before = labels::set_current(request.id());
/// assert_eq!(labels::current_id(), request.id());
/// labels::set_current(before);
/// ```
#[inline]
pub fn set_current(id: u64) -> u64 {
    CURRENT.with(|current| current.replace(id))
}

/// Name and value of each label of `id`; none for 0, and for what ended too long ago.
///
/// ```
/// use shakedown_kit::labels::{self, Labels};
///
/// let request = labels::register(Labels { route: Some("GET /".into()), ..Labels::default() });
/// assert_eq!(labels::of(request.id()), [("route".to_owned(), "GET /".to_owned())]);
/// assert!(labels::of(0).is_empty());
/// ```
pub fn of(id: u64) -> Vec<(String, String)> {
    let labels = lock(id as usize % SHARDS).labels(id).cloned();
    labels.map_or_else(Vec::new, |labels| labels.pairs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rpc(name: &str) -> Labels {
        Labels {
            rpc: Some(name.into()),
            trace_id: 0xabc,
            ..Labels::default()
        }
    }

    #[test]
    fn labels_are_found_by_their_id_while_the_request_runs() {
        let labels = register(rpc("orders.v1.Orders/Get"));
        let pairs = of(labels.id());
        assert_eq!(pairs[0], ("rpc".into(), "orders.v1.Orders/Get".into()));
        assert_eq!(pairs[1].1, format!("{:032x}", 0xabc));
        assert_eq!(of(0), []);
        assert_eq!(of(u64::MAX), []);
    }

    #[test]
    fn ended_requests_are_known_for_a_while_and_no_longer() {
        let ended = register(rpc("ended/Now")).id();
        assert_eq!(of(ended).len(), 2, "a profile may still ask");
        let running = register(rpc("still/Running"));
        for _ in 0..SHARDS * (ENDED_MAX + 1) {
            register(Labels::default());
        }
        assert_eq!(of(ended), [], "memory is bounded");
        assert_eq!(of(running.id()).len(), 2, "what runs is never forgotten");
    }

    #[test]
    fn a_place_that_is_used_again_has_another_id() {
        let mut shard = Shard::new();
        let mut ids = std::collections::HashSet::new();
        for _ in 0..3 * ENDED_MAX {
            let mut one = shard.take(5, Labels::default());
            assert!(ids.insert(one.id) && one.id != 0 && one.id as usize % SHARDS == 5);
            // Not by its drop: this shard is not the one that a drop looks for.
            shard.end(one.id);
            one.users = Box::leak(Box::new(AtomicUsize::new(2)));
        }
        assert!(shard.places.len() <= ENDED_MAX + 1);
        assert!(shard.ended.len() <= ENDED_MAX);
    }

    #[test]
    fn an_id_is_known_until_its_last_clone_is_dropped() {
        let one = register(rpc("clones/Held"));
        let (id, other) = (one.id(), one.clone());
        std::thread::spawn(move || drop(one))
            .join()
            .expect("it ends");
        for _ in 0..SHARDS * (ENDED_MAX + 1) {
            register(Labels::default());
        }
        assert_eq!(of(id).len(), 2);
        drop(other);
    }
}
