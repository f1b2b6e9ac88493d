//! Dependencies whose answers were kept back for a while, so that a handler is caught waiting for
//! them, however fast it usually is.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{At, Call, CallEnd, Evidence, Purpose};

/// A forwarder of ours between the service and something that it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// Its name: the dependency's.
    pub name: String,
    /// Where its connections lead.
    pub to: String,
    /// What becomes of the dependency's answers while it holds.
    pub answers: Answers,
}

/// What becomes of a dependency's answers while they are held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answers {
    /// They wait, and go on afterwards.
    #[default]
    Held,
    /// They come later by so many milliseconds.
    LateByMs(u64),
    /// None comes any more: connections stay open and silent, new ones too, and all are reset at
    /// the end, as after a machine that lost its power.
    Never,
}

/// A stall began to hold answers, or let them go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StallChange {
    /// When.
    pub at: At,
    /// [`Stall::name`].
    pub name: String,
    /// It holds from now on.
    pub holds: bool,
}

impl Answers {
    /// How much later they come, if they come while the handler is watched.
    #[must_use]
    pub const fn late_by(self) -> Option<Duration> {
        match self {
            Self::LateByMs(ms) => Some(Duration::from_millis(ms)),
            Self::Held | Self::Never => None,
        }
    }
}

impl Evidence {
    /// The stall that held answers at this time.
    #[must_use]
    pub fn stalled_at(&self, at: At) -> Option<&str> {
        let before = |change: &&StallChange| change.at <= at;
        let last = self.stalls.iter().rfind(before)?;
        last.holds.then_some(last.name.as_str())
    }

    /// The stall behind which a call was sent, and for how long it held its answer back: until it let
    /// go, or the call was over.
    #[must_use]
    pub fn held_back(&self, call: &Call) -> Option<(&str, Duration)> {
        let stall = self.stalled_at(call.sent.at)?;
        let mut changes = self.stalls.iter();
        let released = changes.find(|change| change.at > call.sent.at && !change.holds);
        let ended = call.ended.as_ref().map(|ended| ended.at);
        let until = released
            .map(|change| change.at)
            .into_iter()
            .chain(ended)
            .min()?;
        Some((stall, until.since(call.sent.at)))
    }

    /// Calls of an audit that were sent while this stall held, or while none did.
    pub fn audited<'a>(
        &'a self,
        request: usize,
        purpose: Purpose,
        stall: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Call> {
        self.calls_for(request, purpose)
            .filter(move |call| self.stalled_at(call.sent.at) == stall)
    }

    /// The request did not get a good answer any more after its dependency had been stalled: what
    /// came later shows a service that is still broken by our own hands.
    #[must_use]
    pub fn unrecovered(&self, request: usize) -> Option<&CallEnd> {
        let last = self.calls_for(request, Purpose::Recover).last()?;
        last.end().filter(|end| !end.is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Event;

    #[test]
    fn a_stall_holds_from_its_beginning_to_its_end() {
        let mut seen = Evidence::default();
        for (at, name, holds) in [(10, "db", true), (20, "db", false), (30, "cache", true)] {
            seen.apply(Event::Stall(StallChange {
                at: At(at),
                name: name.into(),
                holds,
            }));
        }
        for (at, stall) in [
            (9, None),
            (10, Some("db")),
            (19, Some("db")),
            (20, None),
            (31, Some("cache")),
        ] {
            assert_eq!(seen.stalled_at(At(at)), stall, "{at}");
        }
    }
}
