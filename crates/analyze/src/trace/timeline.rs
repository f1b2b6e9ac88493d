//! A request beside the span that should have joined its trace.

use shakedown_evidence::{At, Call, Evidence, Span};
use shakedown_findings::{Exhibit, Moment};

/// A request of ours, and the root that began while it ran.
pub(super) fn new_trace(seen: &Evidence, call: &Call, root: &Span) -> Option<Exhibit> {
    let subject = seen.request(call.sent.request)?.subject();
    let ended = call.ended.as_ref()?;
    let micros = |later: At| u64::try_from((later - call.sent.at).as_micros()).unwrap_or(u64::MAX);
    let moments = vec![
        Moment {
            at_us: 0,
            what: format!("{subject} sent with trace {}", call.sent.trace_id),
        },
        Moment {
            at_us: micros(seen.at_unix_ns(root.start_unix_ns)),
            what: format!(
                "{} {} begins trace {}",
                root.kind.name(),
                root.name,
                root.trace_id
            ),
        },
        Moment {
            at_us: micros(ended.at),
            what: "answered".into(),
        },
    ];
    Some(Exhibit::Timeline {
        title: "one of the requests".into(),
        moments,
    })
}
