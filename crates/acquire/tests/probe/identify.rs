//! Listeners are told apart by what they answer.

use shakedown_evidence::Speaks::{
    self, GoroutineMetric, Grpc, H2c, Health, Http1, Pprof, Prometheus, Reflection, Tls,
};

use super::hostile::{Reply, refused, server};
use super::peer::Peer;
use super::run::facts;

async fn check(reach: &str, expected: &[Speaks]) {
    let (facts, _) = facts(reach).await;
    assert_eq!(facts.speaks, expected, "{:?}", facts.unclear);
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_with_reflection_and_health() {
    let peer = Peer::start().await;
    let (facts, seen) = facts(&peer.at("grpc")).await;
    assert_eq!(facts.speaks, [H2c, Grpc, Reflection, Health]);
    assert_eq!(facts.unclear, None);
    assert!(
        facts
            .services
            .iter()
            .any(|service| service == "grpc.testing.TestService"),
        "{:?}",
        facts.services
    );
    assert!(seen.pprof.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_that_knows_only_the_old_reflection_or_none() {
    let peer = Peer::start().await;
    check(&peer.at("grpc_alpha"), &[H2c, Grpc, Reflection]).await;
    check(&peer.at("grpc_bare"), &[H2c, Grpc]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_hears_questions_with_ids_that_are_recorded() {
    let mut peer = Peer::start().await;
    let (facts, _) = facts(&peer.at("app")).await;
    assert_eq!(facts.speaks, [Http1, Prometheus, GoroutineMetric]);
    let heard = peer.event("root").await;
    let id = heard["traceparent"]
        .as_str()
        .and_then(|value| value.split('-').nth(1))
        .expect("a traceparent");
    assert!(facts.probe_traces.iter().any(|known| known == id), "{id}");
    assert!(
        heard["agent"]
            .as_str()
            .is_some_and(|agent| agent.starts_with("shakedown/")),
        "{heard}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_port_may_speak_both_versions_of_http() {
    let peer = Peer::start().await;
    check(
        &peer.at("mixed"),
        &[Http1, H2c, Prometheus, GoroutineMetric],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_known_with_http_and_with_grpc_inside() {
    let peer = Peer::start().await;
    check(&peer.at("http_tls"), &[Tls]).await;
    check(&peer.at("grpc_tls"), &[Tls]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pprof_is_known_with_and_without_its_index() {
    let peer = Peer::start().await;
    for (listener, has, lacks) in [
        (
            "pprof",
            vec!["goroutine", "heap", "mutex", "profile", "cmdline", "symbol"],
            "none",
        ),
        (
            "pprof_bare",
            vec!["goroutine", "heap", "cmdline", "symbol"],
            "mutex",
        ),
        ("pprof_part", vec!["goroutine", "heap", "mutex"], "cmdline"),
        (
            "pprof_v6",
            vec!["goroutine", "heap", "mutex", "profile", "cmdline", "symbol"],
            "none",
        ),
    ] {
        let reach = peer.at(listener);
        let (facts, seen) = facts(&reach).await;
        assert_eq!(facts.speaks, [Http1, Pprof], "{listener}");
        let [endpoint] = seen.pprof.as_slice() else {
            panic!("{listener}: {:?}", seen.pprof)
        };
        assert_eq!(
            (endpoint.reach.as_str(), endpoint.prefix.as_str()),
            (reach.as_str(), "/debug/pprof/")
        );
        for name in has {
            assert!(
                endpoint.profiles.iter().any(|known| known == name),
                "{listener} has {name}: {:?}",
                endpoint.profiles
            );
        }
        assert!(
            !endpoint.profiles.iter().any(|known| known == lacks),
            "{listener} lacks {lacks}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_page_application_is_not_pprof() {
    let peer = Peer::start().await;
    check(&peer.at("spa"), &[Http1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_understood_is_unclear_and_says_why() {
    for (reply, why) in [
        (Reply::Hang, "answers nothing within 2s"),
        (
            Reply::Bytes(b"\x00\x01\x02garbage"),
            r"another protocol; its first words: `\x00\x01\x02garbage`",
        ),
        (
            Reply::First(b"220 mail.test ESMTP\r\n"),
            "220 mail.test ESMTP",
        ),
        (Reply::Close, "closes connections without an answer"),
    ] {
        let server = server(reply).await;
        let (facts, _) = facts(&server.reach).await;
        assert_eq!(facts.speaks, [], "{reply:?}");
        let unclear = facts.unclear.expect("the reason");
        assert!(unclear.contains(why), "{reply:?}: {unclear}");
    }
    let (facts, _) = facts(&refused().await).await;
    assert!(
        facts
            .unclear
            .is_some_and(|why| why.contains("connection refused")),
        "refused"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_answer_and_an_endless_one_are_http_all_the_same() {
    for reply in [
        Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
        Reply::Endless,
    ] {
        let server = server(reply).await;
        check(&server.reach, &[Http1]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_speaks_http2_first_hears_nothing_else() {
    let settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    let mut server = server(Reply::First(settings)).await;
    let (facts, _) = facts(&server.reach).await;
    assert_eq!(facts.speaks, [H2c], "{:?}", facts.unclear);
    for _ in 0..server.accepted.load(std::sync::atomic::Ordering::SeqCst) {
        let heard = server.heard.recv().await.expect("each is told");
        assert!(heard.starts_with(b"PRI * HTTP/2.0"), "{heard:?}");
    }
}
