//! What a collector puts around a line: container runtimes, the journal, syslog, and the prefixes
//! of tools that show several logs at once.
//!
//! The line inside is read as if it had come alone; of the wrapper only time and level are kept,
//! where the line has none. Sources: the CRI logging format of Kubernetes
//! (`core/cri-api`, "CRI logging"), Docker's json-file driver, `systemd.journal-fields(7)` and
//! `journalctl(1)`, RFC 3164.

use std::borrow::Cow;

use super::json::{Members, Value};
use super::level::Level;
use super::timestamp;

/// Wrappers inside wrappers that are taken off: compose over a container's file is two.
pub(super) const DEPTH_MAX: usize = 3;

/// A line that was inside of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrapped<'a> {
    pub(super) inner: Cow<'a, str>,
    pub(super) unix_ns: Option<u64>,
    pub(super) level: Option<Level>,
}

impl<'a> Wrapped<'a> {
    fn plain(inner: &'a str, unix_ns: Option<u64>) -> Self {
        Self {
            inner: Cow::Borrowed(inner),
            unix_ns,
            level: None,
        }
    }
}

/// Takes one wrapper off, if there is one.
pub(super) fn unwrap(text: &str) -> Option<Wrapped<'_>> {
    match text.as_bytes().first()? {
        b'{' => json_file(text).or_else(|| journal_export(text)),
        b'[' => pod_prefix(text),
        b'0'..=b'9' => cri(text).or_else(|| journal_iso(text)),
        _ => compose_prefix(text).or_else(|| syslog(text)),
    }
}

/// Where the text of a line of the container runtime interface begins, and whether its rest stands
/// in a later line.
///
/// `2016-10-06T00:17:09.669794202Z stdout P the first part`.
#[must_use]
pub fn cri_part(line: &[u8]) -> Option<CriPart> {
    // Up to the tags everything is ASCII and short; what follows need not be text.
    let front = &line[..line.len().min(CRI_FRONT_MAX)];
    let end = front.iter().position(|byte| !byte.is_ascii());
    let front = std::str::from_utf8(&front[..end.unwrap_or(front.len())]).ok()?;
    let (_, length) = timestamp::calendar(front).filter(|(moment, _)| moment.is_some())?;
    let rest = front.get(length..)?.strip_prefix(' ')?;
    let is_stderr = rest.starts_with("stderr ");
    let rest = rest
        .strip_prefix("stdout ")
        .or_else(|| rest.strip_prefix("stderr "))?;
    let (tags, _) = rest.split_once(' ').unwrap_or((rest, ""));
    let partial = match tags.split(':').next()? {
        "P" => true,
        "F" => false,
        _ => return None,
    };
    let text = (length + 1 + 7 + tags.len() + 1).min(line.len());
    Some(CriPart {
        text,
        partial,
        is_stderr,
    })
}

/// Longest front of such a line: a time with nanoseconds and zone, the stream, a few tags.
const CRI_FRONT_MAX: usize = 96;

/// What the front of a line of the container runtime interface says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CriPart {
    /// Position of the text.
    pub text: usize,
    /// The runtime cut the line here, and goes on in the next one of the same stream.
    pub partial: bool,
    /// It came from standard error.
    pub is_stderr: bool,
}

fn cri(text: &str) -> Option<Wrapped<'_>> {
    let part = cri_part(text.as_bytes())?;
    let (moment, _) = timestamp::calendar(text)?;
    Some(Wrapped::plain(text.get(part.text..)?, moment))
}

/// `{"log":"order stored\n","stream":"stdout","time":"…Z"}`.
fn json_file(text: &str) -> Option<Wrapped<'_>> {
    let (mut log, mut stream, mut time) = (None, false, None);
    let mut members = Members::of(text);
    for member in members.by_ref() {
        match member.ok()? {
            (key, Value::Text(value)) if key == "log" => log = Some(value),
            (key, Value::Text(value)) if key == "stream" => {
                stream = matches!(&*value, "stdout" | "stderr");
            }
            (key, Value::Text(value)) if key == "time" => time = timestamp::of_text(&value),
            (key, Value::Object(_)) if key == "attrs" => {}
            _ => return None,
        }
    }
    let whole = members.rest().trim().is_empty() && stream && time.is_some();
    Some(Wrapped {
        inner: log.filter(|_| whole)?,
        unix_ns: time,
        level: None,
    })
}

/// An entry of the journal, as `journalctl -o json` and `-o json-seq` write it.
fn journal_export(text: &str) -> Option<Wrapped<'_>> {
    const TIMES: [&str; 2] = ["_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP"];
    // Every line of JSON comes by here.
    memchr::memmem::find(text.as_bytes(), b"__REALTIME_TIMESTAMP\"")?;
    let mut members = Members::of(text);
    let (mut message, mut times, mut level) = (None, [None; 2], None);
    for member in members.by_ref() {
        let (key, value) = member.ok()?;
        match (&*key, value) {
            ("MESSAGE", Value::Text(text)) => message = Some(text),
            ("MESSAGE", Value::Array(bytes)) => message = Some(Cow::Owned(of_bytes(bytes)?)),
            ("PRIORITY", Value::Text(number)) => level = by_priority(&number),
            (key, Value::Text(micros)) => {
                if let Some(at) = TIMES.iter().position(|name| *name == key) {
                    times[at] = micros.parse::<u64>().ok();
                }
            }
            _ => {}
        }
    }
    let micros = times.into_iter().flatten().next()?;
    Some(Wrapped {
        inner: message?,
        unix_ns: micros.checked_mul(1000),
        level,
    })
}

/// The journal writes a message that is no plain text, with colours in it for example, as the
/// numbers of its bytes.
fn of_bytes(array: &str) -> Option<String> {
    let inside = array.strip_prefix('[')?.strip_suffix(']')?;
    if inside.trim().is_empty() {
        return Some(String::new());
    }
    let numbers = inside.split(',').map(|number| number.trim().parse());
    let bytes: Result<Vec<u8>, _> = numbers.collect();
    Some(String::from_utf8_lossy(&bytes.ok()?).into_owned())
}

/// Priorities of syslog. A service that writes to the journal by its pipes has 6 on every line, so
/// that the level in the line itself says more.
fn by_priority(number: &str) -> Option<Level> {
    Some(match number {
        "0" | "1" | "2" => Level::Fatal,
        "3" => Level::Error,
        "4" => Level::Warn,
        "5" | "6" => Level::Info,
        "7" => Level::Debug,
        _ => return None,
    })
}

/// `Nov 23 07:59:33 host orders[17]: order stored`, with `<14>` before it or not: `journalctl`'s
/// short form, and files of syslog. Without year and zone it is no moment.
fn syslog(text: &str) -> Option<Wrapped<'_>> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let text = text.strip_prefix('<').map_or(Some(text), |rest| {
        let (priority, rest) = rest.split_once('>')?;
        priority.parse::<u8>().ok().map(|_| rest)
    })?;
    let rest = MONTHS.iter().find_map(|month| text.strip_prefix(month))?;
    let rest = rest.strip_prefix(' ')?.trim_start();
    let (day, rest) = rest.split_once(' ')?;
    day.parse::<u8>()
        .ok()
        .filter(|day| (1..=31).contains(day))?;
    let (_, length) = timestamp::clock(rest)?;
    let inner = after_identity(rest.get(length..)?.strip_prefix(' ')?)?;
    Some(Wrapped::plain(inner, None))
}

/// `2026-11-23T07:59:33+0000 host orders[17]: order stored`: `-o short-iso` and `-precise`.
fn journal_iso(text: &str) -> Option<Wrapped<'_>> {
    let (moment, length) = timestamp::calendar(text)?;
    let inner = after_identity(text.get(length..)?.strip_prefix(' ')?)?;
    moment.map(|moment| Wrapped::plain(inner, Some(moment)))
}

/// What follows `host name[pid]: `. Without the process id it might be any sentence.
fn after_identity(text: &str) -> Option<&str> {
    let (host, rest) = text.split_once(' ')?;
    let (name, rest) = rest.split_once('[')?;
    let (pid, inner) = rest.split_once("]:")?;
    let is_name = |name: &str| {
        let is = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./@:".contains(&byte);
        !name.is_empty() && name.bytes().all(is)
    };
    let is_pid = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
    let named = is_name(host) && is_name(name) && is_pid;
    named.then(|| inner.strip_prefix(' ').unwrap_or(inner))
}

/// `orders-1  | order stored`, as compose shows the logs of several containers.
fn compose_prefix(text: &str) -> Option<Wrapped<'_>> {
    let (name, inner) = text.split_once('|')?;
    let name = name.strip_suffix(' ')?.trim_end();
    let (stem, number) = name.rsplit_once(['-', '_'])?;
    let is = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let named = !stem.is_empty() && stem.bytes().all(is);
    let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (named && numbered).then(|| Wrapped::plain(inner.strip_prefix(' ').unwrap_or(inner), None))
}

/// `[pod/orders-7d4f/orders] order stored`: `kubectl logs --prefix`.
fn pod_prefix(text: &str) -> Option<Wrapped<'_>> {
    let (name, inner) = text.strip_prefix("[pod/")?.split_once("] ")?;
    let is = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    let named = name.contains('/') && name.bytes().all(is);
    named.then(|| Wrapped::plain(inner, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line inside, its time, and its level.
    fn check(text: &str, expected: Option<(&str, Option<u64>, Option<Level>)>) {
        let found = unwrap(text);
        let found = found.as_ref();
        let found = found.map(|found| (&*found.inner, found.unix_ns, found.level));
        assert_eq!(found, expected, "{text}");
    }

    const NOON: Option<u64> = Some(1_795_420_773_555_000_000);

    #[test]
    fn container_runtimes_are_taken_off() {
        let time = "2026-11-23T07:59:33.555Z";
        check(
            &format!("{time} stdout F order stored"),
            Some(("order stored", NOON, None)),
        );
        check(
            &format!("{time} stderr P:x  two spaces"),
            Some((" two spaces", NOON, None)),
        );
        check(&format!("{time} stdout F"), Some(("", NOON, None)));
        let file = format!(r#"{{"log":"a \"b\"\n","stream":"stderr","time":"{time}"}}"#);
        check(&file, Some(("a \"b\"\n", NOON, None)));
        let labelled =
            format!(r#"{{"log":"a","stream":"stdout","attrs":{{"tag":"x"}},"time":"{time}"}}"#);
        check(&labelled, Some(("a", NOON, None)));
    }

    #[test]
    fn the_journal_is_taken_off() {
        let entry = r#"{"__REALTIME_TIMESTAMP":"1795420773555000","PRIORITY":"4","_PID":"17","MESSAGE":"order stored"}"#;
        check(entry, Some(("order stored", NOON, Some(Level::Warn))));
        let coloured =
            r#"{"MESSAGE":[27,91,51,49,109,104,105],"__REALTIME_TIMESTAMP":"1795420773555000"}"#;
        check(coloured, Some(("\u{1b}[31mhi", NOON, None)));
        for short in [
            "Nov 23 07:59:33 host orders[17]: order stored",
            "Nov  3 07:59:33.555 host.shop orders-api[17]: order stored",
            "<14>Nov 23 07:59:33 host orders[17]: order stored",
        ] {
            check(short, Some(("order stored", None, None)));
        }
        check(
            "2026-11-23T07:59:33.555+0000 host orders[17]: order stored",
            Some(("order stored", NOON, None)),
        );
    }

    #[test]
    fn prefixes_of_many_logs_are_taken_off() {
        check(
            "orders-1  | order stored",
            Some(("order stored", None, None)),
        );
        check("shop_orders_2 | {}", Some(("{}", None, None)));
        check("[pod/orders-7d4f/orders] hi", Some(("hi", None, None)));
    }

    #[test]
    fn ordinary_lines_are_left_as_they_are() {
        for text in [
            "",
            "order stored",
            "2026-11-23T07:59:33Z stdout is closed",
            "2026-11-23T07:59:33 stdout F no zone",
            "2026-11-23T07:59:33Z INFO orders: stored [17]: x",
            r#"{"log":"a","stream":"orders","time":"2026-11-23T07:59:33Z"}"#,
            r#"{"log":"a","stream":"stdout","time":"2026-11-23T07:59:33Z","msg":"m"}"#,
            r#"{"log":{"level":"info"},"msg":"m"}"#,
            r#"{"msg":"__REALTIME_TIMESTAMP\" is a field"}"#,
            "May contain nuts[17]: yes",
            "Nov 23 07:59:33 we met: [17]: x",
            "[GIN] 2026/11/23 - 07:59:33 | 200 | 12ms | ::1 | GET \"/\"",
            "total | 17",
            "[pod/] x",
            "<html>",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn parts_are_told_from_whole_lines() {
        let part = |line: &[u8]| cri_part(line).map(|part| (part.text, part.partial));
        let front = b"2026-11-23T07:59:33.5Z stdout ";
        let line = |tail: &[u8]| [front, tail].concat();
        assert_eq!(part(&line(b"P \xff\xfe")), Some((front.len() + 2, true)));
        assert_eq!(part(&line(b"F x")), Some((front.len() + 2, false)));
        assert_eq!(part(&line(b"P")), Some((front.len() + 1, true)));
        assert_eq!(part(&line(b"Q x")), None);
        assert_eq!(part(b"\xff"), None);
    }
}
