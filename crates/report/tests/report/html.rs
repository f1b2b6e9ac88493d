//! The HTML report: a golden file, and what holds for every page whatever a service said.
//!
//! Pages are read by an XML parser that knows nothing of our writer: it refuses whatever is not
//! closed, quoted or escaped.

use std::path::Path;

use base64::Engine as _;
use proptest::prelude::*;
use roxmltree::{Document, Node, ParsingOptions};
use sha2::{Digest as _, Sha256};
use shakedown_findings::RunReport;
use shakedown_report::html;

use crate::poison::{markup, poisoned};
use crate::properties::nasty;
use crate::samples;

/// Every element that a page may have.
const ELEMENTS: &[&str] = &[
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
    "p",
    "ol",
    "ul",
    "li",
    "dl",
    "dt",
    "dd",
    "table",
    "tbody",
    "tr",
    "th",
    "td",
    "pre",
    "code",
    "span",
    "mark",
    "strong",
    "time",
    "a",
    "svg",
    "line",
    "rect",
    "circle",
    "text",
];

/// Every attribute that an element may have: none runs anything or fetches anything.
const ATTRIBUTES: &[&str] = &[
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "class",
    "id",
    "open",
    "href",
    "datetime",
    "scope",
    "tabindex",
    "role",
    "aria-label",
    "aria-labelledby",
    "aria-hidden",
    "width",
    "height",
    "x",
    "y",
    "x1",
    "y1",
    "x2",
    "y2",
    "cx",
    "cy",
    "r",
    "text-anchor",
];

fn parsed(page: &str) -> Document<'_> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    match Document::parse_with_options(page, options) {
        Ok(document) => document,
        Err(error) => panic!("{error}:\n{page}"),
    }
}

/// All texts of a page, attributes with their element and name.
fn texts(document: &Document<'_>) -> Vec<String> {
    let nodes = document.descendants();
    let values = |node: Node<'_, '_>| -> Vec<String> {
        let attributes = node.attributes().map(|of| of.value().to_owned());
        let text = node.text().filter(|_| node.is_text()).map(str::to_owned);
        attributes.chain(text).collect()
    };
    nodes.flat_map(values).collect()
}

/// What must hold for a page of any report.
fn check(report: &RunReport) -> String {
    let page = html::render(report);
    let document = parsed(&page);
    let count = |name| {
        let mut elements = document.descendants();
        elements
            .by_ref()
            .filter(|node| node.has_tag_name(name))
            .count()
    };
    for node in document.descendants().filter(Node::is_element) {
        let name = node.tag_name().name();
        assert!(ELEMENTS.contains(&name), "<{name}>");
        for attribute in node.attributes() {
            assert!(ATTRIBUTES.contains(&attribute.name()), "{attribute:?}");
        }
        if let Some(target) = node.attribute("href") {
            let target = target.strip_prefix('#').expect("a place on the page");
            let found = document
                .descendants()
                .any(|node| node.attribute("id") == Some(target));
            assert!(found, "#{target} is not there");
        }
        if let Some(label) = node.attribute("aria-labelledby") {
            let found = document
                .descendants()
                .any(|node| node.attribute("id") == Some(label));
            assert!(found, "#{label} is not there");
        }
    }
    for name in ["style", "script", "title", "h1", "main"] {
        assert_eq!(count(name), 1, "<{name}>");
    }
    let raw = |c: char| c.is_control() && c != '\n';
    assert!(!page.contains(raw), "a control character");
    let bidirectional = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!page.contains(bidirectional), "a bidirectional control");
    page
}

fn reports() -> [RunReport; 7] {
    [
        samples::healthy(),
        samples::faulty(),
        samples::little_known(),
        samples::early_exit(),
        samples::hostile(),
        samples::everything(),
        poisoned(&markup()),
    ]
}

/// The page without the style and the script, which have files of their own.
fn without_own(page: &str) -> String {
    let mut page = page.to_owned();
    for name in ["style", "script"] {
        let (start, end) = own(&page, name);
        page.replace_range(start..end, "…");
    }
    page
}

fn own(page: &str, name: &str) -> (usize, usize) {
    let tag = format!("<{name}>");
    let start = page.find(&tag).expect("the element begins") + tag.len();
    let end = page.find(&format!("</{name}>")).expect("the element ends");
    (start, end)
}

#[test]
fn faulty_shows_each_finding_with_evidence_and_fix() {
    let page = without_own(&html::render(&samples::faulty()));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report/golden/faulty.html");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &page).expect("the golden folder can be written");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == page, "faulty.html differs; rendered:\n{page}");
}

#[test]
fn every_page_is_well_formed() {
    for report in reports() {
        check(&report);
    }
}

#[test]
fn every_chart_is_described() {
    let page = html::render(&samples::everything());
    let document = parsed(&page);
    let charts = document
        .descendants()
        .filter(|node| node.has_tag_name("svg"));
    let mut described = 0;
    for chart in charts {
        if chart.attribute("aria-hidden").is_none() {
            assert_eq!(chart.attribute("role"), Some("img"));
            assert!(
                chart
                    .attribute("aria-label")
                    .is_some_and(|label| label.len() > 20)
            );
            described += 1;
        }
    }
    assert!(described >= 3, "{described} charts");
}

#[test]
fn the_policy_allows_our_style_and_our_script_and_nothing_else() {
    let page = html::render(&samples::healthy());
    let document = parsed(&page);
    let policy = document
        .descendants()
        .find(|node| node.attribute("http-equiv") == Some("Content-Security-Policy"))
        .and_then(|node| node.attribute("content"))
        .expect("a policy");
    let hash = |name| {
        let (start, end) = own(&page, name);
        let digest = Sha256::digest(&page.as_bytes()[start..end]);
        let hash = base64::engine::general_purpose::STANDARD.encode(digest);
        format!("'sha256-{hash}'")
    };
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
            hash("style"),
            hash("script")
        )
    );
}

#[test]
fn what_is_escaped_is_still_there() {
    let report = poisoned(&["QA<b>&\"\u{202e}\x07QE".to_owned()]);
    let page = check(&report);
    let document = parsed(&page);
    let shown = "QA<b>&\"\\u{202e}\\x07QE";
    let texts = texts(&document);
    let found = texts.iter().filter(|text| text.contains(shown)).count();
    assert!(found > 100, "found {found} times");
    // Some places have room for the first characters only: those are escaped all the same.
    let begun = page.matches("QA").count();
    assert_eq!(begun, page.matches("QA&lt;b&gt;&amp;").count());
    let ended = page.matches("QE").count();
    assert_eq!(ended, page.matches("&quot;\\u{202e}\\x07QE").count());
}

#[test]
fn the_same_report_gives_the_same_page() {
    assert_eq!(
        html::render(&samples::faulty()),
        html::render(&samples::faulty())
    );
}

#[test]
fn an_endless_report_gives_a_page_that_ends() {
    let mut report = samples::faulty();
    let mark = report.marks[0].clone();
    report.marks = vec![mark; 100_000];
    let finding = report.findings[0].clone();
    report.findings = vec![finding; 2_000];
    report.findings[0].message = "x".repeat(10_000_000);
    let page = check(&report);
    assert!(page.len() < 4 << 20, "{} bytes", page.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_from_outside_becomes_markup(texts in nasty(), more in "[<>&\"'/=a-z !-]{0,40}") {
        let texts: Vec<_> = texts.into_iter().chain(markup()).chain([more]).collect();
        check(&poisoned(&texts));
    }
}
