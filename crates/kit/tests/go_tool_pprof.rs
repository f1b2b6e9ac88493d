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
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use shakedown_kit::Kit;
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
    pprof_of(name, &file.to_string_lossy(), flags)
}

/// The same of a file or an address.
fn pprof_of(name: &str, source: &str, flags: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new("go")
        .args(["tool", "pprof"])
        .args(flags)
        .arg(source)
        .env("PPROF_TMPDIR", folder.path())
        .output()
        .expect("Go is needed for this test");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {complaints}");
    eprintln!("{text}");
    text
}

/// The allocator's profile and the watchdog are of the whole process.
static ONE: Mutex<()> = Mutex::new(());

/// Often enough that what is kept here is seen for sure. Whichever test is first begins.
fn samples_often() {
    let _ = heap::start(heap::Options {
        mean_bytes: 4096,
        seed: Some(1),
    });
    assert!(heap::is_installed());
}

async fn waits_for_ever() {
    std::future::pending::<()>().await;
}

/// As a person does: the address in, the table out.
#[test]
fn it_fetches_every_profile_from_the_admin_listener() {
    let _one = ONE.lock();
    samples_often();
    let (tell, told) = mpsc::channel();
    let service = std::thread::spawn(move || {
        let builder = Kit::builder("fetched").workers(1).admin("127.0.0.1:0");
        builder.run(async |kit: Kit| {
            shakedown_kit::spawn(async { waits_for_ever().await });
            tell.send(kit)?;
            Ok(())
        })
    });
    let kit = told.recv().expect("the setup ends well");
    let admin = kit.admin_address().expect("it was asked for");
    let kept = keeps();
    for (path, type_shown) in [
        ("profile?seconds=1", "Type: cpu"),
        ("heap", "Type: inuse_space"),
        ("allocs", "Type: alloc_space"),
        ("block", "Type: delay"),
        ("goroutine", "Type: goroutine"),
        ("threadcreate", "Type: threadcreate"),
    ] {
        let source = format!("http://{admin}/debug/pprof/{path}");
        let top = pprof_of(path, &source, &["-top"]);
        assert!(top.contains(type_shown), "{path}: {top}");
    }
    // Those that measure nothing say so, and no empty profile is shown.
    for path in ["mutex", "trace?seconds=1"] {
        let output = Command::new("go")
            .args(["tool", "pprof", "-top"])
            .arg(format!("http://{admin}/debug/pprof/{path}"))
            .output()
            .expect("Go is needed for this test");
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{path}");
        assert!(complaints.contains("501"), "{path}: {complaints}");
    }
    drop(kept);
    kit.stop();
    assert!(service.join().expect("no panic").is_ok());
}

#[test]
fn it_opens_every_profile() {
    let _one = ONE.lock();
    samples_often();
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
