//! Asks every registered task where it waits.
//!
//! A dump runs on the thread that asks, not on the runtime that it looks at: when every worker is
//! blocked, it still answers, and says which tasks run and which could not be asked.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::frames::{self, Frame};
use super::registry::{self, Kind, Meta};
use crate::labels;

/// How often a dump looks whether all tasks have answered.
const LOOK_EVERY: Duration = Duration::from_micros(300);

/// Nobody has answered for so long: whoever is left runs without awaiting, or waits for a worker that
/// does. Far more than a busy machine needs to poll the next task.
const STALLED: Duration = Duration::from_millis(25);

/// The number of the latest dump: a task that was asked for an earlier one notes its stack.
static LATEST: AtomicU64 = AtomicU64::new(0);
/// One dump at a time: a second one at once would take the first one's stacks for its own.
static DUMPING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[inline]
pub(super) fn latest() -> u64 {
    LATEST.load(Ordering::Relaxed)
}

/// All live tasks at one time.
#[derive(Debug)]
pub struct Dump {
    /// The tasks, oldest first.
    pub tasks: Vec<Seen>,
    /// How long asking took; symbols are not in it.
    pub took: Duration,
    /// Tasks that did not answer in time: their workers are busy.
    pub unanswered: usize,
}

/// What is seen of one task.
#[derive(Debug)]
pub struct Seen {
    /// Its number, never used twice.
    pub id: u64,
    /// What it is for.
    pub kind: Kind,
    /// Its async function, or what its future is called.
    pub function: String,
    /// Source file and line of the spawn.
    pub spawned_at: (&'static str, u32),
    /// The task that spawned it, with its function.
    pub parent: Option<(u64, String)>,
    /// What it does.
    pub state: State,
    /// How long ago it was spawned.
    pub age: Duration,
    /// How often it was polled.
    pub polls: u64,
    /// The labels of its request.
    pub labels: Vec<(String, String)>,
    /// Where it waits, innermost frame first; several for a `select!`.
    pub stacks: Vec<Vec<Frame>>,
}

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It waits, as its stacks say.
    Waiting,
    /// It is on a worker right now; a stack would be that of a thread, not of an await.
    Running,
    /// It was woken and no worker has taken it up: they are busy.
    Runnable,
    /// Blocking code on its own thread.
    Blocking,
}

impl State {
    /// The word in dumps.
    pub fn name(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Running => "running",
            State::Runnable => "runnable",
            State::Blocking => "blocking",
        }
    }
}

/// Asks all tasks, for at most `patience`, and less where it is plain that no more will answer.
///
/// Each task is woken and polled once more than it would have been, which every future must bear.
///
/// ```
/// use std::time::Duration;
/// use shakedown_kit::tasks;
///
/// # #[tokio::main] async fn main() {
/// let task = shakedown_kit::spawn(tokio::time::sleep(Duration::from_secs(60)));
/// tokio::task::yield_now().await;
/// let dump = tasks::dump(Duration::from_millis(500)).await;
/// assert_eq!(dump.tasks.len(), 1);
/// assert!(tasks::goroutines(&dump).starts_with("goroutine "));
/// assert!(tasks::counts(&dump).starts_with("goroutine profile: total 1"));
/// assert!(tasks::page(&dump, None).starts_with("1 tasks"));
/// let profile: Vec<u8> = tasks::profile(&dump); // For `go tool pprof`.
/// # assert!(!profile.is_empty());
/// # task.abort();
/// # }
/// ```
pub async fn dump(patience: Duration) -> Dump {
    let _one_at_a_time = DUMPING.lock().await;
    let began = Instant::now();
    let number = LATEST.fetch_add(1, Ordering::Relaxed) + 1;
    let live = registry::live();
    let asked: Vec<&Arc<Meta>> = live.iter().filter(|task| task.wake()).collect();
    let answered = |task: &Meta| task.seen_in.load(Ordering::Acquire) >= number;
    // Whoever ended meanwhile is in nobody's hands but ours.
    let waits_for = |task: &&&Arc<Meta>| !answered(task) && Arc::strong_count(task) > 1;
    let mut left = usize::MAX;
    let mut progress = began;
    while began.elapsed() < patience && progress.elapsed() < STALLED {
        let waiting = asked.iter().filter(waits_for).count();
        if waiting == 0 {
            break;
        }
        if waiting < left {
            (left, progress) = (waiting, Instant::now());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let took = began.elapsed();
    let seen: Vec<(&Meta, Vec<Vec<usize>>)> = live
        .iter()
        .filter(|task| Arc::strong_count(task) > 1)
        .map(|task| (&**task, std::mem::take(&mut *registry::lock(&task.stacks))))
        .collect();
    frames::learn(seen.iter().flat_map(|(_, stacks)| stacks));
    // Thousands of tasks wait at some dozen places: each stack is put into words once.
    let mut in_words: HashMap<&[usize], Vec<Frame>> = HashMap::new();
    for stack in seen.iter().flat_map(|(_, stacks)| stacks) {
        in_words
            .entry(stack)
            .or_insert_with(|| frames::resolve(stack));
    }
    let tasks: Vec<Seen> = seen
        .iter()
        .map(|(task, stacks)| see(task, answered(task), stacks, &in_words))
        .collect();
    let silent = |seen: &&Seen| matches!(seen.state, State::Running | State::Runnable);
    Dump {
        unanswered: tasks.iter().filter(silent).count(),
        tasks,
        took,
    }
}

fn see(
    task: &Meta,
    answered: bool,
    stacks: &[Vec<usize>],
    in_words: &HashMap<&[usize], Vec<Frame>>,
) -> Seen {
    let state = match (task.kind, answered) {
        (Kind::Blocking, _) => State::Blocking,
        (_, true) => State::Waiting,
        (_, false) if task.polling.load(Ordering::Relaxed) => State::Running,
        (_, false) => State::Runnable,
    };
    // Of one that runs they are from an earlier dump.
    let stacks = if state == State::Waiting { stacks } else { &[] };
    Seen {
        id: task.id,
        kind: task.kind,
        function: frames::readable(task.function),
        spawned_at: (task.spawned_at.file(), task.spawned_at.line()),
        parent: task
            .parent
            .map(|(id, function)| (id, frames::readable(function))),
        state,
        age: task.born.elapsed(),
        polls: task.polls.load(Ordering::Relaxed),
        labels: task
            .labels()
            .map_or_else(Vec::new, |labels| labels::of(labels.id())),
        stacks: stacks
            .iter()
            .filter_map(|stack| in_words.get(stack.as_slice()).cloned())
            .collect(),
    }
}
