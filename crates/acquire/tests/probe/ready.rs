//! Readiness is what the given URL answers.

use shakedown_acquire::probe::{Headers, ask_ready};

use super::hostile::{Reply, refused, server};
use super::peer::Peer;

async fn check(url: &str, ready: bool, said: &str) {
    let answer = ask_ready(url, &Headers::default()).await;
    assert_eq!(answer.is_ok(), ready, "{answer:?}");
    let text = answer.unwrap_or_else(|why| why);
    assert!(text.contains(url) && text.contains(said), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_is_ready_when_it_answers_so() {
    let peer = Peer::start().await;
    check(&format!("http://{}/", peer.at("app")), true, "answered 200").await;
    check(
        &format!("http://{}/nothing", peer.at("app")),
        false,
        "answered 404",
    )
    .await;
    check(
        &format!("grpc://{}", peer.at("grpc")),
        true,
        "answered SERVING",
    )
    .await;
    check(
        &format!("grpc://{}/some.Service", peer.at("grpc")),
        false,
        "gRPC status 5",
    )
    .await;
    check(
        &format!("grpc://{}", peer.at("grpc_bare")),
        true,
        "without a health service",
    )
    .await;
    check(&format!("grpc://{}", peer.at("app")), false, "").await;
    check(
        &format!("http://{}/", refused().await),
        false,
        "connection refused",
    )
    .await;
    check(
        &format!("grpc://{}", refused().await),
        false,
        "connection refused",
    )
    .await;
    let silent = server(Reply::Hang).await;
    check(
        &format!("http://{}/", silent.reach),
        false,
        "no answer within 2s",
    )
    .await;
    check("tcp://127.0.0.1:1", false, "must be http://").await;
}
