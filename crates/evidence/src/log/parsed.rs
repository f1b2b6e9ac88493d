//! What one log line says: form, level, message, time, caller and ids.
//!
//! One line is read by itself, without a clock and without a memory; what follows from several
//! lines belongs to [`super::Templates`] and to the rules. Reading never fails: what is not
//! understood is text. A line is "without ids" only as far as this module can see, so a line of
//! which a part is missing has a format of its own ([`Format::BrokenJson`]).

use std::borrow::Cow;

use super::fields::{Exchange, Fields};
use super::id::Ids;
use super::json::Members;
use super::level::Level;
use super::line::{RawLine, Stream};
use super::names::{Folded, Form, id_meaning, meaning};
use super::pairs::{Pairs, Sign};
use super::text::{self, Head};
use super::wrapped;

/// Commas at which the rest of a cut object may begin: more than stand in one message.
const TRIES_MAX: usize = 16;

/// Which logger wrote a line, as far as its form tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// zap's JSON encoder.
    Zap,
    /// zap's console encoder.
    ZapConsole,
    /// zerolog's JSON.
    Zerolog,
    /// slog's JSON handler.
    Slog,
    /// logrus' JSON formatter.
    Logrus,
    /// JSON of something else.
    Json,
    /// A JSON object that is cut, or that something else was written into.
    BrokenJson,
    /// `key=value`: slog's text handler, logrus' text formatter.
    Logfmt,
    /// The std logger.
    StdLog,
    /// glog and klog.
    Glog,
    /// Rust's tracing-subscriber, JSON.
    Tracing,
    /// The same as text, full or compact.
    TracingText,
    /// A record that was exported over OTLP.
    Otlp,
    /// Anything else.
    Text,
}

impl Format {
    /// A whole JSON object, so that what it does not have is known to be missing.
    #[must_use]
    pub const fn is_json(self) -> bool {
        matches!(
            self,
            Self::Zap | Self::Zerolog | Self::Slog | Self::Logrus | Self::Tracing | Self::Json
        )
    }
}

/// Where in the source a line was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Caller {
    /// File as the logger gives it: whole, or its last parts.
    pub file: String,
    /// Line, counted from 1.
    pub line: u32,
    /// Function, where it is given.
    pub function: Option<String>,
}

/// What was read from one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedLine {
    /// Its form.
    pub format: Format,
    /// Severity.
    pub level: Option<Level>,
    /// The message, without what stands before it; the whole text if it has none.
    pub message: String,
    /// When it was written by the service's clock, in nanoseconds since the Unix epoch; nothing
    /// where no zone is given.
    pub unix_ns: Option<u64>,
    /// Where it was written.
    pub caller: Option<Caller>,
    /// Name of the logger.
    pub logger: Option<String>,
    /// Its own ids.
    pub ids: Ids,
    /// What it says of a request.
    pub exchange: Exchange,
}

impl ParsedLine {
    /// Reads a line. Any text gives a line; the work is linear in its length.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut text = text::plain(text);
        let (mut unix_ns, mut level) = (None, None);
        for _ in 0..wrapped::DEPTH_MAX {
            let Some(around) = wrapped::unwrap(text.trim_start()) else {
                break;
            };
            unix_ns = around.unix_ns.or(unix_ns);
            level = around.level.or(level);
            text = Cow::Owned(text::plain(&around.inner).into_owned());
        }
        let mut line = Self::read_bare(&text);
        // Many loggers write whole seconds; who stood by with a clock knows better.
        let is_exact = |unix_ns: &u64| !unix_ns.is_multiple_of(1_000_000_000);
        line.unix_ns = line.unix_ns.filter(is_exact).or(unix_ns).or(line.unix_ns);
        line.level = line.level.or(level);
        line
    }

    /// Reads a line that nothing was put around.
    fn read_bare(text: &str) -> Self {
        let text = text.trim_end();
        let trimmed = text.trim_start();
        if is_json_start(trimmed) {
            return json(trimmed);
        }
        prefixed_json(text)
            .or_else(|| text::glog(trimmed).map(|head| headed(Format::Glog, &head)))
            .or_else(|| text::tracing(trimmed).map(|head| headed(Format::TracingText, &head)))
            .or_else(|| text::zap_console(text).map(|head| headed(Format::ZapConsole, &head)))
            .or_else(|| logfmt(trimmed))
            .or_else(|| text::std_log(text).map(|head| headed(Format::StdLog, &head)))
            .or_else(|| json_end(text))
            .unwrap_or_else(|| headed(Format::Text, &text::terminal(text)))
    }

    /// Reads a line as it was recorded.
    #[must_use]
    pub fn of(line: &RawLine) -> Self {
        if line.stream == Stream::Otlp {
            return Self {
                format: Format::Otlp,
                ..json(&line.text)
            };
        }
        Self::read(&line.text)
    }

    fn from(format: Format, mut fields: Fields, text: &str) -> Self {
        Self {
            format,
            level: fields.level,
            message: fields.message().unwrap_or_else(|| text.to_owned()),
            unix_ns: fields.unix_ns,
            caller: fields.caller(),
            logger: fields.logger.take(),
            ids: fields.ids(),
            exchange: fields.exchange(),
        }
    }
}

/// `{"`, with space between or not: other brackets begin text.
fn is_json_start(text: &str) -> bool {
    let inside = text.strip_prefix('{').map(str::trim_start);
    inside.is_some_and(|inside| inside.starts_with('"') || inside == "}")
}

/// The end of an object of which the beginning is missing: whole members after one of the first
/// commas.
fn json_end(text: &str) -> Option<ParsedLine> {
    let count = |bracket| memchr::memchr_iter(bracket, text.as_bytes()).count();
    if !text.ends_with('}') || count(b'}') <= count(b'{') {
        return None;
    }
    memchr::memmem::find_iter(text.as_bytes(), b",\"")
        .take(TRIES_MAX)
        .find_map(|at| {
            let mut fields = Fields::default();
            let rest = fields.object(Members::after_comma(text.get(at..)?), |_| {});
            let whole = rest.is_ok_and(str::is_empty);
            whole.then(|| ParsedLine::from(Format::BrokenJson, fields, text))
        })
}

fn json(text: &str) -> ParsedLine {
    let mut fields = Fields::default();
    let mut spelling = Spelling::default();
    match fields.object(Members::of(text), |key| spelling.see(key)) {
        Ok(rest) if rest.trim().is_empty() => {
            let format = spelling.format(fields.level_is_upper);
            if format == Format::Tracing {
                fields.take_spans_around();
            }
            // An object without a message says nothing in words; its text is not one.
            let mut line = ParsedLine::from(format, fields, "");
            line.message.truncate(line.message.trim_end().len());
            line
        }
        _ => ParsedLine::from(Format::BrokenJson, fields, text),
    }
}

/// JSON after something that a collector or the std logger put before it. Only a line of which
/// the object holds the level or the time as well as the message is one: zap's console form and
/// others have objects behind the message.
fn prefixed_json(text: &str) -> Option<ParsedLine> {
    let at = memchr::memmem::find(text.as_bytes(), b"{\"")?;
    let (before, object) = text.split_at_checked(at)?;
    if !before.ends_with([' ', '\t', '|', ']', ':']) {
        return None;
    }
    let mut fields = Fields::default();
    let mut spelling = Spelling::default();
    let rest = fields
        .object(Members::of(object), |key| spelling.see(key))
        .ok()?;
    let whole = rest.trim().is_empty()
        && fields.has_message()
        && (fields.level.is_some() || fields.unix_ns.is_some());
    let format = spelling.format(fields.level_is_upper);
    whole.then(|| ParsedLine::from(format, fields, ""))
}

/// A line of pairs that has a message or a level among them.
fn logfmt(text: &str) -> Option<ParsedLine> {
    let mut pairs = Pairs::of(text)
        .filter(|pair| pair.sign == Sign::Equals)
        .peekable();
    if pairs.peek()?.start != 0 {
        return None;
    }
    let mut fields = Fields::default();
    for pair in pairs {
        fields.pair(pair.key, &pair.value);
    }
    let known = fields.has_message() || fields.level.is_some();
    known.then(|| ParsedLine::from(Format::Logfmt, fields, text))
}

/// A line of text of which the front was read.
fn headed(format: Format, head: &Head<'_>) -> ParsedLine {
    let mut fields = Fields::default();
    match head.fields {
        Some(object) => {
            // It was seen to be whole.
            let _ = fields.object(Members::of(object), |_| {});
        }
        None => pairs_of(head.message, &mut fields),
    }
    for pair in head.context.into_iter().flat_map(Pairs::of) {
        if let Some(said) = id_meaning(pair.key).filter(|_| pair.sign == Sign::Equals) {
            fields.take(said, &pair.value);
        }
    }
    let caller = head.caller.map(|(file, line)| Caller {
        file: file.to_owned(),
        line,
        function: head.function.map(str::to_owned),
    });
    ParsedLine {
        level: head.level,
        message: head.message.to_owned(),
        unix_ns: head.unix_ns,
        caller,
        logger: head.logger.map(str::to_owned),
        ..ParsedLine::from(format, fields, "")
    }
}

/// Takes what pairs in running text say of ids and requests.
fn pairs_of(message: &str, fields: &mut Fields) {
    for pair in Pairs::of(message) {
        let found = match pair.sign {
            Sign::Equals => {
                meaning(&Folded::EMPTY, pair.key).filter(|meaning| meaning.is_said_anywhere())
            }
            // "no trace_id: dropped" is prose; an id has a digit.
            Sign::Colon if pair.value.bytes().any(|byte| byte.is_ascii_digit()) => {
                id_meaning(pair.key)
            }
            Sign::Colon => None,
        };
        if let Some(meaning) = found {
            fields.take(meaning, &pair.value);
        }
    }
    if let Some(ids) = text::unnamed_ids(message) {
        fields.both(ids, Form::Strict);
    }
}

/// How the logger's own members were spelled and in which order they came.
#[derive(Debug, Default)]
struct Spelling {
    count: usize,
    ts: bool,
    upper: bool,
    caller: bool,
    level: Option<usize>,
    time: Option<usize>,
    timestamp: Option<usize>,
    target: bool,
    msg: Option<usize>,
    message: Option<usize>,
}

impl Spelling {
    fn see(&mut self, key: &str) {
        let at = self.count;
        self.count += 1;
        match key {
            "ts" => self.ts = true,
            "M" | "L" => self.upper = true,
            "caller" => self.caller = true,
            "target" => self.target = true,
            "timestamp" => self.timestamp = self.timestamp.or(Some(at)),
            "level" => self.level = self.level.or(Some(at)),
            "time" => self.time = self.time.or(Some(at)),
            "msg" => self.msg = self.msg.or(Some(at)),
            "message" => self.message = self.message.or(Some(at)),
            _ => {}
        }
    }

    /// Tells the loggers apart by names and order: slog begins with the time and has levels in
    /// upper case, logrus sorts its members, zerolog ends with `message`, zap begins with the
    /// level.
    fn format(&self, upper_case_level: bool) -> Format {
        match (self.msg, self.message) {
            _ if self.upper => Format::Zap,
            (None, _) if self.target && self.timestamp == Some(0) && upper_case_level => {
                Format::Tracing
            }
            (Some(_), _) if self.ts => Format::Zap,
            (Some(_), _) if upper_case_level && self.time == Some(0) => Format::Slog,
            (Some(msg), _) if self.level.is_some() => match self.time {
                Some(time) if msg < time && !self.caller => Format::Logrus,
                _ => Format::Zap,
            },
            (None, Some(_)) if self.ts => Format::Json,
            (None, Some(message)) if message + 1 == self.count && !upper_case_level => {
                Format::Zerolog
            }
            _ => Format::Json,
        }
    }
}
