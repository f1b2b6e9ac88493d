//! The kit as a whole: one value that owns the lifetime of a service.

use std::error::Error as StdError;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tower_layer::Layer as _;
use tower_service::Service;

use crate::admin::{self, Access, Admin, AdminError};
use crate::deadline::DeadlineLayer;
use crate::error::Error;
use crate::lifecycle::generations::{self, ConfigError, Generation, Live};
use crate::lifecycle::{Charge, Drain, Owner, Server, serve};
use crate::profile::{block, heap};
use crate::status::{Phase, Status};
use crate::swap::{self, Handover};
use crate::tasks::{self, Kind};
use crate::trace::TraceLayer;

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

/// A running service: the handle that its setup gets. Clones are the same service.
#[derive(Debug, Clone)]
pub struct Kit {
    server: Server,
    deadlines: DeadlineLayer,
    admin: Option<SocketAddr>,
    stop: CancellationToken,
    reload: Arc<watch::Sender<u64>>,
    swap: Arc<Notify>,
    runtime: Handle,
}

impl Kit {
    /// A service of this name, with nothing switched on but the drain.
    pub fn builder(name: &str) -> Builder {
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

    /// Serves HTTP/1 and HTTP/2 without TLS on an address, and gives the address that was bound.
    ///
    /// Takes any `tower` service over `http` types: an axum `Router`, tonic `Routes`. Requests run in
    /// a span of the caller's trace ([`TraceLayer`]) and are held to their deadline
    /// ([`DeadlineLayer`]).
    ///
    /// # Errors
    /// If the address cannot be bound.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use shakedown_kit::Kit;
    ///
    /// Kit::builder("orders").run(async |kit: Kit| {
    ///     let router = Router::new().route("/", get(|| async { "hi" }));
    ///     let address = kit.serve("127.0.0.1:0", router).await?;
    ///     assert_ne!(address.port(), 0);
    /// #   kit.stop();
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    pub async fn serve<S, B>(
        &self,
        address: impl ToSocketAddrs,
        service: S,
    ) -> std::io::Result<SocketAddr>
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let service = TraceLayer::new().layer(self.deadlines.layer(service));
        self.serve_bare(self.listen(address).await?, service)
    }

    /// Opens a listener for [`Kit::serve_bare`]: the one that was handed to this process, with feature
    /// `swap`, or a new one.
    ///
    /// # Errors
    /// If the address cannot be bound.
    ///
    /// ```
    /// use shakedown_kit::Kit;
    ///
    /// Kit::builder("orders").run(async |kit: Kit| {
    ///     let listener = kit.listen("127.0.0.1:0").await?;
    ///     assert_ne!(listener.local_addr()?.port(), 0);
    /// #   kit.stop();
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    pub async fn listen(&self, address: impl ToSocketAddrs) -> std::io::Result<TcpListener> {
        let handover = &self.server.handover;
        let mut refused = None;
        for asked in tokio::net::lookup_host(address).await? {
            let name = swap::name_of(asked);
            let listener = match handover.take(&name, asked) {
                Some(listener) => TcpListener::from_std(listener),
                None => TcpListener::bind(asked).await,
            };
            match listener {
                Ok(listener) => {
                    handover.keep(name, &listener);
                    return Ok(listener);
                }
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.unwrap_or_else(|| std::io::ErrorKind::AddrNotAvailable.into()))
    }

    /// As [`Kit::serve`], on a listener that is there already and without any layer.
    ///
    /// # Errors
    /// If the listener has no address.
    pub fn serve_bare<S, B>(&self, listener: TcpListener, service: S) -> std::io::Result<SocketAddr>
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let address = listener.local_addr()?;
        let handover = &self.server.handover;
        if !handover.has(address) {
            handover.keep(swap::name_of(address), &listener);
        }
        tasks::launch_as(
            "kit::listener",
            &self.runtime,
            Kind::Kit,
            None,
            std::panic::Location::caller(),
            serve(
                listener,
                service,
                self.server.clone(),
                self.server.status.listener(),
            ),
        );
        Ok(address)
    }

    /// Reads a configuration, and reads it again when its file changes or SIGHUP comes.
    ///
    /// `parse` validates a text; `begin` starts what works with it, through [`Generation::spawn`].
    /// What is refused later changes nothing and is logged; see [`generations`].
    ///
    /// # Errors
    /// If the first configuration cannot be read or is refused.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("kit-config-{}", std::process::id()));
    /// # std::fs::write(&path, "3").unwrap();
    /// use shakedown_kit::Kit;
    ///
    /// # let file = path.clone();
    /// # let path = &file;
    /// Kit::builder("orders").run(async |kit: Kit| {
    ///     let workers = kit.config(
    ///         path,
    ///         |text| text.trim().parse::<usize>(),
    ///         |workers, generation| {
    ///             for _ in 0..*workers {
    ///                 generation.spawn(std::future::pending::<()>());
    ///             }
    ///         },
    ///     )?;
    ///     assert_eq!(*workers.load(), 3);
    /// #   kit.stop();
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// # std::fs::remove_file(&file).unwrap();
    /// ```
    pub fn config<T, E, P, B>(
        &self,
        path: impl AsRef<Path>,
        parse: P,
        begin: B,
    ) -> Result<Live<T>, ConfigError>
    where
        T: Send + Sync + 'static,
        E: Display,
        P: Fn(&str) -> Result<T, E> + Send + Sync + 'static,
        B: Fn(Arc<T>, &Generation) + Send + Sync + 'static,
    {
        let asked = self.reload.subscribe();
        generations::begin(path.as_ref(), parse, begin, asked, &self.runtime)
    }

    /// Where the admin listener is; `None` if there is none, or on a Unix socket.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// How far the service is.
    pub fn phase(&self) -> Phase {
        self.server.status.phase()
    }

    /// Asks the service to stop, as SIGTERM does.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Asks for a reload of every configuration, as SIGHUP does.
    pub fn reload(&self) {
        self.reload.send_modify(|asked| *asked += 1);
    }

    /// Asks for a binary swap, as SIGUSR2 does. Why one did not happen is logged, and part of
    /// `/debug/kit/status`. Without [`Builder::swap`] it is refused.
    #[cfg(feature = "swap")]
    pub fn swap(&self) {
        self.swap.notify_one();
    }

    /// Completes when no new connection is taken any more: for work that wants to end well rather
    /// than be dropped with the runtime.
    pub async fn draining(&self) {
        tokio::select! {
            () = self.server.closing.cancelled() => {}
            () = self.server.leaving.cancelled() => {}
        }
    }
}

impl Builder {
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
    #[must_use]
    pub fn admin_unix(self, path: impl Into<PathBuf>) -> Self {
        Builder {
            admin: Some(Ok(Access::Unix(path.into()))),
            ..self
        }
    }

    /// How long a drain may take, from the signal to the end; 25 s if nothing is said. Afterwards
    /// whatever is left is dropped, and the exit code tells.
    #[must_use]
    pub fn drain_limit(mut self, limit: Duration) -> Self {
        self.drain.limit = limit;
        self
    }

    /// How long the service answers on after it has said that it is not ready, so that load
    /// balancers learn it; nothing if nothing is said. It is part of the drain limit.
    #[must_use]
    pub fn lame_duck(mut self, lame_duck: Duration) -> Self {
        self.drain.lame_duck = lame_duck;
        self
    }

    /// What deadlines requests have that [`Kit::serve`] serves.
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
    pub fn swap(self, swap: swap::Swap) -> Self {
        Builder {
            handover: Handover::with(swap),
            ..self
        }
    }

    /// How many worker threads there are; one for each core if nothing is said.
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
