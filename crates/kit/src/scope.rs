//! The scope of a request: its deadline, its end, its labels, and the tasks that work for it.
//!
//! A scope is current while a task that belongs to it is polled. A layer opens it, [`crate::spawn`]
//! hands it to child tasks, outgoing calls read it. It is known per thread and per poll, so code
//! that never heard of the kit runs between them undisturbed.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use pin_project_lite::pin_project;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use crate::labels::{self, Labels, Registered};
use crate::tasks::{ById, Kind};
use crate::trace::Carried;

thread_local! {
    static CURRENT: RefCell<Option<Scope>> = const { RefCell::new(None) };
}

/// What everything that is done for one request has in common.
///
/// ```
/// use shakedown_kit::{labels::Labels, scope::Scope};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let batch = Scope::new(None, Labels::default());
/// let child = batch.clone().run(async { shakedown_kit::spawn(std::future::pending::<()>()) }).await;
/// assert_eq!(batch.children_running(), 1);
/// batch.cancel();
/// assert!(child.await.unwrap_err().is_cancelled());
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Scope(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// What a task is that is spawned within.
    children_are: Kind,
    deadline: Option<Instant>,
    /// None until somebody asks for it, which few requests do.
    cancelled: OnceLock<CancellationToken>,
    labels: Registered,
    carried: Carried,
    children: Mutex<Children>,
    /// Told when the last child has ended.
    gone: tokio::sync::Notify,
}

#[derive(Debug, Default)]
struct Children {
    /// Set with the first cancel: whoever comes later is ended at once.
    over: bool,
    /// None: on its way to the runtime.
    running: ById<Option<AbortHandle>>,
}

impl Scope {
    /// A scope with nothing in it but what is said here; `deadline` is when its work is to stop.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use shakedown_kit::{labels::Labels, scope::Scope};
    ///
    /// let in_a_minute = Instant::now() + Duration::from_secs(60);
    /// let batch = Scope::new(Some(in_a_minute), Labels::default());
    /// assert_eq!(batch.deadline(), Some(in_a_minute));
    /// ```
    pub fn new(deadline: Option<Instant>, labels: Labels) -> Self {
        Self::of(Kind::Child, deadline, labels, Carried::default())
    }

    /// A scope of tasks that belong to a generation of the configuration.
    pub(crate) fn of_generation() -> Self {
        Self::of(
            Kind::Generation,
            None,
            Labels::default(),
            Carried::default(),
        )
    }

    pub(crate) fn carrying(deadline: Option<Instant>, labels: Labels, carried: Carried) -> Self {
        Self::of(Kind::Child, deadline, labels, carried)
    }

    fn of(children_are: Kind, deadline: Option<Instant>, labels: Labels, carried: Carried) -> Self {
        Scope(Arc::new(Inner {
            children_are,
            deadline,
            cancelled: OnceLock::new(),
            labels: labels::register(labels),
            carried,
            children: Mutex::default(),
            gone: tokio::sync::Notify::new(),
        }))
    }

    /// The scope of the running task, if it has one.
    ///
    /// ```
    /// use shakedown_kit::{labels::Labels, scope::Scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// assert!(Scope::current().is_none());
    /// let batch = Scope::new(None, Labels::default());
    /// assert!(batch.run(async { Scope::current().is_some() }).await);
    /// # }
    /// ```
    pub fn current() -> Option<Self> {
        CURRENT.with(|current| current.try_borrow().ok()?.clone())
    }

    pub(crate) fn children_are(&self) -> Kind {
        self.0.children_are
    }

    /// When the work is to stop; `None` if nobody said.
    ///
    /// ```
    /// use shakedown_kit::{labels::Labels, scope::Scope};
    ///
    /// assert_eq!(Scope::new(None, Labels::default()).deadline(), None);
    /// ```
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// Ends the scope: its token is cancelled and its child tasks are dropped at their next await.
    ///
    /// ```
    /// use shakedown_kit::{labels::Labels, scope::Scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let batch = Scope::new(None, Labels::default());
    /// batch.cancel();
    /// let late = batch.run(async { shakedown_kit::spawn(std::future::pending::<()>()) }).await;
    /// assert!(late.await.unwrap_err().is_cancelled(), "who comes later is ended, too");
    /// # }
    /// ```
    pub fn cancel(&self) {
        // They stay in the table until they have ended: a task that does not await is aborted, and
        // runs on.
        let running: Vec<AbortHandle> = {
            let mut children = self.children();
            children.over = true;
            children.running.values().flatten().cloned().collect()
        };
        // After the scope is over: a token that is made meanwhile looks at that.
        if let Some(token) = self.0.cancelled.get() {
            token.cancel();
        }
        for child in running {
            child.abort();
        }
    }

    /// Is cancelled at the deadline, or when the client leaves.
    ///
    /// ```
    /// use shakedown_kit::{labels::Labels, scope::Scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let batch = Scope::new(None, Labels::default());
    /// let token = batch.token().clone();
    /// batch.cancel();
    /// token.cancelled().await;
    /// # }
    /// ```
    pub fn token(&self) -> &CancellationToken {
        let token = self.0.cancelled.get_or_init(CancellationToken::new);
        // It may have ended before there was a token, and nobody would tell this one.
        if self.children().over {
            token.cancel();
        }
        token
    }

    /// How many child tasks run, those included that are cancelled and have not ended yet.
    ///
    /// ```
    /// use shakedown_kit::{labels::Labels, scope::Scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let batch = Scope::new(None, Labels::default());
    /// let child = batch.clone().run(async { shakedown_kit::spawn(async { 7 }) }).await;
    /// assert_eq!(batch.children_running(), 1);
    /// assert_eq!(child.await.unwrap(), 7);
    /// assert_eq!(batch.children_running(), 0);
    /// # }
    /// ```
    pub fn children_running(&self) -> usize {
        self.children().running.len()
    }

    pub(crate) fn labels(&self) -> &Registered {
        &self.0.labels
    }

    pub(crate) fn carried(&self) -> &Carried {
        &self.0.carried
    }

    /// Keeps a place for a child that is about to be spawned: it may end before [`Scope::adopt`].
    pub(crate) fn expect_child(&self, id: u64) {
        self.children().running.insert(id, None);
    }

    /// Takes a child in; one that comes after the end is ended, too.
    pub(crate) fn adopt(&self, id: u64, child: AbortHandle) {
        let is_over = {
            let mut children = self.children();
            let over = children.over;
            if let Some(place) = children.running.get_mut(&id) {
                *place = Some(child.clone());
            }
            over
        };
        if is_over {
            child.abort();
        }
    }

    pub(crate) fn child_ended(&self, id: u64) {
        let mut children = self.children();
        if children.running.remove(&id).is_some() && children.running.is_empty() {
            self.0.gone.notify_waiters();
        }
    }

    /// Completes when no child runs.
    pub(crate) async fn children_gone(&self) {
        loop {
            // Registered before the look, so that no end is missed between the two.
            let gone = self.0.gone.notified();
            if self.children_running() == 0 {
                return;
            }
            gone.await;
        }
    }

    fn children(&self) -> std::sync::MutexGuard<'_, Children> {
        self.0
            .children
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A scope with the same labels that nothing ends.
    pub(crate) fn detached(&self) -> Self {
        Scope(Arc::new(Inner {
            children_are: Kind::Detached,
            deadline: None,
            cancelled: OnceLock::new(),
            labels: self.0.labels.clone(),
            carried: self.0.carried.clone(),
            children: Mutex::default(),
            gone: tokio::sync::Notify::new(),
        }))
    }

    /// Runs a future within this scope.
    ///
    /// ```
    /// use shakedown_kit::{labels::Labels, scope::Scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let labels = Labels { route: Some("nightly report".into()), ..Labels::default() };
    /// let named = async { shakedown_kit::labels::of(shakedown_kit::labels::current_id()) };
    /// let pairs = Scope::new(None, labels).run(named).await;
    /// assert_eq!(pairs, [("route".to_owned(), "nightly report".to_owned())]);
    /// # }
    /// ```
    pub fn run<F: Future>(self, future: F) -> InScope<F> {
        InScope {
            scope: Some(self),
            future,
        }
    }

    /// Makes this scope current until the guard is dropped.
    pub(crate) fn enter(&self) -> Entered {
        Entered::enter(Some(self.clone()))
    }
}

/// A scope is current on this thread, until this is dropped.
pub(crate) struct Entered {
    before: Option<Scope>,
    labels_before: u64,
    has_left: bool,
}

impl Entered {
    pub(crate) fn enter(scope: Option<Scope>) -> Self {
        let labels = scope.as_ref().map_or(0, |scope| scope.labels().id());
        Entered {
            before: CURRENT.replace(scope),
            labels_before: labels::set_current(labels),
            has_left: false,
        }
    }

    /// Gives back what was entered: whoever has no other use for it meanwhile needs no clone.
    pub(crate) fn leave(mut self) -> Option<Scope> {
        self.has_left = true;
        labels::set_current(self.labels_before);
        CURRENT.replace(self.before.take())
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if self.has_left {
            return;
        }
        labels::set_current(self.labels_before);
        // Dropped outside of the borrow: the last owner of a scope frees what may look here again.
        drop(CURRENT.replace(self.before.take()));
    }
}

pin_project! {
    /// A future that runs within a scope.
    pub struct InScope<F> {
        scope: Option<Scope>,
        #[pin]
        future: F,
    }
}

impl<F> InScope<F> {
    /// As [`Scope::run`], for what may have none: then it runs outside of every scope.
    pub(crate) fn of(scope: Option<Scope>, future: F) -> Self {
        InScope { scope, future }
    }
}

impl<F: Future> Future for InScope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = Entered::enter(this.scope.clone());
        this.future.poll(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn scope(name: &str) -> Scope {
        let labels = Labels {
            rpc: Some(name.into()),
            ..Labels::default()
        };
        Scope::new(None, labels)
    }

    #[tokio::test]
    async fn a_scope_is_current_inside_and_only_there() {
        assert!(Scope::current().is_none());
        let inner = scope("a/A");
        let id = inner.labels().id();
        inner
            .run(async {
                tokio::task::yield_now().await;
                assert_eq!(labels::current_id(), id);
                let other = scope("b/B");
                let other_id = other.labels().id();
                other
                    .run(async move { assert_eq!(labels::current_id(), other_id) })
                    .await;
                assert_eq!(labels::current_id(), id, "the outer one is back");
            })
            .await;
        assert!(Scope::current().is_none());
        assert_eq!(labels::current_id(), 0);
    }

    #[test]
    fn a_panic_leaves_no_scope_behind() {
        let entered = std::panic::catch_unwind(|| {
            let _entered = scope("a/A").enter();
            panic!("on purpose");
        });
        assert!(entered.is_err());
        assert!(Scope::current().is_none());
        assert_eq!(labels::current_id(), 0);
    }

    #[test]
    fn a_token_is_cancelled_whether_it_was_asked_for_before_the_end_or_after() {
        let (before, after) = (scope("a/A"), scope("b/B"));
        let token = before.token().clone();
        assert!(!token.is_cancelled());
        before.cancel();
        after.cancel();
        assert!(token.is_cancelled() && after.token().is_cancelled());
    }

    #[test]
    fn who_leaves_a_scope_gets_it_back() {
        let outer = scope("a/A");
        let _entered = outer.enter();
        let (inner, outer_id) = (scope("b/B"), outer.labels().id());
        let inner_id = inner.labels().id();
        let entered = Entered::enter(Some(inner));
        assert_eq!(labels::current_id(), inner_id);
        let inner = entered.leave().expect("it was entered");
        assert_eq!(inner.labels().id(), inner_id);
        assert_eq!(labels::current_id(), outer_id);
        let current = Scope::current().expect("the outer one is back");
        assert_eq!(current.labels().id(), outer_id);
    }

    #[tokio::test]
    async fn who_comes_after_the_end_is_ended_too() {
        let scope = scope("a/A");
        scope.cancel();
        scope.expect_child(1);
        let task = tokio::spawn(tokio::time::sleep(Duration::from_secs(60)));
        scope.adopt(1, task.abort_handle());
        assert!(task.await.expect_err("it was aborted").is_cancelled());
        assert_eq!(scope.children_running(), 1, "nobody said that it ended");
        scope.child_ended(1);
        assert_eq!(scope.children_running(), 0);
    }

    #[tokio::test]
    async fn a_child_that_ends_before_it_is_adopted_is_gone() {
        let scope = scope("a/A");
        scope.expect_child(1);
        scope.child_ended(1);
        let task = tokio::spawn(std::future::ready(()));
        scope.adopt(1, task.abort_handle());
        scope.children_gone().await;
        task.await.expect("it ran");
    }
}
