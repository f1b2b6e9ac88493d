//! The text report, against golden files named `<situation>.<terminal>.txt`.
//!
//! `UPDATE_GOLDEN=1 cargo test -p shakedown-report` writes them anew; read the difference.

use std::path::Path;

use shakedown_findings::{RunReport, Severity, Verdict};
use shakedown_report::{Style, text};

use crate::samples;

const WIDE: Style = Style {
    width: 100,
    colour: false,
    unicode: true,
};

fn check(name: &str, rendered: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report/golden");
    let path = folder.join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, rendered).expect("the golden folder can be written");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == rendered,
        "{name} differs from its golden file; rendered:\n{rendered}"
    );
}

fn check_at(name: &str, report: &RunReport, style: Style) {
    check(name, &text::render(report, style));
}

#[test]
fn healthy_fits_one_screen() {
    for width in [80, 90, 100, 112, 200] {
        let style = Style { width, ..WIDE };
        let lines = text::render(&samples::healthy(), style).lines().count();
        assert!(lines <= 24, "{lines} lines at {width} columns");
    }
    check_at("healthy.100", &samples::healthy(), WIDE);
    check_at(
        "healthy.80",
        &samples::healthy(),
        Style { width: 80, ..WIDE },
    );
}

#[test]
fn faulty_shows_each_finding_with_evidence_and_fix() {
    check_at("faulty.100", &samples::faulty(), WIDE);
}

#[test]
fn a_note_refutes_nothing() {
    let mut report = samples::faulty();
    report.verdict = Verdict::Ready;
    report.findings.retain(|finding| finding.code == "PRF002");
    report.findings[0].severity = Severity::Info;
    for rule in &mut report.rules {
        if rule.outcome == "failed" && rule.code != "PRF002" {
            rule.outcome = "passed".into();
        }
    }
    let rendered = text::render(&report, WIDE);
    assert!(
        rendered.contains("\n  ✓ profile    pprof on "),
        "{rendered}"
    );
    assert!(rendered.contains("note: pprof answers"), "{rendered}");
    let page = shakedown_report::html::render(&report);
    assert!(!page.contains("card bad") && !page.contains("card doubt"));
}

#[test]
fn narrow_stays_readable() {
    let style = Style { width: 60, ..WIDE };
    check_at("healthy.60", &samples::healthy(), style);
    check_at("faulty.60", &samples::faulty(), style);
}

#[test]
fn little_known_says_how_to_prove_the_rest() {
    check_at("little-known.100", &samples::little_known(), WIDE);
}

#[test]
fn an_early_exit_stands_under_the_verdict() {
    check_at("early-exit.100", &samples::early_exit(), WIDE);
}

#[test]
fn hostile_text_is_shown_not_obeyed() {
    check_at("hostile.100", &samples::hostile(), WIDE);
}

#[test]
fn colour_and_ascii_are_parameters() {
    let colour = Style {
        colour: true,
        ..WIDE
    };
    let plain = strip(&text::render(&samples::faulty(), colour));
    assert_eq!(plain, text::render(&samples::faulty(), WIDE));
    let ascii = Style {
        unicode: false,
        ..WIDE
    };
    check_at("faulty.ascii", &samples::faulty(), ascii);
}

#[test]
fn a_warning_beside_passes_does_not_look_like_an_error() {
    let mut report = samples::healthy();
    report.findings = samples::everything().findings.split_off(4);
    report.findings.truncate(1);
    report.rules[6].outcome = "failed".into();
    let text = text::render(&report, WIDE);
    assert!(
        text.contains("✗ lifecycle  warning: GET /orders/1 leaves"),
        "{text}"
    );
    assert!(text.contains("READY        1 warning"), "{text}");
}

#[test]
fn an_item_without_rules_is_never_shown_as_proven() {
    let mut report = samples::healthy();
    report.rules.truncate(6);
    let text = text::render(&report, WIDE);
    assert!(
        text.contains("? lifecycle  not looked at in this run"),
        "{text}"
    );
}

/// Removes colour sequences.
fn strip(text: &str) -> String {
    let mut plain = String::new();
    for (position, part) in text.split("\x1b[").enumerate() {
        let rest = part.split_once('m').map_or("", |(_, rest)| rest);
        plain.push_str(if position == 0 { part } else { rest });
    }
    plain
}
