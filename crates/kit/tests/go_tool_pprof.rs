//! The stock `go tool pprof` opens every profile, and shows our functions.
//!
//! It needs Go, and fails where that is missing: a test that is skipped proves nothing.

#![expect(
    clippy::print_stderr,
    reason = "what was found, for whoever runs it with --nocapture"
)]
#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use shakedown_kit::profile::{block, cpu, heap, threads};

#[global_allocator]
static ALLOCATOR: heap::Sampler<std::alloc::System> = heap::Sampler::new(std::alloc::System);

#[inline(never)]
fn burns(for_how_long: Duration) {
    let since = Instant::now();
    while since.elapsed() < for_how_long {
        black_box((0..1000_u64).sum::<u64>());
    }
}

#[inline(never)]
fn keeps() -> Vec<Box<[u8; 4096]>> {
    (0..1000)
        .map(|n| Box::new([black_box(n as u8); 4096]))
        .collect()
}

/// What `go tool pprof` prints of the profile.
fn pprof(name: &str, profile: &[u8], flags: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(format!("{name}.pb"));
    std::fs::write(&file, profile).expect("written");
    let output = Command::new("go")
        .args(["tool", "pprof"])
        .args(flags)
        .arg(&file)
        .env("PPROF_TMPDIR", folder.path())
        .output()
        .expect("Go is needed for this test");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {complaints}");
    eprintln!("{text}");
    text
}

#[test]
fn it_opens_every_profile() {
    heap::start(heap::Options {
        mean_bytes: 4096,
        seed: Some(1),
    })
    .expect("it is installed");
    let kept = keeps();
    let watchdog = block::Watchdog::start().expect("SIGPROF is free");
    let session = cpu::start(cpu::Options::default()).expect("nobody else profiles");
    {
        let _poll = block::Poll::begin();
        burns(Duration::from_millis(500));
    }
    let cpu = session.finish();
    drop(watchdog);
    let block = block::profile().expect("a watchdog was there");
    let heap = heap::profile(heap::Kind::Heap).expect("it was started");
    let allocs = heap::profile(heap::Kind::Allocs).expect("it was started");
    let threads = threads::profile().expect("/proc is there");

    let top = pprof("cpu", &cpu, &["-top"]);
    assert!(
        top.contains("Type: cpu") && top.contains("go_tool_pprof::burns"),
        "{top}"
    );
    let lines = pprof("cpu", &cpu, &["-top", "-lines"]);
    assert!(lines.contains("tests/go_tool_pprof.rs:"), "{lines}");
    let top = pprof("block", &block, &["-top"]);
    assert!(
        top.contains("Type: delay") && top.contains("go_tool_pprof::burns"),
        "{top}"
    );
    let top = pprof("heap", &heap, &["-top"]);
    assert!(
        top.contains("Type: inuse_space") && top.contains("go_tool_pprof::keeps"),
        "{top}"
    );
    let top = pprof("allocs", &allocs, &["-top"]);
    assert!(
        top.contains("Type: alloc_space") && top.contains("go_tool_pprof::keeps"),
        "{top}"
    );
    let top = pprof("heap", &heap, &["-sample_index=inuse_objects", "-top"]);
    assert!(top.contains("go_tool_pprof::keeps"), "{top}");
    let tags = pprof("threads", &threads, &["-tags"]);
    assert!(tags.contains("thread: Total"), "{tags}");
    // The build id leads to the binary again after it was stripped.
    let raw = pprof("cpu", &cpu, &["-raw"]);
    let mappings = raw.split("Mappings").nth(1).expect("mappings").trim();
    assert!(
        mappings
            .lines()
            .next()
            .is_some_and(|first| first.contains("go_tool_pprof-")),
        "{raw}"
    );
    drop(kept);
}
