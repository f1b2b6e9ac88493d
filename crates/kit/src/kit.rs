//! A running service, as those see it who work in it.

use std::error::Error as StdError;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tower_layer::Layer as _;
use tower_service::Service;

use crate::builder::Builder;
use crate::deadline::DeadlineLayer;
use crate::lifecycle::generations::{self, ConfigError, Generation, Live};
use crate::lifecycle::{Server, serve};
use crate::status::Phase;
use crate::swap;
use crate::tasks::{self, Kind};
use crate::trace::TraceLayer;

type BoxError = Box<dyn StdError + Send + Sync>;

/// A running service: the handle that its setup gets. Clones are the same service.
#[derive(Debug, Clone)]
pub struct Kit {
    pub(crate) server: Server,
    pub(crate) deadlines: DeadlineLayer,
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) stop: CancellationToken,
    pub(crate) reload: Arc<watch::Sender<u64>>,
    pub(crate) swap: Arc<Notify>,
    pub(crate) runtime: Handle,
}

impl Kit {
    /// A service of this name, with nothing switched on but the drain.
    ///
    /// ```
    /// use shakedown_kit::Kit;
    ///
    /// let ended = Kit::builder("orders").run(async |kit: Kit| {
    /// #   kit.stop();
    ///     Ok(())
    /// });
    /// assert!(ended.is_ok());
    /// ```
    pub fn builder(name: &str) -> Builder {
        Builder::new(name)
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
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use shakedown_kit::{Kit, deadline::DeadlineLayer};
    /// use tower_layer::Layer as _;
    ///
    /// Kit::builder("orders").run(async |kit: Kit| {
    ///     // Deadlines, and no spans.
    ///     let service = DeadlineLayer::new().layer(Router::new().route("/", get(|| async { "hi" })));
    ///     kit.serve_bare(kit.listen("127.0.0.1:0").await?, service)?;
    /// #   kit.stop();
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
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
    ///
    /// ```
    /// use shakedown_kit::Kit;
    ///
    /// Kit::builder("orders").admin("127.0.0.1:0").run(async |kit: Kit| {
    ///     let address = kit.admin_address().expect("it listens");
    ///     assert!(address.ip().is_loopback());
    /// #   kit.stop();
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// How far the service is.
    ///
    /// ```
    /// use shakedown_kit::{Kit, Phase};
    ///
    /// Kit::builder("orders").run(async |kit: Kit| {
    ///     assert_eq!(kit.phase(), Phase::Starting);
    /// #   kit.stop();
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn phase(&self) -> Phase {
        self.server.status.phase()
    }

    /// Asks the service to stop, as SIGTERM does.
    ///
    /// ```
    /// use shakedown_kit::Kit;
    ///
    /// Kit::builder("orders").run(async |kit: Kit| {
    ///     // One batch, and then the end.
    ///     let whole = kit.clone();
    ///     shakedown_kit::spawn(async move { whole.stop() });
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Asks for a reload of every configuration, as SIGHUP does.
    ///
    /// ```
    /// use shakedown_kit::Kit;
    ///
    /// Kit::builder("orders").run(async |kit: Kit| {
    ///     kit.reload();
    /// #   kit.stop();
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
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
    ///
    /// ```
    /// use shakedown_kit::Kit;
    ///
    /// Kit::builder("orders").run(async |kit: Kit| {
    ///     let asked = kit.clone();
    ///     shakedown_kit::spawn(async move {
    ///         asked.draining().await;
    ///         // Write the last batch.
    ///     });
    /// #   kit.stop();
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    pub async fn draining(&self) {
        tokio::select! {
            () = self.server.closing.cancelled() => {}
            () = self.server.leaving.cancelled() => {}
        }
    }
}
