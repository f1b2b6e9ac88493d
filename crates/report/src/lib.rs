//! Renders a run's result for people and for machines.
//!
//! A format is one file and one line in [`FORMATS`]. Renderers are pure: the width of the
//! terminal, colour and the character set are parameters ([`Style`]), so that a replayed run
//! gives the same bytes. They judge nothing; the verdict and the words come with the report.
//!
//! Whatever a service said (log lines, names, messages) is untrusted: [`text`], [`html`] and
//! [`explain`] show control characters and bidirectional controls instead of passing them on, and
//! [`html`] escapes everything.

mod caption;
pub mod explain;
mod figures;
mod harmless;
pub mod html;
mod ink;
pub mod json;
mod place;
mod remedy;
mod sentences;
mod sheet;
mod standing;
mod summary;
pub mod text;
mod wrap;

use shakedown_findings::RunReport;

pub use harmless::harmless;
pub use ink::Style;

/// One output format.
pub struct Format {
    /// The word after `--format`.
    pub name: &'static str,
    /// Renders a report; the style is for terminals, and only text takes notice of it.
    pub render: fn(&RunReport, Style) -> String,
}

/// All output formats, the default first.
pub const FORMATS: &[Format] = &[
    Format {
        name: "text",
        render: text::render,
    },
    Format {
        name: "json",
        render: |report, _| json::render(report),
    },
    Format {
        name: "html",
        render: |report, _| html::render(report),
    },
];

/// Finds a format by the word after `--format`.
#[must_use]
pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        let names: BTreeSet<_> = FORMATS.iter().map(|format| format.name).collect();
        assert_eq!(names.len(), FORMATS.len());
        assert!(format("json").is_some());
        assert!(format("yaml").is_none());
    }
}
