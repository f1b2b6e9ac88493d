//! Secrets are cut out of events before anything else sees them: neither memory nor bundle nor
//! report has them.

use shakedown_evidence::secret::{CUT, Known, cut, is_secret_name};
use shakedown_evidence::{CallEnd, Event};

/// What must not be written down.
#[derive(Debug, Clone, Default)]
pub(crate) struct Discretion {
    known: Known,
    in_json: Known,
}

impl Discretion {
    pub(crate) fn of(known: Known) -> Self {
        Self {
            in_json: known.in_json(),
            known,
        }
    }

    /// A text of the service as it may be shown.
    pub(crate) fn text(&self, text: &str) -> String {
        cut(&self.known.cut(text)).into_owned()
    }

    /// An event as it may be written down.
    pub(crate) fn event(&self, mut event: Event) -> Event {
        match &mut event {
            // There are many of them, and this is all their text.
            Event::Line(line) => {
                self.cut_from(&mut line.text);
                return event;
            }
            Event::Trouble(trouble) => by_form(&mut trouble.what),
            Event::ProbeFailed(failure) => {
                by_form(&mut failure.subject);
                by_form(&mut failure.why);
            }
            Event::CallEnded(ended) => match &mut ended.end {
                CallEnd::Status { message, .. } => by_form(message),
                CallEnd::Failed { why } => by_form(why),
                _ => {}
            },
            Event::Spans(batch) => {
                let attributes = batch.spans.iter_mut().flat_map(|span| &mut span.attributes);
                for (name, value) in attributes {
                    if is_secret_name(name) {
                        CUT.clone_into(value);
                    } else {
                        by_form(value);
                    }
                }
            }
            _ => {}
        }
        self.without_known(event)
    }

    fn cut_from(&self, text: &mut String) {
        if let std::borrow::Cow::Owned(without) = self.known.cut(text) {
            *text = without;
        }
        by_form(text);
    }

    /// Whatever else the event is of: what was given to us is looked for in all of its texts.
    fn without_known(&self, event: Event) -> Event {
        // Names of functions, files and modules are the program's, not its secrets: and they are many.
        let of_program = matches!(
            event,
            Event::Stack(_) | Event::Snapshot(_) | Event::Build(_) | Event::Profile(_)
        );
        if self.known.is_empty() || of_program {
            return event;
        }
        let Ok(text) = serde_json::to_string(&event) else {
            return event;
        };
        match self.in_json.cut(&text) {
            std::borrow::Cow::Borrowed(_) => event,
            // Numbers and names of fields are no texts: a secret that is part of one is none.
            std::borrow::Cow::Owned(text) => serde_json::from_str(&text).unwrap_or(event),
        }
    }
}

fn by_form(text: &mut String) {
    if let std::borrow::Cow::Owned(without) = cut(text) {
        *text = without;
    }
}

#[cfg(test)]
mod tests {
    use shakedown_evidence::log::{RawLine, Stream};
    use shakedown_evidence::{At, Mark};

    use super::*;

    fn line(text: &str) -> Event {
        Event::Line(RawLine {
            at: At(7),
            stream: Stream::Stdout,
            text: text.into(),
            cut: 0,
        })
    }

    #[test]
    fn lines_lose_what_looks_like_a_secret_and_what_is_known_as_one() {
        let discretion = Discretion::of(Known::of(["qu\"oted-hunter2".to_owned()]));
        assert_eq!(
            discretion.event(line("password=x1 qu\"oted-hunter2")),
            line("password=[cut] [cut]")
        );
        assert_eq!(discretion.event(line("nothing")), line("nothing"));
    }

    #[test]
    fn every_event_loses_what_is_known() {
        let discretion = Discretion::of(Known::of(["hunter2-known".to_owned()]));
        let mark = |name: &str| {
            Event::Mark(Mark {
                at: At(1),
                name: name.into(),
            })
        };
        assert_eq!(
            discretion.event(mark("asked /x?k=hunter2-known")),
            mark("asked /x?k=[cut]")
        );
    }

    #[test]
    fn a_number_is_no_secret() {
        let discretion = Discretion::of(Known::of(["1234567".to_owned()]));
        let event = Event::Mark(Mark {
            at: At(1_234_567),
            name: "x".into(),
        });
        assert_eq!(discretion.event(event.clone()), event);
    }
}
