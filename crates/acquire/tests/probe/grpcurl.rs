//! The same calls by grpcurl, which we did not write either, end the same way.

use std::path::Path;
use std::process::Command;

use shakedown_acquire::probe::{Headers, Reflection, TraceParent};
use shakedown_evidence::{CallEnd, Purpose};

use super::peer::Peer;
use super::run::{Run, grpc, plan};

/// grpcurl at a pinned version.
fn grpcurl(arguments: &[&str]) -> (Option<i32>, String) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let build = Command::new("go")
        .args([
            "install",
            "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4",
        ])
        .env("GOBIN", folder)
        .status();
    assert!(
        build
            .expect("these tests need Go: `go` was not found")
            .success(),
        "grpcurl builds"
    );
    let output = Command::new(folder.join("grpcurl"))
        .arg("-plaintext")
        .args(arguments)
        .output()
        .expect("grpcurl runs");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn grpcurl_sees_the_same_services_and_statuses() {
    let peer = Peer::start().await;
    let reach = peer.at("grpc");
    let listed = Reflection::list(&reach, &Headers::default(), &TraceParent::fresh())
        .await
        .expect("reflection");
    let (_, text) = grpcurl(&[&reach, "list"]);
    assert_eq!(text.lines().collect::<Vec<_>>(), listed.services);

    for (method, data) in [
        ("grpc.testing.TestService/EmptyCall", "{}"),
        (
            "grpc.testing.TestService/UnaryCall",
            r#"{"responseStatus": {"code": 5, "message": "gone"}}"#,
        ),
        (
            "grpc.testing.TestService/UnaryCall",
            r#"{"payload": {"body": "c2xlZXAgMW1z"}, "fillUsername": true}"#,
        ),
        (
            "grpc.testing.TestService/StreamingOutputCall",
            r#"{"response_parameters": [{"size": 3}, {"size": 4}]}"#,
        ),
    ] {
        let run = Run::of(grpc(method, data));
        let end = run.end(plan(&reach, Purpose::Traffic)).await;
        let CallEnd::Status { code, message } = end else {
            panic!("{method}: {end:?}")
        };
        // grpcurl ends with 64 and the status.
        let expected = if code == 0 { 0 } else { 64 + i32::from(code) };
        let (exit, text) = grpcurl(&["-d", data, &reach, method]);
        assert_eq!(exit, Some(expected), "{method} {data}: {text}");
        assert!(text.contains(&message), "{text}");
    }
}
