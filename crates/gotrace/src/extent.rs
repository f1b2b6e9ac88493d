//! How far a trace reaches: from the first to the last batch, by the trace's own clock.
//!
//! A trace is a header of 16 bytes and then batches. Each batch says when its buffer was begun. The
//! last generation's stacks are written after tracing has stopped, in buffers begun then: so the
//! last head is the end of the trace, although it has no event of that name.

use std::time::Duration;

/// `go 1.26 trace` and three zero bytes.
const HEADER: usize = 16;
/// First minor version of Go 1 with this format.
const FIRST: u32 = 22;

// Kinds of batches and events, by the runtime's numbers.
const EVENT_BATCH: u8 = 1;
const FREQUENCY: u8 = 8;
const EXPERIMENTAL_BATCH: u8 = 49;
const SYNC: u8 = 50;
const END_OF_GENERATION: u8 = 52;

/// The runtime's buffers are 64 KiB; a batch is never larger.
const BATCH_MAX: u64 = 64 << 10;
/// A varint of 64 bits has at most so many bytes.
const VARINT_MAX: usize = 10;
/// Of a batch, as much as can hold the clock's frequency: two kinds and a varint.
const KEPT: usize = 2 + VARINT_MAX;

/// How a trace ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With a whole batch.
    Whole,
    /// Within a batch or its head.
    Cut,
    /// It was no trace of this format, or damaged: after the header came something else.
    Foreign,
}

/// What a trace said of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Minor version of Go 1 that wrote it; nothing for what is no trace.
    pub version: Option<u32>,
    /// How it ended.
    pub ending: Ending,
    /// Batches that were whole.
    pub batches: u64,
    /// From its first batch to its last, if the clock's frequency is known.
    pub recorded: Option<Duration>,
}

/// Reads a trace piece by piece, in a memory of a few bytes.
#[derive(Debug)]
pub struct ExtentReader {
    state: State,
    version: Option<u32>,
    batches: u64,
    clock: Option<(u64, u64)>,
    frequency: Option<u64>,
}

#[derive(Debug)]
enum State {
    Header {
        got: usize,
        bytes: [u8; HEADER],
    },
    /// Between two batches.
    Kind,
    /// The number of the experiment follows.
    Experiment,
    /// Generation, thread, time and length, each a varint.
    Head {
        field: usize,
        varint: Varint,
        time: u64,
    },
    /// The rest of a batch.
    Body {
        left: u64,
        kept: usize,
        bytes: [u8; KEPT],
    },
    Foreign,
}

#[derive(Debug, Default, Clone, Copy)]
struct Varint {
    value: u64,
    bytes: usize,
}

impl Varint {
    /// Takes a byte; the value once it is whole, an error if there is no such number.
    fn take(&mut self, byte: u8) -> Result<Option<u64>, ()> {
        let shift = 7 * self.bytes;
        let low = u64::from(byte & 0x7f);
        if self.bytes >= VARINT_MAX || (shift == 63 && low > 1) {
            return Err(());
        }
        self.value |= low << shift;
        self.bytes += 1;
        Ok((byte & 0x80 == 0).then_some(self.value))
    }
}

impl Default for ExtentReader {
    fn default() -> Self {
        Self {
            state: State::Header {
                got: 0,
                bytes: [0; HEADER],
            },
            version: None,
            batches: 0,
            clock: None,
            frequency: None,
        }
    }
}

impl ExtentReader {
    /// Takes the next bytes.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while let Some(first) = bytes.first().copied() {
            let taken = match &mut self.state {
                State::Foreign => return,
                State::Body {
                    left,
                    kept,
                    bytes: head,
                } => {
                    let piece = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(bytes.len());
                    let keep = piece.min(KEPT - *kept);
                    head[*kept..*kept + keep].copy_from_slice(&bytes[..keep]);
                    *kept += keep;
                    *left -= piece as u64;
                    piece
                }
                _ => {
                    self.byte(first);
                    1
                }
            };
            bytes = &bytes[taken..];
            self.finish_batch();
        }
    }

    /// What came is no trace of any version, or damaged: no further bytes will mend it.
    #[must_use]
    pub const fn is_foreign(&self) -> bool {
        matches!(self.state, State::Foreign) && !matches!(self.version, Some(..FIRST))
    }

    /// One byte outside of a batch's body.
    fn byte(&mut self, byte: u8) {
        self.state = match std::mem::replace(&mut self.state, State::Foreign) {
            State::Header { got, mut bytes } => {
                bytes[got] = byte;
                if got + 1 < HEADER {
                    State::Header {
                        got: got + 1,
                        bytes,
                    }
                } else {
                    self.version = version(&bytes);
                    match self.version {
                        Some(FIRST..) => State::Kind,
                        _ => State::Foreign,
                    }
                }
            }
            State::Kind => match byte {
                EVENT_BATCH => head(0, 0),
                EXPERIMENTAL_BATCH => State::Experiment,
                END_OF_GENERATION => State::Kind,
                _ => State::Foreign,
            },
            State::Experiment => head(0, 0),
            State::Head {
                field,
                mut varint,
                time,
            } => match varint.take(byte) {
                Err(()) => State::Foreign,
                Ok(None) => State::Head {
                    field,
                    varint,
                    time,
                },
                Ok(Some(value)) => match field {
                    0 | 1 => head(field + 1, time),
                    2 => head(3, value),
                    _ if value > BATCH_MAX => State::Foreign,
                    _ => {
                        let (first, last) = self.clock.unwrap_or((time, time));
                        self.clock = Some((first.min(time), last.max(time)));
                        State::Body {
                            left: value,
                            kept: 0,
                            bytes: [0; KEPT],
                        }
                    }
                },
            },
            State::Body { .. } | State::Foreign => State::Foreign,
        };
    }

    /// Ends a batch of which nothing is left.
    fn finish_batch(&mut self) {
        let State::Body {
            left: 0,
            kept,
            bytes,
        } = &self.state
        else {
            return;
        };
        let events = &bytes[..*kept];
        let frequency = match events {
            [SYNC, FREQUENCY, value @ ..] | [FREQUENCY, value @ ..] => varint(value),
            _ => None,
        };
        self.frequency = frequency.or(self.frequency);
        self.batches += 1;
        self.state = State::Kind;
    }

    /// What the trace was, now that no more bytes come.
    #[must_use]
    pub fn end(self) -> Extent {
        let frequency = self.frequency.filter(|frequency| *frequency > 0);
        let recorded = self.clock.zip(frequency).map(|((first, last), frequency)| {
            let nanos = u128::from(last - first) * 1_000_000_000 / u128::from(frequency);
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        });
        Extent {
            version: self.version,
            ending: match self.state {
                State::Kind => Ending::Whole,
                State::Foreign => Ending::Foreign,
                State::Header { .. }
                | State::Experiment
                | State::Head { .. }
                | State::Body { .. } => Ending::Cut,
            },
            batches: self.batches,
            recorded,
        }
    }
}

fn head(field: usize, time: u64) -> State {
    State::Head {
        field,
        varint: Varint::default(),
        time,
    }
}

/// The first varint of these bytes.
fn varint(bytes: &[u8]) -> Option<u64> {
    let mut varint = Varint::default();
    for byte in bytes {
        if let Some(value) = varint.take(*byte).ok()? {
            return Some(value);
        }
    }
    None
}

/// 26 of `go 1.26 trace`.
fn version(header: &[u8; HEADER]) -> Option<u32> {
    let text = header.strip_prefix(b"go 1.")?;
    let end = text.windows(7).position(|rest| rest == b" trace\0")?;
    let (digits, rest) = text.split_at(end);
    let zeros = rest.get(6..)?.iter().all(|byte| *byte == 0);
    let digits = std::str::from_utf8(digits).ok()?;
    let digits = Some(digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    digits.filter(|_| zeros)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn put(to: &mut Vec<u8>, mut value: u64) {
        while value >= 0x80 {
            to.push(u8::try_from(value & 0x7f).expect("seven bits") | 0x80);
            value >>= 7;
        }
        to.push(u8::try_from(value).expect("seven bits"));
    }

    fn batch(to: &mut Vec<u8>, time: u64, events: &[u8]) {
        to.push(EVENT_BATCH);
        for field in [1, 77, time, events.len() as u64] {
            put(to, field);
        }
        to.extend(events);
    }

    fn clock(frequency: u64) -> Vec<u8> {
        let mut events = vec![SYNC, FREQUENCY];
        put(&mut events, frequency);
        events
    }

    /// A trace of 3 s at a million ticks a second.
    fn trace() -> Vec<u8> {
        let mut bytes = b"go 1.26 trace\0\0\0".to_vec();
        batch(&mut bytes, 500_000, &clock(1_000_000));
        batch(&mut bytes, 400_000, &[16; 300]);
        bytes.push(END_OF_GENERATION);
        batch(&mut bytes, 3_400_000, &[2]);
        bytes.push(END_OF_GENERATION);
        bytes
    }

    fn check(bytes: &[u8]) -> Extent {
        let mut reader = ExtentReader::default();
        reader.feed(bytes);
        reader.end()
    }

    #[test]
    fn a_trace_reaches_from_its_first_batch_to_its_last() {
        assert_eq!(
            check(&trace()),
            Extent {
                version: Some(26),
                ending: Ending::Whole,
                batches: 3,
                recorded: Some(Duration::from_secs(3)),
            }
        );
    }

    #[test]
    fn the_clock_of_go_1_22_stands_without_a_sync() {
        let mut bytes = b"go 1.22 trace\0\0\0".to_vec();
        batch(&mut bytes, 0, &[16]);
        let mut events = vec![FREQUENCY];
        put(&mut events, 500);
        batch(&mut bytes, 1_000, &events);
        assert_eq!(check(&bytes).recorded, Some(Duration::from_secs(2)));
    }

    #[test]
    fn other_texts_are_foreign() {
        for text in [
            &b"<!doctype html><title>Orders</title>"[..],
            b"go 1.21 trace\0\0\0 and what follows",
            b"go 1.x6 trace\0\0\0",
            b"go 1. trace\0\0\0\0\0",
        ] {
            assert_eq!(check(text).ending, Ending::Foreign);
        }
        assert_eq!(check(b"").ending, Ending::Cut);
    }

    #[test]
    fn a_page_is_known_as_such_at_once_and_an_older_trace_is_none() {
        for (text, foreign) in [
            (&b"<!doctype html><title>"[..], true),
            (b"go 1.21 trace\0\0\0 and", false),
            (b"go 1.26 trace\0\0\0\x07", true),
            (b"go 1.26", false),
        ] {
            let mut reader = ExtentReader::default();
            reader.feed(text);
            assert_eq!(reader.is_foreign(), foreign);
        }
    }

    #[test]
    fn lengths_and_numbers_that_cannot_be_are_foreign() {
        let mut long = b"go 1.26 trace\0\0\0\x01\x01\x01\x01".to_vec();
        put(&mut long, BATCH_MAX + 1);
        assert_eq!(check(&long).ending, Ending::Foreign);
        let mut endless = b"go 1.26 trace\0\0\0\x01".to_vec();
        endless.extend([0xff; 12]);
        assert_eq!(check(&endless).ending, Ending::Foreign);
    }

    #[test]
    fn a_clock_without_ticks_gives_no_length() {
        let mut bytes = b"go 1.26 trace\0\0\0".to_vec();
        batch(&mut bytes, 1, &clock(0));
        batch(&mut bytes, 2, &[2]);
        assert_eq!(check(&bytes).recorded, None);
    }

    proptest! {
        /// However the network cuts a trace into pieces, it is the same trace.
        #[test]
        fn pieces_do_not_matter(at in prop::collection::vec(0..400_usize, 0..12)) {
            let bytes = trace();
            let mut at: Vec<usize> = at.into_iter().map(|at| at.min(bytes.len())).collect();
            at.sort_unstable();
            let mut reader = ExtentReader::default();
            let mut from = 0;
            for to in at.into_iter().chain([bytes.len()]) {
                reader.feed(&bytes[from..to]);
                from = to;
            }
            prop_assert_eq!(reader.end(), check(&bytes));
        }

        #[test]
        fn a_trace_that_ends_early_is_never_longer(length in 0..400_usize) {
            let whole = trace();
            let cut = check(&whole[..length.min(whole.len())]);
            prop_assert!(cut.recorded <= Some(Duration::from_secs(3)));
            prop_assert!(cut.batches <= 3);
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut text = b"go 1.26 trace\0\0\0".to_vec();
            text.extend(&bytes);
            let extent = check(&text);
            prop_assert!(extent.batches <= bytes.len() as u64);
        }
    }
}
