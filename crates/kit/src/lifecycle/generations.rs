//! Configuration that is reloaded, in generations: no task of an old one lives on unseen.
//!
//! A reload goes through these steps, and each is the condition of the next: the new text is read and
//! validated; the tasks of the old generation are cancelled; they are awaited; the new generation is
//! begun. Only then the reload is done. What fails to validate changes nothing.

use std::fmt::Display;
use std::future::Future;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::scope::Scope;
use crate::status::seconds;
use crate::{json, tasks};

/// How often is looked whether the file has changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long tasks of an old generation have to end: they are dropped at their next await, so only
/// what does not await takes longer.
const OLD_ONES_HAVE: Duration = Duration::from_secs(10);

static KNOWN: Mutex<Vec<Weak<State>>> = Mutex::new(Vec::new());

/// What `/debug/kit/generations` shows of one configuration.
#[derive(Debug)]
struct State {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Those of which a task may live; the last is the current one.
    generations: Vec<Shown>,
    begun: u64,
    reloads: u64,
    refused: u64,
    last_error: Option<String>,
}

#[derive(Debug)]
struct Shown {
    number: u64,
    since: Instant,
    scope: Scope,
}

/// One generation of a configuration: what is spawned through it ends with it.
///
/// ```
/// # let path = std::env::temp_dir().join(format!("kit-generation-{}", std::process::id()));
/// # std::fs::write(&path, "3").unwrap();
/// # let file = path.clone();
/// # let path = &file;
/// use shakedown_kit::Kit;
/// use shakedown_kit::lifecycle::generations::Generation;
///
/// Kit::builder("orders").run(async |kit: Kit| {
///     let refresh = |every: std::sync::Arc<u64>, generation: &Generation| {
///         generation.spawn(async move {
///             loop {
///                 tokio::time::sleep(std::time::Duration::from_secs(*every)).await;
///             }
///         });
///     };
///     kit.config(path, |text| text.parse::<u64>(), refresh)?;
/// #   kit.stop();
///     Ok(())
/// })
/// # .unwrap();
/// # std::fs::remove_file(&file).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Generation {
    number: u64,
    scope: Scope,
    runtime: Handle,
}

impl Generation {
    /// Which one it is; the first is 1.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("kit-number-{}", std::process::id()));
    /// # std::fs::write(&path, "3").unwrap();
    /// # let file = path.clone();
    /// # let path = &file;
    /// use shakedown_kit::Kit;
    ///
    /// Kit::builder("orders").run(async |kit: Kit| {
    ///     kit.config(
    ///         path,
    ///         |text| text.parse::<u64>(),
    ///         |_, generation| assert_eq!(generation.number(), 1),
    ///     )?;
    /// #   kit.stop();
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// # std::fs::remove_file(&file).unwrap();
    /// ```
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Spawns a task that is dropped, at its next await, when the next generation comes. What it
    /// spawns itself ends with it.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("kit-spawn-{}", std::process::id()));
    /// # std::fs::write(&path, "3").unwrap();
    /// # let file = path.clone();
    /// # let path = &file;
    /// use shakedown_kit::Kit;
    ///
    /// Kit::builder("orders").run(async |kit: Kit| {
    ///     kit.config(
    ///         path,
    ///         |text| text.parse::<u64>(),
    ///         |_, generation| {
    ///             // Dropped when the next configuration comes, before that one begins.
    ///             generation.spawn(std::future::pending::<()>());
    ///         },
    ///     )?;
    /// #   kit.stop();
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// # std::fs::remove_file(&file).unwrap();
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let scope = Some(self.scope.clone());
        tasks::launch(
            &self.runtime,
            tasks::Kind::Generation,
            scope,
            Location::caller(),
            future,
        )
    }
}

/// The configuration that holds now.
///
/// ```
/// # let path = std::env::temp_dir().join(format!("kit-live-{}", std::process::id()));
/// # std::fs::write(&path, "3").unwrap();
/// # let file = path.clone();
/// # let path = &file;
/// use shakedown_kit::Kit;
///
/// Kit::builder("orders").run(async |kit: Kit| {
///     let limit = kit.config(path, |text| text.parse::<u64>(), |_, _| {})?;
///     let of_a_handler = limit.clone();
///     assert_eq!(*of_a_handler.load(), 3);
/// #   kit.stop();
///     Ok(())
/// })
/// # .unwrap();
/// # std::fs::remove_file(&file).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Live<T>(watch::Receiver<Arc<T>>);

impl<T> Live<T> {
    /// A snapshot; it does not change under whoever holds it.
    ///
    /// ```
    /// # fn allowed(live: &shakedown_kit::lifecycle::generations::Live<(u32, u32)>, size: u32) -> bool {
    /// // One snapshot for both: a reload between two calls would mix two configurations.
    /// let limits = live.load();
    /// (limits.0..limits.1).contains(&size)
    /// # }
    /// ```
    pub fn load(&self) -> Arc<T> {
        Arc::clone(&self.0.borrow())
    }

    /// Completes when another configuration holds than at the last call.
    ///
    /// ```
    /// # async fn workers_change(mut live: shakedown_kit::lifecycle::generations::Live<usize>) {
    /// loop {
    ///     live.changed().await;
    ///     tracing::info!(workers = *live.load(), "changed");
    /// }
    /// # }
    /// ```
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // Whoever reloads has ended: it never changes again.
            std::future::pending::<()>().await;
        }
    }
}

/// Why the first configuration was not taken; later ones are logged and change nothing.
///
/// ```
/// use shakedown_kit::Kit;
///
/// let ended = Kit::builder("orders").run(async |kit: Kit| {
///     kit.config("/nowhere/orders.toml", |text| text.parse::<u64>(), |_, _| {})?;
///     Ok(())
/// });
/// let said = format!("{:?}", ended.unwrap_err());
/// assert!(said.contains("/nowhere/orders.toml: cannot be read"), "{said}");
/// ```
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: cannot be read")]
    Read {
        /// Which file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Its text was refused.
    #[error("{path}: {reason}")]
    Invalid {
        /// Which file.
        path: String,
        /// Why.
        reason: String,
    },
}

/// How a configuration is read and begun.
struct Source<P, B> {
    path: PathBuf,
    parse: P,
    begin: B,
}

impl<P, B> Source<P, B> {
    fn read<T, E>(&self) -> Result<T, ConfigError>
    where
        P: Fn(&str) -> Result<T, E>,
        E: Display,
    {
        let path = self.path.display().to_string();
        let text = std::fs::read_to_string(&self.path).map_err(|source| ConfigError::Read {
            path: path.clone(),
            source,
        })?;
        (self.parse)(&text).map_err(|error| ConfigError::Invalid {
            path,
            reason: error.to_string(),
        })
    }
}

/// Takes the first configuration and keeps taking later ones, when the file changes or `reload` says
/// so.
pub(crate) fn begin<T, E, P, B>(
    path: &Path,
    parse: P,
    begin: B,
    mut reload: watch::Receiver<u64>,
    runtime: &Handle,
) -> Result<Live<T>, ConfigError>
where
    T: Send + Sync + 'static,
    E: Display,
    P: Fn(&str) -> Result<T, E> + Send + Sync + 'static,
    B: Fn(Arc<T>, &Generation) + Send + Sync + 'static,
{
    let source = Source {
        path: path.to_owned(),
        parse,
        begin,
    };
    let first = Arc::new(source.read()?);
    let state = Arc::new(State {
        path: path.to_owned(),
        inner: Mutex::default(),
    });
    known().push(Arc::downgrade(&state));
    let (live, taken) = watch::channel(Arc::clone(&first));
    let runtime = runtime.clone();
    let mut current = state.next(&runtime);
    (source.begin)(first, &current);
    let runtime_of_keep = runtime.clone();
    let keep = async move {
        let mut seen = stamp(&source.path);
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {
                    let now = stamp(&source.path);
                    // A file that is gone is being replaced.
                    if now == seen || now.is_none() {
                        continue;
                    }
                }
                changed = reload.changed() => if changed.is_err() { return },
            }
            seen = stamp(&source.path);
            let new = match source.read() {
                Ok(new) => Arc::new(new),
                Err(error) => {
                    tracing::error!(%error, "configuration refused; the old one holds");
                    state.refused(error.to_string());
                    continue;
                }
            };
            current.scope.cancel();
            if tokio::time::timeout(OLD_ONES_HAVE, current.scope.children_gone())
                .await
                .is_err()
            {
                let left = current.scope.children_running();
                tracing::error!(generation = current.number, left, "old tasks do not end");
            }
            current = state.next(&runtime);
            (source.begin)(Arc::clone(&new), &current);
            live.send_replace(new);
            state.reloaded();
            tracing::info!(generation = current.number, "configuration reloaded");
        }
    };
    tasks::launch_as(
        "kit::generations",
        &runtime_of_keep,
        tasks::Kind::Kit,
        None,
        Location::caller(),
        keep,
    );
    Ok(Live(taken))
}

/// What changes when a file is written anew, or another is moved into its place.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

impl State {
    fn next(&self, runtime: &Handle) -> Generation {
        let scope = Scope::of_generation();
        let mut inner = self.inner();
        // Those whose last task has ended are history.
        inner
            .generations
            .retain(|old| old.scope.children_running() > 0);
        inner.begun += 1;
        let number = inner.begun;
        inner.generations.push(Shown {
            number,
            since: Instant::now(),
            scope: scope.clone(),
        });
        Generation {
            number,
            scope,
            runtime: runtime.clone(),
        }
    }

    fn reloaded(&self) {
        let mut inner = self.inner();
        inner.reloads += 1;
        inner.last_error = None;
    }

    fn refused(&self, error: String) {
        let mut inner = self.inner();
        inner.refused += 1;
        inner.last_error = Some(error);
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn known() -> std::sync::MutexGuard<'static, Vec<Weak<State>>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every configuration with those generations of which something runs, as JSON.
pub(crate) fn json() -> String {
    let states: Vec<Arc<State>> = {
        let mut known = known();
        known.retain(|state| state.strong_count() > 0);
        known.iter().filter_map(Weak::upgrade).collect()
    };
    let each: Vec<String> = states.iter().map(|state| state.json()).collect();
    format!("[{}]\n", each.join(","))
}

impl State {
    fn json(&self) -> String {
        let inner = self.inner();
        let mut out = String::from("{\"path\":");
        json::push_text(&mut out, &self.path.display().to_string());
        out.push_str(&format!(
            ",\"reloads\":{},\"refused\":{},\"last_error\":",
            inner.reloads, inner.refused
        ));
        match &inner.last_error {
            Some(error) => json::push_text(&mut out, error),
            None => out.push_str("null"),
        }
        let last = inner.generations.len().saturating_sub(1);
        let shown: Vec<String> = inner
            .generations
            .iter()
            .enumerate()
            .filter(|(position, shown)| *position == last || shown.scope.children_running() > 0)
            .map(|(position, shown)| {
                format!(
                    "{{\"generation\":{},\"current\":{},\"tasks\":{},\"age_s\":{}}}",
                    shown.number,
                    position == last,
                    shown.scope.children_running(),
                    seconds(shown.since.elapsed())
                )
            })
            .collect();
        out.push_str(&format!(",\"generations\":[{}]}}", shown.join(",")));
        out
    }
}
