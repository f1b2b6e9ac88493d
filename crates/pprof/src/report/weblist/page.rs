//! The page itself.
//!
//! Source: google/pprof, internal/driver/html/source.html, for the body of the page, and
//! what Go's html/template escapes in text.

use std::fmt::Write as _;

use super::functions::functions;
use super::{Code, File, Listing, Values};
use crate::Profile;
use crate::paths::base;
use crate::report::measurement::percentage;
use crate::report::source::Reader;
use crate::report::{Report, header};

/// Style and script, which are our own: the original's page is its `<body>` here.
const HEAD: &str = include_str!("head.html");
/// Width that inlined source is filled up to.
const WIDTH: usize = 80;

impl Report<'_> {
    pub(super) fn page(
        &self,
        profile: &Profile,
        listing: &Listing<'_>,
        reader: &mut Reader<'_>,
    ) -> String {
        let legend = header::profile_lines(self, profile);
        let named = |head: &str| {
            let mut found = legend.iter().filter_map(|line| line.strip_prefix(head));
            found.next().unwrap_or("unknown").to_owned()
        };
        let title = format!("{} {}", named("File: "), named("Type: "));
        let mut out = HEAD.replacen("{title}", &escaped(&title), 1);
        let legend: Vec<String> = legend.iter().map(|line| escaped(line)).collect();
        let _ = write!(
            out,
            "<div class=\"legend\">{}<br>Total: {}</div>",
            legend.join("<br>\n"),
            escaped(&self.value(self.total))
        );
        for (name, file) in &listing.files {
            self.file(name, file, listing, reader, &mut out);
        }
        out.push_str("\n</body>\n</html>\n");
        out
    }

    fn file(
        &self,
        name: &str,
        file: &File<'_>,
        listing: &Listing<'_>,
        reader: &mut Reader<'_>,
        out: &mut String,
    ) {
        for function in functions(file, listing) {
            if function.values.cum == 0 {
                continue;
            }
            let _ = write!(
                out,
                "<h2>{}</h2><p class=\"filename\">{}</p>\n<pre onClick=\"pprof_toggle_asm(event)\">\n",
                escaped(function.name),
                escaped(name)
            );
            let Values { flat, cum } = function.values;
            let share = percentage(cum, self.total);
            let (flat, cum) = (self.value(flat), self.value(cum));
            let head = format!("  Total:  {flat:>10} {cum:>10} (flat, cum) {share}");
            out.push_str(&escaped(&head));
            for line in function.begin..function.end {
                let code = file.lines.get(&line).map_or(&[][..], Vec::as_slice);
                let source = match line_of(reader, name, line) {
                    Some(source) => source,
                    None if code.is_empty() => continue,
                    None if line == 0 => "<instructions with unknown line numbers>".to_owned(),
                    None => "???".to_owned(),
                };
                self.line(line, &source, code, listing, reader, out);
            }
            out.push_str("\n</pre>\n");
        }
    }

    fn line(
        &self,
        number: i64,
        source: &str,
        code: &[Code<'_>],
        listing: &Listing<'_>,
        reader: &mut Reader<'_>,
        out: &mut String,
    ) {
        let mut values = Values::default();
        for code in code {
            values.add(listing.of(code.address));
        }
        let has_calls = code.iter().any(|code| !code.calls.is_empty());
        let class = match (code.is_empty(), has_calls) {
            (true, _) => "nop",
            (false, false) => "deadsrc",
            (false, true) => "livesrc",
        };
        let (flat, cum) = (
            self.value_or_dot(values.flat),
            self.value_or_dot(values.cum),
        );
        let text = format!("  {flat:>10} {cum:>10} {:>8}  {source} ", "");
        let _ = write!(
            out,
            "\n<span class=line> {number:>6}</span> <span class={class}>{}</span>",
            escaped(&text)
        );
        if has_calls {
            out.push_str("<span class=asm>");
            inlined(source, code, reader, out);
            out.push_str("</span>");
        }
    }
}

/// For each address under a line, what was inlined there, unless the one before says it already.
fn inlined(source: &str, code: &[Code<'_>], reader: &mut Reader<'_>, out: &mut String) {
    let indent = indentation(source);
    let mut before: &[super::Call<'_>] = &[];
    let mut expected = None;
    for (index, code) in code.iter().enumerate() {
        if expected != Some(code.address) && index > 0 {
            let _ = writeln!(out, " {:>8} {:>28}", "", "⋮");
        }
        expected = code.address.checked_add(1);
        for (depth, call) in code.calls.iter().enumerate() {
            if before.get(depth) == Some(call) {
                continue;
            }
            before = &[];
            let (file, line) = *call;
            let text = line_of(reader, file, line).unwrap_or_default();
            let text = format!("{}{}", " ".repeat(indent + 4 + 4 * depth), text.trim());
            let _ = writeln!(
                out,
                " {:>8} {:>10} {:>10} {:>8}  <span class=inlinesrc>{}</span> \
                 <span class=unimportant>{}:{line}</span>",
                "",
                "",
                "",
                "",
                escaped(&padded(&text)),
                escaped(base(file)),
            );
        }
        before = &code.calls;
    }
}

fn line_of(reader: &mut Reader<'_>, file: &str, line: i64) -> Option<String> {
    let index = usize::try_from(line).ok()?.checked_sub(1)?;
    reader.lines(file).ok()?.get(index).cloned()
}

/// Columns before the first character that is no blank; tabs go to the next multiple of eight.
fn indentation(line: &str) -> usize {
    let blanks = line.chars().take_while(|c| matches!(c, ' ' | '\t'));
    blanks.fold(0, |column: usize, c| match c {
        '\t' => (column + 1).next_multiple_of(8),
        _ => column + 1,
    })
}

/// Filled up with spaces, which take the place of tabs, too.
fn padded(text: &str) -> String {
    let mut out = String::new();
    let mut column = 0usize;
    for c in text.chars() {
        column += 1;
        match c {
            '\t' => {
                let next = column.next_multiple_of(8);
                out.push_str(&" ".repeat(next - column + 1));
                column = next;
            }
            c => out.push(c),
        }
    }
    out.push_str(&" ".repeat(WIDTH.saturating_sub(column)));
    out
}

/// Text as Go's html/template puts it into a page.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '+' => out.push_str("&#43;"),
            '\0' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_from_files_and_names_is_text() {
        let hostile = "<script>alert('x' + \"y\")</script>&\0";
        let safe = "&lt;script&gt;alert(&#39;x&#39; &#43; &#34;y&#34;)&lt;/script&gt;&amp;\u{fffd}";
        assert_eq!(escaped(hostile), safe);
    }

    #[test]
    fn tabs_are_columns() {
        assert_eq!(indentation("\t\tx"), 16);
        assert_eq!(indentation("  \tx\t"), 8);
        assert_eq!(padded("\tx").trim_end(), "        x");
        assert_eq!(padded("a\tb").len(), 80);
        assert_eq!(padded(&"x".repeat(90)).len(), 90);
    }
}
