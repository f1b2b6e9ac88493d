//! How a service is to run, and its life from the setup to the end of the drain.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Access, Admin, AdminError};
use crate::deadline::DeadlineLayer;
use crate::error::Error;
use crate::kit::Kit;
use crate::lifecycle::{Charge, Drain, Owner, Server};
use crate::profile::{block, heap};
use crate::status::Status;
use crate::swap::Handover;

type BoxError = Box<dyn StdError + Send + Sync>;

/// What Kubernetes waits by default before it kills is 30 s; five are left for what comes after.
const DRAIN_LIMIT: Duration = Duration::from_secs(25);

/// How a service is to run; made by [`Kit::builder`].
///
/// ```
/// use std::time::Duration;
/// use shakedown_kit::Kit;
/// use shakedown_kit::deadline::DeadlineLayer;
///
/// let builder = Kit::builder("orders")
///     .admin("127.0.0.1:0")
///     .workers(2)
///     .deadlines(DeadlineLayer::new().default_deadline(Duration::from_secs(2)))
///     .lame_duck(Duration::from_millis(10))
///     .drain_limit(Duration::from_secs(20));
/// let ended = builder.run(async |kit: Kit| {
///     assert!(kit.admin_address().is_some());
///     kit.stop(); // As SIGTERM does.
///     Ok(())
/// });
/// assert!(ended.is_ok());
/// ```
#[derive(Debug)]
pub struct Builder {
    name: String,
    admin: Option<Result<Access, AdminError>>,
    drain: Drain,
    deadlines: DeadlineLayer,
    workers: Option<usize>,
    handover: Handover,
}

impl Builder {
    pub(crate) fn new(name: &str) -> Self {
        Builder {
            name: name.to_owned(),
            admin: None,
            drain: Drain {
                lame_duck: Duration::ZERO,
                limit: DRAIN_LIMIT,
            },
            deadlines: DeadlineLayer::new(),
            workers: None,
            handover: Handover::default(),
        }
    }

    /// Opens the admin listener on a loopback address, like `127.0.0.1:6060`. Another address is an
    /// error, because profiles show what a service does.
    ///
    /// ```
    /// use shakedown_kit::{Error, Kit};
    ///
    /// let public = Kit::builder("orders").admin("0.0.0.0:6060");
    /// assert!(matches!(public.run(async |_| Ok(())), Err(Error::Admin(_))));
    /// ```
    #[must_use]
    pub fn admin(self, address: &str) -> Self {
        let access = address
            .parse()
            .map(Access::Loopback)
            .map_err(|_| AdminError::NoAddress(address.to_owned()));
        Builder {
            admin: Some(access),
            ..self
        }
    }

    /// Opens the admin listener on any address, for those who know a token of at least 32
    /// characters. Not encrypted: whoever reads the network reads the token.
    ///
    /// ```
    /// use shakedown_kit::{Error, Kit};
    ///
    /// let address = ([0, 0, 0, 0], 0).into();
    /// let guessed = Kit::builder("orders").admin_public(address, "secret");
    /// assert!(matches!(guessed.run(async |_| Ok(())), Err(Error::Admin(_))));
    /// ```
    #[must_use]
    pub fn admin_public(self, address: SocketAddr, token: impl Into<String>) -> Self {
        let token = token.into();
        Builder {
            admin: Some(Ok(Access::Token { address, token })),
            ..self
        }
    }

    /// Opens the admin listener on a Unix socket that only its owner may use.
    ///
    /// ```
    /// use shakedown_kit::Kit;
    ///
    /// # let path = std::env::temp_dir().join(format!("kit-admin-{}", std::process::id()));
    /// Kit::builder("orders").admin_unix(&path).run(async |kit: Kit| {
    ///     assert_eq!(kit.admin_address(), None, "no port");
    /// #   kit.stop();
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    #[must_use]
    pub fn admin_unix(self, path: impl Into<PathBuf>) -> Self {
        Builder {
            admin: Some(Ok(Access::Unix(path.into()))),
            ..self
        }
    }

    /// How long a drain may take, from the signal to the end; 25 s if nothing is said. Afterwards
    /// whatever is left is dropped, and the exit code tells.
    ///
    /// ```
    /// use std::time::Duration;
    /// use shakedown_kit::Kit;
    ///
    /// let orders = Kit::builder("orders").drain_limit(Duration::from_secs(20));
    /// ```
    #[must_use]
    pub fn drain_limit(mut self, limit: Duration) -> Self {
        self.drain.limit = limit;
        self
    }

    /// How long the service answers on after it has said that it is not ready, so that load
    /// balancers learn it; nothing if nothing is said. It is part of the drain limit.
    ///
    /// ```
    /// use std::time::Duration;
    /// use shakedown_kit::Kit;
    ///
    /// let orders = Kit::builder("orders").lame_duck(Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn lame_duck(mut self, lame_duck: Duration) -> Self {
        self.drain.lame_duck = lame_duck;
        self
    }

    /// What deadlines requests have that [`Kit::serve`] serves.
    ///
    /// ```
    /// use std::time::Duration;
    /// use shakedown_kit::{Kit, deadline::DeadlineLayer};
    ///
    /// let deadlines = DeadlineLayer::new().default_deadline(Duration::from_secs(2));
    /// let orders = Kit::builder("orders").deadlines(deadlines);
    /// ```
    #[must_use]
    pub fn deadlines(self, deadlines: DeadlineLayer) -> Self {
        Builder { deadlines, ..self }
    }

    /// Lets a new executable take over at SIGUSR2, without a lost request: see [`crate::swap`].
    ///
    /// ```
    /// use shakedown_kit::{Kit, swap::Swap};
    ///
    /// let ended = Kit::builder("orders").swap(Swap::new()).run(async |kit: Kit| {
    /// #   kit.stop();
    ///     Ok(())
    /// });
    /// assert!(ended.is_ok());
    /// ```
    #[cfg(feature = "swap")]
    #[must_use]
    pub fn swap(self, swap: crate::swap::Swap) -> Self {
        Builder {
            handover: Handover::with(swap),
            ..self
        }
    }

    /// How many worker threads there are; one for each core if nothing is said.
    ///
    /// ```
    /// let orders = shakedown_kit::Kit::builder("orders").workers(2);
    /// ```
    #[must_use]
    pub fn workers(self, workers: usize) -> Self {
        Builder {
            workers: Some(workers),
            ..self
        }
    }

    /// Runs the service until it is told to stop, and drains it.
    ///
    /// `setup` starts what the service does and returns; then it is ready. SIGTERM, SIGINT or
    /// [`Kit::stop`] begin the drain, a second signal ends it at once. To be called once, from
    /// `main`, outside of any runtime.
    ///
    /// # Errors
    /// If the setup fails, or the drain reaches its limit.
    ///
    /// # Panics
    /// Within a runtime.
    pub fn run<F>(self, setup: F) -> Result<(), Error>
    where
        F: AsyncFnOnce(Kit) -> Result<(), BoxError>,
    {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.enable_all().thread_name("kit-worker");
        if let Some(workers) = self.workers {
            runtime.worker_threads(workers.max(1));
        }
        let runtime = runtime.build().map_err(Error::Runtime)?;
        // Both for what the admin listener shows; where they cannot be, it says why.
        let _watchdog = self.admin.is_some().then(block::Watchdog::start);
        if self.admin.is_some() {
            let _ = heap::start(heap::Options::default());
        }
        self.handover.inherit();
        let server = Server {
            status: Arc::new(Status::new(&self.name)),
            handover: self.handover,
            closing: CancellationToken::new(),
            leaving: CancellationToken::new(),
            open: CancellationToken::new(),
        };
        if !server.handover.has_predecessor() {
            server.open.cancel();
        }
        // Outlives the drain: it is then that somebody wants to see what does not end.
        let admin = match self.admin {
            Some(access) => {
                let of = runtime.handle().clone();
                Some(admin::start(access?, of, &server)?)
            }
            None => None,
        };
        let kit = Kit {
            server,
            deadlines: self.deadlines,
            admin: admin.as_ref().and_then(Admin::address),
            stop: CancellationToken::new(),
            reload: Arc::new(watch::channel(0).0),
            swap: Arc::default(),
            runtime: runtime.handle().clone(),
        };
        // Before anything else: a signal that comes during the setup must not kill half a service.
        let owner = Owner::start(Charge {
            server: kit.server.clone(),
            drain: self.drain,
            stop: kit.stop.clone(),
            reload: Arc::clone(&kit.reload),
            swap: Arc::clone(&kit.swap),
        })
        .map_err(Error::Runtime)?;
        let ended = runtime.block_on(live(kit, owner, setup));
        // What is left is dropped at its next await; what blocks a thread is left behind.
        runtime.shutdown_timeout(Duration::from_millis(100));
        if let Err(error) = &ended {
            tracing::error!(error = ?error, "ended");
        }
        ended
    }
}

/// From the setup to the end.
async fn live<F>(kit: Kit, mut owner: Owner, setup: F) -> Result<(), Error>
where
    F: AsyncFnOnce(Kit) -> Result<(), BoxError>,
{
    tokio::select! {
        done = setup(kit) => done.map_err(Error::Setup)?,
        _ = owner.ended() => return Ok(()),
    }
    owner.ready();
    owner.ended().await.map_err(|left| Error::NotDrained {
        connections: left.connections,
        children: left.children,
        blocking: left.blocking,
    })
}
