//! The report for a browser: one file that needs no network and no script.
//!
//! The reader opens it from an attachment or a build's artefacts, on any screen or on paper, so
//! everything is inside: the style, the charts (inline SVG, sized in percent so that their text
//! never shrinks) and a little script that only adds comfort. Its policy forbids everything that
//! is not in the file already; what a service said gets in through `markup` alone.

mod cards;
mod chart;
mod date;
mod exhibit;
mod finding;
mod foot;
mod hot_spots;
mod log_book;
mod markup;
mod rest;
mod series;
mod timeline;
mod top;

use shakedown_findings::RunReport;

use crate::summary;
use markup::Markup;

/// The style sheet, written so that it is the same text for HTML and for XML: no `<` and no `&`.
const STYLE: &str = include_str!("html/page.css");

/// The script, under the same rule.
const SCRIPT: &str = include_str!("html/page.js");

/// Nothing is fetched, sent, framed or run, but for this style and this script. A test keeps the
/// hashes.
const POLICY: &str = "default-src 'none'; \
    style-src 'sha256-+yN8dkm2BZ9hwcy9mU+X5uMioTT2Kn+ZNtieyqtX0HE='; \
    script-src 'sha256-fT703Ps92OTO66GIoZKYGvSjxb7uBQ9hvD40sLfgTUo='; \
    base-uri 'none'; form-action 'none'";

/// Renders the report as an HTML document.
#[must_use]
pub fn render(report: &RunReport) -> String {
    let mut page = Markup::document();
    page.element("html", &[("lang", "en")], |page| {
        page.element("head", &[], |page| head(page, report));
        page.element("body", &[], |page| body(page, report));
    });
    page.finish()
}

fn head(page: &mut Markup, report: &RunReport) {
    // The policy holds for what comes after it, so it comes as early as it may.
    page.empty("meta", &[("charset", "utf-8")]);
    let policy = [
        ("http-equiv", "Content-Security-Policy"),
        ("content", POLICY),
    ];
    page.empty("meta", &policy);
    for (name, content) in [
        ("viewport", "width=device-width, initial-scale=1"),
        ("color-scheme", "light dark"),
        ("referrer", "no-referrer"),
    ] {
        page.empty("meta", &[("name", name), ("content", content)]);
    }
    let service = summary::service(&report.target);
    let title = format!("{} · {service} · shakedown", report.verdict.name());
    page.leaf("title", &[], &title);
    page.own("style", STYLE);
}

fn body(page: &mut Markup, report: &RunReport) {
    page.element("header", &[], |page| {
        top::put(page, report);
    });
    page.element("main", &[], |page| {
        top::troubles(page, report);
        cards::put(page, report);
        finding::put(page, report);
        rest::to_prove(page, report);
        hot_spots::put(page, report);
        rest::every_rule(page, report);
        log_book::put(page, report);
    });
    page.element("footer", &[], |page| foot::put(page, report));
    page.own("script", SCRIPT);
}
