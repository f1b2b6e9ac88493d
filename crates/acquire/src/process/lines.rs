//! Lines of the service's log, as they arrive: split, cut and counted.
//!
//! A service may write a line of 10 MB, or 10 million lines: neither may fill memory or disk, and
//! neither may hold the service up. So the pipes are always read as fast as they fill; what is
//! beyond a bound is counted and let go, and the last lines are kept for the report.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shakedown_evidence::log::{ParsedLine, RawLine, Stream, cri_part};
use shakedown_evidence::{At, Event, Role};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::Recorder;

/// A line is cut to this; no log record that a person reads is longer.
const LINE_MAX: usize = 64 << 10;
/// Lines kept for error reports, each cut to [`TAIL_LINE_MAX`].
const TAIL: usize = 50;
const TAIL_LINE_MAX: usize = 4 << 10;
/// Lines shown of a flood, and letters of each.
const SHOWN: usize = 3;
const SHOWN_LETTERS: usize = 300;
/// Lines and bytes that are recorded of one run: a thousand lines a second for six minutes.
const LINES_MAX: u64 = 400_000;
const BYTES_MAX: u64 = 64 << 20;
/// The pipe's own buffer, asked of the kernel: a burst does not wait for us.
const PIPE: usize = 1 << 20;
/// A followed log comes through files, daemons and pipes of others: this much later at most.
const LATE: Duration = Duration::from_secs(10);
/// Read at once.
const CHUNK: usize = 128 << 10;

/// Splits chunks into lines; holds no more than two lines of [`LINE_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    partial: Vec<u8>,
    cut: u64,
    /// Parts of a line that a container runtime has cut (at 16 KiB), and that is not yet whole.
    parts: Option<Parts>,
}

#[derive(Debug)]
struct Parts {
    /// As one line, with the front of the first part.
    joined: Vec<u8>,
    cut: u64,
    is_stderr: bool,
}

impl Splitter {
    fn push(&mut self, chunk: &[u8], mut line: impl FnMut(&[u8], u64)) {
        let mut begin = 0;
        for end in memchr::memchr_iter(b'\n', chunk) {
            self.extend(&chunk[begin..end]);
            self.finish(&mut line);
            begin = end + 1;
        }
        self.extend(&chunk[begin..]);
    }

    /// What stands after the last line end, if anything.
    fn end(&mut self, mut line: impl FnMut(&[u8], u64)) {
        if !self.partial.is_empty() || self.cut > 0 {
            self.finish(&mut line);
        }
        if let Some(parts) = self.parts.take() {
            // The rest never came.
            line(&parts.joined, parts.cut.max(1));
        }
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = (LINE_MAX - self.partial.len()).min(bytes.len());
        self.partial.extend_from_slice(&bytes[..room]);
        self.cut += (bytes.len() - room) as u64;
    }

    /// Hands the line out, or keeps it where it is a part of one.
    fn join(&mut self, line: &mut impl FnMut(&[u8], u64)) {
        let Some(part) = cri_part(&self.partial) else {
            line(&self.partial, self.cut);
            return;
        };
        let continues = |parts: &Parts| parts.is_stderr == part.is_stderr;
        match &mut self.parts {
            Some(parts) if continues(parts) => {
                let text = &self.partial[part.text..];
                let room = (LINE_MAX - parts.joined.len()).min(text.len());
                parts.joined.extend_from_slice(&text[..room]);
                parts.cut += self.cut + (text.len() - room) as u64;
                if !part.partial
                    && let Some(parts) = self.parts.take()
                {
                    line(&parts.joined, parts.cut);
                }
            }
            None if part.partial => {
                self.parts = Some(Parts {
                    joined: self.partial.clone(),
                    cut: self.cut,
                    is_stderr: part.is_stderr,
                });
            }
            // Whole, or of the other stream, which two parts at once are not worth a second place.
            _ => line(&self.partial, self.cut),
        }
    }

    fn finish(&mut self, line: &mut impl FnMut(&[u8], u64)) {
        if self.cut == 0 && self.partial.last() == Some(&b'\r') {
            self.partial.pop();
        }
        self.join(line);
        self.partial.clear();
        self.cut = 0;
        // One long line must not hold its memory for the rest of the run.
        self.partial.shrink_to(CHUNK / 32);
    }
}

/// What a service has written so far.
pub(crate) struct Log {
    recorder: Recorder,
    role: Role,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tail: VecDeque<String>,
    lines: u64,
    bytes: u64,
    dropped: u64,
    /// Of the dropped ones, those whose number was recorded.
    told: u64,
    first: Option<At>,
}

impl Log {
    pub(crate) fn new(recorder: Recorder, role: Role) -> Self {
        Self {
            recorder,
            role,
            state: Mutex::default(),
        }
    }

    /// The last `count` lines, at most fifty, oldest first.
    pub(crate) fn last(&self, count: usize) -> Vec<String> {
        let state = self.lock();
        let skip = state.tail.len().saturating_sub(count);
        let last: Vec<String> = state.tail.iter().skip(skip).cloned().collect();
        drop(state);
        // Secrets are cut when the lines are shown: most never are.
        last.iter().map(|line| self.recorder.shown(line)).collect()
    }

    /// Lines that came so far.
    pub(crate) fn lines(&self) -> u64 {
        let state = self.lock();
        state.lines + state.dropped
    }

    /// Lines that were counted but not recorded, because there were too many.
    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Reads a pipe until its other end is closed.
    pub(crate) async fn read(&self, mut pipe: impl AsyncRead + AsFd + Unpin, stream: Stream) {
        // Unprivileged users have a limited share of larger pipes; the default does too.
        let _ = rustix::pipe::fcntl_setpipe_size(&pipe, PIPE);
        let mut chunk = vec![0; CHUNK];
        let mut splitter = Splitter::default();
        while let Ok(length @ 1..) = pipe.read(&mut chunk).await {
            self.take(&chunk[..length], stream, &mut splitter);
        }
        self.end(stream, splitter);
    }

    /// Takes what came just now.
    pub(crate) fn take(&self, chunk: &[u8], stream: Stream, splitter: &mut Splitter) {
        let at = self.recorder.now();
        let bytes = self.skim(chunk, splitter);
        splitter.push(bytes, |text, cut| self.line(at, stream, text, cut));
    }

    /// Nothing more comes.
    pub(crate) fn end(&self, stream: Stream, mut splitter: Splitter) {
        let at = self.recorder.now();
        splitter.end(|text, cut| self.line(at, stream, text, cut));
        self.tell();
    }

    /// Records how many lines were dropped since this was last told.
    fn tell(&self) {
        let mut state = self.lock();
        let dropped = state.dropped - state.told;
        state.told = state.dropped;
        drop(state);
        if dropped > 0 {
            self.recorder.record(Event::LinesDropped(dropped));
        }
    }

    /// Once nothing is recorded any more, only the last lines of a chunk are worth a look.
    fn skim<'chunk>(&self, chunk: &'chunk [u8], splitter: &mut Splitter) -> &'chunk [u8] {
        let mut state = self.lock();
        let recording = !matches!(self.role, Role::Dependency(_)) && state.dropped == 0;
        if recording {
            return chunk;
        }
        let Some(begin) = memchr::memrchr_iter(b'\n', chunk).nth(TAIL) else {
            return chunk;
        };
        *splitter = Splitter::default();
        let skipped = memchr::memchr_iter(b'\n', &chunk[..=begin]).count();
        state.dropped += skipped as u64;
        &chunk[begin + 1..]
    }

    fn line(&self, at: At, stream: Stream, text: &[u8], cut: u64) {
        let short = &text[..text.len().min(TAIL_LINE_MAX)];
        let short = String::from_utf8_lossy(short).into_owned();
        let mut state = self.lock();
        if state.tail.len() == TAIL {
            state.tail.pop_front();
        }
        state.tail.push_back(short);
        if !self.records(stream) {
            return;
        }
        state.lines += 1;
        state.bytes += text.len() as u64;
        let first = *state.first.get_or_insert(at);
        if state.lines <= LINES_MAX && state.bytes <= BYTES_MAX {
            drop(state);
            let mut line = RawLine {
                at,
                stream,
                text: String::from_utf8_lossy(text).into_owned(),
                cut,
            };
            if let Role::Log(_) = self.role {
                line.stream = Stream::Followed;
                line.at = self.written_at(&line);
            }
            self.recorder.record(Event::Line(line));
            return;
        }
        state.dropped += 1;
        if state.dropped == 1 {
            let trouble = flooded(&state, at.since(first).as_secs_f64());
            drop(state);
            self.recorder.trouble(trouble);
            // The rest is told in the end; what is killed before that has told of one.
            self.tell();
        }
    }

    /// Of the service everything is evidence; of what reads its log to us, only the log.
    fn records(&self, stream: Stream) -> bool {
        match self.role {
            Role::Target => true,
            Role::Log(_) => stream != Stream::Stderr,
            Role::Dependency(_) => false,
        }
    }

    /// When a line of a followed log was written: as it says itself, if that is to the millisecond
    /// and no clock of another machine says it; else when it came.
    fn written_at(&self, line: &RawLine) -> At {
        let whole_second = |unix_ns: &u64| unix_ns.is_multiple_of(1_000_000_000);
        let says = ParsedLine::of(line).unix_ns;
        let says = says.filter(|unix_ns| !whole_second(unix_ns));
        let says = says.map(|unix_ns| self.recorder.read(|seen| seen.at_unix_ns(unix_ns)));
        says.filter(|written| *written <= line.at && line.at - *written <= LATE)
            .unwrap_or(line.at)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in between is our own bug; the counts are still good for a report.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a rate for a person to read"
)]
fn flooded(state: &State, seconds: f64) -> String {
    let rate = (state.lines as f64 / seconds.max(0.001)) as u64;
    let mut text = format!(
        "the service flooded its log: {rate} lines a second; lines after the first {} ({} MiB) are dropped, and nothing can be concluded from their absence; set its log level to info\nits last lines:",
        state.lines - 1,
        state.bytes >> 20,
    );
    let skip = state.tail.len().saturating_sub(SHOWN);
    for line in state.tail.iter().skip(skip) {
        text.push_str("\n  ");
        text.extend(line.chars().take(SHOWN_LETTERS));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<(String, u64)> {
        let mut lines = Vec::new();
        let mut splitter = Splitter::default();
        let mut line = |text: &[u8], cut| {
            lines.push((String::from_utf8_lossy(text).into_owned(), cut));
        };
        for chunk in chunks {
            splitter.push(chunk, &mut line);
        }
        splitter.end(&mut line);
        lines
    }

    fn whole(lines: &[&str]) -> Vec<(String, u64)> {
        lines.iter().map(|line| ((*line).to_owned(), 0)).collect()
    }

    #[test]
    fn lines_are_whole_however_they_arrive() {
        let expected = whole(&["one", "two", "", "three"]);
        assert_eq!(split(&[b"one\ntwo\r\n\nthree"]), expected);
        assert_eq!(
            split(&[b"o", b"ne", b"\ntw", b"o\r", b"\n\n", b"three\n"]),
            expected
        );
        assert_eq!(split(&[]), []);
    }

    #[test]
    fn what_a_container_runtime_cut_becomes_one_line_again() {
        const FRONT: &str = "2026-11-23T07:59:33.5Z stdout";
        let log = format!(
            "{FRONT} P {{\"msg\":\n2026-11-23T07:59:33.6Z stderr F panic\n{FRONT} P \"order \n{FRONT} F stored\"}}\n{FRONT} F next\n"
        );
        let expected = [
            "2026-11-23T07:59:33.6Z stderr F panic".to_owned(),
            format!("{FRONT} P {{\"msg\":\"order stored\"}}"),
            format!("{FRONT} F next"),
        ];
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        assert_eq!(split(&[log.as_bytes()]), whole(&expected));
        let unfinished = format!("{FRONT} P only the beginning");
        assert_eq!(split(&[unfinished.as_bytes()]), [(unfinished.clone(), 1)]);
        let part = format!("{FRONT} P {}\n", "x".repeat(LINE_MAX / 2));
        let lines = split(&[part.repeat(5).as_bytes()]);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].0.len(), LINE_MAX);
        assert!(lines[0].1 > LINE_MAX as u64);
    }

    #[test]
    fn a_long_line_is_cut_and_its_rest_counted() {
        let long = vec![b'x'; LINE_MAX + 10];
        let lines = split(&[&long, &long, b"\nnext\n"]);
        assert_eq!(lines[0].0.len(), LINE_MAX);
        assert_eq!(lines[0].1, LINE_MAX as u64 + 20);
        assert_eq!(lines[1], ("next".to_owned(), 0));
        let mut splitter = Splitter::default();
        (0..200).for_each(|_| splitter.push(&long, |_, _| {}));
        assert!(splitter.partial.capacity() <= 2 * LINE_MAX);
    }

    fn log(role: Role) -> Log {
        Log::new(Recorder::new(Instant::now(), None), role)
    }

    #[test]
    fn beyond_the_bound_lines_are_dropped_with_one_trouble() {
        let log = log(Role::Target);
        for line in 0..LINES_MAX + 70 {
            log.line(At(line), Stream::Stdout, line.to_string().as_bytes(), 0);
        }
        assert_eq!(log.dropped(), 70);
        assert_eq!(log.last(1), [(LINES_MAX + 69).to_string()]);
        assert_eq!(log.last(1000).len(), TAIL);
        log.recorder.read(|evidence| {
            assert_eq!(evidence.lines.len() as u64, LINES_MAX);
            assert_eq!(evidence.troubles.len(), 1);
            assert!(evidence.troubles[0].what.contains("1000002 lines a second"));
            assert!(evidence.troubles[0].what.ends_with("\n  399999\n  400000"));
            assert_eq!(evidence.lines_dropped(), Some(1));
        });
        log.tell();
        log.recorder.read(|evidence| {
            assert_eq!(evidence.lines_dropped(), Some(70));
        });
    }

    #[test]
    fn a_flood_is_skimmed_for_its_last_lines() {
        let log = log(Role::Target);
        log.lock().dropped = 1;
        let chunk: String = (0..1000).map(|line| format!("{line}\n")).collect();
        let mut splitter = Splitter::default();
        splitter.push(b"half", |_, _| {});
        let rest = log.skim(chunk.as_bytes(), &mut splitter);
        assert_eq!(rest.iter().filter(|byte| **byte == b'\n').count(), TAIL);
        assert!(rest.starts_with(b"950\n"));
        assert!(splitter.partial.is_empty());
        assert_eq!(log.dropped(), 951);
    }

    #[test]
    fn lines_of_a_dependency_are_kept_for_reports_only() {
        let log = log(Role::Dependency("inventory".into()));
        log.line(At(1), Stream::Stderr, b"panic: no \xff", 0);
        assert_eq!(log.last(5), ["panic: no \u{fffd}"]);
        assert_eq!(log.recorder.read(|evidence| evidence.lines.len()), 0);
    }
}
