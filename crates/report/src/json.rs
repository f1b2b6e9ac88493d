//! The report for machines: pretty JSON in the published layout.
//!
//! The layout is `docs/schema/report-1.json`; a test keeps the two together.

use shakedown_findings::RunReport;

/// Renders the report as indented JSON with a final newline.
///
/// # Panics
/// Never: the report holds strings, numbers and lists only, which all have a JSON form.
#[must_use]
pub fn render(report: &RunReport) -> String {
    let mut json =
        serde_json::to_string_pretty(report).expect("a report has string keys and plain values");
    json.push('\n');
    json
}
