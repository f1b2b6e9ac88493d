//! Profiles come whole or with the reason why not.

use std::time::Duration;

use shakedown_acquire::probe::{Headers, profile, snapshot};
use shakedown_evidence::{At, Evidence, PprofEndpoint, ProbeKind, ProfileKind, SnapshotForm};

use super::hostile::{Reply, refused, server};
use super::peer::Peer;
use super::run::{recorder, seen};

fn endpoint(reach: &str) -> PprofEndpoint {
    PprofEndpoint {
        at: At(0),
        reach: reach.to_owned(),
        prefix: "/debug/pprof/".to_owned(),
        profiles: Vec::new(),
        asked: Vec::new(),
    }
}

async fn heap(reach: &str) -> Evidence {
    let recorder = recorder();
    profile(
        &recorder,
        &endpoint(reach),
        &Headers::default(),
        ProfileKind::Heap,
        None,
    )
    .await;
    seen(&recorder)
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_are_kept_as_they_came() {
    let peer = Peer::start().await;
    let (recorder, endpoint, headers) = (
        recorder(),
        endpoint(&peer.at("pprof_v6")),
        Headers::default(),
    );
    let window = Some(Duration::from_millis(400));
    profile(&recorder, &endpoint, &headers, ProfileKind::Cpu, window).await;
    profile(&recorder, &endpoint, &headers, ProfileKind::Heap, None).await;
    let seen = seen(&recorder);
    assert!(seen.failures.is_empty(), "{:?}", seen.failures);
    let [cpu, heap] = seen.profiles.as_slice() else {
        panic!("{:?}", seen.profiles)
    };
    assert_eq!(
        (cpu.blob.as_str(), cpu.asked_ms),
        ("0001-cpu.pb.gz", Some(1000)),
        "rounded up to seconds"
    );
    assert_eq!(
        (heap.blob.as_str(), heap.asked_ms),
        ("0002-heap.pb.gz", None)
    );
    assert!(
        cpu.until - cpu.at >= Duration::from_secs(1),
        "the whole window"
    );
    assert_eq!(
        cpu.url,
        format!("http://{}/debug/pprof/profile?seconds=1", endpoint.reach)
    );
    for profile in [cpu, heap] {
        assert!(
            seen.blobs[&profile.blob].starts_with(&[0x1f, 0x8b]),
            "as it came: gzip"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_cpu_profile_is_refused_with_the_reason() {
    let peer = Peer::start().await;
    let (recorder, endpoint, headers) =
        (recorder(), endpoint(&peer.at("pprof")), Headers::default());
    let take = || {
        profile(
            &recorder,
            &endpoint,
            &headers,
            ProfileKind::Cpu,
            Some(Duration::from_secs(1)),
        )
    };
    tokio::join!(take(), take());
    let seen = seen(&recorder);
    assert_eq!(seen.profiles.len(), 1);
    let [failure] = seen.failures.as_slice() else {
        panic!("{:?}", seen.failures)
    };
    assert_eq!(failure.kind, ProbeKind::Cpu);
    assert!(
        failure.why.contains("already in use") && failure.why.contains("another profiler runs"),
        "{}",
        failure.why
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn goroutines_are_counted_in_both_forms() {
    let peer = Peer::start().await;
    let (recorder, endpoint, headers) =
        (recorder(), endpoint(&peer.at("pprof")), Headers::default());
    snapshot(&recorder, &endpoint, &headers, SnapshotForm::Counts, "base").await;
    snapshot(&recorder, &endpoint, &headers, SnapshotForm::Full, "stuck").await;
    let seen = seen(&recorder);
    let [counts, full] = seen.snapshots.as_slice() else {
        panic!("{:?}", seen.failures)
    };
    for (snapshot, form, label) in [
        (counts, SnapshotForm::Counts, "base"),
        (full, SnapshotForm::Full, "stuck"),
    ] {
        assert_eq!(
            (snapshot.form, snapshot.label.as_str(), snapshot.truncated),
            (form, label, false)
        );
        let counted: u64 = snapshot.groups.iter().map(|group| group.count).sum();
        assert_eq!(counted, snapshot.total);
        let in_main = |stack: &shakedown_evidence::Stack| {
            stack
                .root()
                .is_some_and(|root| root.function == "main.main" || root.function == "runtime.main")
        };
        assert!(
            snapshot
                .groups
                .iter()
                .any(|group| in_main(&seen.stacks[group.stack])),
            "{form:?}"
        );
    }
    let with_state = full
        .groups
        .iter()
        .all(|group| seen.stacks[group.stack].state.is_some() && !group.ids.is_empty());
    assert!(with_state, "full dumps have ids and states");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_profile_is_named_with_the_remedy() {
    let page =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<!doctype html><title>Shop</title>";
    for (reply, why) in [
        (Reply::Bytes(page), "an HTML page (Shop); a page of the application answers at this path"),
        (Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\x00\x01\xff\xfe\x7f"), "profile"),
        (Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "nothing came"),
        (Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n\x1f\x8b\x08"), "broke off after 3 bytes"),
        (Reply::Bytes(b"HTTP/1.1 200 OK\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"), "cut"),
        (Reply::Bytes(b"HTTP/1.1 404 Not Found\r\n\r\n404 page not found\n"), "answered 404 Not Found (404 page not found); mount the handler"),
        (Reply::Bytes(b"HTTP/1.1 500 Oops\r\n\r\nCould not enable CPU profiling: cpu profiling already in use\n"), "another profiler runs"),
        (Reply::Bytes(b"HTTP/1.1 400 Bad\r\n\r\nprofile duration exceeds server's WriteTimeout\n"), "raise http.Server.WriteTimeout"),
        (Reply::Bytes(b"HTTP/1.1 503 No\r\n\r\n<html>"), "http.TimeoutHandler"),
        (Reply::Bytes(b"SSH-2.0-x\r\n"), "not HTTP/1.1"),
        (Reply::Close, "closed without an answer; http.Server.WriteTimeout"),
        (Reply::Endless, "longer than 64 MiB"),
        (Reply::Hang, "no answer within 10s; does the handler hang"),
    ] {
        let server = server(reply).await;
        let seen = heap(&server.reach).await;
        assert!(seen.profiles.is_empty() && seen.blobs.is_empty(), "{reply:?}");
        let [failure] = seen.failures.as_slice() else { panic!("{reply:?}: {:?}", seen.failures) };
        assert_eq!(failure.subject, format!("http://{}/debug/pprof/heap", server.reach));
        assert!(failure.why.contains(why), "{reply:?}: {}", failure.why);
    }
    let seen = heap(&refused().await).await;
    assert!(
        seen.failures[0].why.contains("connection refused"),
        "{:?}",
        seen.failures
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_are_no_goroutines_is_named() {
    let peer = Peer::start().await;
    let (recorder, endpoint) = (recorder(), endpoint(&peer.at("spa")));
    for form in [SnapshotForm::Counts, SnapshotForm::Full] {
        snapshot(&recorder, &endpoint, &Headers::default(), form, "base").await;
    }
    let seen = seen(&recorder);
    assert!(seen.snapshots.is_empty());
    assert_eq!(seen.failures.len(), 2);
    for failure in &seen.failures {
        assert_eq!(failure.kind, ProbeKind::Goroutines);
        assert!(
            failure.why.contains("an HTML page (Shop)"),
            "{}",
            failure.why
        );
    }
}
