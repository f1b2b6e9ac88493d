//! Tasks that can be seen: who spawned them, for which request, how old they are, and where they
//! wait.
//!
//! [`spawn`] is `tokio::spawn` with a register. On a dump each registered task is woken once and
//! polled with a waker that notes the stack when it is cloned: the leaf future that parks the task
//! does that, so the stack at this moment is the chain of awaits. It needs no build flag, and
//! between dumps it costs nothing.
//!
//! A task that somebody spawned with bare `tokio::spawn` is not here. How many there are is known
//! all the same: what the runtime counts less what is registered ([`unregistered`]).

mod by_id;
mod capture;
mod dump;
mod frames;
mod registry;
mod text;
mod tracked;

use std::future::Future;
use std::panic::Location;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::labels::Registered;
use crate::scope::Scope;
use registry::Entry;
use tracked::Tracked;

pub(crate) use by_id::ById;
pub use dump::{Dump, Seen, State, dump};
pub use frames::Frame;
pub use registry::Kind;
pub use text::{counts, goroutines, page, profile};

/// Spawns a task that is seen in dumps and belongs to the request it is spawned in.
///
/// Within a request it is a child: it has the request's deadline, labels and span, and it is dropped
/// at its next await when the deadline passes or the client leaves. After a normal answer it runs
/// on, until the deadline or until the drain ends. Outside of a request it is background work, and
/// runs until it returns or the service has drained. Within a generation of the configuration or
/// detached work it belongs to that.
///
/// # Panics
/// Outside of a tokio runtime, as `tokio::spawn` does.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let answer = shakedown_kit::spawn(async { 6 * 7 });
/// assert_eq!(answer.await.unwrap(), 42);
/// # }
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let scope = Scope::current();
    let kind = scope.as_ref().map_or(Kind::Background, Scope::children_are);
    launch(&Handle::current(), kind, scope, Location::caller(), future)
}

/// Spawns a task that no deadline, no client and no drain ends.
///
/// The loud way out, for work that has to finish whatever becomes of the request that began it. It
/// keeps the labels and the span of the request. Dumps mark it, and a drain does not wait for it:
/// what must not be lost at a shutdown belongs into [`spawn`].
///
/// # Panics
/// Outside of a tokio runtime, as `tokio::spawn` does.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let receipt = shakedown_kit::spawn_detached(async { "sent whatever becomes of the request" });
/// assert!(receipt.await.is_ok());
/// # }
/// ```
#[track_caller]
pub fn spawn_detached<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let caller = Location::caller();
    // Labels without deadline and end: a scope of its own that nobody cancels.
    let scope = Scope::current().map(|scope| scope.detached());
    launch(&Handle::current(), Kind::Detached, scope, caller, future)
}

/// Runs blocking code on a thread for that, seen in dumps until it returns.
///
/// Nothing can cancel it: not the deadline, not the drain. Dumps show it as `blocking`, and a drain
/// waits for it within its limit.
///
/// # Panics
/// Outside of a tokio runtime, as `tokio::task::spawn_blocking` does.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let read = shakedown_kit::spawn_blocking(|| std::fs::read("/dev/null"));
/// assert!(read.await.is_ok());
/// # }
/// ```
#[track_caller]
pub fn spawn_blocking<F, T>(work: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let scope = Scope::current();
    let name = std::any::type_name::<F>();
    let entry = Entry::register(Kind::Blocking, name, Location::caller(), scope.as_ref());
    let span = tracing::Span::current();
    tokio::task::spawn_blocking(move || {
        let _running = entry.polling();
        let _scope = scope.as_ref().map(Scope::enter);
        span.in_scope(work)
    })
}

/// Spawns a task that somebody of the kit owns; it is called like its future.
pub(crate) fn launch<F>(
    runtime: &Handle,
    kind: Kind,
    scope: Option<Scope>,
    caller: &'static Location<'static>,
    future: F,
) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let name = std::any::type_name::<F>();
    launch_as(name, runtime, kind, scope, caller, future)
}

/// As [`launch`], under another name.
pub(crate) fn launch_as<F>(
    name: &'static str,
    runtime: &Handle,
    kind: Kind,
    scope: Option<Scope>,
    caller: &'static Location<'static>,
    future: F,
) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let entry = Entry::register(kind, name, caller, scope.as_ref());
    let id = entry.id();
    let owner = scope
        .clone()
        .filter(|_| matches!(kind, Kind::Child | Kind::Generation));
    if let Some(owner) = &owner {
        owner.expect_child(id);
    }
    let task = runtime.spawn(Tracked::new(entry, scope, future));
    if let Some(owner) = owner {
        owner.adopt(id, task.abort_handle());
    }
    task
}

/// Says for which request the running task works from now on; `None`: for none.
///
/// A connection's task works for one request after another, and was spawned before the first.
pub(crate) fn work_for(task: Option<u64>, labels: Option<Registered>) {
    if let Some(task) = task.and_then(registry::find) {
        task.set_labels(labels);
    }
}

/// Whether somebody has said for which request a live task works.
pub(crate) fn has_labels(task: u64) -> bool {
    registry::find(task).is_some_and(|task| task.labels().is_some())
}

/// The registered task that runs on this thread.
pub(crate) fn current_id() -> Option<u64> {
    tracked::current().map(|(id, _)| id)
}

/// How many tasks are registered now, blocking ones included.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let task = shakedown_kit::spawn(std::future::pending::<()>());
/// assert_eq!(shakedown_kit::tasks::registered(), 1);
/// # task.abort();
/// # }
/// ```
pub fn registered() -> usize {
    registry::count(|_| true)
}

/// How many live tasks of a runtime nobody registered: spawned with bare `tokio::spawn`, by the
/// service or by a library. Approximate while tasks come and go.
///
/// ```
/// use shakedown_kit::tasks;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let ours = shakedown_kit::spawn(std::future::pending::<()>());
/// let bare = tokio::spawn(std::future::pending::<()>());
/// assert_eq!(tasks::registered(), 1);
/// assert_eq!(tasks::unregistered(&tokio::runtime::Handle::current()), 1);
/// # ours.abort(); bare.abort();
/// # }
/// ```
pub fn unregistered(runtime: &Handle) -> usize {
    let of_runtime = registry::count(|task| task.kind != Kind::Blocking);
    runtime
        .metrics()
        .num_alive_tasks()
        .saturating_sub(of_runtime)
}

/// How many registered tasks there are of a kind.
pub(crate) fn count(kind: Kind) -> usize {
    registry::count(|task| task.kind == kind)
}
