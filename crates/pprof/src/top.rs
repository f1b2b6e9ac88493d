//! Flat and cumulative values by function or by line.
//!
//! Counts and sorts as google/pprof does (`internal/graph/graph.go`: `newGraph`,
//! `FlatNameOrder`; `internal/report/report.go`: `computeTotal`), without its
//! trimming, filters, `drop_frames` and `(inline)` marks. Sums wrap as Go's do.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::paths::clean;
use crate::{FunctionId, LabelValue, Line, LocationId, Profile, Sample, short_name};

/// What one row of [`Top`] stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granularity {
    /// A function, by name (pprof's `-functions`).
    Function,
    /// A line of a function (pprof's `-lines`).
    Line,
}

/// Where the values of one sample type are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Top<'p> {
    /// The sum of all samples' absolute values; of the base's alone where the
    /// profile is a difference (label `pprof::base`).
    pub total: i64,
    /// Rows by falling flat value, then name.
    pub rows: Vec<TopRow<'p>>,
}

/// One function or line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopRow<'p> {
    /// Function name; `[file]` or `<unknown>` where there is none.
    pub name: Cow<'p, str>,
    /// Source file; empty is unknown.
    pub file: Cow<'p, str>,
    /// Line: of a function the one with the most flat value, else where it
    /// begins, else one of it that was seen. 0 is unknown.
    pub line: i64,
    /// Value of samples that end here.
    pub flat: i64,
    /// Value of samples that pass or end here.
    pub cum: i64,
}

impl TopRow<'_> {
    /// The name without the directories of its package: `orders.(*Store).scan`.
    pub fn short_name(&self) -> Cow<'_, str> {
        short_name(&self.name)
    }

    /// File name without directories, and line: `store.go:88`; empty is unknown.
    pub fn place(&self) -> String {
        let file = self.file.rsplit(['/', '\\']).next().unwrap_or("");
        match self.line {
            0 => file.to_owned(),
            line => format!("{file}:{line}"),
        }
    }
}

impl Top<'_> {
    /// `value` as a share of the total, 0.0 to 1.0; 0 where the total is 0.
    pub fn share(&self, value: i64) -> f64 {
        match self.total {
            0 => 0.0,
            total => value as f64 / total as f64,
        }
    }
}

/// Sums the values of the sample type at place `sample_type` (see
/// [`Profile::sample_type`]); a place that does not exist gives no rows.
pub fn top(profile: &Profile, sample_type: usize, by: Granularity) -> Top<'_> {
    let nodes = Nodes::of(profile, by);
    let sums = nodes.sum(profile, sample_type);
    let places = match by {
        Granularity::Function => nodes.places(profile, &sums.leaf),
        Granularity::Line => Vec::new(),
    };
    let mut rows = Vec::new();
    for (i, (key, (&flat, &cum))) in nodes
        .keys
        .into_iter()
        .zip(sums.flat.iter().zip(&sums.cum))
        .enumerate()
    {
        if flat == 0 && cum == 0 {
            continue;
        }
        let printable = key.printable();
        let (file, line) = match places.get(i) {
            Some(place) => (Cow::Borrowed(place.file), place.line),
            None => (key.file.clone(), key.line),
        };
        let name = key.name();
        rows.push((
            printable,
            TopRow {
                name,
                file,
                line,
                flat,
                cum,
            },
        ));
    }
    rows.sort_by(|(name_a, a), (name_b, b)| {
        let by_flat = b.flat.unsigned_abs().cmp(&a.flat.unsigned_abs());
        by_flat
            .then_with(|| name_a.cmp(name_b))
            .then_with(|| b.cum.unsigned_abs().cmp(&a.cum.unsigned_abs()))
    });
    Top {
        total: total(profile, sample_type),
        rows: rows.into_iter().map(|(_, row)| row).collect(),
    }
}

fn total(profile: &Profile, sample_type: usize) -> i64 {
    let base = profile.strings.find("pprof::base");
    let is_base = |sample: &Sample<'_>| {
        sample.labels.iter().any(|label| match label.value {
            LabelValue::Text(text) => Some(label.key) == base && profile.text(text) == "true",
            LabelValue::Number { .. } => false,
        })
    };
    let (mut all, mut of_base) = (0i64, 0i64);
    for sample in profile.samples() {
        let value = sample.values.get(sample_type).copied().unwrap_or(0);
        let value = value.wrapping_abs();
        all = all.wrapping_add(value);
        if base.is_some() && is_base(&sample) {
            of_base = of_base.wrapping_add(value);
        }
    }
    if of_base > 0 { of_base } else { all }
}

/// What makes two frames one row; google/pprof's `NodeInfo`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Key<'p> {
    function: &'p str,
    file: Cow<'p, str>,
    line: i64,
    /// The mapped file, only of frames without a function name.
    object: &'p str,
    /// The function's first line, only of frames without a function name.
    start: i64,
}

impl<'p> Key<'p> {
    fn of(profile: &'p Profile, object: &'p str, line: Option<&Line>, by: Granularity) -> Self {
        let function = line.and_then(|l| Some((l, profile.functions().get(l.function.index())?)));
        let Some((line, function)) = function else {
            return Key {
                object,
                ..Key::default()
            };
        };
        let name = profile.text(function.name);
        let (file, number) = match by {
            Granularity::Function => (Cow::Borrowed(""), 0),
            Granularity::Line => (clean(profile.text(function.file)), line.line),
        };
        let (object, start) = match name {
            "" => (object, function.start_line),
            _ => ("", 0),
        };
        Key {
            function: name,
            file,
            line: number,
            object,
            start,
        }
    }

    fn name(&self) -> Cow<'p, str> {
        if !self.function.is_empty() {
            return Cow::Borrowed(self.function);
        }
        match self.object.trim_end_matches('/').rsplit('/').next() {
            Some(base) if !base.is_empty() => Cow::Owned(format!("[{base}]")),
            _ => Cow::Borrowed("<unknown>"),
        }
    }

    /// The text that google/pprof prints and sorts by; `NodeInfo.PrintableName`.
    fn printable(&self) -> String {
        let place = match self.line {
            0 => self.file.to_string(),
            line => format!("{}:{line}", self.file),
        };
        match (self.function, place.as_str()) {
            (_, "") => self.name().into_owned(),
            ("", _) => place,
            (function, _) => format!("{function} {place}"),
        }
    }
}

/// Rows to be, and which of them each frame of each location belongs to.
struct Nodes<'p> {
    keys: Vec<Key<'p>>,
    frames: Vec<Frame<'p>>,
    /// Frames of each location, innermost inlined call first.
    ranges: Vec<std::ops::Range<usize>>,
}

/// A source line of a location, or the location itself where it has none.
struct Frame<'p> {
    node: usize,
    line: Option<&'p Line>,
}

/// Sums by node (`flat`, `cum`) and by frame (`leaf`, the flat part).
struct Sums {
    flat: Vec<i64>,
    cum: Vec<i64>,
    leaf: Vec<i64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Place<'p> {
    file: &'p str,
    line: i64,
}

impl<'p> Nodes<'p> {
    fn of(profile: &'p Profile, by: Granularity) -> Self {
        let mut nodes = Nodes {
            keys: Vec::new(),
            frames: Vec::new(),
            ranges: Vec::new(),
        };
        let mut known: HashMap<Key<'p>, usize> = HashMap::new();
        for (i, location) in profile.locations().iter().enumerate() {
            let mapping = location
                .mapping
                .and_then(|m| profile.mappings().get(m.index()));
            let object = mapping.map_or("", |m| profile.text(m.file));
            let start = nodes.frames.len();
            let lines = profile.lines(LocationId::at(i)).iter().map(Some);
            let bare = (lines.len() == 0).then_some(None);
            for line in lines.chain(bare) {
                let key = Key::of(profile, object, line, by);
                let node = *known.entry(key).or_insert_with_key(|key| {
                    nodes.keys.push(key.clone());
                    nodes.keys.len() - 1
                });
                nodes.frames.push(Frame { node, line });
            }
            nodes.ranges.push(start..nodes.frames.len());
        }
        nodes
    }

    fn sum(&self, profile: &Profile, sample_type: usize) -> Sums {
        let mut sums = Sums {
            flat: vec![0; self.keys.len()],
            cum: vec![0; self.keys.len()],
            leaf: vec![0; self.frames.len()],
        };
        // The last sample that counted for a node: recursion counts once.
        let mut counted = vec![0usize; self.keys.len()];
        for (number, sample) in (1..).zip(profile.samples()) {
            let value = sample.values.get(sample_type).copied().unwrap_or(0);
            if value == 0 {
                continue;
            }
            let frames = sample
                .locations
                .iter()
                .filter_map(|l| self.ranges.get(l.index()));
            for (depth, frame) in frames.flat_map(Clone::clone).enumerate() {
                let node = self.frames[frame].node;
                if depth == 0 {
                    add(&mut sums.flat[node], value);
                    add(&mut sums.leaf[frame], value);
                }
                if counted[node] != number {
                    counted[node] = number;
                    add(&mut sums.cum[node], value);
                }
            }
        }
        sums
    }

    /// Where each node is best shown: the line with most flat value, else where
    /// the function begins, else its first line seen.
    fn places(&self, profile: &'p Profile, leaf: &[i64]) -> Vec<Place<'p>> {
        let mut by_line: HashMap<(usize, FunctionId, i64), i64> = HashMap::new();
        for (frame, &value) in self.frames.iter().zip(leaf) {
            if let Some(line) = frame.line {
                add(
                    by_line
                        .entry((frame.node, line.function, line.line))
                        .or_default(),
                    value,
                );
            }
        }
        let mut best: Vec<Option<(u64, i64, FunctionId)>> = vec![None; self.keys.len()];
        for ((node, function, line), value) in by_line {
            let mine = (value.unsigned_abs(), line, function);
            let better =
                |(weight, line, function)| (mine.0, line, function) > (weight, mine.1, mine.2);
            if best[node].is_none_or(better) {
                best[node] = Some(mine);
            }
        }
        let place = |best: Option<(u64, i64, FunctionId)>| {
            let Some((weight, line, id)) = best else {
                return Place::default();
            };
            let Some(function) = profile.functions().get(id.index()) else {
                return Place::default();
            };
            let begins = weight == 0 && function.start_line > 0;
            Place {
                file: profile.text(function.file),
                line: if begins { function.start_line } else { line },
            }
        };
        best.into_iter().map(place).collect()
    }
}

fn add(sum: &mut i64, value: i64) {
    *sum = sum.wrapping_add(value);
}
