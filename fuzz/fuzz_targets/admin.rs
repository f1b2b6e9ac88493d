//! What somebody sends to the kit's admin listener: one connection's bytes, whatever they are.
//!
//! The listener is the real one, over TCP. A panic on its thread ends the run, and after each input
//! it has to answer on.
#![no_main]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use shakedown_kit::Kit;

/// What is read of an answer: profiles that take their time are left, as an impatient client does.
const READ_FOR: Duration = Duration::from_millis(20);
const READ_MAX: u64 = 64 * 1024;

unsafe extern "C" {
    fn signal(number: i32, handler: usize) -> usize;
}

fn admin() -> SocketAddr {
    static ADMIN: OnceLock<SocketAddr> = OnceLock::new();
    *ADMIN.get_or_init(|| {
        // As every Rust program does when it starts, and libFuzzer's does not.
        // SAFETY: SIGPIPE and SIG_IGN; no handler of ours runs.
        unsafe { signal(13, 1) };
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let kit = Kit::builder("fuzzed").workers(1).admin("127.0.0.1:0");
            kit.run(async |kit: Kit| {
                tell.send(kit.admin_address())?;
                Ok(())
            })
        });
        told.recv().ok().flatten().expect("loopback has a port")
    })
}

/// `ends` says by closing its half that nothing more comes; whoever does that is not always answered.
fn send(bytes: &[u8], patience: Duration, ends: bool) -> Vec<u8> {
    let mut stream = TcpStream::connect(admin()).expect("it listens");
    // It may close before it has read all of what it refuses.
    let _ = stream.write_all(bytes);
    if ends {
        let _ = stream.shutdown(Shutdown::Write);
    }
    stream.set_read_timeout(Some(patience)).expect("not zero");
    let mut answer = Vec::new();
    let _ = stream.take(READ_MAX).read_to_end(&mut answer);
    answer
}

fuzz_target!(|bytes: &[u8]| {
    let answer = send(bytes, READ_FOR, true);
    if !answer.is_empty() {
        assert!(answer.starts_with(b"HTTP/1."), "{answer:?}");
    }
    let alive = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    // A machine that is busy with other targets may take its time; one that hangs never answers.
    let lives = || send(alive, Duration::from_secs(5), false).starts_with(b"HTTP/1.1 200");
    assert!((0..12).any(|_| lives()), "no answer any more");
});
