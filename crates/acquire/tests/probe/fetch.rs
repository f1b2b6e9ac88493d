//! What `shakedown pprof` fetches: over a Unix socket, posted, refused, redirected.

use std::time::Duration;

use shakedown_acquire::probe::{Credentials, Fetch, fetch};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

/// Asks a Unix socket whose server answers `answer`; what it was asked, and what came.
async fn check(body: Option<&str>, answer: &'static str) -> (String, Result<Vec<u8>, String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("orders.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut asked = vec![0; 4096];
        let length = stream.read(&mut asked).await.expect("a request");
        asked.truncate(length);
        stream.write_all(answer.as_bytes()).await.expect("a reader");
        String::from_utf8(asked).expect("text")
    });
    let url = format!("unix://{}:/debug/pprof/heap?gc=1", socket.display());
    let credentials = Credentials::default();
    let came = fetch(Fetch {
        url: &url,
        body,
        within: Duration::from_secs(20),
        limit: 64,
        credentials: &credentials,
    });
    let came = came.await;
    (serving.await.expect("served"), came)
}

#[tokio::test]
async fn a_unix_socket_is_asked_as_localhost() {
    let (asked, came) = check(None, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    assert_eq!(came, Ok(b"ok".to_vec()));
    assert!(
        asked.starts_with("GET /debug/pprof/heap?gc=1 HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(asked.contains("host: localhost\r\n"), "{asked}");
}

#[tokio::test]
async fn a_body_is_posted() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let (asked, came) = check(Some("0x1+0x2"), answer).await;
    assert_eq!(came, Ok(Vec::new()));
    assert!(
        asked.starts_with("POST ") && asked.ends_with("0x1+0x2"),
        "{asked}"
    );
}

#[tokio::test]
async fn what_came_instead_is_told() {
    let cases = [
        (
            "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 18\r\n\r\n404 page not found",
            "server response: 404 Not Found - 404 page not found",
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
            "leads to /login, which was not followed",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n01234567890123456789012345678901234567890123456789012345678901234",
            "more than 64 bytes",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\nno",
            "broke off after 2 bytes",
        ),
        ("SSH-2.0-OpenSSH\r\n", "is not HTTP/1.1"),
        ("", "does it speak TLS (https://)"),
    ];
    for (answer, told) in cases {
        let (_, came) = check(None, answer).await;
        let why = came.expect_err("no profile");
        assert!(why.contains(told), "{why}");
    }
}
