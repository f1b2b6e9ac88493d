//! A whole service in this process: requests, reload, drain.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use shakedown_kit::{Builder, Error, Kit};

use crate::alone;

/// A service on its own thread; what its handlers do comes from the test.
pub(crate) struct Service {
    pub(crate) kit: Kit,
    pub(crate) address: SocketAddr,
    thread: std::thread::JoinHandle<Result<(), Error>>,
}

impl Service {
    pub(crate) fn start(builder: Builder, router: Router) -> Self {
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            builder.run(async |kit: Kit| {
                let address = kit.serve("127.0.0.1:0", router).await?;
                tell.send((kit, address))?;
                Ok(())
            })
        });
        let (kit, address) = told.recv().expect("the setup ends well");
        Service {
            kit,
            address,
            thread,
        }
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.kit.admin_address().expect("it was asked for")
    }

    /// Tells it to stop and waits for its end.
    pub(crate) fn end(self) -> (Result<(), Error>, Duration) {
        let began = Instant::now();
        self.kit.stop();
        self.ended(began)
    }

    /// Waits for its end, and says how long after `began` it came.
    pub(crate) fn ended(self, began: Instant) -> (Result<(), Error>, Duration) {
        let ended = self.thread.join().expect("it does not panic");
        (ended, began.elapsed())
    }
}

/// The answer to a GET, head and body.
pub(crate) fn ask(address: SocketAddr, path: &str, more: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends this process a signal, as somebody else would.
pub(crate) fn signal(name: &str) {
    let ourselves = std::process::id().to_string();
    let sent = Command::new("kill").args(["-s", name, &ourselves]).status();
    assert!(sent.expect("every system has it").success());
}

pub(crate) fn builder() -> Builder {
    Kit::builder("test").workers(2).admin("127.0.0.1:0")
}

#[test]
fn a_drain_lets_requests_and_their_children_end() {
    let _alone = alone();
    let (child_done, child_is_done) = mpsc::channel();
    let (began, has_begun) = mpsc::channel();
    let slow = move || {
        let (child_done, began) = (child_done.clone(), began.clone());
        async move {
            let _ = began.send(());
            tokio::time::sleep(Duration::from_millis(300)).await;
            shakedown_kit::spawn(async move {
                tokio::time::sleep(Duration::from_millis(300)).await;
                let _ = child_done.send(());
            });
            "slow"
        }
    };
    let service = Service::start(builder(), Router::new().route("/slow", get(slow)));
    let address = service.address;
    let asking = std::thread::spawn(move || ask(address, "/slow", ""));
    has_begun.recv().expect("the handler runs");
    let (ended, took) = service.end();
    assert!(ended.is_ok(), "{ended:?}");
    assert!(asking.join().expect("it was answered").ends_with("slow"));
    assert!(
        child_is_done.try_recv().is_ok(),
        "the drain counts children in"
    );
    assert!(took >= Duration::from_millis(300));
    assert!(
        TcpStream::connect(address).is_err(),
        "the listener is closed"
    );
}

/// While its only worker is blocked, a service is told to stop and clients send requests on connections
/// that it has, one of which has had an answer before: the system has the bytes, the runtime does not
/// know of them.
#[test]
fn what_was_sent_while_the_worker_was_blocked_is_answered_by_the_drain() {
    let _alone = alone();
    let (begun, is_blocked) = mpsc::channel();
    let block = move || {
        let begun = begun.clone();
        async move {
            let _ = begun.send(());
            std::thread::sleep(Duration::from_millis(400));
            "late"
        }
    };
    let router = Router::new()
        .route("/", get(|| async { "hi" }))
        .route("/block", get(block));
    let service = Service::start(Kit::builder("test").workers(1), router);
    let address = service.address;
    let mut clients: Vec<TcpStream> = (0..4)
        .map(|_| TcpStream::connect(address).expect("it listens"))
        .collect();
    let request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    clients[0].write_all(request).expect("it reads");
    let mut answer = [0; 1024];
    let got = clients[0].read(&mut answer).expect("it answers");
    assert!(answer[..got].ends_with(b"hi"));
    // It has accepted the others when it answers one that came after them.
    assert!(ask(address, "/", "").ends_with("hi"));
    let blocking = std::thread::spawn(move || ask(address, "/block", ""));
    is_blocked.recv().expect("the worker is blocked");
    for client in &mut clients {
        client.write_all(request).expect("the system takes it");
    }
    std::thread::sleep(Duration::from_millis(100));
    let (ended, _) = service.end();
    assert!(ended.is_ok(), "{ended:?}");
    assert!(blocking.join().expect("it was answered").ends_with("late"));
    for mut client in clients {
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("it is answered");
        assert!(answer.ends_with("hi"), "{answer:?}");
        assert!(answer.contains("connection: close"), "{answer:?}");
    }
}

#[test]
fn an_idle_keep_alive_connection_does_not_hold_a_drain_up() {
    let _alone = alone();
    let service = Service::start(builder(), Router::new().route("/", get(|| async { "hi" })));
    let mut idle = TcpStream::connect(service.address).expect("it listens");
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("it reads");
    let mut answer = [0; 512];
    let length = idle.read(&mut answer).expect("it answers");
    assert!(String::from_utf8_lossy(&answer[..length]).starts_with("HTTP/1.1 200"));
    let (ended, took) = service.end();
    assert!(ended.is_ok(), "{ended:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_lame_duck_is_not_ready_and_still_answers() {
    let _alone = alone();
    let builder = builder().lame_duck(Duration::from_millis(1500));
    let service = Service::start(builder, Router::new().route("/", get(|| async { "hi" })));
    let (admin, address) = (service.admin(), service.address);
    // The phase follows the end of the setup.
    let began = Instant::now();
    while !ask(admin, "/readyz", "").starts_with("HTTP/1.1 200") {
        assert!(began.elapsed() < Duration::from_secs(20), "never ready");
    }
    service.kit.stop();
    while !ask(admin, "/readyz", "").starts_with("HTTP/1.1 503") {
        assert!(began.elapsed() < Duration::from_secs(20), "never unready");
    }
    let mut stream = TcpStream::connect(address).expect("it still listens");
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("it reads");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("it answers and closes");
    assert!(
        answer.to_lowercase().contains("connection: close"),
        "{answer}"
    );
    assert!(answer.ends_with("hi"));
    assert!(service.end().0.is_ok());
}

#[test]
fn a_hundred_reloads_leave_one_generation() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("orders.conf");
    std::fs::write(&path, "1").expect("it is written");
    let service = Service::start(builder(), Router::new());
    let admin = service.admin();
    let (tell, told) = mpsc::channel();
    let live = service.kit.config(
        &path,
        |text: &str| text.trim().parse::<u64>(),
        move |value, generation| {
            for _ in 0..3 {
                generation.spawn(async {
                    shakedown_kit::spawn(std::future::pending::<()>());
                    std::future::pending::<()>().await;
                });
            }
            let _ = tell.send((generation.number(), *value));
        },
    );
    let live = live.expect("the first one is valid");
    assert_eq!(told.recv().expect("it began"), (1, 1));
    for round in 2..=100u64 {
        std::fs::write(&path, round.to_string()).expect("it is written");
        service.kit.reload();
        let begun = told
            .recv_timeout(Duration::from_secs(20))
            .expect("it is reloaded");
        assert_eq!(begun, (round, round));
    }
    let shown = || {
        let answer = ask(admin, "/debug/kit/generations", "");
        let (_, body) = answer.split_once("\r\n\r\n").expect("head and body");
        serde_json::from_str::<serde_json::Value>(body).expect("it is JSON")
    };
    let began = Instant::now();
    while shown()[0]["generations"].as_array().map(Vec::len) != Some(1)
        || shown()[0]["generations"][0]["tasks"] != 6
    {
        assert!(began.elapsed() < Duration::from_secs(20), "{}", shown());
    }
    assert_eq!(shown()[0]["generations"][0]["generation"], 100);
    assert_eq!(*live.load(), 100);

    std::fs::write(&path, "no number").expect("it is written");
    service.kit.reload();
    while shown()[0]["refused"] == 0 {
        assert!(began.elapsed() < Duration::from_secs(40), "{}", shown());
    }
    assert_eq!(*live.load(), 100, "what is refused changes nothing");
    assert_eq!(shown()[0]["generations"][0]["tasks"], 6);
    assert!(service.end().0.is_ok());
}

/// A task that is aborted and does not await runs on: until it has ended there is no new generation.
#[test]
fn a_reload_waits_for_the_old_tasks() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("orders.conf");
    std::fs::write(&path, "1").expect("it is written");
    let service = Service::start(builder(), Router::new());
    let admin = service.admin();
    let (tell, told) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Arc::new(std::sync::Mutex::new(released));
    let live = service.kit.config(
        &path,
        |text: &str| text.trim().parse::<u64>(),
        move |_, generation| {
            let (tell, number) = (tell.clone(), generation.number());
            let released = std::sync::Arc::clone(&released);
            generation.spawn(async move {
                let _ = tell.send(number);
                if number == 1 {
                    let _ = released.lock().map(|released| released.recv());
                }
                std::future::pending::<()>().await;
            });
        },
    );
    let live = live.expect("the first one is valid");
    assert_eq!(told.recv().expect("it runs"), 1);
    std::fs::write(&path, "2").expect("it is written");
    signal("HUP");
    let early = told.recv_timeout(Duration::from_millis(500));
    assert!(early.is_err(), "the old task still runs");
    assert_eq!(*live.load(), 1);
    let shown = ask(admin, "/debug/kit/generations", "");
    assert!(
        shown.contains(r#""generation":1,"current":true,"tasks":1"#),
        "{shown}"
    );
    drop(release);
    let next = told.recv_timeout(Duration::from_secs(20));
    assert_eq!(next.expect("it is reloaded"), 2);
    assert!(service.end().0.is_ok());
}
