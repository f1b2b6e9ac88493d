//! What stands before the message in lines that are not JSON.
//!
//! The std logger, glog, zap's console form, and the forms that zerolog and logrus have for
//! terminals. What is not recognised stays in the message.

use std::borrow::Cow;

use super::fields::file_and_line;
use super::id::{self, Id, Ids};
use super::json::{Members, nested_end, string_end};
use super::level::Level;
use super::timestamp;

/// Longest `log.SetPrefix` that is looked for before a date.
const PREFIX_MAX: usize = 40;

/// Longest group in brackets that may hold ids.
const BRACKETS_MAX: usize = 200;

/// What was read from the front of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) level: Option<Level>,
    pub(super) unix_ns: Option<u64>,
    pub(super) logger: Option<&'a str>,
    pub(super) caller: Option<(&'a str, u32)>,
    pub(super) function: Option<&'a str>,
    /// The rest of the line.
    pub(super) message: &'a str,
    /// A JSON object that stands after the message.
    pub(super) fields: Option<&'a str>,
    /// Text beside the message of which pairs may be the line's ids.
    pub(super) context: Option<&'a str>,
}

/// The text without colours and other terminal sequences, and without the zeros that a file cut
/// short by copytruncate begins with.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    let text = text.trim_matches(['\0', '\u{feff}']);
    let Some(first) = memchr::memchr(0x1b, text.as_bytes()) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len());
    let (mut kept, mut rest) = text.split_at(first);
    loop {
        out.push_str(kept);
        if rest.is_empty() {
            return Cow::Owned(out);
        }
        rest = rest.get(sequence(rest.as_bytes())..).unwrap_or_default();
        let next = memchr::memchr(0x1b, rest.as_bytes()).unwrap_or(rest.len());
        (kept, rest) = rest.split_at(next);
    }
}

/// Length of the control sequence (ECMA-48, 5.4) that the bytes begin with; 1 if it is none.
fn sequence(bytes: &[u8]) -> usize {
    if bytes.get(1) != Some(&b'[') {
        return 1;
    }
    let parameters = bytes[2..]
        .iter()
        .take_while(|byte| matches!(byte, 0x20..=0x3f));
    let end = 2 + parameters.count();
    match bytes.get(end) {
        Some(0x40..=0x7e) => end + 1,
        _ => 1,
    }
}

/// `2006/01/02 15:04:05.000000 file.go:12: message`, with or without its parts, and
/// `log.SetPrefix` before them.
pub(super) fn std_log(text: &str) -> Option<Head<'_>> {
    let (prefix, rest) = std_prefix(text);
    let after = after_date(rest).or_else(|| after_time(rest));
    let (dated, rest) = after.map_or((false, rest), |rest| (true, rest));
    let (caller, message) =
        std_caller(rest).map_or((None, rest), |(caller, rest)| (Some(caller), rest));
    if !dated && caller.is_none() {
        return None;
    }
    let logger = prefix.trim_matches(['[', ']', ':', '(', ')', ' ', '-', '|']);
    Some(Head {
        level: first_level(message),
        logger: Some(logger).filter(|logger| !logger.is_empty()),
        caller,
        message,
        ..Head::default()
    })
}

/// Splits off what `log.SetPrefix` set, if a date, a time or a caller stands after it.
fn std_prefix(text: &str) -> (&str, &str) {
    let front = text.as_bytes();
    let front = &front[..front.len().min(PREFIX_MAX)];
    let ends = memchr::memchr3_iter(b' ', b']', b':', front).map(|at| at + 1);
    for at in std::iter::once(0).chain(ends.take(6)) {
        let Some((prefix, rest)) = text.split_at_checked(at) else {
            continue;
        };
        // A date is hardly prose; a time alone and a file name are.
        let ended = at == 0 || prefix.ends_with(": ") || prefix.ends_with("] ");
        let bare = || after_time(rest).is_some() || std_caller(rest).is_some();
        if after_date(rest).is_some() || ended && bare() {
            return (prefix, rest);
        }
    }
    ("", text)
}

/// What follows `2006/01/02 ` and the time after it, if there is one.
fn after_date(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| {
        bytes
            .get(range)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
    };
    let dated =
        digits(0..4) && digits(5..7) && digits(8..10) && bytes[4] == b'/' && bytes[7] == b'/';
    let rest = text.get(10..).filter(|_| dated)?;
    let rest = rest
        .strip_prefix(' ')
        .or_else(|| rest.is_empty().then_some(rest))?;
    Some(after_time(rest).unwrap_or(rest))
}

/// What follows `15:04:05 `.
fn after_time(text: &str) -> Option<&str> {
    let (_, length) = timestamp::clock(text)?;
    let rest = text.get(length..)?;
    rest.strip_prefix(' ')
        .or_else(|| rest.is_empty().then_some(rest))
}

fn std_caller(text: &str) -> Option<((&str, u32), &str)> {
    let (caller, message) = text.split_once(": ")?;
    file_and_line(caller).map(|caller| (caller, message))
}

/// `I1123 07:59:33.555000   17 file.go:12] message`.
pub(super) fn glog(text: &str) -> Option<Head<'_>> {
    let level = match text.bytes().next()? {
        b'I' => Level::Info,
        b'W' => Level::Warn,
        b'E' => Level::Error,
        b'F' => Level::Fatal,
        _ => return None,
    };
    let (head, message) = text.split_once("] ")?;
    let mut words = head.split_ascii_whitespace();
    let date = words.next()?.get(1..)?;
    let dated = date.len() == 4 && date.bytes().all(|byte| byte.is_ascii_digit());
    let timed = timestamp::clock(words.next()?).is_some();
    let caller = file_and_line(words.next_back()?)?;
    let (message, context) = klog_message(message).unwrap_or((message, None));
    (dated && timed).then_some(Head {
        level: Some(level),
        caller: Some(caller),
        message,
        context,
        ..Head::default()
    })
}

/// klog's structured form: `"order stored" id=7 note="paid"`.
fn klog_message(text: &str) -> Option<(&str, Option<&str>)> {
    let end = string_end(text.as_bytes(), 0).filter(|_| text.starts_with('"'))?;
    let (message, pairs) = (text.get(1..end - 1)?, text.get(end..)?);
    (pairs.is_empty() || pairs.starts_with(' ')).then_some((message, Some(pairs)))
}

/// Fractions of a second that tracing-subscriber's timers write: micro- or nanoseconds.
const TRACING_FRACTIONS: [usize; 2] = [6, 9];

/// tracing-subscriber's full and compact forms: `TIME LEVEL spans: target: message`, where spans
/// are `request{id=7}:query{…}` or bare names, and a thread and `file:line: ` may stand between.
pub(super) fn tracing(text: &str) -> Option<Head<'_>> {
    let (moment, length) = timestamp::calendar(text)?;
    let time = text.get(..length)?.strip_suffix('Z')?;
    let (_, fraction) = time.split_once('.')?;
    if !TRACING_FRACTIONS.contains(&fraction.len()) {
        return None;
    }
    // Levels are set to the right in five letters.
    let (word, rest) = text.get(length..)?.trim_start().split_once(' ')?;
    let level = Level::read_word(word)?;
    let rest = match rest.strip_prefix("ThreadId(") {
        Some(rest) => rest.split_once(") ")?.1,
        None => rest,
    };
    let (first, after) = segment(rest)?;
    // A bare name before the target may be either; what is certain are fields, or a chain.
    let has_spans = first.contains('{') || first.replace("::", "").contains(':');
    let second = segment(after).filter(|(second, _)| is_target(second));
    let ((target, message), context) = match second {
        Some(second) if has_spans || second.0.contains("::") && is_target(first) => {
            (second, Some(first))
        }
        _ if is_target(first) => ((first, after), None),
        _ => return None,
    };
    let mut head = Head {
        level: Some(level),
        unix_ns: moment,
        logger: Some(target),
        message,
        context,
        ..Head::default()
    };
    if let Some((place, message)) = message.split_once(": ")
        && let Some(caller) = file_and_line(place)
    {
        head.caller = Some(caller);
        head.message = message;
    }
    Some(head)
}

/// Splits at the first `: ` that stands outside of braces.
fn segment(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        match bytes.get(at)? {
            b'{' => at = nested_end(bytes, at)?,
            b':' if bytes.get(at + 1) == Some(&b' ') => {
                return Some((text.get(..at)?, text.get(at + 2..)?));
            }
            _ => at += 1,
        }
    }
}

/// `orders::store`, as modules are named.
fn is_target(text: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    text.split("::").all(is_part)
}

/// zap's console form: time, level, logger, caller, function, message and fields between tabs.
pub(super) fn zap_console(text: &str) -> Option<Head<'_>> {
    let mut head = Head::default();
    let (first, mut rest) = text.split_once('\t')?;
    let mut first = first;
    if timestamp::calendar(first).is_some() || timestamp::of_text(first).is_some() {
        head.unix_ns = timestamp::of_text(first);
        (first, rest) = rest.split_once('\t')?;
    }
    head.level = Some(Level::read(first)?);
    // Logger and caller are both optional; the caller alone can be told from a message.
    let mut parts = rest.splitn(4, '\t');
    let (one, two) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let step = if let Some(caller) = file_and_line(one) {
        head.caller = Some(caller);
        one.len() + 1
    } else if let Some(caller) = file_and_line(two) {
        head.logger = Some(one);
        head.caller = Some(caller);
        one.len() + two.len() + 2
    } else {
        0
    };
    head.message = rest.get(step..).unwrap_or_default();
    if let Some((message, fields)) = head.message.rsplit_once('\t')
        && is_object(fields)
    {
        (head.message, head.fields) = (message, Some(fields));
    }
    Some(head)
}

/// Whole JSON object, with nothing after it.
pub(super) fn is_object(text: &str) -> bool {
    let mut members = Members::of(text);
    text.starts_with('{')
        && members.by_ref().all(|member| member.is_ok())
        && members.rest().trim().is_empty()
}

/// Terminal forms: a time, a level and a caller before the message, in the ways of zerolog
/// (`7:59AM INF file.go:12 > …`), logrus (`INFO[0000] …`, `INFO[time]file.go:12 f() …`) and
/// anything that begins with a time and a level.
pub(super) fn terminal(text: &str) -> Head<'_> {
    let mut head = Head {
        message: text,
        ..Head::default()
    };
    if let Some((level, inside, rest)) = logrus(text) {
        head.level = Some(level);
        head.unix_ns = timestamp::of_text(inside);
        head.message = rest.trim_start();
        let mut words = rest.splitn(3, ' ');
        if let Some(caller) = words.next().and_then(file_and_line) {
            head.caller = Some(caller);
            head.function = words.next().and_then(|word| word.strip_suffix("()"));
            head.message = words.next().unwrap_or_default();
        }
        return head;
    }
    let Some((moment, length)) = moment(text) else {
        head.level = first_level(text);
        return head;
    };
    head.unix_ns = moment;
    let rest = text.get(length..).unwrap_or_default().trim_start();
    let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
    head.message = rest;
    head.level = Level::read_word(word);
    if head.level.is_some() || word == "???" {
        head.message = after.trim_start();
    }
    if let Some((caller, rest)) = head.message.split_once(" > ")
        && let Some(caller) = file_and_line(caller)
    {
        head.caller = Some(caller);
        head.message = rest;
    }
    head
}

/// `INFO[…]`: level, what the brackets hold, and the rest.
fn logrus(text: &str) -> Option<(Level, &str, &str)> {
    let (level, rest) = text.split_once('[')?;
    let level = Some(level)
        .filter(|level| level.len() == 4)
        .and_then(Level::read_word)?;
    let (inside, rest) = rest.split_once(']')?;
    Some((level, inside, rest))
}

/// Time at the front: a calendar date, or zerolog's `7:59AM`.
fn moment(text: &str) -> Option<(Option<u64>, usize)> {
    let (first, _) = text.split_once(' ')?;
    let kitchen = matches!(first.len(), 6 | 7) && (first.ends_with("AM") || first.ends_with("PM"));
    match timestamp::calendar(text) {
        Some(read) => Some(read),
        None if kitchen && first.contains(':') || first == "<nil>" => Some((None, first.len())),
        None => None,
    }
}

/// The level in front: the first word, or one of the first few if it is marked as `[WARN]` or
/// `WARN:`, since bare words in upper case are also HTTP methods.
fn first_level(text: &str) -> Option<Level> {
    let marked = |word: &&str| word.starts_with(['[', '<', '(']) || word.ends_with(':');
    let mut words = text.split_ascii_whitespace();
    let first = words.next().and_then(Level::read_word);
    first.or_else(|| words.take(3).filter(marked).find_map(Level::read_word))
}

/// Ids that have no name: Spring's `[app,TRACE,SPAN]` and `[TRACE-SPAN]`, and New Relic's
/// `NR-LINKING|guid|host|TRACE|SPAN|name|`.
pub(super) fn unnamed_ids(text: &str) -> Option<Ids> {
    if let Some(at) = memchr::memmem::find(text.as_bytes(), b"NR-LINKING|") {
        let mut parts = text.get(at..)?.split('|').skip(3);
        let (trace, span) = (parts.next()?, parts.next()?);
        return both(trace, span);
    }
    memchr::memchr_iter(b'[', text.as_bytes()).find_map(|at| {
        let inside = text.get(at + 1..)?;
        let end = memchr::memchr(b']', &inside.as_bytes()[..inside.len().min(BRACKETS_MAX)])?;
        let inside = inside.get(..end)?;
        let parts: Vec<&str> = inside.splitn(6, ',').map(str::trim).collect();
        match parts[..] {
            [_, trace, span] | [_, trace, span, _] => both(trace, span),
            [alone] if alone.len() >= 33 => id::pair(alone),
            _ => None,
        }
    })
}

fn both(trace: &str, span: &str) -> Option<Ids> {
    let ids = Ids {
        trace: Id::read_strict(trace),
        span: Id::read_strict(span),
    };
    (!ids.is_empty()).then_some(ids)
}
