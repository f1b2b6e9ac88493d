//! Profiles over a window: whole ones with their length, others with what was seen of them.

use std::time::Duration;

use shakedown_acquire::probe::{Headers, contention, profile, trace};
use shakedown_evidence::{
    At, Evidence, PprofEndpoint, ProfileKind, Waiting, WindowEnd, WindowKind,
};

use super::hostile::{Reply, refused, server};
use super::peer::Peer;
use super::run::{recorder, seen};

const WINDOW: Duration = Duration::from_secs(1);

fn endpoint(reach: &str) -> PprofEndpoint {
    PprofEndpoint {
        at: At(0),
        reach: reach.to_owned(),
        prefix: "/debug/pprof/".to_owned(),
        profiles: Vec::new(),
        asked: Vec::new(),
    }
}

/// Both windows at once, as a run takes them, and the profiles of waiting after them.
async fn take(reach: &str) -> Evidence {
    let (recorder, endpoint, headers) = (recorder(), endpoint(reach), Headers::default());
    tokio::join!(
        profile(
            &recorder,
            &endpoint,
            &headers,
            ProfileKind::Cpu,
            Some(WINDOW)
        ),
        trace(&recorder, &endpoint, &headers, WINDOW),
    );
    for profile in Waiting::ALL {
        contention(&recorder, &endpoint, &headers, profile).await;
    }
    seen(&recorder)
}

fn ends(seen: &Evidence) -> Vec<(WindowKind, &WindowEnd)> {
    let windows = seen.windows.iter();
    windows.map(|window| (window.kind, &window.end)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_windows_are_as_long_as_they_were_asked_for() {
    let peer = Peer::start().await;
    let seen = take(&peer.at("pprof")).await;
    assert!(seen.failures.is_empty(), "{:?}", seen.failures);
    assert_eq!(seen.windows.len(), 2);
    for window in &seen.windows {
        assert_eq!((&window.end, window.asked_ms), (&WindowEnd::Whole, 1000));
        let recorded = window.recorded_ms.expect("a clock of its own");
        assert!((950..5_000).contains(&recorded), "{window:?}");
        assert!(window.bytes > 0 && window.took_ms() >= 1000, "{window:?}");
    }
    assert_eq!(seen.blobs.len(), 1, "the trace is not kept");
    let periods: Vec<Option<i64>> = seen.contention.iter().map(|read| read.period).collect();
    assert_eq!(periods, [None, Some(0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_whole_window_is_told_apart() {
    let refused_with = |status, said: &str| WindowEnd::Refused {
        status,
        said: said.to_owned(),
    };
    for (reply, end) in [
        (
            Reply::Bytes(
                b"HTTP/1.1 400 Bad\r\n\r\nprofile duration exceeds server's WriteTimeout\n",
            ),
            refused_with(400, "profile duration exceeds server's WriteTimeout"),
        ),
        (
            Reply::Bytes(b"HTTP/1.1 503 No\r\n\r\n"),
            refused_with(503, ""),
        ),
        (Reply::Close, WindowEnd::Empty),
    ] {
        let server = server(reply).await;
        let seen = take(&server.reach).await;
        let both = [(WindowKind::Cpu, &end), (WindowKind::Trace, &end)];
        let mut came = ends(&seen);
        came.sort_by_key(|(kind, _)| *kind != WindowKind::Cpu);
        assert_eq!(came, both, "{reply:?}");
    }
}

/// Both windows of a server that answers like this satisfy the test.
async fn check(reply: Reply, test: fn(&WindowEnd) -> bool) {
    let server = server(reply).await;
    let seen = take(&server.reach).await;
    assert_eq!(seen.windows.len(), 2);
    for window in &seen.windows {
        assert!(test(&window.end), "{reply:?}: {window:?}");
    }
    // Each is told with its URL, too.
    assert_eq!(seen.failures.len(), 4, "{:?}", seen.failures);
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_and_foreign_answers_are_not_whole() {
    let is_cut = |end: &WindowEnd| matches!(end, WindowEnd::Cut { .. });
    let is_foreign = |end: &WindowEnd| matches!(end, WindowEnd::Foreign { .. });
    check(
        Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        is_cut,
    )
    .await;
    check(
        Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\ngo 1.26"),
        is_cut,
    )
    .await;
    let page = b"HTTP/1.1 200 OK\r\n\r\n<!doctype html><title>Shop</title>";
    check(Reply::Bytes(page), is_foreign).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_gone_was_not_seen_to_refuse() {
    let seen = take(&refused().await).await;
    let unseen =
        |window: &shakedown_evidence::Window| matches!(window.end, WindowEnd::Unseen { .. });
    assert!(seen.windows.iter().all(unseen), "{:?}", seen.windows);
    assert_eq!(seen.windows.len(), 2);
}
