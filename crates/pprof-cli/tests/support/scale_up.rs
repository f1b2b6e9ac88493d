//! Large profiles out of small real ones.
//!
//! Stacks of the given profile are spliced at locations that they share, so that
//! every new stack is a path that the program could have taken; the functions are
//! multiplied under other package names, as a program of many services has them.
//! Values are those of the first stack, times a small number. A seed gives the
//! same profile everywhere.

use std::collections::HashSet;

use shakedown_pprof::{FunctionId, Label, LabelValue, LocationId, Profile, Sample, StringId};

use crate::support::oracle::Dice;

/// What to make.
pub(crate) struct Wanted {
    /// Bytes of the profile, not compressed.
    pub(crate) bytes: usize,
    pub(crate) seed: u64,
    /// How often the program's functions are there.
    pub(crate) copies: usize,
    /// Gives one sample of three an endpoint and a tenant.
    pub(crate) labelled: bool,
}

/// Deeper stacks are thrown away.
const DEEPEST: usize = 200;
const ENDPOINTS: usize = 200;
const TENANTS: usize = 3_000;
/// Samples between two looks at the size.
const ROUND: usize = 2_000;

pub(crate) fn scale_up(real: &Profile, wanted: &Wanted) -> Profile {
    let mut dice = Dice(wanted.seed);
    let mut large = real.clone();
    let copies: Vec<Vec<LocationId>> = (0..wanted.copies.max(1))
        .map(|copy| copy_of_program(real, &mut large, copy))
        .collect();
    let stacks: Vec<Sample<'_>> = real.samples().filter(|s| !s.locations.is_empty()).collect();
    // Where each location stands: sample and depth.
    let mut places: Vec<Vec<(usize, usize)>> = vec![Vec::new(); real.locations().len()];
    for (number, sample) in stacks.iter().enumerate() {
        for (depth, location) in sample.locations.iter().enumerate() {
            places[location.index()].push((number, depth));
        }
    }
    let labels = Labels::of(&mut large);
    let mut seen: HashSet<(usize, Vec<LocationId>)> = HashSet::new();
    let mut more = ROUND;
    let mut bytes = large.encode().len();
    while bytes < wanted.bytes && !stacks.is_empty() {
        let before = bytes;
        for _ in 0..more {
            let first = stacks[dice.below(stacks.len())];
            let mut stack = splice(first.locations, &stacks, &places, &mut dice);
            if stack.len() > 4 {
                stack = splice(&stack, &stacks, &places, &mut dice);
            }
            let copy = dice.below(copies.len());
            // Equal stacks are as rare as in a profile that was merged.
            let known = !seen.insert((copy, stack.clone()));
            if stack.len() > DEEPEST || known && !dice.one_in(50) {
                continue;
            }
            for location in &mut stack {
                *location = copies[copy][location.index()];
            }
            let times = 1 + dice.below(6) as i64;
            let values: Vec<i64> = first.values.iter().map(|v| v.wrapping_mul(times)).collect();
            let mut set = first.labels.to_vec();
            if wanted.labelled && dice.one_in(3) {
                set.extend(labels.draw(&mut dice));
            }
            large.push_sample(&stack, &values, &set);
        }
        bytes = large.encode().len();
        let each = (bytes - before).max(1) as f64 / more as f64;
        more = ((wanted.bytes.saturating_sub(bytes)) as f64 / each) as usize + 1;
    }
    large
}

/// The leaf side of `stack` on the root side of another that passes the same place.
fn splice(
    stack: &[LocationId],
    stacks: &[Sample<'_>],
    places: &[Vec<(usize, usize)>],
    dice: &mut Dice,
) -> Vec<LocationId> {
    let depth = dice.below(stack.len());
    let there = &places[stack[depth].index()];
    let (other, from) = there[dice.below(there.len())];
    let mut spliced = stack[..depth].to_vec();
    spliced.extend_from_slice(&stacks[other].locations[from..]);
    spliced
}

/// The program's locations once more, under other names; the first copy is itself.
fn copy_of_program(real: &Profile, large: &mut Profile, copy: usize) -> Vec<LocationId> {
    let ids = ids(real);
    if copy == 0 {
        return ids;
    }
    let functions: Vec<FunctionId> = real
        .functions()
        .iter()
        .map(|f| {
            let name = format!("svc{copy}.corp/{}", real.text(f.name));
            let file = format!("/src/svc{copy}{}", real.text(f.file));
            large.push_function(&name, &file, f.start_line)
        })
        .collect();
    ids.into_iter()
        .zip(real.locations())
        .map(|(id, location)| {
            let mut lines = real.lines(id).to_vec();
            for line in &mut lines {
                line.function = functions[line.function.index()];
            }
            large.push_location(location.address + ((copy as u64) << 32), None, &lines)
        })
        .collect()
}

/// The ids of all locations, as the samples say them; of unused rows that of the first.
fn ids(real: &Profile) -> Vec<LocationId> {
    let mut ids = vec![LocationId::default(); real.locations().len()];
    for sample in real.samples() {
        for &location in sample.locations {
            ids[location.index()] = location;
        }
    }
    ids
}

struct Labels {
    endpoint: StringId,
    tenant: StringId,
    endpoints: Vec<StringId>,
    tenants: Vec<StringId>,
}

impl Labels {
    fn of(large: &mut Profile) -> Self {
        let mut texts = |stem: &str, count: usize| -> Vec<StringId> {
            (0..count)
                .map(|i| large.intern(&format!("{stem}{i}")))
                .collect()
        };
        let endpoints = texts("/api/v1/resource/", ENDPOINTS);
        let tenants = texts("tenant-", TENANTS);
        Labels {
            endpoint: large.intern("endpoint"),
            tenant: large.intern("tenant"),
            endpoints,
            tenants,
        }
    }

    fn draw(&self, dice: &mut Dice) -> [Label; 2] {
        let endpoint = self.endpoints[dice.below(ENDPOINTS)];
        let tenant = self.tenants[dice.below(TENANTS)];
        [(self.endpoint, endpoint), (self.tenant, tenant)].map(|(key, value)| Label {
            key,
            value: LabelValue::Text(value),
        })
    }
}
