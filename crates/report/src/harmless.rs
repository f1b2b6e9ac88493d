//! Makes text from outside safe to show on a terminal.
//!
//! A log line may hold escape sequences that recolour, retitle or rewrite the screen, and
//! bidirectional controls that make code read as something else (CVE-2021-42574). Both are
//! shown as escapes such as `\x1b` and `\u{202e}`; nothing is dropped.

use std::fmt::Write as _;

/// Longest text that is shown in one place, in characters; more does not help a reader and a
/// service decides how long its messages are.
const LONGEST: usize = 4_000;

/// Columns that a tab takes in excerpts of source.
const TAB: &str = "    ";

/// Replaces everything that a terminal would act on, and cuts what is too long to read.
#[must_use]
pub fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(LONGEST));
    for (position, character) in text.chars().enumerate() {
        if position == LONGEST {
            shown.push_str(" … (cut)");
            break;
        }
        match character {
            '\t' => shown.push_str(TAB),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            _ if character.is_control() => {
                let _ = write!(shown, "\\x{:02x}", u32::from(character));
            }
            _ if is_invisible(character) => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
            }
            _ => shown.push(character),
        }
    }
    shown
}

/// The nearest thing to a character that any terminal can show.
pub(crate) fn ascii(character: char) -> String {
    let plain = match character {
        '\u{a0}' => "\u{a0}",
        '·' | '•' => "|",
        '…' => "...",
        '→' => "->",
        '│' => "|",
        '▸' => ">",
        '–' | '—' | '−' => "-",
        '“' | '”' => "\"",
        '‘' | '’' => "'",
        '×' => "x",
        'µ' | 'μ' => "u",
        '≥' => ">=",
        '≤' => "<=",
        _ if character.is_ascii() => return character.to_string(),
        _ => return format!("\\u{{{:x}}}", u32::from(character)),
    };
    plain.to_owned()
}

/// Characters without a glyph: bidirectional controls, zero widths, separators, fillers, tags,
/// and what Unicode keeps for no character at all (XML refuses the last two of them).
pub(crate) fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{fdd0}'..='\u{fdef}' | '\u{fffe}' | '\u{ffff}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_shown_not_sent() {
        assert_eq!(harmless("\x1b[2J\x07\u{9b}31m"), "\\x1b[2J\\x07\\x9b31m");
    }

    #[test]
    fn bidirectional_controls_are_shown() {
        assert_eq!(harmless("a\u{202e}b\u{2066}c"), "a\\u{202e}b\\u{2066}c");
    }

    #[test]
    fn ordinary_text_stays() {
        assert_eq!(harmless("größe 東京 ✓"), "größe 東京 ✓");
    }

    #[test]
    fn endless_text_is_cut() {
        assert!(harmless(&"x".repeat(1_000_000)).len() < LONGEST + 20);
    }

    #[test]
    fn ascii_is_ascii() {
        for character in ['✓', '·', 'ß', '東', 'a'] {
            assert!(ascii(character).is_ascii());
        }
    }
}
