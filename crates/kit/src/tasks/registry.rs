//! The register of live tasks.
//!
//! Sharded, because every spawn and every end takes a lock; a dump takes one shard after another.

use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Instant;

use super::by_id::ById;
use crate::labels::Registered;
use crate::scope::Scope;

/// Enough that spawns on many threads rarely meet at one lock.
const SHARDS: usize = 32;

static NEXT: AtomicU64 = AtomicU64::new(1);
/// Tasks by number; none until the first comes, because a map cannot be made before `main`.
type Shard = Mutex<Option<ById<Arc<Meta>>>>;

static SHARDED: [Shard; SHARDS] = [const { Mutex::new(None) }; SHARDS];

/// What a task is for, and so what ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Of a request: ends with its deadline, with its client, or with the drain.
    Child,
    /// Of the service: ends by itself or after the drain.
    Background,
    /// Of one generation of the configuration: ends with the next.
    Generation,
    /// Of nobody: ends by itself.
    Detached,
    /// Blocking code on a thread: ends by itself.
    Blocking,
    /// A connection that the kit serves: ends with its client, or with the drain.
    Connection,
    /// The kit's own.
    Kit,
}

impl Kind {
    /// The word in dumps.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Child => "child",
            Kind::Background => "background",
            Kind::Generation => "generation",
            Kind::Detached => "detached",
            Kind::Blocking => "blocking",
            Kind::Connection => "connection",
            Kind::Kit => "kit",
        }
    }
}

/// What is known of a live task.
#[derive(Debug)]
pub(super) struct Meta {
    pub(super) id: u64,
    pub(super) kind: Kind,
    /// The type of the future: the name of its async function.
    pub(super) function: &'static str,
    pub(super) spawned_at: &'static Location<'static>,
    /// The task that spawned this one, and its function.
    pub(super) parent: Option<(u64, &'static str)>,
    pub(super) born: Instant,
    labels: Mutex<Option<Registered>>,
    pub(super) polls: AtomicU64,
    pub(super) polling: AtomicBool,
    /// The last dump that this task was asked for.
    pub(super) seen_in: AtomicU64,
    pub(super) stacks: Mutex<Vec<Vec<usize>>>,
    waker: Mutex<Option<Waker>>,
}

impl Meta {
    pub(super) fn keep_waker(&self, waker: &Waker) {
        *lock(&self.waker) = Some(waker.clone());
    }

    /// Asks the runtime to poll this task; false if it was never polled, or ended.
    pub(super) fn wake(&self) -> bool {
        let waker = lock(&self.waker).clone();
        waker.map(Waker::wake).is_some()
    }

    pub(super) fn labels(&self) -> Option<Registered> {
        lock(&self.labels).clone()
    }

    pub(super) fn set_labels(&self, labels: Option<Registered>) {
        // The old ones are dropped outside of the lock.
        let old = std::mem::replace(&mut *lock(&self.labels), labels);
        drop(old);
    }
}

/// The place of a task in the register; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Entry {
    meta: Arc<Meta>,
    scope: Option<Scope>,
}

impl Entry {
    pub(super) fn register(
        kind: Kind,
        function: &'static str,
        spawned_at: &'static Location<'static>,
        scope: Option<&Scope>,
    ) -> Self {
        let meta = Arc::new(Meta {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            kind,
            function,
            spawned_at,
            parent: super::tracked::current(),
            born: Instant::now(),
            labels: Mutex::new(scope.map(|scope| scope.labels().clone())),
            polls: AtomicU64::new(0),
            polling: AtomicBool::new(false),
            seen_in: AtomicU64::new(super::dump::latest()),
            stacks: Mutex::default(),
            waker: Mutex::default(),
        });
        lock(shard(meta.id))
            .get_or_insert_default()
            .insert(meta.id, Arc::clone(&meta));
        Entry {
            meta,
            scope: scope.cloned(),
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.meta.id
    }

    pub(super) fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Marks the task as running until the guard is dropped.
    pub(super) fn polling(&self) -> Polling<'_> {
        self.meta.polls.fetch_add(1, Ordering::Relaxed);
        self.meta.polling.store(true, Ordering::Relaxed);
        Polling(&self.meta.polling)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // The waker keeps the task's memory: it goes now, not with the last reader of a dump.
        lock(&self.meta.waker).take();
        if let Some(scope) = self.scope.take() {
            scope.child_ended(self.meta.id);
        }
        if let Some(shard) = lock(shard(self.meta.id)).as_mut() {
            shard.remove(&self.meta.id);
        }
    }
}

/// A task is being polled.
pub(super) struct Polling<'t>(&'t AtomicBool);

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Every live task, by age.
pub(super) fn live() -> Vec<Arc<Meta>> {
    let mut live: Vec<Arc<Meta>> = Vec::new();
    for shard in &SHARDED {
        if let Some(tasks) = lock(shard).as_ref() {
            live.extend(tasks.values().cloned());
        }
    }
    live.sort_unstable_by_key(|task| task.id);
    live
}

/// How many live tasks there are of which this holds. A drain asks every few milliseconds, so nothing
/// is copied.
pub(super) fn count(is: impl Fn(&Meta) -> bool) -> usize {
    let of_shard = |shard: &Shard| {
        lock(shard)
            .as_ref()
            .map_or(0, |tasks| tasks.values().filter(|task| is(task)).count())
    };
    SHARDED.iter().map(of_shard).sum()
}

/// A live task by its number.
pub(super) fn find(id: u64) -> Option<Arc<Meta>> {
    lock(shard(id)).as_ref()?.get(&id).cloned()
}

fn shard(id: u64) -> &'static Shard {
    &SHARDED[id as usize % SHARDS]
}

/// A panic elsewhere leaves nothing half made here: each change is one insert, remove or replace.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
