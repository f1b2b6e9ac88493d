//! Bursts of processor time in short windows, and what they are not.
//!
//! What is odd is decided by `shakedown_pprof::jitter`. Here each odd window is asked whose work
//! it was: that of requests, of the collector, or of the service by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use shakedown_evidence::{At, Evidence, Frame, ProbeKind, ProfileRecord, Stack, handler};
use shakedown_pprof::jitter::{self, Odd, WINDOWS_MIN, Window};
use shakedown_pprof::{Profile, Sample};

use crate::Judgement;

/// A burst is somebody's if so much of it is theirs.
const MOST: f64 = 0.5;
/// What stands above the work for a request.
const REQUESTS: [&str; 5] = [
    "net/http.(*conn).serve",
    "net/http.(*http2serverConn).runHandler",
    "golang.org/x/net/http2.(*serverConn).runHandler",
    "google.golang.org/grpc.(*Server).handleStream",
    "google.golang.org/grpc/internal/transport.(*http2Server).HandleStreams",
];
/// What stands above the collector's work. Every two minutes it works without being needed.
const COLLECTOR: [&str; 3] = [
    "runtime.gcBgMarkWorker",
    "runtime.bgsweep",
    "runtime.bgscavenge",
];

/// The short windows of a run, compared.
pub(super) struct Bursts {
    /// What each window took, in milliseconds, and when it began.
    pub(super) windows: Vec<(At, f64)>,
    /// The length of all windows.
    pub(super) looked: Duration,
    /// What a window usually takes, in nanoseconds.
    pub(super) usual: i64,
    /// Bursts of the service by itself, in their order.
    pub(super) own: Vec<Burst>,
    /// Windows that were odd for requests or for the collector.
    pub(super) excused: usize,
    /// So much was taken so often that nothing can be called usual.
    pub(super) varies: bool,
}

/// Odd windows one after another: one burst may fall into two of them.
pub(super) struct Burst {
    pub(super) at: At,
    /// Processor time above the usual, in nanoseconds.
    pub(super) excess: i64,
    /// Functions that grew, with what they took more, of the window with most of the burst.
    pub(super) grown: Vec<(String, i64)>,
    /// The heaviest stack of the service's own function that took most of it.
    pub(super) stack: Option<Stack>,
    last: usize,
}

impl Burst {
    /// The service's own function that took most of the burst.
    pub(super) fn place<'a>(&'a self, seen: &'a Evidence) -> Option<&'a Frame> {
        let stack = self.stack.as_ref()?;
        handler::own_frames(stack, seen.build.as_ref()).next()
    }
}

/// A window as it was read.
struct Read<'a> {
    record: &'a ProfileRecord,
    profile: Profile,
    window: Window,
}

impl Bursts {
    /// Compares the windows, or says why that cannot be.
    pub(super) fn of(seen: &Evidence) -> Result<Self, Judgement> {
        let records: Vec<_> = seen.profiles.iter().filter(|record| record.short).collect();
        if records.is_empty() {
            return Err(none(seen));
        }
        let read: Vec<Read<'_>> = records.iter().filter_map(|r| read(seen, r)).collect();
        let windows: Vec<Window> = read.iter().map(|read| read.window.clone()).collect();
        let Some(look) = jitter::look(&windows) else {
            return Err(Judgement::inconclusive(
                format!(
                    "{} whole windows; {WINDOWS_MIN} are needed to know what is usual",
                    read.len()
                ),
                "--until-jitter 60s, while no other profiler runs",
            ));
        };
        let mut bursts = Self {
            windows: read
                .iter()
                .map(|r| (r.record.at, ms(r.window.total)))
                .collect(),
            looked: read.iter().map(|r| r.record.until - r.record.at).sum(),
            usual: look.usual,
            own: Vec::new(),
            excused: 0,
            varies: look.varies,
        };
        for odd in &look.odd {
            let Some(here) = read.get(odd.window) else {
                continue;
            };
            let excess = odd.excess(look.usual);
            if is_of(&REQUESTS, odd, excess, &windows) || is_of(&COLLECTOR, odd, excess, &windows) {
                bursts.excused += 1;
                continue;
            }
            bursts.add(seen, odd, excess, here);
        }
        Ok(bursts)
    }

    fn add(&mut self, seen: &Evidence, odd: &Odd, excess: i64, here: &Read<'_>) {
        let grown = odd.grown.iter().map(|g| (g.name.clone(), g.excess()));
        let burst = Burst {
            at: here.record.at,
            excess,
            grown: grown.collect(),
            stack: heaviest(seen, &here.profile, excess),
            last: odd.window,
        };
        match self.own.last_mut() {
            Some(before) if before.last + 1 == odd.window => {
                let sum = before.excess.saturating_add(excess);
                let at = before.at;
                if burst.excess > before.excess {
                    *before = burst;
                }
                (before.at, before.excess, before.last) = (at, sum, odd.window);
            }
            _ => self.own.push(burst),
        }
    }

    /// How far bursts are apart on average, to the second.
    pub(super) fn apart(&self) -> Duration {
        let count = u32::try_from(self.own.len()).unwrap_or(u32::MAX).max(1);
        let exact = match self.own.as_slice() {
            [first, .., last] => (last.at - first.at) / (count - 1).max(1),
            _ => self.looked / count,
        };
        // Windows are 2 s long: nothing finer is known.
        Duration::from_secs(exact.as_secs_f64().round() as u64)
    }
}

/// No short window was taken: the flag that asks for them, or why they failed.
fn none(seen: &Evidence) -> Judgement {
    if seen.pprof.is_empty() {
        return Judgement::inconclusive(
            "no CPU profile: no pprof endpoint was found",
            "mount pprof on a private listener: shakedown explain pprof-missing",
        );
    }
    let mut failures = seen.failures.iter().rev();
    let asked = seen
        .run
        .again
        .iter()
        .any(|word| word.starts_with("--until-jitter"));
    match failures.find(|failure| failure.kind == ProbeKind::Cpu) {
        Some(failure) if asked => Judgement::inconclusive(
            format!("no short window came whole: {}", failure.why),
            "--until-jitter 60s, while no other profiler runs",
        ),
        _ => Judgement::not_exercised(
            "one window cannot tell a burst from what is usual",
            "--until-jitter 60s, which takes short windows and compares them",
        ),
    }
}

fn read<'a>(seen: &Evidence, record: &'a ProfileRecord) -> Option<Read<'a>> {
    let profile = Profile::decode(seen.blobs.get(&record.blob)?).ok()?;
    let length = i64::try_from((record.until - record.at).as_nanos()).unwrap_or(i64::MAX);
    let window = Window::of(&profile, length)?;
    Some(Read {
        record,
        profile,
        window,
    })
}

/// Most of what was taken above the usual was taken below these functions.
fn is_of(functions: &[&str], odd: &Odd, excess: i64, windows: &[Window]) -> bool {
    let more = functions.iter().map(|function| {
        let mut all: Vec<i64> = windows.iter().map(|w| w.taken(function).cum).collect();
        let here = all.get(odd.window).copied().unwrap_or(0);
        all.sort_unstable();
        let usual = all.get(all.len() / 2).copied().unwrap_or(0);
        here.saturating_sub(usual).max(0)
    });
    let more = more.fold(0i64, i64::saturating_add);
    real(more) >= real(excess) * MOST
}

/// The heaviest stack through the service's own innermost function that took most; nothing if
/// none of them took most of the excess.
fn heaviest(seen: &Evidence, profile: &Profile, excess: i64) -> Option<Stack> {
    let place = profile.sample_type(Some("cpu")).ok()?;
    let value = |sample: &Sample<'_>| sample.values.get(place).copied().unwrap_or(0);
    let mut by_place: BTreeMap<(String, String), (i64, i64, Stack)> = BTreeMap::new();
    for sample in profile.samples() {
        let stack = Stack {
            frames: frames(profile, &sample),
            ..Stack::default()
        };
        let Some(own) = handler::own_frames(&stack, seen.build.as_ref()).next() else {
            continue;
        };
        let key = (own.function.clone(), own.file.clone());
        let taken = value(&sample);
        let (sum, most, kept) = by_place
            .entry(key)
            .or_insert_with(|| (0, taken, stack.clone()));
        *sum = sum.saturating_add(taken);
        if taken > *most {
            (*most, *kept) = (taken, stack);
        }
    }
    let (sum, _, stack) = by_place.into_values().max_by_key(|(sum, ..)| *sum)?;
    (real(sum) >= real(excess) * MOST).then_some(stack)
}

fn frames(profile: &Profile, sample: &Sample<'_>) -> Vec<Frame> {
    let lines = sample.locations.iter().flat_map(|&l| profile.lines(l));
    let frame = |line: &shakedown_pprof::Line| {
        let function = profile.functions().get(line.function.index())?;
        Some(Frame {
            function: profile.text(function.name).to_owned(),
            file: profile.text(function.file).to_owned(),
            line: u32::try_from(line.line).unwrap_or(0),
        })
    };
    lines.filter_map(frame).collect()
}

/// Nanoseconds as milliseconds.
pub(super) fn ms(nanos: i64) -> f64 {
    (real(nanos) / 1e6).round()
}

#[expect(clippy::cast_precision_loss, reason = "processor time of seconds")]
fn real(nanos: i64) -> f64 {
    nanos as f64
}

/// Profiles for the tests of both rules.
#[cfg(test)]
pub(super) mod built {
    use shakedown_evidence::{Event, PprofEndpoint, ProfileKind};
    use shakedown_pprof::Line;

    use super::*;

    /// Samples of 10 ms each by stack, leaf first.
    pub(in super::super) type Taken<'a> = Vec<(&'a [&'a str], i64)>;

    /// A run with pprof and nothing else.
    pub(in super::super) fn bare() -> Evidence {
        let mut seen = Evidence::default();
        seen.apply(Event::Pprof(PprofEndpoint {
            at: At(0),
            reach: "127.0.0.1:6060".into(),
            prefix: "/debug/pprof/".into(),
            profiles: vec!["profile".into()],
            asked: Vec::new(),
        }));
        seen
    }

    /// Adds a CPU profile that begins at a second.
    pub(in super::super) fn add(
        seen: &mut Evidence,
        second: u64,
        length: u64,
        short: bool,
        taken: &Taken<'_>,
    ) {
        let mut profile = Profile::new(&[("samples", "count"), ("cpu", "nanoseconds")]);
        profile.duration_nanos = i64::try_from(length * 1_000_000_000).expect("short");
        profile.period = 10_000_000;
        for (stack, count) in taken {
            let mut locations = Vec::new();
            for name in *stack {
                let function = profile.push_function(name, "/src/burst.go", 1);
                let line = Line {
                    function,
                    line: 7,
                    column: 0,
                };
                locations.push(profile.push_location(0, None, &[line]));
            }
            profile.push_sample(&locations, &[*count, count * 10_000_000], &[]);
        }
        let blob = format!("{second}-{short}");
        seen.blobs.insert(blob.clone(), profile.encode());
        let at = At(second * 1_000_000);
        seen.apply(Event::Profile(ProfileRecord {
            at,
            until: at + Duration::from_secs(length),
            kind: ProfileKind::Cpu,
            url: "http://127.0.0.1:6060/debug/pprof/profile?seconds=2".into(),
            asked_ms: Some(length * 1000),
            blob,
            short,
        }));
    }

    /// A window of 30 s, and short ones after it: what the one of a number took.
    pub(in super::super) fn looked<'a>(count: u64, taken: impl Fn(u64) -> Taken<'a>) -> Evidence {
        let mut seen = bare();
        add(&mut seen, 0, 30, false, &vec![(&["main.work"], 50)]);
        for number in 0..count {
            add(&mut seen, 40 + number * 2, 2, true, &taken(number));
        }
        seen
    }

    /// A burst of 0.9 s in every tenth window, at the fifth.
    pub(in super::super) fn bursting(number: u64) -> Taken<'static> {
        let mut taken: Taken<'static> = vec![(&["main.work", "main.main"], 3)];
        if number % 10 == 5 {
            taken.push((&["crypto/sha256.block", "main.compact", "main.loop"], 90));
        }
        taken
    }
}
