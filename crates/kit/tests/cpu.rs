//! A CPU profile says the truth about a program whose truth is known.
//!
//! Timing matters here, so what needs a quiet machine is ignored by default:
//! `cargo test -p shakedown-kit --release --test cpu -- --ignored --nocapture --test-threads=1`

#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

use std::hint::black_box;
use std::io::Read;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use shakedown_kit::labels::{self, Labels};
use shakedown_kit::profile::{NotMeasured, cpu};
use shakedown_pprof::{Granularity, Label, LabelValue, Profile, top};

/// One profile at a time, also in tests.
static ONE: Mutex<()> = Mutex::new(());

#[inline(never)]
fn hot(for_how_long: Duration) {
    let since = Instant::now();
    let mut x = 1_u64;
    while since.elapsed() < for_how_long {
        for _ in 0..10_000 {
            x = black_box(x)
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
        }
    }
    black_box(x);
}

#[inline(never)]
fn calls_the_system(for_how_long: Duration) {
    let since = Instant::now();
    let mut zero = std::fs::File::open("/dev/zero").expect("every system has it");
    let mut buffer = vec![0; 256 * 1024];
    while since.elapsed() < for_how_long {
        zero.read_exact(&mut buffer).expect("zero never ends");
        black_box(&buffer);
    }
}

/// Cumulative nanoseconds of the function whose name ends with `name`, and of all.
fn share(profile: &Profile, name: &str) -> (i64, i64) {
    let cpu = profile.sample_type(Some("cpu")).expect("a CPU profile");
    let top = top(profile, cpu, Granularity::Function);
    let row = top.rows.iter().find(|row| row.name.ends_with(name));
    (row.map_or(0, |row| row.cum), top.total)
}

fn profile_of(work: impl FnOnce()) -> Profile {
    let session = cpu::start(cpu::Options::default()).expect("nobody else profiles");
    work();
    Profile::decode(&session.finish()).expect("we wrote it")
}

fn comments(profile: &Profile) -> String {
    let texts: Vec<&str> = profile
        .comments
        .iter()
        .map(|id| profile.text(*id))
        .collect();
    texts.join("\n")
}

#[test]
fn what_burns_is_seen_and_system_calls_too() {
    let _one = ONE.lock();
    let profile = profile_of(|| {
        hot(Duration::from_millis(400));
        calls_the_system(Duration::from_millis(400));
    });
    let (hot, all) = share(&profile, "cpu::hot");
    let (system, _) = share(&profile, "cpu::calls_the_system");
    assert!(hot > all / 4, "{hot} of {all}\n{}", comments(&profile));
    assert!(
        system > all / 4,
        "{system} of {all}\n{}",
        comments(&profile)
    );
    let main = profile.mappings().first().expect("the program");
    assert!(
        profile.text(main.file).contains("cpu-"),
        "{}",
        profile.text(main.file)
    );
    assert!(main.has_functions);
}

#[test]
fn threads_that_start_later_are_part_of_it() {
    let _one = ONE.lock();
    let profile = profile_of(|| {
        std::thread::sleep(Duration::from_millis(50));
        let late = std::thread::spawn(|| hot(Duration::from_millis(400)));
        late.join().expect("no panic");
    });
    let (hot, all) = share(&profile, "cpu::hot");
    assert!(hot > all / 2, "{hot} of {all}");
}

#[test]
fn samples_carry_the_labels_of_what_was_worked_on() {
    let _one = ONE.lock();
    let request = labels::register(Labels {
        rpc: Some("orders.v1.Orders/Get".into()),
        trace_id: 0xabc,
        ..Labels::default()
    });
    let profile = profile_of(|| {
        let before = labels::set_current(request.id());
        hot(Duration::from_millis(300));
        labels::set_current(before);
    });
    let trace_id = format!("{:032x}", 0xabc);
    let has_labels = |labels: &[Label]| {
        let value = |name: &str| {
            let label = labels
                .iter()
                .find(|label| profile.text(label.key) == name)?;
            match label.value {
                LabelValue::Text(text) => Some(profile.text(text)),
                LabelValue::Number { .. } => None,
            }
        };
        value("rpc") == Some("orders.v1.Orders/Get") && value("trace_id") == Some(&trace_id)
    };
    let (mut labelled, mut all) = (0, 0);
    for sample in profile.samples() {
        let ticks = sample.values[0];
        all += ticks;
        labelled += if has_labels(sample.labels) { ticks } else { 0 };
    }
    assert!(labelled > all / 2, "{labelled} of {all}");
}

/// A kernel that gives no timer, as with `ulimit -i 0`: nothing breaks, and the profile says so.
#[test]
fn threads_without_a_timer_are_counted() {
    let _one = ONE.lock();
    let before = signals_pending_max(0);
    let profile = profile_of(|| hot(Duration::from_millis(100)));
    signals_pending_max(before);
    let said = comments(&profile);
    assert!(said.contains("threads were not profiled"), "{said}");
    assert_eq!(share(&profile, "cpu::hot").0, 0);
    let again = profile_of(|| hot(Duration::from_millis(300)));
    assert!(share(&again, "cpu::hot").0 > 0, "{}", comments(&again));
}

/// Sets how many signals may be pending, which is what timers are counted against, and gives what
/// was allowed before.
#[expect(unsafe_code, reason = "the standard library does not know limits")]
fn signals_pending_max(most: libc::rlim_t) -> libc::rlim_t {
    // SAFETY: reads and writes one limit of this process.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(libc::RLIMIT_SIGPENDING, &raw mut limit), 0);
        let before = limit.rlim_cur;
        limit.rlim_cur = most;
        assert_eq!(
            libc::setrlimit(libc::RLIMIT_SIGPENDING, &raw const limit),
            0
        );
        before
    }
}

#[test]
fn one_at_a_time_and_another_after_it() {
    let _one = ONE.lock();
    let first = cpu::start(cpu::Options::default()).expect("nobody else profiles");
    assert_eq!(
        cpu::start(cpu::Options::default()).err(),
        Some(NotMeasured::Busy)
    );
    drop(first);
    let second = cpu::start(cpu::Options { hz: 250 }).expect("the first was thrown away");
    let profile = Profile::decode(&second.finish()).expect("we wrote it");
    assert_eq!(profile.period, 4_000_000);
}

/// True shares, by the thread's own CPU clock, against those of the profile.
#[test]
#[ignore = "10 s of a machine with nothing else to do"]
fn shares_are_true_within_three_points_and_samples_come() {
    let _one = ONE.lock();
    let (mut true_hot, mut true_system) = (0.0, 0.0);
    let profile = profile_of(|| {
        for _ in 0..20 {
            let before = thread_cpu();
            hot(Duration::from_millis(300));
            let between = thread_cpu();
            calls_the_system(Duration::from_millis(200));
            true_hot += between - before;
            true_system += thread_cpu() - between;
        }
    });
    let all_true = true_hot + true_system;
    let (hot, all) = share(&profile, "cpu::hot");
    let (system, _) = share(&profile, "cpu::calls_the_system");
    let seen = all as f64 / 1e9 / all_true;
    let hot = 100.0 * hot as f64 / all as f64;
    let system = 100.0 * system as f64 / all as f64;
    eprintln!("{}", comments(&profile));
    eprintln!("hot {hot:.1} %, truly {:.1} %", 100.0 * true_hot / all_true);
    eprintln!(
        "system {system:.1} %, truly {:.1} %",
        100.0 * true_system / all_true
    );
    eprintln!("{:.1} % of the expected samples", 100.0 * seen);
    assert!((hot - 100.0 * true_hot / all_true).abs() < 3.0);
    assert!((system - 100.0 * true_system / all_true).abs() < 3.0);
    assert!(seen > 0.95, "{seen}");
}

/// User and system time of this thread in seconds, as /proc says it in ns.
fn thread_cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos = text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok());
    nanos.expect("nanoseconds on the CPU") / 1e9
}
