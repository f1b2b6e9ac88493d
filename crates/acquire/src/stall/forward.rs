//! One forwarder: it accepts, connects on, and passes bytes both ways.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Connections of one service to one dependency at a time; more wait to be accepted.
const CONNECTIONS: usize = 1024;
/// Of one connection and direction. What does not fit waits with its sender.
const BUFFER: usize = 16 << 10;
/// A dependency that does not accept within this is not there.
const CONNECT: Duration = Duration::from_secs(5);
/// After a failed accept: the process may have run out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What becomes of answers now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// They go through.
    #[default]
    Through,
    /// They wait.
    Held,
    /// They come later.
    LateBy(Duration),
    /// They wait, and new connections are accepted and lead nowhere.
    Silent,
}

/// What all connections of a forwarder watch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Gate {
    pub(super) mode: Mode,
    /// Connections of an earlier epoch are reset.
    pub(super) epoch: u64,
}

/// What came through so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Through {
    accepted: Arc<AtomicUsize>,
    /// Why the last attempt to connect on failed; nothing once one succeeded.
    refused: Arc<Mutex<Option<String>>>,
}

impl Through {
    pub(super) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    pub(super) fn refused(&self) -> Option<String> {
        let refused = self.refused.lock();
        refused.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn connected(&self, to: &io::Result<TcpStream>) {
        let why = to.as_ref().err().map(ToString::to_string);
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }
}

/// Accepts for ever; ending this ends its connections.
pub(super) async fn accept(
    listener: TcpListener,
    to: String,
    gate: watch::Receiver<Gate>,
    through: Through,
) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&free).acquire_owned().await else {
            return;
        };
        while connections.try_join_next().is_some() {}
        let Ok((client, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        through.accepted.fetch_add(1, Ordering::Relaxed);
        let (to, gate, through) = (to.clone(), gate.clone(), through.clone());
        connections.spawn(async move {
            connection(client, &to, gate, &through).await;
            drop(place);
        });
    }
}

async fn connection(
    mut client: TcpStream,
    to: &str,
    gate: watch::Receiver<Gate>,
    through: &Through,
) {
    let epoch = gate.borrow().epoch;
    let mut reset = gate.clone();
    let ended = tokio::select! {
        // First: what was held for a machine that is gone may not slip out at its end.
        biased;
        _ = reset.wait_for(|gate| gate.epoch != epoch) => Err(io::ErrorKind::ConnectionReset.into()),
        ended = pass_on(&mut client, to, gate, through) => ended,
    };
    if ended.is_err() {
        // The other side is to see that this was no orderly end.
        let _ = client.set_zero_linger();
    }
}

async fn pass_on(
    client: &mut TcpStream,
    to: &str,
    mut gate: watch::Receiver<Gate>,
    through: &Through,
) -> io::Result<()> {
    gate.wait_for(|gate| gate.mode != Mode::Silent)
        .await
        .map_err(|_| io::ErrorKind::ConnectionReset)?;
    let connecting = timeout(CONNECT, TcpStream::connect(to)).await;
    let connected = connecting.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    through.connected(&connected);
    let mut dependency = connected?;
    client.set_nodelay(true)?;
    dependency.set_nodelay(true)?;
    let (asks, answered) = client.split();
    let (answers, asked) = dependency.split();
    tokio::try_join!(pump(asks, asked, None), pump(answers, answered, Some(gate)))?;
    Ok(())
}

/// Passes one direction on, to its end. The end waits as the bytes before it did.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut gate: Option<watch::Receiver<Gate>>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = from.read(&mut buffer).await?;
        if let Some(gate) = &mut gate {
            open(gate, Instant::now()).await?;
        }
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}

/// Waits until what came at `came` may go on.
async fn open(gate: &mut watch::Receiver<Gate>, came: Instant) -> io::Result<()> {
    loop {
        let mode = gate.borrow_and_update().mode;
        let due = match mode {
            Mode::Through => return Ok(()),
            Mode::LateBy(by) => Some(came + by),
            Mode::Held | Mode::Silent => None,
        };
        let late = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = gate.changed() => changed.map_err(|_| io::ErrorKind::ConnectionReset)?,
            () = late => return Ok(()),
        }
    }
}
