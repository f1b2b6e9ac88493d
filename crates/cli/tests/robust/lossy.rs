//! Evidence that was lost from a bundle never makes a faulty service READY, and blames no healthy
//! one.

use std::collections::BTreeSet;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde_json::Value;
use shakedown_checklist::assess;
use shakedown_evidence::bundle;
use shakedown_findings::Verdict;
use shakedown_testkit::thawed_events;

/// Losses tried on each bundle.
const LOSSES: u64 = 24;

/// The recorded runs that the matrix is tested with.
fn bundles() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bundles");
    let entries = fs::read_dir(folder).expect("bundles").flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    found.sort();
    found
}

fn judge<'a>(lines: impl IntoIterator<Item = &'a str>) -> Verdict {
    let text: String = lines.into_iter().flat_map(|line| [line, "\n"]).collect();
    let mut reader = BufReader::new(text.as_bytes());
    let evidence = bundle::read_events(&mut reader, Path::new("events.jsonl"));
    assess(&evidence.expect("only whole lines were lost")).verdict
}

fn kind(line: &str) -> String {
    let event: Value = serde_json::from_str(line).expect("an event");
    event["event"].as_str().unwrap_or_default().to_owned()
}

/// A small generator (xorshift64, Marsaglia 2003): which losses are tried is the same every time.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// What may be lost: not the set-up and the end of the run, which say that it was one, not the one
/// event that says where pprof is, which is the finding of pprof itself, and not what only rules
/// read that READY can do without.
fn may_be_lost(kind: &str) -> bool {
    ![
        "",
        "run",
        "finished",
        "stack",
        "pprof",
        "resources",
        "live-heap",
        "contention",
        "command-line",
    ]
    .contains(&kind)
}

#[test]
fn no_loss_makes_a_faulty_service_ready_or_a_healthy_one_faulty() {
    let mut state = 0x5eed;
    for bundle in bundles() {
        let text = thawed_events(&bundle);
        let lines: Vec<&str> = text.lines().collect();
        let kinds: Vec<String> = lines.iter().map(|line| kind(line)).collect();
        let distinct: BTreeSet<&str> = kinds.iter().map(String::as_str).collect();
        let candidates: Vec<&str> = distinct
            .into_iter()
            .filter(|kind| may_be_lost(kind))
            .collect();
        // A warning alone leaves a service READY.
        let unwanted = match judge(lines.iter().copied()) {
            Verdict::Ready => Verdict::NotReady,
            Verdict::NotReady | Verdict::NotProven => Verdict::Ready,
        };
        for loss in 0..LOSSES {
            let pick = |state: &mut u64| candidates[random(state) as usize % candidates.len()];
            let lost = [pick(&mut state), pick(&mut state)];
            // One event in 2, 8, 32 or 128.
            let share = 2_u64 << (2 * (loss % 4));
            let kept = lines.iter().zip(&kinds).filter(|(_, kind)| {
                !(lost.contains(&kind.as_str()) && random(&mut state).is_multiple_of(share))
            });
            let verdict = judge(kept.map(|(line, _)| *line));
            let name = bundle.display();
            assert_ne!(
                verdict, unwanted,
                "{name}: loss {loss}, 1/{share} of {lost:?}"
            );
        }
    }
}
