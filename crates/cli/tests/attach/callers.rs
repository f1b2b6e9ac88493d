//! Other callers of a service, as a running one has them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// Callers that ask `GET /orders/7` again and again.
pub(crate) struct Callers {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Callers {
    pub(crate) fn of(http: &str, count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let caller = |_| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            let http = http.to_owned();
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    answered.fetch_add(usize::from(ask(&http).is_ok()), Ordering::Relaxed);
                }
            })
        };
        let threads = (0..count).map(caller).collect();
        Self {
            stop,
            answered,
            threads,
        }
    }

    /// Ends them; how often they were answered.
    pub(crate) fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("no panic");
        }
        self.answered.load(Ordering::Relaxed)
    }
}

fn ask(http: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(http)?;
    let request = format!("GET /orders/7 HTTP/1.1\r\nhost: {http}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}
