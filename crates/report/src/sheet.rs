//! Lays lines out on a terminal of a given width: wraps, indents, aligns, cuts, colours.
//!
//! It knows nothing of reports. A no-break space keeps words together and is printed as an
//! ordinary one, so that output can be searched.

use crate::ink::{Cell, Ink, Line, Style, columns};
use crate::wrap::{clip, packed, padded, shell_words, wrap};

/// Narrowest layout; below it lines overflow rather than become unreadable.
const NARROWEST: usize = 20;

/// Widest layout: longer lines are hard to follow, and right-aligned parts drift out of sight.
const WIDEST: usize = 112;

/// Columns that text needs beside an indent; with fewer the indent shrinks.
const READABLE: usize = 28;

/// Lines for each part where two parts do not fit beside each other.
const SPREAD_LINES: usize = 3;

/// Indent that replaces one for which there is no room.
const SMALL_INDENT: usize = 4;

/// A text under construction.
pub(crate) struct Sheet {
    style: Style,
    lines: Vec<String>,
}

impl Sheet {
    pub(crate) fn new(style: Style) -> Self {
        let width = style.width.clamp(NARROWEST, WIDEST);
        Self {
            style: Style { width, ..style },
            lines: Vec::new(),
        }
    }

    /// The style, with the width that is laid out for.
    pub(crate) const fn style(&self) -> Style {
        self.style
    }

    /// Columns left for text behind an indent.
    pub(crate) fn room(&self, indent: usize) -> usize {
        self.style.width - self.indent(indent)
    }

    /// Lines that a text takes behind an indent.
    pub(crate) fn lines(&self, indent: usize, text: &Line) -> usize {
        wrap(&text.cells(self.style), self.room(indent)).len()
    }

    /// Adds an empty line, never two in a row and none at the top.
    pub(crate) fn blank(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(String::new());
        }
    }

    /// Adds text behind a lead, wrapped at spaces and indented, cut after `limit` lines.
    ///
    /// A lead that is too wide for the indent gets a line of its own.
    pub(crate) fn flow(&mut self, lead: &Line, indent: usize, text: &Line, limit: usize) {
        let indent = self.indent(indent);
        let lead = lead.cells(self.style);
        let text = text.cells(self.style);
        let room = self.style.width - indent;
        let mut lines = wrap(&text, room);
        if lines.len() > limit {
            lines.truncate(limit);
            if let Some(last) = lines.pop() {
                lines.push(self.ended(last, room));
            }
        }
        let mut lines = lines.into_iter();
        if columns(&lead) < indent || lead.is_empty() {
            let first = lines.next().unwrap_or_default();
            self.push(padded(lead, indent).into_iter().chain(first));
        } else {
            self.push(clip(lead, self.style.width));
        }
        for line in lines {
            self.push(padded(Vec::new(), indent).into_iter().chain(line));
        }
    }

    /// Adds one line behind an indent, cut at the right edge.
    pub(crate) fn clipped(&mut self, indent: usize, line: &Line) {
        let indent = self.indent(indent);
        let cells = line.cells(self.style);
        let room = self.style.width - indent;
        let cells = if columns(&cells) > room {
            let mark = self.ellipsis();
            let mut cells = clip(cells, room - columns(&mark));
            cells.extend(mark);
            cells
        } else {
            cells
        };
        self.push(padded(Vec::new(), indent).into_iter().chain(cells));
    }

    /// Adds one line behind an indent as it is, wider than the terminal if it must be: a cut line
    /// of code is worth nothing.
    pub(crate) fn whole(&mut self, indent: usize, line: &Line) {
        let cells = line.cells(self.style);
        self.push(
            padded(Vec::new(), self.indent(indent))
                .into_iter()
                .chain(cells),
        );
    }

    /// Adds one line with a part at each edge, or two lines where they do not fit beside each
    /// other.
    pub(crate) fn spread(&mut self, indent: usize, left: &Line, right: &Line) {
        let (left_width, right_width) = (left.width(self.style), right.width(self.style));
        let gap = self
            .style
            .width
            .saturating_sub(indent + left_width + right_width);
        if right.is_empty() {
            self.flow(&Line::new(), indent, left, SPREAD_LINES);
        } else if gap >= 2 {
            let line = Line::plain(&" ".repeat(indent)).join(left.clone());
            let line = line.and(Ink::Plain, &" ".repeat(gap)).join(right.clone());
            self.push(line.cells(self.style));
        } else {
            self.flow(&Line::new(), indent, left, SPREAD_LINES);
            self.flow(&Line::new(), indent + 2, right, SPREAD_LINES);
        }
    }

    /// Adds a shell command that can be copied: broken only between its words, with a backslash.
    pub(crate) fn command(&mut self, lead: &Line, indent: usize, command: &str) {
        let indent = self.indent(indent);
        let room = self.style.width - indent;
        let mut lead = Some(lead.cells(self.style)).filter(|lead| columns(lead) < indent);
        for line in command.lines() {
            let words: Vec<_> = shell_words(line)
                .into_iter()
                .map(|word| Line::of(Ink::Code, word).cells(self.style))
                .collect();
            for part in packed(&words, room) {
                let lead = padded(lead.take().unwrap_or_default(), indent);
                self.push(lead.into_iter().chain(part));
            }
        }
    }

    /// The finished text, with a line end behind every line.
    pub(crate) fn finish(mut self) -> String {
        while self.lines.last().is_some_and(String::is_empty) {
            self.lines.pop();
        }
        let mut text = self.lines.join("\n");
        text.push('\n');
        text
    }

    fn indent(&self, wanted: usize) -> usize {
        if wanted + READABLE <= self.style.width {
            wanted
        } else {
            wanted.min(SMALL_INDENT)
        }
    }

    fn ellipsis(&self) -> Vec<Cell> {
        Line::of(Ink::Faint, "…").cells(self.style)
    }

    /// Shortens a line by whole words until the mark for "there is more" fits behind it.
    fn ended(&self, line: Vec<Cell>, room: usize) -> Vec<Cell> {
        let mark = Line::of(Ink::Faint, " …").cells(self.style);
        let mut kept = wrap(&line, room.saturating_sub(columns(&mark)))
            .into_iter()
            .next()
            .unwrap_or_default();
        kept.extend(mark);
        kept
    }

    fn push(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.lines.push(printed(cells, self.style.colour));
    }
}

/// The cells as bytes for the terminal: the only place that writes an escape.
fn printed(cells: impl IntoIterator<Item = Cell>, colour: bool) -> String {
    let mut cells: Vec<_> = cells.into_iter().collect();
    let blank = |cell: &Cell| matches!(cell.character, ' ' | '\u{a0}');
    while cells.last().is_some_and(blank) {
        cells.pop();
    }
    let mut line = String::with_capacity(cells.len());
    for run in cells.chunk_by(|left, right| left.ink == right.ink) {
        let text = run.iter().map(|cell| match cell.character {
            '\u{a0}' => ' ',
            character => character,
        });
        let codes = run[0].ink.codes();
        if colour && !codes.is_empty() {
            line.push_str("\x1b[");
            line.push_str(codes);
            line.push('m');
            line.extend(text);
            line.push_str("\x1b[0m");
        } else {
            line.extend(text);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style {
        width: 40,
        colour: false,
        unicode: true,
    };

    fn check(style: Style, put: impl FnOnce(&mut Sheet), expected: &str) {
        let mut sheet = Sheet::new(style);
        put(&mut sheet);
        assert_eq!(sheet.finish(), expected);
    }

    #[test]
    fn text_wraps_behind_its_lead() {
        let text = Line::plain("one two three four five six seven eight");
        check(
            STYLE,
            |sheet| sheet.flow(&Line::plain("  lead"), 8, &text, 9),
            "  lead  one two three four five six\n        seven eight\n",
        );
    }

    #[test]
    fn what_is_cut_says_so() {
        let text = Line::plain("one two three four five six seven eight");
        check(
            STYLE,
            |sheet| sheet.flow(&Line::plain("  lead"), 8, &text, 1),
            "  lead  one two three four five six …\n",
        );
    }

    #[test]
    fn glued_words_stay_together() {
        let text = Line::plain("aaaa aaaa aaaa ").join(Line::plain("bbbb bbbb bbbb").glued());
        check(
            Style { width: 24, ..STYLE },
            |sheet| sheet.flow(&Line::new(), 0, &text, 9),
            "aaaa aaaa aaaa\nbbbb bbbb bbbb\n",
        );
    }

    #[test]
    fn a_number_keeps_its_unit() {
        let text = Line::plain("still there after 2,480 ms and more");
        check(
            Style { width: 24, ..STYLE },
            |sheet| sheet.flow(&Line::new(), 0, &text, 9),
            "still there after\n2,480 ms and more\n",
        );
    }

    #[test]
    fn parts_that_do_not_fit_take_two_lines() {
        let (left, right) = (
            Line::plain("a".repeat(30).as_str()),
            Line::plain("search.go:57"),
        );
        check(
            STYLE,
            |sheet| sheet.spread(2, &left, &right),
            &format!("  {}\n    search.go:57\n", "a".repeat(30)),
        );
    }

    #[test]
    fn commands_break_between_words_only() {
        check(
            STYLE,
            |sheet| {
                sheet.command(
                    &Line::plain("run"),
                    4,
                    "tool --data '{\"a b\": \"c d e\"}' --flag 1 host:1",
                );
            },
            "run tool --data '{\"a b\": \"c d e\"}' \\\n    --flag 1 host:1\n",
        );
    }

    #[test]
    fn colour_is_written_only_when_asked() {
        let line = Line::of(Ink::Good, "yes").and(Ink::Plain, " no");
        check(STYLE, |sheet| sheet.clipped(0, &line), "yes no\n");
        check(
            Style {
                colour: true,
                ..STYLE
            },
            |sheet| sheet.clipped(0, &line),
            "\x1b[1;32myes\x1b[0m no\n",
        );
    }

    #[test]
    fn wide_characters_count_twice() {
        check(
            Style { width: 20, ..STYLE },
            |sheet| sheet.clipped(0, &Line::plain("東京東京東京東京東京東京")),
            "東京東京東京東京東…\n",
        );
    }
}
