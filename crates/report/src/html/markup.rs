//! HTML under construction. The only way in for text makes it harmless and escapes it.
//!
//! A template language would escape `<` and `&`, but leave control characters and bidirectional
//! controls to the memory of whoever writes the next template; here neither can be forgotten.
//! Names of elements and attributes are words of our own source. What comes out is well-formed
//! XML too, so that a strict parser can check every page.

use crate::harmless::harmless;
use crate::ink::{Ink, Line};

/// Name and value of an attribute; the value may come from outside.
pub(super) type Attribute<'a> = (&'static str, &'a str);

/// Elements that begin on a line of their own, for people who read or compare the source. None
/// of them stands within `pre`, where a line end would be seen.
const BLOCKS: &[&str] = &[
    "html",
    "head",
    "meta",
    "title",
    "style",
    "script",
    "body",
    "header",
    "main",
    "footer",
    "section",
    "article",
    "div",
    "details",
    "summary",
    "figure",
    "figcaption",
    "h1",
    "h2",
    "h3",
    "h4",
    "p",
    "ol",
    "ul",
    "li",
    "dl",
    "dt",
    "dd",
    "table",
    "thead",
    "tbody",
    "tr",
    "pre",
    "svg",
    "line",
    "rect",
    "circle",
];

/// Elements that have no content and no end tag.
const VOID: &[&str] = &["meta"];

/// A part of a page.
pub(super) struct Markup {
    text: String,
}

impl Markup {
    /// An empty document.
    pub(super) fn document() -> Self {
        Self {
            text: "<!DOCTYPE html>\n".to_owned(),
        }
    }

    /// Adds an element and what `fill` puts into it.
    pub(super) fn element(
        &mut self,
        name: &'static str,
        attributes: &[Attribute<'_>],
        fill: impl FnOnce(&mut Self),
    ) {
        self.open(name, attributes);
        fill(self);
        self.close(name);
    }

    /// Adds an element that holds text only.
    pub(super) fn leaf(&mut self, name: &'static str, attributes: &[Attribute<'_>], text: &str) {
        self.element(name, attributes, |page| page.text(text));
    }

    /// Adds an element that holds nothing.
    pub(super) fn empty(&mut self, name: &'static str, attributes: &[Attribute<'_>]) {
        self.element(name, attributes, |_| {});
    }

    /// Adds an element with a style sheet or a script of our own, as it is.
    pub(super) fn own(&mut self, name: &'static str, source: &'static str) {
        self.element(name, &[], |page| page.text.push_str(source));
    }

    /// Adds text from anywhere.
    pub(super) fn text(&mut self, text: &str) {
        escape(&mut self.text, text);
    }

    /// Ends a line within `pre`; a line end in text from outside is shown as an escape.
    pub(super) fn line_end(&mut self) {
        self.text.push('\n');
    }

    /// Adds text in several inks.
    pub(super) fn line(&mut self, line: &Line) {
        for (ink, text) in line.spans() {
            match ink {
                Ink::Plain => self.text(text),
                Ink::Strong => self.leaf("strong", &[], text),
                Ink::Code => self.leaf("code", &[], text),
                Ink::Faint => self.leaf("span", &[("class", "faint")], text),
                Ink::Good => self.leaf("span", &[("class", "good")], text),
                Ink::Bad => self.leaf("span", &[("class", "bad")], text),
                Ink::Doubt => self.leaf("span", &[("class", "doubt")], text),
            }
        }
    }

    /// The finished source.
    pub(super) fn finish(self) -> String {
        self.text
    }

    fn open(&mut self, name: &'static str, attributes: &[Attribute<'_>]) {
        if BLOCKS.contains(&name) && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.text.push('<');
        self.text.push_str(name);
        for (name, value) in attributes {
            self.text.push(' ');
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape(&mut self.text, value);
            self.text.push('"');
        }
        self.text
            .push_str(if VOID.contains(&name) { " />" } else { ">" });
    }

    fn close(&mut self, name: &'static str) {
        if !VOID.contains(&name) {
            self.text.push_str("</");
            self.text.push_str(name);
            self.text.push('>');
        }
        if BLOCKS.contains(&name) {
            self.text.push('\n');
        }
    }
}

/// Escapes for text and for quoted attributes alike (HTML standard, 13.3, and XML 1.0, 2.4).
fn escape(into: &mut String, text: &str) {
    for character in harmless(text).chars() {
        match character {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '"' => into.push_str("&quot;"),
            '\'' => into.push_str("&#39;"),
            _ => into.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(put: impl FnOnce(&mut Markup), expected: &str) {
        let mut page = Markup::document();
        put(&mut page);
        let page = page.finish();
        assert_eq!(page.strip_prefix("<!DOCTYPE html>\n"), Some(expected));
    }

    #[test]
    fn text_is_escaped() {
        check(
            |page| page.text("<b a=\"1\" c='2'>&amp;\u{202e}\x1b"),
            "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;\\u{202e}\\x1b",
        );
    }

    #[test]
    fn attributes_are_escaped() {
        check(
            |page| page.leaf("code", &[("title", "\" onload=\"x")], ""),
            "<code title=\"&quot; onload=&quot;x\"></code>",
        );
    }

    #[test]
    fn blocks_have_lines_of_their_own_and_code_keeps_its_spaces() {
        check(
            |page| {
                page.element("div", &[], |page| {
                    page.leaf("p", &[], "a");
                    page.element("pre", &[], |page| page.leaf("code", &[], "  b"));
                });
            },
            "<div>\n<p>a</p>\n<pre><code>  b</code></pre>\n</div>\n",
        );
    }

    #[test]
    fn void_elements_have_no_end() {
        check(
            |page| page.empty("meta", &[("charset", "utf-8")]),
            "<meta charset=\"utf-8\" />\n",
        );
    }
}
