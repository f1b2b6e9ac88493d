//! Clients that keep their connections alive, as a load balancer does.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

/// A request takes 400 ms.
const PATIENCE: Duration = Duration::from_secs(10);

/// Clients under way.
pub(crate) struct Clients {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    broken: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    /// Starts clients that send one request after another.
    pub(crate) fn start(to: SocketAddr, path: &str, count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let broken = Arc::new(AtomicUsize::new(0));
        let request = format!("GET {path} HTTP/1.1\r\nHost: {to}\r\n\r\n");
        let threads = (0..count).map(|_| {
            let (stop, request) = (Arc::clone(&stop), request.clone());
            let (answered, broken) = (Arc::clone(&answered), Arc::clone(&broken));
            spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    match TcpStream::connect(to) {
                        Ok(stream) => {
                            keep(stream, &request, &stop, &answered);
                            broken.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(_) => sleep(Duration::from_millis(20)),
                    }
                }
            })
        });
        Self {
            threads: threads.collect(),
            stop,
            answered,
            broken,
        }
    }

    /// Ends them: how many requests were answered, how many connections were closed on them.
    pub(crate) fn stop(self) -> (usize, usize) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a client");
        }
        (
            self.answered.load(Ordering::Relaxed),
            self.broken.load(Ordering::Relaxed),
        )
    }
}

/// Sends requests over one connection until it ends.
fn keep(mut stream: TcpStream, request: &str, stop: &AtomicBool, answered: &AtomicUsize) {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let mut buffer = [0; 4096];
    while !stop.load(Ordering::Relaxed) {
        if stream.write_all(request.as_bytes()).is_err() {
            return;
        }
        // The answers are small and come in one piece, but for the head that asks to leave.
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(length) => {
                answered.fetch_add(1, Ordering::Relaxed);
                let head = String::from_utf8_lossy(&buffer[..length]).to_lowercase();
                if head.contains("connection: close") {
                    return;
                }
            }
        }
    }
}
