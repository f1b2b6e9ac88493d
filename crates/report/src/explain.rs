//! Renders a rule's page, which is Markdown, for the terminal.
//!
//! It knows the part of Markdown that the pages use: headings, paragraphs, lists, fenced code,
//! inline code, bold and links. On a wide terminal the headings stand in a column of their own.

use crate::Style;
use crate::ink::{Ink, Line};
use crate::sheet::Sheet;

/// Column of the text beside a heading.
const TEXT: usize = 20;

/// Column of code, which needs the width more than it needs to stand below its text.
const CODE: usize = 4;

/// Widths from which headings stand beside the text.
const WIDE: usize = 80;

/// Renders a page.
#[must_use]
pub fn render(page: &str, style: Style) -> String {
    let mut sheet = Sheet::new(style);
    let mut writer = Writer {
        indent: if style.width >= WIDE { TEXT } else { 2 },
        sheet: &mut sheet,
        lead: Line::new(),
        lead_indent: 0,
    };
    for block in blocks(page) {
        writer.block(&block);
    }
    let lead = std::mem::take(&mut writer.lead);
    writer.pending(&lead);
    sheet.finish()
}

/// A block of a page.
enum Block<'a> {
    Title(&'a str),
    Heading(&'a str),
    Paragraph(String),
    /// The mark before an entry of a list, and its text.
    Entry(&'a str, String),
    Code(Vec<&'a str>),
}

struct Writer<'a> {
    sheet: &'a mut Sheet,
    indent: usize,
    /// A title or heading that waits for the first line of its text.
    lead: Line,
    /// Column of the text behind that lead.
    lead_indent: usize,
}

impl Writer<'_> {
    fn block(&mut self, block: &Block<'_>) {
        let lead = std::mem::take(&mut self.lead);
        match block {
            Block::Title(title) => {
                self.lead = Line::of(Ink::Strong, title);
                self.lead_indent = self.lead.width(self.sheet.style()) + 3;
            }
            Block::Heading(heading) => {
                self.pending(&lead);
                self.sheet.blank();
                self.lead = Line::of(Ink::Strong, heading);
                self.lead_indent = self.indent;
            }
            Block::Paragraph(text) => {
                let line = self.inline(text);
                if lead.is_empty() {
                    self.sheet.blank();
                    self.sheet.flow(&lead, self.indent, &line, usize::MAX);
                } else {
                    self.sheet.flow(&lead, self.lead_indent, &line, usize::MAX);
                }
            }
            Block::Entry(mark, text) => {
                let mark = if *mark == "-" { "•" } else { mark };
                let lead = self.beside(lead).and(Ink::Plain, mark);
                let line = self.inline(text);
                let indent = self.indent + mark.chars().count() + 1;
                self.sheet.flow(&lead, indent, &line, usize::MAX);
            }
            Block::Code(lines) => {
                self.pending(&lead);
                self.sheet.blank();
                for line in lines {
                    self.sheet.whole(CODE, &Line::of(Ink::Code, line));
                }
                self.sheet.blank();
            }
        }
    }

    /// A heading and the gap up to the text, or the gap alone where the heading has its own line.
    fn beside(&mut self, lead: Line) -> Line {
        let used = lead.width(self.sheet.style());
        if used < self.indent {
            return lead.and(Ink::Plain, &" ".repeat(self.indent - used));
        }
        self.pending(&lead);
        Line::plain(&" ".repeat(self.indent))
    }

    /// Writes a heading that no text follows on its line.
    fn pending(&mut self, lead: &Line) {
        if !lead.is_empty() {
            self.sheet.flow(&Line::new(), 0, lead, 1);
        }
    }

    fn inline(&self, text: &str) -> Line {
        inline(text, self.sheet.style().colour)
    }
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut code: Option<Vec<&str>> = None;
    // Whether the next line of text continues the last block.
    let mut open = false;
    for line in page.lines() {
        let text = line.trim();
        if let Some(lines) = &mut code {
            if text == "```" {
                blocks.extend(code.take().map(Block::Code));
            } else {
                lines.push(line);
            }
            continue;
        }
        let continues = std::mem::replace(&mut open, true);
        if text.is_empty() {
            open = false;
        } else if text.starts_with("```") {
            code = Some(Vec::new());
            open = false;
        } else if let Some(title) = text.strip_prefix("# ") {
            blocks.push(Block::Title(title));
            open = false;
        } else if let Some(heading) = text.strip_prefix("## ") {
            blocks.push(Block::Heading(heading));
            open = false;
        } else if let Some((mark, text)) = entry(text) {
            blocks.push(Block::Entry(mark, text.to_owned()));
        } else {
            match blocks.last_mut() {
                Some(Block::Paragraph(last) | Block::Entry(_, last)) if continues => {
                    last.push(' ');
                    last.push_str(text);
                }
                _ => blocks.push(Block::Paragraph(text.to_owned())),
            }
        }
    }
    blocks.extend(code.map(Block::Code));
    blocks
}

/// `- text` and `1. text`.
fn entry(text: &str) -> Option<(&str, &str)> {
    let (mark, rest) = text.split_once(' ')?;
    let number = mark.strip_suffix('.').unwrap_or_default();
    let numbered = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    (mark == "-" || numbered).then_some((mark, rest.trim_start()))
}

/// Inline code keeps its marks where colour cannot tell it from prose.
fn inline(text: &str, colour: bool) -> Line {
    let mut line = Line::new();
    for (position, part) in text.split('`').enumerate() {
        line = match (position % 2, colour) {
            (0, _) => prose(line, part),
            (_, true) => line.and(Ink::Code, part),
            (_, false) => line.and(Ink::Plain, &format!("`{part}`")),
        };
    }
    line
}

/// Text with bold parts and links, which are written out: `text (address)`.
fn prose(mut line: Line, text: &str) -> Line {
    let mut plain = text.to_owned();
    while let Some(middle) = plain.find("](") {
        plain.replace_range(middle..middle + 2, " (");
        if let Some(open) = plain[..middle].rfind('[') {
            plain.remove(open);
        }
    }
    for (position, part) in plain.split("**").enumerate() {
        let ink = if position % 2 == 0 {
            Ink::Plain
        } else {
            Ink::Strong
        };
        line = line.and(ink, part);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# late (X1)\n\nError.\n\n## What it looks for\nA handler that is\nlate, see [issue 1](x://1) [a] `ctx`.\n\n- one\n  more\n- two\n\n```go\nfunc f() {\n\tg()\n}\n```\n";

    fn check(width: usize, expected: &str) {
        let style = Style {
            width,
            colour: false,
            unicode: true,
        };
        assert_eq!(render(PAGE, style), expected);
    }

    #[test]
    fn headings_stand_beside_the_text() {
        check(
            80,
            "late (X1)   Error.\n\nWhat it looks for   A handler that is late, see issue 1 (x://1) [a] `ctx`.\n                    • one more\n                    • two\n\n    func f() {\n        g()\n    }\n",
        );
    }

    #[test]
    fn a_list_begins_beside_its_heading() {
        let style = Style {
            width: 80,
            colour: false,
            unicode: true,
        };
        let shown = render("# t (X1)\n\n## Blind\n- one\n", style);
        assert_eq!(shown, "t (X1)\n\nBlind               • one\n");
    }

    #[test]
    fn headings_stand_above_the_text_where_it_is_narrow() {
        check(
            60,
            "late (X1)   Error.\n\nWhat it looks for\n  A handler that is late, see issue 1 (x://1) [a] `ctx`.\n  • one more\n  • two\n\n    func f() {\n        g()\n    }\n",
        );
    }
}
