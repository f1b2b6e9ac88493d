//! Goroutines counted by stack: the text of `debug=1`, and profile.proto.
//!
//! ```text
//! goroutine profile: total 28
//! 6 @ 0x48eaee 0x41e6ae
//! # labels: {"order":"o1"}
//! #  0x8ef49c  main.(*Store).watch+0xfc  /src/store.go:114
//! ```

use std::sync::Arc;

use super::labels;
use super::pool::{Pool, file_and_line};
use super::{Frame, Label};
use crate::{Came, DecodeError, LabelValue, Limits, LocationId, Profile, Sample};

/// Goroutines counted by stack and labels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// `goroutine`, `goroutineleak` or `threadcreate`.
    pub kind: String,
    /// The total that the head says; of profile.proto the sum.
    pub total: u64,
    /// One for each stack and label set, most goroutines first as they came.
    pub groups: Vec<Group>,
    /// Lines that were not understood; 0 in a sound profile.
    pub unread_lines: usize,
}

/// Goroutines with the same stack and labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// How many.
    pub count: u64,
    /// Their labels, sorted by the runtime.
    pub labels: Arc<[Label]>,
    /// Their stack, leaf first. The text leaves out the runtime's own frames at
    /// the leaf; profile.proto has them.
    pub frames: Arc<[Frame]>,
}

impl Counts {
    /// Reads the text of `debug=1` within the default [`Limits`].
    ///
    /// # Errors
    /// [`DecodeError::Unexpected`] if it does not begin as one.
    pub fn decode(bytes: &[u8]) -> Result<Counts, DecodeError> {
        Counts::decode_within(bytes, &Limits::default())
    }

    /// Reads the text of `debug=1` within `limits`.
    ///
    /// # Errors
    /// [`DecodeError::Unexpected`] if it does not begin as one,
    /// [`DecodeError::TooLarge`] if a limit is passed.
    pub fn decode_within(bytes: &[u8], limits: &Limits) -> Result<Counts, DecodeError> {
        limits.admit(bytes)?;
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.lines();
        let Some((kind, total)) = lines.next().and_then(head) else {
            return Err(match bytes {
                [] => DecodeError::Empty,
                _ => DecodeError::Unexpected {
                    wanted: "a goroutine profile in text (debug=1)",
                    came: Came::guess(bytes),
                },
            });
        };
        let mut reader = Reader {
            pool: Pool::new(limits.budget()),
            counts: Counts {
                kind: kind.to_owned(),
                total,
                ..Counts::default()
            },
            open: None,
        };
        for line in lines {
            reader.line(line)?;
        }
        reader.finish()?;
        Ok(reader.counts)
    }

    /// Takes the same from a goroutine profile in profile.proto.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`] if the default [`Limits`] are passed.
    pub fn from_profile(profile: &Profile) -> Result<Counts, DecodeError> {
        let mut pool = Pool::new(Limits::default().budget());
        let frames = frames(profile, &mut pool)?;
        let kind = profile
            .sample_types()
            .first()
            .map_or("", |t| profile.text(t.kind));
        let mut counts = Counts {
            kind: kind.to_owned(),
            ..Counts::default()
        };
        for sample in profile.samples() {
            let count = sample.values.first().copied().unwrap_or(0);
            let count = u64::try_from(count).unwrap_or(0);
            pool.charge::<Group>()?;
            let of_location = |l: &LocationId| frames.get(l.index()).map_or(&[][..], Vec::as_slice);
            let numbers: Vec<u32> = sample
                .locations
                .iter()
                .flat_map(of_location)
                .copied()
                .collect();
            counts.total = counts.total.saturating_add(count);
            counts.groups.push(Group {
                count,
                labels: pool.labels(text_labels(profile, &sample))?,
                frames: pool.stack(&numbers)?,
            });
        }
        Ok(counts)
    }

    /// The sum of all groups; less than [`Counts::total`] if the text was cut.
    pub fn counted(&self) -> u64 {
        self.groups
            .iter()
            .fold(0, |sum, g| sum.saturating_add(g.count))
    }
}

fn text_labels(profile: &Profile, sample: &Sample<'_>) -> Vec<(String, String)> {
    let text = |label: &crate::Label| match label.value {
        LabelValue::Text(value) => Some((
            profile.text(label.key).to_owned(),
            profile.text(value).to_owned(),
        )),
        LabelValue::Number { .. } => None,
    };
    sample.labels.iter().filter_map(text).collect()
}

/// The frames of each location, innermost inlined call first.
fn frames(profile: &Profile, pool: &mut Pool<'_>) -> Result<Vec<Vec<u32>>, DecodeError> {
    let mut all = Vec::with_capacity(profile.locations().len());
    for (i, location) in profile.locations().iter().enumerate() {
        let mut numbers = Vec::new();
        for line in profile.lines(LocationId::at(i)) {
            let function = profile.functions().get(line.function.index());
            let (name, file) =
                function.map_or(("", ""), |f| (profile.text(f.name), profile.text(f.file)));
            let number = u32::try_from(line.line).unwrap_or(0);
            numbers.push(pool.new_frame(name, file, number)?);
        }
        if numbers.is_empty() {
            // As the text form shows what has no name.
            numbers.push(pool.new_frame(&format!("{:#x}", location.address), "", 0)?);
        }
        all.push(numbers);
    }
    Ok(all)
}

struct Reader<'t> {
    pool: Pool<'t>,
    counts: Counts,
    open: Option<Open>,
}

/// The group being read.
struct Open {
    count: u64,
    labels: Vec<(String, String)>,
    frames: Vec<u32>,
}

impl<'t> Reader<'t> {
    fn line(&mut self, line: &'t str) -> Result<(), DecodeError> {
        if line.is_empty() {
            return self.finish();
        }
        if let Some(count) = group_head(line) {
            self.finish()?;
            self.open = Some(Open {
                count,
                labels: Vec::new(),
                frames: Vec::new(),
            });
            return Ok(());
        }
        let understood = match &mut self.open {
            Some(open) => open.line(line, &mut self.pool)?,
            None => false,
        };
        self.counts.unread_lines += usize::from(!understood);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), DecodeError> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        self.pool.charge::<Group>()?;
        self.counts.groups.push(Group {
            count: open.count,
            labels: self.pool.labels(open.labels)?,
            frames: self.pool.stack(&open.frames)?,
        });
        Ok(())
    }
}

impl Open {
    /// Reads a line of the group; false if it was not understood.
    fn line<'t>(&mut self, line: &'t str, pool: &mut Pool<'t>) -> Result<bool, DecodeError> {
        if let Some(set) = line.strip_prefix("# labels: ") {
            let Some((pairs, "")) = labels::read(set) else {
                return Ok(false);
            };
            self.labels = pairs;
            return Ok(true);
        }
        // `#`, address, function+offset, file:line, set apart by one or more tabs.
        let Some(row) = line.strip_prefix("#\t") else {
            return Ok(false);
        };
        let (address, rest) = row.split_once('\t').unwrap_or((row, ""));
        let (call, place) = rest.split_once('\t').unwrap_or((rest, ""));
        let frame = match (call, place.trim_start_matches('\t')) {
            ("", _) => Some(pool.new_frame(address, "", 0)?),
            (call, place) => {
                let function = call
                    .rsplit_once("+0x")
                    .map_or(call, |(function, _)| function);
                pool.frame(function, place, file_and_line)?
            }
        };
        self.frames.extend(frame);
        Ok(frame.is_some())
    }
}

/// `goroutine profile: total 28`
fn head(line: &str) -> Option<(&str, u64)> {
    let (kind, total) = line.split_once(" profile: total ")?;
    Some((kind, total.trim_end().parse().ok()?))
}

/// `6 @ 0x48eaee 0x41e6ae`
fn group_head(line: &str) -> Option<u64> {
    let (count, _) = line.split_once(" @")?;
    count.parse().ok()
}
