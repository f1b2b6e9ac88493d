//! The events of a bundle, judged and reported: whatever they say, nothing panics, the report
//! holds no control characters, and READY takes all that READY stands for.
#![no_main]

use std::io::BufReader;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use shakedown_checklist::assess;
use shakedown_evidence::{Evidence, bundle};
use shakedown_findings::{RunReport, Verdict};
use shakedown_report::{FORMATS, Style};

const HEADER: &[u8] = b"{\"shakedown_bundle\":1}\n";
/// Stands for whatever blob an event names.
const BLOB: &[u8] = include_bytes!("../seeds/profile/goroutine.pb.gz");

fuzz_target!(|bytes: &[u8]| {
    let _ = read(bytes);
    // Most of what can be found lies behind a header.
    let Ok(mut seen) = read(&[HEADER, bytes].concat()) else {
        return;
    };
    for profile in &seen.profiles {
        seen.blobs.insert(profile.blob.clone(), BLOB.to_vec());
    }
    let report = assess(&seen);
    if report.verdict == Verdict::Ready {
        proven(&seen, &report);
    }
    for format in FORMATS {
        let text = (format.render)(&report, Style::default());
        let unsafe_to_print = |letter: char| letter.is_control() && letter != '\n';
        assert!(!text.contains(unsafe_to_print), "{}", format.name);
    }
});

fn read(bytes: &[u8]) -> Result<Evidence, bundle::BundleError> {
    bundle::read_events(&mut BufReader::new(bytes), Path::new("events.jsonl"))
}

/// Without any of this a run is not READY, whatever else was recorded.
fn proven(seen: &Evidence, report: &RunReport) {
    assert!(seen.finished.is_some() && !seen.run.quick && seen.run.only.is_empty());
    assert!(seen.run.window_ms >= 6_000);
    assert!(!seen.pprof.is_empty() && !seen.snapshots.is_empty());
    assert!(seen.calls.iter().any(|call| call.is_ok()));
    assert!(seen.stops.iter().all(|stop| stop.gone.is_some()) && !seen.stops.is_empty());
    for rule in report.rules.iter().filter(|rule| rule.required) {
        let fine = ["passed", "not applicable"].contains(&rule.outcome.as_str());
        assert!(fine, "{}: {}", rule.name, rule.outcome);
    }
}
