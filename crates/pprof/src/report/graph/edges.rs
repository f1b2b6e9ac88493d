//! Edges between nodes.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::{Frames, Quick, Sum, Weights};
use crate::{Location, LocationId, Profile};

/// A call from one node to another.
#[derive(Debug, Clone, Copy)]
pub(in crate::report) struct Edge {
    pub(in crate::report) from: u32,
    pub(in crate::report) to: u32,
    pub(in crate::report) weight: Sum,
    /// Passes over nodes that are not shown.
    pub(in crate::report) residual: bool,
    /// Every call was inlined.
    pub(in crate::report) inline: bool,
}

/// All edges, findable from both ends.
#[derive(Default)]
pub(in crate::report) struct Edges {
    all: Vec<Edge>,
    /// Edges into and out of each node; removed ones are taken out of the lists.
    into: Vec<Vec<u32>>,
    out_of: Vec<Vec<u32>>,
}

impl Edges {
    pub(super) fn for_nodes(count: usize) -> Self {
        Edges {
            all: Vec::new(),
            into: vec![Vec::new(); count],
            out_of: vec![Vec::new(); count],
        }
    }

    /// Adds an edge that is not there yet.
    pub(super) fn push(&mut self, edge: Edge) {
        let id = crate::profile::row(self.all.len());
        self.all.push(edge);
        if let Some(list) = self.into.get_mut(edge.to as usize) {
            list.push(id);
        }
        if let Some(list) = self.out_of.get_mut(edge.from as usize) {
            list.push(id);
        }
    }

    /// How many there ever were: ids are below it.
    pub(super) const fn count(&self) -> usize {
        self.all.len()
    }

    pub(in crate::report) fn leading_to(&self, node: u32) -> impl Iterator<Item = (u32, &Edge)> {
        self.listed(self.into.get(node as usize))
    }

    pub(in crate::report) fn leading_from(&self, node: u32) -> impl Iterator<Item = (u32, &Edge)> {
        self.listed(self.out_of.get(node as usize))
    }

    fn listed<'a>(&'a self, list: Option<&'a Vec<u32>>) -> impl Iterator<Item = (u32, &'a Edge)> {
        let ids = list.map_or(&[][..], Vec::as_slice);
        ids.iter()
            .filter_map(|&id| Some((id, self.all.get(id as usize)?)))
    }

    pub(super) fn remove(&mut self, id: u32) {
        let Some(&edge) = self.all.get(id as usize) else {
            return;
        };
        if let Some(list) = self.into.get_mut(edge.to as usize) {
            list.retain(|&e| e != id);
        }
        if let Some(list) = self.out_of.get_mut(edge.from as usize) {
            list.retain(|&e| e != id);
        }
    }

    /// Removes the edges that are flagged, in one pass: a node may have a great many.
    pub(super) fn remove_all(&mut self, flagged: &[bool]) {
        let stays = |id: &u32| !flagged.get(*id as usize).copied().unwrap_or(false);
        for list in self.into.iter_mut().chain(&mut self.out_of) {
            list.retain(stays);
        }
    }

    /// Heaviest first, then by the names of both ends.
    pub(in crate::report) fn sorted<'a>(
        &self,
        edges: impl Iterator<Item = (u32, &'a Edge)>,
        names: impl Fn(&Edge) -> (String, String),
    ) -> Vec<Edge> {
        let mut edges: Vec<Edge> = edges.map(|(_, edge)| *edge).collect();
        if edges.len() > 1 {
            edges.sort_by_cached_key(|e| (Reverse(e.weight.value.wrapping_abs()), names(e)));
        }
        edges
    }
}

/// Which edges to build.
pub(super) struct Wanted<'a> {
    /// Nodes that exist for the report; `None` is all.
    pub(super) kept: Option<&'a [bool]>,
    /// Nodes whose incoming edges are asked for; `None` is all.
    pub(super) to: Option<&'a [bool]>,
}

/// No node.
const NONE: u32 = u32::MAX;

/// A frame of a location that exists for the report.
#[derive(Clone, Copy)]
struct Step {
    id: u32,
    /// Its place in the table of edges, as the caller and as what is called.
    column: u32,
    row: u32,
    /// Edges into it are asked for.
    callee: bool,
    inline: bool,
    /// Frames above it, in the same location, are left out.
    residual: bool,
}

/// What the steps of a location do to the edges of a stack.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It has none: what comes next passes over it.
    Hidden,
    /// Edges into them are not asked for: its last may be a caller.
    Caller,
    /// All else.
    Callee,
}

/// The frames of each location that exist for the report, outermost first: most frames
/// of most stacks do not, and every stack would step over them again.
struct Steps {
    kinds: Vec<Kind>,
    steps: Vec<Step>,
    /// Where those of each location end, and whether frames behind the last are left out.
    ends: Vec<(u32, bool)>,
    /// How many places there are in the table of edges.
    columns: u32,
    rows: u32,
}

/// Numbers nodes in the order in which they come.
struct Places {
    known: Vec<u32>,
    count: u32,
}

impl Places {
    fn for_nodes(count: usize) -> Self {
        Places {
            known: vec![NONE; count],
            count: 0,
        }
    }

    fn of(&mut self, id: u32) -> u32 {
        let Some(place) = self.known.get_mut(id as usize) else {
            return NONE;
        };
        if *place == NONE {
            *place = self.count;
            self.count += 1;
        }
        *place
    }
}

impl Steps {
    fn of(frames: &Frames<'_>, locations: &[Location], count: usize, wanted: &Wanted<'_>) -> Self {
        let is = |flags: Option<&[bool]>, id: u32| {
            flags.is_none_or(|f| f.get(id as usize).copied().unwrap_or(false))
        };
        let mut found = Steps {
            kinds: Vec::with_capacity(locations.len()),
            steps: Vec::new(),
            ends: Vec::with_capacity(locations.len()),
            columns: 0,
            rows: 0,
        };
        let mut columns = Places::for_nodes(count);
        let mut rows = Places::for_nodes(count);
        for i in 0..locations.len() {
            let infos = frames.at(LocationId::at(i));
            let before = found.steps.len();
            let mut residual = false;
            for (depth, &id) in infos.iter().enumerate().rev() {
                if !is(wanted.kept, id) {
                    residual = true;
                    continue;
                }
                let callee = is(wanted.to, id);
                found.steps.push(Step {
                    id,
                    column: columns.of(id),
                    row: if callee { rows.of(id) } else { NONE },
                    callee,
                    inline: depth + 1 != infos.len(),
                    residual,
                });
                residual = false;
            }
            let end = crate::profile::row(found.steps.len());
            found.ends.push((end, residual));
            found.kinds.push(match found.steps.get(before..) {
                Some([]) if residual => Kind::Hidden,
                Some(steps @ [_, ..]) if !steps.iter().any(|s| s.callee) => Kind::Caller,
                _ => Kind::Callee,
            });
        }
        (found.columns, found.rows) = (columns.count, rows.count);
        found
    }

    #[inline]
    fn at(&self, location: LocationId) -> (&[Step], bool) {
        let i = location.index();
        let from = match i.checked_sub(1) {
            Some(before) => self.ends.get(before).map_or(0, |end| end.0),
            None => 0,
        };
        let (to, residual) = self.ends.get(i).copied().unwrap_or_default();
        let steps = self.steps.get(from as usize..to as usize);
        (steps.unwrap_or(&[]), residual)
    }
}

/// Places of the largest table of edges: two megabytes, of which most stay untouched.
const TABLE: usize = 1 << 19;

/// The ids of edges by their ends, plus one, and 0 where there is none yet: a table as long
/// as few nodes call few.
struct Known {
    width: usize,
    table: Vec<u32>,
    others: HashMap<(u32, u32), u32, Quick>,
}

impl Known {
    /// `most` is how many places a table may have.
    fn of(steps: &Steps, most: usize) -> Self {
        let width = steps.columns as usize;
        let places = width.saturating_mul(steps.rows as usize);
        Known {
            width,
            table: vec![0; if places > most { 0 } else { places }],
            others: HashMap::default(),
        }
    }

    #[inline]
    fn place(&mut self, from: &Step, to: &Step) -> Option<&mut u32> {
        if self.table.is_empty() {
            return Some(self.others.entry((from.id, to.id)).or_insert(0));
        }
        let row = self.width * to.row as usize;
        self.table.get_mut(row + from.column as usize)
    }
}

/// What an edge needs while samples go by: four fill a cache line.
#[derive(Clone, Copy)]
struct Calls {
    value: i64,
    /// The last sample that counted.
    counted: u32,
    residual: bool,
    inline: bool,
}

impl Calls {
    const NONE: Calls = Calls {
        value: 0,
        counted: 0,
        residual: false,
        inline: true,
    };
}

/// Edges among `count` nodes along the stacks of all samples; each sample counts once for an edge.
pub(super) fn build(
    profile: &Profile,
    frames: &Frames<'_>,
    count: usize,
    weights: Weights,
    wanted: &Wanted<'_>,
) -> Edges {
    build_within(TABLE, profile, frames, count, weights, wanted)
}

/// As [`build`], with a table of at most so many places.
fn build_within(
    most: usize,
    profile: &Profile,
    frames: &Frames<'_>,
    count: usize,
    weights: Weights,
    wanted: &Wanted<'_>,
) -> Edges {
    let mut edges = Edges::for_nodes(count);
    let steps = Steps::of(frames, profile.locations(), count, wanted);
    let mut known = Known::of(&steps, most);
    let mut ends: Vec<(u32, u32)> = Vec::new();
    let mut sums: Vec<Calls> = Vec::new();
    let mut divisors: Vec<i64> = Vec::new();
    let mut number = 0u32;
    weights.each_sample(profile, |sample, weight| {
        number = number.wrapping_add(1);
        let number = number;
        let mut from = None;
        let mut residual = false;
        // The location that calls, looked at once it turns out to call something.
        let mut calling = None;
        for &location in sample.locations.iter().rev() {
            let kind = steps.kinds.get(location.index());
            let kind = kind.copied().unwrap_or(Kind::Callee);
            if kind != Kind::Callee {
                let hidden = kind == Kind::Hidden;
                calling = if hidden { calling } else { Some(location) };
                residual = hidden;
                continue;
            }
            if let Some(location) = calling.take() {
                let (steps, behind) = steps.at(location);
                from = steps.last().or(from);
                residual |= behind;
            }
            let (steps, behind) = steps.at(location);
            for step in steps {
                residual |= step.residual;
                let caller = from.replace(step);
                let passed_over = std::mem::replace(&mut residual, false);
                let Some(caller) = caller.filter(|c| step.callee && c.id != step.id) else {
                    continue;
                };
                let Some(place) = known.place(caller, step) else {
                    continue;
                };
                if *place == 0 {
                    ends.push((caller.id, step.id));
                    sums.push(Calls::NONE);
                    *place = crate::profile::row(sums.len());
                    divisors.resize(if weights.mean { sums.len() } else { 0 }, 0);
                }
                let id = *place as usize - 1;
                let Some(calls) = sums.get_mut(id) else {
                    continue;
                };
                // Without a branch, as the sums of nodes.
                let fresh = calls.counted != number;
                let mask = i64::from(fresh).wrapping_neg();
                calls.counted = number;
                calls.value = calls.value.wrapping_add(weight.0 & mask);
                calls.residual |= passed_over & fresh;
                calls.inline &= step.inline | !fresh;
                if let Some(divisor) = divisors.get_mut(id) {
                    *divisor = divisor.wrapping_add(weight.1 & mask);
                }
            }
            residual |= behind;
        }
    });
    let divisors = divisors.into_iter().chain(std::iter::repeat(0));
    for (((from, to), calls), divisor) in ends.into_iter().zip(sums).zip(divisors) {
        edges.push(Edge {
            from,
            to,
            weight: Sum {
                value: calls.value,
                divisor,
            },
            residual: calls.residual,
            inline: calls.inline,
        });
    }
    edges
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::report::graph::sums;
    use crate::report::graph::sums::tests::profile_of;

    /// Value, divisor, residual, inline of each edge.
    type Plain = BTreeMap<(u32, u32), (i64, i64, bool, bool)>;

    fn plain(edges: &Edges) -> Plain {
        let all = edges.all.iter();
        all.map(|e| {
            let weight = (e.weight.value, e.weight.divisor);
            ((e.from, e.to), (weight.0, weight.1, e.residual, e.inline))
        })
        .collect()
    }

    /// The same, frame by frame.
    fn one_by_one(
        profile: &Profile,
        frames: &Frames<'_>,
        weights: Weights,
        wanted: &Wanted<'_>,
    ) -> Plain {
        let is = |flags: Option<&[bool]>, id: u32| flags.is_none_or(|f| f[id as usize]);
        let mut edges = Plain::new();
        for sample in profile.samples() {
            let (value, divisor) = weights.of(&sample);
            let (mut from, mut residual, mut seen) = (None, false, BTreeSet::new());
            for &location in sample.locations.iter().rev() {
                let infos = frames.at(location);
                for (depth, &id) in infos.iter().enumerate().rev() {
                    if !is(wanted.kept, id) {
                        residual = true;
                        continue;
                    }
                    let caller = from.replace(id).filter(|&caller| caller != id);
                    let over = std::mem::take(&mut residual);
                    if let Some(caller) = caller.filter(|_| is(wanted.to, id))
                        && (value, divisor) != (0, 0)
                        && seen.insert((caller, id))
                    {
                        let edge = edges.entry((caller, id)).or_insert((0, 0, false, true));
                        edge.0 += value;
                        edge.1 += divisor;
                        edge.2 |= over;
                        edge.3 &= depth + 1 != infos.len();
                    }
                }
            }
        }
        edges
    }

    proptest! {
        #[test]
        fn edges_are_those_of_a_walk_frame_by_frame(
            places in proptest::collection::vec(proptest::collection::vec(0_usize..6, 0..4), 1..8),
            stacks in proptest::collection::vec(
                (proptest::collection::vec(0_usize..8, 0..9), -2_i64..9, 0_i64..3), 0..12),
            kept in proptest::option::of(proptest::collection::vec(any::<bool>(), 8)),
            to in proptest::option::of(proptest::collection::vec(any::<bool>(), 8)),
            mean: bool,
        ) {
            let profile = profile_of(&places, &stacks);
            let frames = Frames::of(&profile, false, None);
            let weights = Weights { index: 1, mean };
            let wanted = Wanted { kept: kept.as_deref(), to: to.as_deref() };
            let right = one_by_one(&profile, &frames, weights, &wanted);
            for most in [0, TABLE] {
                let count = frames.infos.len();
                let edges = build_within(most, &profile, &frames, count, weights, &wanted);
                prop_assert_eq!(&plain(&edges), &right, "{}", most);
            }
            let nodes = sums::sum(&profile, &frames, weights);
            prop_assert_eq!(sums::tests::one_by_one(&profile, &frames, weights), nodes
                .iter()
                .map(|n| (n.flat, n.cum))
                .collect::<Vec<_>>());
        }
    }
}
