//! The foot of the page: what was run, by which version, how long it took, how to see it again.

use shakedown_findings::RunReport;

use super::log_book;
use super::markup::Markup;
use crate::figures;

/// Adds the foot.
pub(super) fn put(page: &mut Markup, report: &RunReport) {
    page.element("dl", &[("class", "facts")], |page| {
        let words: Vec<_> = report
            .target
            .command
            .iter()
            .map(|word| quoted(word))
            .collect();
        if !words.is_empty() {
            fact(page, "Command", |page| {
                page.leaf("code", &[], &words.join(" "));
            });
        }
        if let Some(bundle) = &report.bundle {
            fact(page, "Bundle", |page| page.leaf("code", &[], bundle));
            let replay = format!("shakedown replay {}", quoted(bundle));
            fact(page, "Again", |page| page.leaf("code", &[], &replay));
        }
        let lanes = log_book::lanes(report);
        if lanes.len() > 1 {
            let lane = |lane: &log_book::Lane<'_>| {
                let took = figures::duration(lane.took_us / 1_000);
                format!("{}\u{a0}{took}", lane.name)
            };
            let lanes: Vec<_> = lanes.iter().map(lane).collect();
            fact(page, "Time", |page| page.text(&lanes.join(" · ")));
        }
        let version = format!("shakedown {}, report layout {}", report.tool, report.schema);
        fact(page, "Version", |page| page.text(&version));
    });
}

fn fact(page: &mut Markup, name: &str, fill: impl FnOnce(&mut Markup)) {
    page.element("div", &[], |page| {
        page.leaf("dt", &[], name);
        page.element("dd", &[], fill);
    });
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted("-http"), "-http");
        assert_eq!(quoted("127.0.0.1:{port.x}"), "'127.0.0.1:{port.x}'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }
}
