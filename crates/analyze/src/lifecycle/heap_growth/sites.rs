//! Where the live heap grew, as far as its samples tell.

use std::collections::BTreeMap;

use shakedown_evidence::{Evidence, HeapSite, LiveHeap, Stack, handler};

use super::super::batches::real64;
use crate::exhibits::{self, short};

/// What one sample stands for where the evidence does not say: runtime.MemProfileRate by default.
const SAMPLE: f64 = 512.0 * 1024.0;
/// Standard errors by which the place that grew most stands apart from chance and from each other
/// place: two are 98 of 100, on one side.
const APART: f64 = 2.0;

/// A place in the service's own code, and what is alive of what it allocated.
pub(super) struct Site<'a> {
    /// The stack of it that grew most.
    pub(super) stack: &'a Stack,
    /// Estimated growth between the first mark and the last, in bytes.
    pub(super) grown: f64,
    /// Variance of that estimate: of independent samples that came and went.
    variance: f64,
    largest: f64,
}

impl Site<'_> {
    fn is_above(&self, grown: f64, variance: f64) -> bool {
        self.grown - grown >= APART * (self.variance + variance).sqrt()
    }
}

/// The places whose live bytes changed over the marks, by place, most grown first.
///
/// By place and not by stack: what one path frees and another allocates anew, as the refresh of a
/// cache does, has not grown. It is noise, though: which of its objects were sampled is chance.
pub(super) fn of<'a>(seen: &'a Evidence, marks: &[&LiveHeap]) -> Vec<Site<'a>> {
    let mut places: BTreeMap<String, Site<'_>> = BTreeMap::new();
    for (position, alive) in by_stack(marks) {
        let Some(stack) = seen.stacks.get(position) else {
            continue;
        };
        let total = |of: fn(&HeapSite) -> u64| -> f64 {
            alive.iter().flatten().map(|site| real64(of(site))).sum()
        };
        let samples = total(|site| site.samples);
        let size = if samples > 0.0 {
            total(|site| site.bytes) / samples
        } else {
            SAMPLE
        };
        let bytes: Vec<f64> = alive
            .iter()
            .map(|site| site.map_or(0.0, |site| real64(site.bytes)))
            .collect();
        let moved: f64 = bytes.windows(2).map(|pair| (pair[1] - pair[0]).abs()).sum();
        let grown = bytes[bytes.len() - 1] - bytes[0];
        let site = places.entry(line(seen, stack)).or_insert(Site {
            stack,
            grown: 0.0,
            variance: 0.0,
            largest: grown,
        });
        site.grown += grown;
        site.variance += size * moved;
        if grown > site.largest {
            (site.largest, site.stack) = (grown, stack);
        }
    }
    let mut sites: Vec<Site<'_>> = places.into_values().collect();
    sites.sort_by(|a, b| b.grown.total_cmp(&a.grown));
    sites
}

/// What is alive of each stack at each mark.
fn by_stack<'h>(marks: &[&'h LiveHeap]) -> BTreeMap<usize, Vec<Option<&'h HeapSite>>> {
    let mut stacks: BTreeMap<usize, Vec<Option<&HeapSite>>> = BTreeMap::new();
    for (mark, heap) in marks.iter().enumerate() {
        for site in &heap.sites {
            let alive = stacks.entry(site.stack);
            alive.or_insert_with(|| vec![None; marks.len()])[mark] = Some(site);
        }
    }
    stacks
}

/// The site that grew by at least so many bytes, and beyond doubt more than any other.
pub(super) fn sure<'s, 'a>(sites: &'s [Site<'a>], least: f64) -> Option<&'s Site<'a>> {
    let (first, others) = sites.split_first()?;
    let stands_out = first.grown >= least
        && first.is_above(0.0, 0.0)
        && others
            .iter()
            .all(|other| first.is_above(other.grown, other.variance));
    stands_out.then_some(first)
}

/// The service's own function nearest to the allocation, else the one that allocated.
pub(super) fn name(seen: &Evidence, stack: &Stack) -> String {
    let frame = handler::own_frames(stack, seen.build.as_ref())
        .next()
        .or_else(|| stack.frames.first());
    frame.map_or_else(String::new, |frame| short(&frame.function).to_owned())
}

/// The same with its file and line.
pub(super) fn line(seen: &Evidence, stack: &Stack) -> String {
    let own = handler::own_frames(stack, seen.build.as_ref()).next();
    let frame = own.or_else(|| stack.frames.first());
    frame.map_or_else(String::new, |frame| {
        format!(
            "{} {}:{}",
            short(&frame.function),
            exhibits::base(&frame.file),
            frame.line
        )
    })
}
