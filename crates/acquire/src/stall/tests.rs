use std::time::Instant;

use shakedown_evidence::At;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant as Clock, timeout};

use super::*;

/// Answers whatever comes with the same, in capitals, connection by connection.
async fn dependency() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = client.read(&mut buffer).await {
                    let answer = buffer[..read].to_ascii_uppercase();
                    if client.write_all(&answer).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    addr
}

struct Bench {
    recorder: Recorder,
    stalls: Stalls,
}

impl Bench {
    async fn new(answers: Answers, to: String) -> Self {
        let stall = Stall {
            name: "db".into(),
            to,
            answers,
        };
        Self {
            recorder: Recorder::new(Instant::now(), None),
            stalls: Stalls::start(&[stall]).await.expect("a port"),
        }
    }

    async fn client(&self) -> TcpStream {
        let (_, addr) = self.stalls.addresses().next().expect("one");
        TcpStream::connect(addr).await.expect("it accepts")
    }

    fn hold(&self) {
        self.stalls.hold(&self.recorder, "db");
    }

    fn release(&self) {
        self.stalls.release(&self.recorder, "db");
    }
}

/// What comes within `wait`: nothing, or bytes, or an end.
async fn comes(client: &mut TcpStream, wait: Duration) -> Option<io::Result<String>> {
    let mut buffer = [0; 64];
    let read = timeout(wait, client.read(&mut buffer)).await.ok()?;
    Some(read.map(|read| String::from_utf8_lossy(&buffer[..read]).into_owned()))
}

async fn text(client: &mut TcpStream) -> String {
    let came = comes(client, LONG).await.expect("an answer");
    came.expect("no error")
}

const LONG: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(60);

#[tokio::test]
async fn held_answers_go_on_afterwards_and_nothing_is_lost() {
    let bench = Bench::new(Answers::Held, dependency().await).await;
    let mut client = bench.client().await;
    client.write_all(b"a").await.expect("written");
    assert_eq!(text(&mut client).await, "A");
    bench.hold();
    client.write_all(b"b").await.expect("written");
    assert!(comes(&mut client, SHORT).await.is_none());
    let mut second = bench.client().await;
    second.write_all(b"c").await.expect("written");
    assert!(comes(&mut second, SHORT).await.is_none(), "new ones too");
    bench.release();
    assert_eq!(text(&mut client).await, "B");
    assert_eq!(text(&mut second).await, "C");
}

#[tokio::test]
async fn what_the_service_says_goes_through_while_answers_are_held() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let to = listener.local_addr().expect("an address").to_string();
    let bench = Bench::new(Answers::Held, to).await;
    bench.hold();
    let mut client = bench.client().await;
    client.write_all(b"cancel").await.expect("written");
    let (mut dependency, _) = listener.accept().await.expect("connected on");
    assert_eq!(text(&mut dependency).await, "cancel");
    drop(client);
    assert_eq!(text(&mut dependency).await, "", "its end, too");
}

#[tokio::test]
async fn a_dependency_that_sends_much_waits_and_memory_does_not_grow() {
    const MOST: usize = 64 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let to = listener.local_addr().expect("an address").to_string();
    let bench = Bench::new(Answers::Held, to).await;
    bench.hold();
    let client = bench.client().await;
    let (mut dependency, _) = listener.accept().await.expect("connected on");
    let mut sent = 0;
    while sent < MOST {
        let chunk = [7; 64 << 10];
        match timeout(SHORT, dependency.write(&chunk)).await {
            Ok(written) => sent += written.expect("open"),
            Err(_) => break,
        }
    }
    assert!(sent < MOST, "{sent} bytes were taken in");
    drop(client);
}

#[tokio::test]
async fn late_answers_are_late_by_that_much() {
    let late_by = Duration::from_millis(200);
    let bench = Bench::new(Answers::LateByMs(200), dependency().await).await;
    let mut client = bench.client().await;
    bench.hold();
    let began = Clock::now();
    client.write_all(b"a").await.expect("written");
    assert_eq!(text(&mut client).await, "A");
    assert!(began.elapsed() >= late_by, "{:?}", began.elapsed());
    client.write_all(b"b").await.expect("written");
    assert!(comes(&mut client, SHORT).await.is_none());
    bench.release();
    assert_eq!(text(&mut client).await, "B");
}

#[tokio::test]
async fn a_dependency_that_is_gone_is_silent_and_then_resets() {
    let bench = Bench::new(Answers::Never, dependency().await).await;
    let mut old = bench.client().await;
    old.write_all(b"a").await.expect("written");
    assert_eq!(text(&mut old).await, "A");
    bench.hold();
    let mut new = bench.client().await;
    for client in [&mut old, &mut new] {
        client.write_all(b"b").await.expect("written");
        assert!(comes(client, SHORT).await.is_none());
    }
    bench.release();
    for client in [&mut old, &mut new] {
        let end = comes(client, LONG).await.expect("an end");
        let error = end.expect_err("reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
    let mut later = bench.client().await;
    later.write_all(b"c").await.expect("written");
    assert_eq!(text(&mut later).await, "C");
}

#[tokio::test]
async fn what_leads_nowhere_is_told() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let to = free.local_addr().expect("an address").to_string();
    drop(free);
    let bench = Bench::new(Answers::Held, to.clone()).await;
    assert!(bench.stalls.unused()[0].contains("never connected"));
    let mut client = bench.client().await;
    let end = comes(&mut client, LONG).await.expect("an end");
    assert!(end.is_err(), "{end:?}");
    let unused = bench.stalls.unused();
    assert!(unused[0].contains(&to), "{unused:?}");
}

#[tokio::test]
async fn a_stall_is_recorded_once_however_often_it_is_told() {
    let bench = Bench::new(Answers::Held, dependency().await).await;
    bench.release();
    bench.hold();
    bench.hold();
    bench.stalls.release_all(&bench.recorder);
    bench.stalls.release_all(&bench.recorder);
    bench.recorder.read(|seen| {
        let holds: Vec<bool> = seen.stalls.iter().map(|change| change.holds).collect();
        assert_eq!(holds, [true, false]);
        assert_eq!(seen.stalled_at(At::MAX), None);
    });
}
