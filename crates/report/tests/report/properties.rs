//! What holds for every text that a service can produce, on every terminal.

use proptest::prelude::*;
use shakedown_report::{Style, explain, text};

use crate::poison::poisoned;

/// Every escape of ours is a colour sequence; anything else came from the data.
fn only_our_colours(text: &str) -> bool {
    text.split('\x1b').skip(1).all(|part| {
        let codes = part.strip_prefix('[').and_then(|part| part.split_once('m'));
        codes.is_some_and(|(codes, _)| codes.bytes().all(|b| b.is_ascii_digit() || b == b';'))
    })
}

/// Texts that have broken a renderer somewhere.
pub(crate) fn nasty() -> impl Strategy<Value = Vec<String>> {
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
