//! The first line of a goroutine in a dump.
//!
//! ```text
//! goroutine 7 [chan receive, 5 minutes, locked to thread]:
//! goroutine 7 [select (leaked)] {order: o1}:                  Go 1.27
//! goroutine 7 [select labels:{"order": "o1"}]:                Go 1.26, tracebacklabels=1
//! goroutine 0 gp=0x6c1a40 m=0 mp=0x6c2600 [idle]:             SIGQUIT, GOTRACEBACK=system
//! ```

use super::labels;

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Header<'t> {
    pub id: u64,
    pub state: &'t str,
    pub wait_minutes: u64,
    pub locked_to_thread: bool,
    pub leaked: bool,
    pub scanning: bool,
    pub durable: bool,
    pub bubble: Option<u64>,
    pub labels: Vec<(String, String)>,
}

/// Reads a header; `None` if the line is none.
pub(super) fn read(line: &str) -> Option<Header<'_>> {
    let rest = line.strip_prefix("goroutine ")?;
    let (id, rest) = rest.split_once(' ')?;
    let mut header = Header {
        id: id.parse().ok()?,
        ..Header::default()
    };
    let rest = if rest.starts_with("gp=") {
        rest.get(rest.find(" [")? + 1..)?
    } else {
        rest
    };
    // No state has a bracket or the word "labels" in its name.
    let inside = rest.strip_prefix('[')?;
    let end = inside.find(']')?;
    let (status, after) = match inside.find(" labels:{") {
        Some(start) if start < end => {
            let (pairs, after) = labels::read(inside.get(start + " labels:".len()..)?)?;
            header.labels = pairs;
            (inside.get(..start)?, after.strip_prefix(']')?)
        }
        _ => (inside.get(..end)?, inside.get(end + 1..)?),
    };
    let after = match after.strip_prefix(' ') {
        Some(set) => {
            let (pairs, after) = labels::read(set)?;
            header.labels.extend(pairs);
            after
        }
        None => after,
    };
    header.status(status);
    (after == ":").then_some(header)
}

impl<'t> Header<'t> {
    /// Reads what stands between the brackets.
    fn status(&mut self, status: &'t str) {
        let mut parts = status.split(", ");
        let mut state = parts.next().unwrap_or("");
        loop {
            let (mark, shorter) = if let Some(s) = state.strip_suffix(" (leaked)") {
                (&mut self.leaked, s)
            } else if let Some(s) = state.strip_suffix(" (scan)") {
                (&mut self.scanning, s)
            } else if let Some(s) = state.strip_suffix(" (durable)") {
                (&mut self.durable, s)
            } else {
                break;
            };
            *mark = true;
            state = shorter;
        }
        self.state = state;
        for part in parts {
            if part == "locked to thread" {
                self.locked_to_thread = true;
            } else if let Some(minutes) = part.strip_suffix(" minutes") {
                self.wait_minutes = minutes.parse().unwrap_or(0);
            } else if let Some(bubble) = part.strip_prefix("synctest bubble ") {
                self.bubble = bubble.parse().ok();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> Header<'_> {
        read(line).unwrap_or_else(|| panic!("not read: {line}"))
    }

    #[test]
    fn marks_follow_the_state() {
        let header =
            check("goroutine 7 [chan receive (leaked) (scan), 5 minutes, locked to thread]:");
        assert_eq!(
            (header.id, header.state, header.wait_minutes),
            (7, "chan receive", 5)
        );
        assert!(header.leaked && header.scanning && header.locked_to_thread);
        assert_eq!(
            check("goroutine 1 [chan receive (nil chan)]:").state,
            "chan receive (nil chan)"
        );
        let bubble = check("goroutine 9 [select (durable), synctest bubble 3]:");
        assert_eq!(
            (bubble.state, bubble.durable, bubble.bubble),
            ("select", true, Some(3))
        );
    }

    #[test]
    fn labels_stand_inside_or_after_the_brackets() {
        let pairs = [("order".to_owned(), "a]:\n".to_owned())];
        assert_eq!(
            check(r#"goroutine 1 [select labels:{"order": "a]:\n"}]:"#).labels,
            pairs
        );
        assert_eq!(
            check(r#"goroutine 1 [select (leaked)] {order: "a]:\n"}:"#).labels,
            pairs
        );
        assert_eq!(
            check(r#"goroutine 1 [select] {a: " labels:{"}:"#)
                .labels
                .len(),
            1
        );
    }

    #[test]
    fn a_crash_names_the_threads() {
        assert_eq!(
            check("goroutine 0 gp=0x6c1a40 m=0 mp=0x6c2600 [idle]:").state,
            "idle"
        );
        assert_eq!(
            check("goroutine 4 gp=0xc0001 m=nil [force gc (idle), 2 minutes]:").wait_minutes,
            2
        );
    }

    #[test]
    fn other_lines_are_no_header() {
        for line in [
            "goroutine running on other thread; stack unavailable",
            "goroutine 7",
            "goroutine 7 [select",
            "goroutine 7 [select]",
            "goroutine x [select]:",
            "goroutine profile: total 9",
            "",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
