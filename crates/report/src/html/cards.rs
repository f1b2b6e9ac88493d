//! The four items at a glance: a card each, with what proves it.

use shakedown_findings::{Item, RunReport, Severity};

use super::finding;
use super::markup::Markup;
use crate::standing::{self, Standing};

/// Adds the four cards.
pub(super) fn put(page: &mut Markup, report: &RunReport) {
    let attributes = [("class", "cards"), ("aria-label", "The four items")];
    page.element("section", &attributes, |page| {
        for item in Item::ALL {
            card(page, report, item);
        }
    });
}

fn card(page: &mut Markup, report: &RunReport, item: Item) {
    let standing = Standing::of(report, item);
    let Look { class, sign, word } = look(standing);
    page.element("article", &[("class", &format!("card {class}"))], |page| {
        page.element("h2", &[], |page| {
            let hidden = [("class", "sign"), ("aria-hidden", "true")];
            page.leaf("span", &hidden, sign);
            page.text(" ");
            page.text(item.name());
            page.text(" ");
            page.leaf("span", &[("class", "word")], word);
        });
        match standing::proofs(report, item, standing).as_slice() {
            [only] => page.element("p", &[], |page| page.line(only)),
            proofs => page.element("ul", &[], |page| {
                for proof in proofs {
                    page.element("li", &[], |page| page.line(proof));
                }
            }),
        }
        if let Some(number) = finding::first_of(report, item) {
            page.element("p", &[("class", "more")], |page| {
                let target = format!("#{}", finding::anchor(number));
                page.leaf("a", &[("href", &target)], "see the evidence");
            });
        }
    });
}

/// How a standing looks, never by colour alone.
struct Look {
    class: &'static str,
    sign: &'static str,
    word: &'static str,
}

const fn look(standing: Standing) -> Look {
    let (class, sign, word) = match standing {
        Standing::Proven => ("good", "✓", "proven"),
        Standing::Refuted(Severity::Error) => ("bad", "✗", "failed"),
        Standing::Refuted(_) => ("doubt", "✗", "warning"),
        Standing::Open => ("doubt", "?", "not proven"),
        Standing::OutOfScope => ("none", "–", "not applicable"),
    };
    Look { class, sign, word }
}
