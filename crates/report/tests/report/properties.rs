//! What holds for every text that a service can produce, on every terminal.

use proptest::prelude::*;
use shakedown_findings::{Exhibit, Finding, RunReport};
use shakedown_report::{Style, explain, text};

use crate::samples;

/// Puts the given texts wherever a service can put one.
fn poisoned(texts: &[String]) -> RunReport {
    let mut report = samples::everything();
    let mut texts = texts.iter().cycle().cloned();
    let mut put = |place: &mut String| *place = texts.next().unwrap_or_default();
    put(&mut report.target.name);
    report.target.listeners.iter_mut().for_each(&mut put);
    report.target.libraries.iter_mut().for_each(&mut put);
    report.target.go.iter_mut().for_each(&mut put);
    report.target.module.iter_mut().for_each(&mut put);
    report.target.revision.iter_mut().for_each(&mut put);
    report.not_ready_because.iter_mut().for_each(&mut put);
    report.bundle.iter_mut().for_each(&mut put);
    report.troubles.iter_mut().for_each(&mut put);
    for rule in &mut report.rules {
        put(&mut rule.reason);
        rule.to_prove.iter_mut().for_each(&mut put);
    }
    for finding in &mut report.findings {
        poison(finding, &mut put);
    }
    for table in [&mut report.hot_spots.cpu, &mut report.hot_spots.inuse_space] {
        for row in table.iter_mut().flat_map(|table| &mut table.rows) {
            row.location.function.iter_mut().for_each(&mut put);
            row.location.file.iter_mut().for_each(&mut put);
        }
    }
    report
}

fn poison(finding: &mut Finding, mut put: &mut impl FnMut(&mut String)) {
    put(&mut finding.subject);
    put(&mut finding.message);
    put(&mut finding.fix);
    put(&mut finding.repeat);
    if let Some(location) = &mut finding.location {
        location.function.iter_mut().for_each(&mut put);
        location.file.iter_mut().for_each(&mut put);
    }
    for explained in &mut finding.because_of {
        put(&mut explained.message);
    }
    for exhibit in &mut finding.exhibits {
        match exhibit {
            Exhibit::Series { title, points } => {
                put(title);
                points.iter_mut().for_each(|point| put(&mut point.label));
            }
            Exhibit::Timeline { title, moments } => {
                put(title);
                moments.iter_mut().for_each(|moment| put(&mut moment.what));
            }
            Exhibit::Stack { title, frames } => {
                put(title);
                frames.iter_mut().for_each(&mut put);
            }
            Exhibit::Source { file, lines, .. } => {
                put(file);
                lines.iter_mut().for_each(|line| put(&mut line.text));
            }
            Exhibit::Quote { title, lines } => {
                put(title);
                lines.iter_mut().for_each(&mut put);
            }
        }
    }
}

/// Every escape of ours is a colour sequence; anything else came from the data.
fn only_our_colours(text: &str) -> bool {
    text.split('\x1b').skip(1).all(|part| {
        let codes = part.strip_prefix('[').and_then(|part| part.split_once('m'));
        codes.is_some_and(|(codes, _)| codes.bytes().all(|b| b.is_ascii_digit() || b == b';'))
    })
}

fn nasty() -> impl Strategy<Value = Vec<String>> {
    let piece = prop_oneof![
        any::<String>(),
        "\\PC{0,300}",
        Just("\x1b[31m\x1b]0;x\x07".to_owned()),
        Just("\u{202e}\u{9b}2J\u{200b}\n\n\t\r".to_owned()),
        Just("/./v2.(((".to_owned()),
        Just("'\"\\ ' \" \\".to_owned()),
        Just("東京🦀é ".repeat(60)),
        Just("x".repeat(9_000)),
    ];
    prop::collection::vec(piece, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn nothing_from_outside_reaches_the_terminal_raw(
        texts in nasty(),
        width in 0_usize..300,
        colour: bool,
        unicode: bool,
    ) {
        let style = Style { width, colour, unicode };
        let rendered = text::render(&poisoned(&texts), style);
        let control = |c: char| c.is_control() && c != '\n' && c != '\x1b';
        prop_assert!(!rendered.contains(control));
        let bidirectional = rendered.contains(|c| ('\u{202a}'..='\u{202e}').contains(&c));
        prop_assert!(!bidirectional);
        prop_assert!(unicode || rendered.is_ascii());
        if colour {
            prop_assert!(only_our_colours(&rendered));
        } else {
            prop_assert!(!rendered.contains('\x1b'));
        }
    }

    #[test]
    fn no_line_is_wider_than_the_terminal(texts in nasty(), width in 40_usize..300) {
        let mut report = poisoned(&texts);
        // A command is never broken inside a word, so it alone may be wider.
        report.findings.iter_mut().for_each(|finding| finding.repeat.clear());
        let style = Style { width, colour: false, unicode: true };
        for line in text::render(&report, style).lines() {
            let columns: usize = line.chars().filter_map(unicode_width::UnicodeWidthChar::width).sum();
            prop_assert!(columns <= width, "{columns} > {width}: {line}");
        }
    }

    #[test]
    fn any_page_can_be_explained(page in "(# |## |- |1\\. |```|`|\\*\\*|\\[|\\PC|\n|\x1b){0,80}", width in 0_usize..300) {
        let style = Style { width, colour: false, unicode: true };
        prop_assert!(!explain::render(&page, style).contains('\x1b'));
    }
}
