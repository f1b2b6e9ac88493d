//! The admin listener over real sockets.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use shakedown_kit::admin::AdminError;
use shakedown_kit::{Error, Kit};
use shakedown_pprof::goroutine;

use crate::alone;
use crate::lifecycle::{Service, ask};

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").expect("head and body").1
}

#[test]
fn it_answers_while_every_worker_is_blocked() {
    let _alone = alone();
    let block = get(|| async { std::thread::sleep(Duration::from_secs(3)) });
    let builder = Kit::builder("test").workers(2).admin("127.0.0.1:0");
    let service = Service::start(builder, Router::new().route("/orders/{id}", block));
    let address = service.address;
    let blocked: Vec<_> = (0..2)
        .map(|_| std::thread::spawn(move || ask(address, "/orders/17", "")))
        .collect();
    let mut dump;
    let began = std::time::Instant::now();
    loop {
        let answer = ask(service.admin(), "/debug/pprof/goroutine?debug=2", "");
        dump = goroutine::Dump::decode(body(&answer).as_bytes()).expect("it reads as Go's");
        let running = dump
            .goroutines
            .iter()
            .filter(|task| &*task.state == "running")
            .count();
        if running == 2 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{dump:?}");
    }
    let running = dump
        .goroutines
        .iter()
        .find(|task| &*task.state == "running");
    let labels = &running.expect("there are two").labels;
    assert!(
        labels
            .iter()
            .any(|label| &*label.key == "route" && &*label.value == "GET /orders/{}"),
        "a task is known by its request: {labels:?}"
    );
    let status = ask(service.admin(), "/debug/kit/status", "");
    let status: serde_json::Value = serde_json::from_str(body(&status)).expect("it is JSON");
    assert_eq!(status["phase"], "ready");
    assert_eq!(
        status["tasks"]["unregistered"], 0,
        "axum and hyper spawn nothing unseen"
    );
    for blocked in blocked {
        assert!(blocked.join().expect("it ends").starts_with("HTTP/1.1 200"));
    }
    assert!(service.end().0.is_ok());
}

#[test]
fn a_name_of_somebody_else_is_refused() {
    let _alone = alone();
    let service = Service::start(Kit::builder("test").admin("127.0.0.1:0"), Router::new());
    let mut stream = std::net::TcpStream::connect(service.admin()).expect("it listens");
    stream
        .write_all(b"GET /debug/pprof/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    let answer = ask(service.admin(), "/debug/pprof/", "");
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("goroutine?debug=1"),
        "{answer}"
    );
    for (path, status) in [
        ("/nothing", "404"),
        ("/debug/pprof/mutex", "501"),
        ("/debug/pprof/profile?seconds=999999", "400"),
        ("/livez", "200"),
    ] {
        let answer = ask(service.admin(), path, "");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{path}: {answer}"
        );
    }
    assert!(service.end().0.is_ok());
}

#[test]
fn another_address_takes_a_token() {
    let _alone = alone();
    let refused = Kit::builder("test")
        .admin("0.0.0.0:0")
        .run(async |_| Ok(()));
    assert!(
        matches!(refused, Err(Error::Admin(AdminError::NotLoopback(_)))),
        "{refused:?}"
    );
    let any = ([0, 0, 0, 0], 0).into();
    let weak = Kit::builder("test")
        .admin_public(any, "secret")
        .run(async |_| Ok(()));
    assert!(
        matches!(weak, Err(Error::Admin(AdminError::WeakToken(6)))),
        "{weak:?}"
    );

    let token = "0123456789abcdef0123456789abcdef";
    let service = Service::start(Kit::builder("test").admin_public(any, token), Router::new());
    let address = ([127, 0, 0, 1], service.admin().port()).into();
    assert!(ask(address, "/debug/kit/status", "").starts_with("HTTP/1.1 401"));
    let wrong = format!("Authorization: Bearer {}\r\n", "x".repeat(32));
    assert!(ask(address, "/debug/kit/status", &wrong).starts_with("HTTP/1.1 401"));
    let right = format!("Authorization: Bearer {token}\r\n");
    assert!(ask(address, "/debug/kit/status", &right).starts_with("HTTP/1.1 200"));
    assert!(service.end().0.is_ok());
}

#[test]
fn a_socket_is_for_its_owner_and_goes_with_the_service() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("admin.sock");
    for _ in 0..2 {
        // What a killed process leaves behind.
        drop(std::os::unix::net::UnixListener::bind(&path).expect("it is free"));
        let service = Service::start(Kit::builder("test").admin_unix(&path), Router::new());
        let mode = std::fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut stream = UnixStream::connect(&path).expect("it listens");
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n")
            .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(service.end().0.is_ok());
        assert!(!path.exists());
    }
}
