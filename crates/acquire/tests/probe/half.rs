//! Requests whose second half is held back are in flight until it follows.

use shakedown_evidence::{CallEnd, Purpose};
use tokio::time::sleep;

use super::peer::Peer;
use super::run::{Run, grpc, http, ms, plan, seen};

/// Half of the body of call `id` went out, then (if so) all of it.
fn bodies(run: &Run, id: u32) -> Vec<(u64, u64)> {
    let seen = seen(&run.recorder);
    let bodies = seen.bodies.iter().filter(|body| body.id == id);
    bodies.map(|body| (body.sent, body.of)).collect()
}

/// Holds one call for a while, then lets it go.
async fn check(run: &Run, reach: &str, of: u64, expected: CallEnd) {
    let id = run.caller.call_half(plan(reach, Purpose::Stop)).await;
    sleep(ms(300)).await;
    assert_eq!(run.call(id).ended, None, "nothing answers half a request");
    assert_eq!(bodies(run, id), [(of / 2, of)]);
    run.caller.finish(id);
    let call = run.end_of(id).await;
    assert_eq!(call.end(), Some(&expected));
    assert_eq!(bodies(run, id), [(of / 2, of), (of, of)]);
    assert!(call.took().is_some_and(|took| took >= ms(300)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_body_follows_when_it_is_let_go() {
    let peer = Peer::start().await;
    for body in [r#"{"item":"bolt"}"#, "1"] {
        let run = Run::of(http("POST", "/echo", body));
        let of = body.len() as u64;
        check(&run, &peer.at("app"), of, CallEnd::Http { status: 201 }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_message_follows_when_it_is_let_go() {
    let peer = Peer::start().await;
    let ok = || CallEnd::Status {
        code: 0,
        message: String::new(),
    };
    // An empty message is five bytes of frame.
    let run = Run::of(grpc("grpc.testing.TestService/EmptyCall", "{}"));
    check(&run, &peer.at("grpc"), 5, ok()).await;
    let run = Run::of(grpc(
        "grpc.testing.TestService/UnaryCall",
        r#"{"responseSize": 100000}"#,
    ));
    check(&run, &peer.at("grpc"), 9, ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_ends_with_our_connections() {
    let peer = Peer::start().await;
    let run = Run::of(http("POST", "/echo", "{}"));
    let id = run
        .caller
        .call_half(plan(&peer.at("app"), Purpose::Stop))
        .await;
    run.caller.close_all().await;
    assert!(matches!(run.call(id).end(), Some(CallEnd::Failed { .. })));
    run.caller.finish(id);
}
