//! What the running code works on: the labels of a request, behind a number that a signal handler
//! can read.
//!
//! A request registers its labels once and gets an id. While a task of the request is polled, its
//! thread carries that id in a plain thread-local number. A sampler that interrupts the thread
//! copies the number and nothing else; what it stands for is looked up later with [`of`], when
//! locks are allowed again. Labels of requests that ended stay known for a while, so that a profile
//! of the last half minute can still name them.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::trace::hex;

/// Enough that requests on many threads rarely meet at one lock.
const SHARDS: usize = 16;
/// Ended requests whose labels each shard still knows: 16,384 in all, about 3 MiB of memory.
const ENDED_MAX: usize = 1024;

thread_local! {
    // Const and without a destructor: reading it allocates nothing and registers nothing, so that
    // a signal handler may.
    static CURRENT: Cell<u64> = const { Cell::new(0) };
}

static NEXT: AtomicU64 = AtomicU64::new(1);
static SHARDED: [Mutex<Option<Shard>>; SHARDS] = [const { Mutex::new(None) }; SHARDS];

#[derive(Default)]
struct Shard {
    known: HashMap<u64, Labels>,
    ended: VecDeque<u64>,
}

/// What a request, and all that is done for it, is known by.
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
#[derive(Debug, Clone)]
pub struct Registered(Arc<Id>);

#[derive(Debug)]
struct Id(u64);

impl Registered {
    /// The number to carry while this work runs.
    pub fn id(&self) -> u64 {
        self.0.0
    }
}

impl Drop for Id {
    fn drop(&mut self) {
        with_shard(self.0, |shard| {
            shard.ended.push_back(self.0);
            if shard.ended.len() > ENDED_MAX
                && let Some(oldest) = shard.ended.pop_front()
            {
                shard.known.remove(&oldest);
            }
        });
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
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    with_shard(id, |shard| shard.known.insert(id, labels));
    Registered(Arc::new(Id(id)))
}

fn with_shard<T>(id: u64, change: impl FnOnce(&mut Shard) -> T) -> T {
    let shard = &SHARDED[id as usize % SHARDS];
    // A panic elsewhere leaves no half-made labels: each change is one insert or one remove.
    let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
    change(shard.get_or_insert_default())
}

/// The labels that this thread carries now; 0 is none. Safe to call from a signal handler.
#[inline]
pub fn current_id() -> u64 {
    CURRENT.with(Cell::get)
}

/// Makes `id` the labels of this thread and returns those before.
#[inline]
pub fn set_current(id: u64) -> u64 {
    CURRENT.with(|current| current.replace(id))
}

/// Name and value of each label of `id`; none for 0, and for what ended too long ago.
pub fn of(id: u64) -> Vec<(String, String)> {
    let labels = with_shard(id, |shard| shard.known.get(&id).cloned());
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
}
