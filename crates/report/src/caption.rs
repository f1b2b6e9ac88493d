//! What stands beside the name of a finding: how sure it is, where it is, what it explains.

use shakedown_findings::{BecauseOf, Certainty, Finding};

use crate::ink::{Ink, Line};
use crate::place::{short_function, source};
use crate::sentences::first_sentence;

/// How sure a finding is, in a word.
pub(crate) fn certainty(certainty: Certainty) -> String {
    match certainty {
        Certainty::Proven => "proven".to_owned(),
        Certainty::Probable { p } => format!("probable (p\u{a0}=\u{a0}{p:.0e})"),
        Certainty::Static => "static".to_owned(),
    }
}

/// Where a finding is: file and line where they are known, else the function.
pub(crate) fn place(finding: &Finding, module: Option<&str>) -> Option<String> {
    let location = finding.location.as_ref()?;
    let function = location.function.as_deref().map(short_function);
    source(location, module).or_else(|| function.map(ToOwned::to_owned))
}

/// A finding that a deeper one explains.
pub(crate) fn because(explained: &BecauseOf) -> Line {
    let message = first_sentence(&explained.message);
    if message.is_empty() {
        return Line::plain(&explained.rule);
    }
    Line::plain(&format!("{message} ")).and(Ink::Faint, &format!("({})", explained.rule))
}
