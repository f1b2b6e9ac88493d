//! Dumps of one goroutine after the other: `debug=2`, SIGQUIT, panic.
//!
//! A goroutine is a header and the lines up to a blank one; what stands between
//! (a panic's message, registers, a log) is passed over.

use super::header::{self, Header};
use super::pool::{Pool, file_and_line};
use super::{Creation, Goroutine};
use crate::{Came, DecodeError, Limits};

/// Where the runtime stops writing, silently: `runtime/pprof/pprof.go`,
/// `writeGoroutineStacks`.
const RUNTIME_STOPS_AT_BYTES: usize = 64 << 20;

/// How we know that goroutines are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truncation {
    /// The dump has exactly the 64 MiB at which the runtime stops.
    SizeLimit,
    /// The input ends within a goroutine: the download was cut.
    LastBlock,
}

/// All goroutines of a dump.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dump {
    /// The goroutines, in the dump's order.
    pub goroutines: Vec<Goroutine>,
    /// Set if goroutines are missing at the end.
    pub truncated: Option<Truncation>,
    /// Lines within goroutines that were not understood; 0 in a sound dump.
    pub unread_lines: usize,
}

impl Dump {
    /// Reads a dump within the default [`Limits`].
    ///
    /// # Errors
    /// [`DecodeError::Unexpected`] if there is no goroutine in it.
    pub fn decode(bytes: &[u8]) -> Result<Dump, DecodeError> {
        Dump::decode_within(bytes, &Limits::default())
    }

    /// Reads a dump within `limits`.
    ///
    /// # Errors
    /// [`DecodeError::Unexpected`] if there is no goroutine in it,
    /// [`DecodeError::TooLarge`] if a limit is passed.
    pub fn decode_within(bytes: &[u8], limits: &Limits) -> Result<Dump, DecodeError> {
        limits.admit(bytes)?;
        let text = String::from_utf8_lossy(bytes);
        let mut reader = Reader::new(limits);
        for line in text.lines() {
            reader.line(line)?;
        }
        let unfinished = text.rsplit('\n').next().unwrap_or("");
        reader.end(unfinished)?;
        let mut dump = reader.dump;
        if dump.goroutines.is_empty() {
            return Err(match bytes {
                [] => DecodeError::Empty,
                _ => DecodeError::Unexpected {
                    wanted: "a goroutine dump",
                    came: Came::guess(bytes),
                },
            });
        }
        if bytes.len() == RUNTIME_STOPS_AT_BYTES {
            dump.truncated = Some(Truncation::SizeLimit);
        }
        Ok(dump)
    }
}

/// The goroutine being read.
struct Block<'t> {
    header: Header<'t>,
    frames: Vec<u32>,
    created_by: Option<(u32, Option<u64>)>,
    elided_after: Option<usize>,
    stack_unavailable: bool,
    /// A call or creation whose place is on the next line.
    pending: Option<Pending<'t>>,
    /// Within `[originating from goroutine 1]:` (GODEBUG=tracebackancestors),
    /// whose frames belong to other, dead goroutines.
    in_ancestor: bool,
}

#[derive(Clone, Copy)]
enum Pending<'t> {
    Call(&'t str),
    Creation(&'t str, Option<u64>),
}

struct Reader<'t> {
    pool: Pool<'t>,
    dump: Dump,
    block: Option<Block<'t>>,
}

impl<'t> Reader<'t> {
    fn new(limits: &Limits) -> Self {
        Reader {
            pool: Pool::new(limits.budget()),
            dump: Dump::default(),
            block: None,
        }
    }

    fn line(&mut self, line: &'t str) -> Result<(), DecodeError> {
        if let Some(header) = header::read(line) {
            self.finish(false)?;
            self.block = Some(Block::new(header));
            return Ok(());
        }
        if ends_block(line) {
            return self.finish(false);
        }
        let Some(block) = &mut self.block else {
            return Ok(());
        };
        if let Some(place) = line.strip_prefix('\t') {
            let understood = block.place(place, &mut self.pool)?;
            self.dump.unread_lines += usize::from(!understood);
            return Ok(());
        }
        self.dump.unread_lines += usize::from(block.pending.is_some());
        block.pending = None;
        if let Some(creator) = line.strip_prefix("created by ") {
            block.pending = Some(creation(creator));
        } else if line.starts_with("...") && line.ends_with(" frames elided...") {
            block.elided_after = Some(block.frames.len());
        } else if line.starts_with("[originating from goroutine ") {
            block.in_ancestor = true;
        } else if line.starts_with("non-Go function at pc=") {
            let frame = self.pool.frame("non-Go function", "", bare_place)?;
            block.frames.extend(frame);
        } else {
            block.pending = Some(Pending::Call(callee(line)));
        }
        Ok(())
    }

    /// Ends the input; `unfinished` is what follows the last line end.
    fn end(&mut self, unfinished: &str) -> Result<(), DecodeError> {
        let cut_inside = match &self.block {
            Some(block) => block.pending.is_some() || !unfinished.is_empty(),
            None => false,
        };
        let start = "goroutine ";
        let cut_header = !unfinished.is_empty()
            && (unfinished.starts_with(start) || start.starts_with(unfinished));
        if cut_inside || cut_header {
            self.dump.truncated = Some(Truncation::LastBlock);
        }
        self.finish(cut_inside)
    }

    /// Keeps the goroutine being read.
    fn finish(&mut self, incomplete: bool) -> Result<(), DecodeError> {
        let Some(block) = self.block.take() else {
            return Ok(());
        };
        if block.pending.is_some() && !incomplete {
            self.dump.unread_lines += 1;
        }
        self.pool.charge::<Goroutine>()?;
        let goroutine = block.goroutine(&mut self.pool, incomplete)?;
        self.dump.goroutines.push(goroutine);
        Ok(())
    }
}

impl<'t> Block<'t> {
    fn new(header: Header<'t>) -> Self {
        Block {
            header,
            frames: Vec::new(),
            created_by: None,
            elided_after: None,
            stack_unavailable: false,
            pending: None,
            in_ancestor: false,
        }
    }

    /// Reads an indented line; false if it was not understood.
    fn place(&mut self, line: &'t str, pool: &mut Pool<'t>) -> Result<bool, DecodeError> {
        if line.starts_with("goroutine running on other thread") {
            self.stack_unavailable = true;
            return Ok(true);
        }
        let Some(pending) = self.pending.take() else {
            return Ok(false);
        };
        let (Pending::Call(function) | Pending::Creation(function, _)) = pending;
        let Some(frame) = pool.frame(function, without_addresses(line), bare_place)? else {
            return Ok(false);
        };
        match pending {
            _ if self.in_ancestor => {}
            Pending::Call(_) => self.frames.push(frame),
            Pending::Creation(_, parent) => self.created_by = Some((frame, parent)),
        }
        Ok(true)
    }

    fn goroutine(self, pool: &mut Pool<'t>, incomplete: bool) -> Result<Goroutine, DecodeError> {
        let header = self.header;
        let created = self
            .created_by
            .map(|(frame, parent)| (pool.at(frame).cloned(), parent));
        let created_by = match created {
            Some((Some(frame), parent)) => Some(Creation { frame, parent }),
            _ => None,
        };
        Ok(Goroutine {
            id: header.id,
            state: pool.text(header.state)?,
            wait_minutes: header.wait_minutes,
            locked_to_thread: header.locked_to_thread,
            leaked: header.leaked,
            scanning: header.scanning,
            durable: header.durable,
            bubble: header.bubble,
            labels: pool.labels(header.labels)?,
            frames: pool.stack(&self.frames)?,
            created_by,
            elided_after: self.elided_after,
            stack_unavailable: self.stack_unavailable,
            incomplete,
        })
    }
}

/// A blank line, another stack, or a crash's registers (`rax    0xca`), which
/// follow the last frame without a blank line.
fn ends_block(line: &str) -> bool {
    let register = || match line.split_once(' ') {
        Some((name, value)) => {
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                && value.trim_start().starts_with("0x")
        }
        None => false,
    };
    line.is_empty() || line == "runtime stack:" || line == "-----" || register()
}

/// `main.serve in goroutine 7` → function and parent.
fn creation(text: &str) -> Pending<'_> {
    if let Some((function, parent)) = text.rsplit_once(" in goroutine ")
        && let Ok(parent) = parent.parse()
    {
        return Pending::Creation(function, Some(parent));
    }
    Pending::Creation(text, None)
}

/// The function of `net/http.(*conn).serve(0xc000, {0x1, 0x2})`; arguments
/// never hold a parenthesis.
fn callee(line: &str) -> &str {
    match line
        .strip_suffix(')')
        .and_then(|call| call.rsplit_once('('))
    {
        Some((function, _)) if !function.is_empty() => function,
        _ => line,
    }
}

/// Cuts ` +0x1b fp=0xc000 sp=0xc000 pc=0x1234` off a place.
fn without_addresses(mut place: &str) -> &str {
    while let Some((before, last)) = place.rsplit_once(' ') {
        if !["+0x", "fp=", "sp=", "pc="]
            .iter()
            .any(|start| last.starts_with(start))
        {
            break;
        }
        place = before;
    }
    if place.starts_with("pc=") { "" } else { place }
}

/// `file:line`, or nothing for a C function without debug information.
fn bare_place(place: &str) -> Option<(&str, u32)> {
    match place {
        "" => Some(("", 0)),
        _ => file_and_line(place),
    }
}
