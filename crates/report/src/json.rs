//! The report for machines: pretty JSON in the published layout.
//!
//! What a terminal would act on is escaped beyond what JSON asks for: reports are printed, too.
//! The layout is `docs/schema/report-1.json`; a test keeps the two together.

use std::fmt::Write as _;

use shakedown_findings::RunReport;

use crate::harmless::is_invisible;

/// Renders the report as indented JSON with a final newline.
///
/// # Panics
/// Never: the report holds strings, numbers and lists only, which all have a JSON form.
#[must_use]
pub fn render(report: &RunReport) -> String {
    let json =
        serde_json::to_string_pretty(report).expect("a report has string keys and plain values");
    shown(&json) + "\n"
}

/// The same JSON without what a terminal would act on. Only strings have any, where an escape says
/// the same.
fn shown(json: &str) -> String {
    let mut shown = String::with_capacity(json.len() + 1);
    let mut units = [0; 2];
    for character in json.chars() {
        let odd = character.is_control() && character != '\n';
        if odd || is_invisible(character) {
            for unit in character.encode_utf16(&mut units) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_escaped_and_read_back() {
        let name = "a\u{1b}b\u{7f}c\u{9b}d\u{202e}e\u{e0041}f größe";
        let json = shown(&serde_json::to_string_pretty(name).expect("a string"));
        let odd = |letter: char| letter.is_control() || is_invisible(letter);
        assert!(!json.contains(odd), "{json:?}");
        assert!(json.contains("größe"));
        let read: String = serde_json::from_str(&json).expect("JSON");
        assert_eq!(read, name);
    }
}
