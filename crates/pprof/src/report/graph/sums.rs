//! Flat and cumulative sums of nodes.

use super::{Frames, Node, Sum, Weights};
use crate::{LocationId, Profile};

/// What the sums of a node need while samples go by; two of them fill a cache line's half.
#[derive(Clone, Copy, Default)]
struct Cum {
    value: i64,
    /// The last sample that counted: recursion counts once.
    counted: u32,
}

/// The first two frames of a location; the first twice where it is the only one, because
/// counting it again changes nothing, and a processor cannot guess how many there are.
type Pair = (u32, u32);

/// Instead of the second: there are more.
const MORE: u32 = u32::MAX;

fn pair(infos: &[u32]) -> Pair {
    match *infos {
        [] => (MORE, MORE),
        [only] => (only, only),
        [first, second] => (first, second),
        [first, ..] => (first, MORE),
    }
}

/// One node for each info.
pub(super) fn sum(profile: &Profile, frames: &Frames<'_>, weights: Weights) -> Vec<Node> {
    match weights.mean {
        true => sum_with::<true>(profile, frames, weights),
        false => sum_with::<false>(profile, frames, weights),
    }
}

/// As [`sum`]; without a mean there is nothing to divide by.
fn sum_with<const MEAN: bool>(
    profile: &Profile,
    frames: &Frames<'_>,
    weights: Weights,
) -> Vec<Node> {
    let mut nodes: Vec<Node> = (0..frames.infos.len())
        .map(|i| Node {
            info: crate::profile::row(i),
            ..Node::default()
        })
        .collect();
    let mut flats = vec![Sum::default(); nodes.len()];
    let mut cums = vec![Cum::default(); nodes.len()];
    let mut divisors = vec![0i64; if MEAN { nodes.len() } else { 0 }];
    let places = (0..profile.locations().len()).map(LocationId::at);
    let pairs: Vec<Pair> = places.map(|l| pair(frames.at(l))).collect();
    let mut number = 0u32;
    weights.each_sample(profile, |sample, weight| {
        number = number.wrapping_add(1);
        // Copies of this call's own: the compiler keeps them at hand.
        let number = number;
        let (pairs, cums) = (pairs.as_slice(), cums.as_mut_slice());
        let divisors = divisors.as_mut_slice();
        let top = sample.locations.first().map(|l| pairs.get(l.index()));
        if let Some(&(leaf, _)) = top.flatten()
            && let Some(flat) = flats.get_mut(leaf as usize)
        {
            flat.add(weight);
        }
        let mut count = |id: u32| {
            let Some(cum) = cums.get_mut(id as usize) else {
                return;
            };
            // Without a branch: whether a function called itself is a guess, too.
            let fresh = i64::from(cum.counted != number).wrapping_neg();
            cum.counted = number;
            cum.value = cum.value.wrapping_add(weight.0 & fresh);
            if MEAN && let Some(divisor) = divisors.get_mut(id as usize) {
                *divisor = divisor.wrapping_add(weight.1 & fresh);
            }
        };
        for &location in sample.locations {
            let Some(&(first, second)) = pairs.get(location.index()) else {
                continue;
            };
            count(first);
            if second != MORE {
                count(second);
                continue;
            }
            for &id in frames.at(location).iter().skip(1) {
                count(id);
            }
        }
    });
    for (node, (flat, cum)) in nodes.iter_mut().zip(flats.into_iter().zip(cums)) {
        node.flat = flat;
        node.cum.value = cum.value;
    }
    for (node, divisor) in nodes.iter_mut().zip(divisors) {
        node.cum.divisor = divisor;
    }
    nodes
}

/// The nodes worth showing.
pub(super) fn select(nodes: &[Node], drop_negative: bool) -> Vec<u32> {
    let negative = |n: &Node| n.flat.value < 0 || n.flat.value == 0 && n.cum.value < 0;
    let wanted = |(_, n): &(usize, &Node)| {
        (n.cum.value != 0 || n.flat.value != 0) && !(drop_negative && negative(n))
    };
    let nodes = nodes.iter().enumerate().filter(wanted);
    nodes.map(|(i, _)| crate::profile::row(i)).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::Line;

    /// A profile of stacks of `places`, each of the functions inlined there; a sample has
    /// a stack, its value, and what a mean divides by.
    pub(in crate::report::graph) fn profile_of(
        places: &[Vec<usize>],
        stacks: &[(Vec<usize>, i64, i64)],
    ) -> Profile {
        let mut profile = Profile::new(&[("samples", "count"), ("cpu", "nanoseconds")]);
        let names = ["a", "b", "c", "d", "e", "f"];
        let functions = names.map(|name| profile.push_function(name, "", 0));
        let mut locations = Vec::new();
        for place in places {
            let line = |&i: &usize| Line {
                function: functions[i],
                line: 0,
                column: 0,
            };
            let lines: Vec<Line> = place.iter().map(line).collect();
            locations.push(profile.push_location(0, None, &lines));
        }
        for (stack, value, count) in stacks {
            let stack = stack.iter().map(|i| locations[i % locations.len()]);
            let stack: Vec<LocationId> = stack.collect();
            profile.push_sample(&stack, &[*count, *value], &[]);
        }
        profile
    }

    /// Flat and cumulative sums, sample by sample and node by node.
    pub(in crate::report::graph) fn one_by_one(
        profile: &Profile,
        frames: &Frames<'_>,
        weights: Weights,
    ) -> Vec<(Sum, Sum)> {
        let mut sums = vec![(Sum::default(), Sum::default()); frames.infos.len()];
        for sample in profile.samples() {
            let of_sample = sample.locations.iter().flat_map(|&l| frames.at(l));
            let infos: Vec<u32> = of_sample.copied().collect();
            for (id, (flat, cum)) in (0..).zip(&mut sums) {
                if infos.first() == Some(&id) {
                    flat.add(weights.of(&sample));
                }
                if infos.contains(&id) {
                    cum.add(weights.of(&sample));
                }
            }
        }
        sums
    }

    #[test]
    fn recursion_counts_once_however_many_frames_a_location_has() {
        let places = [vec![0], vec![1, 0], vec![2, 1, 0], vec![0, 0, 0, 1]];
        let profile = profile_of(&places, &[(vec![3, 2, 1, 0, 0], 5, 1), (vec![1], 7, 1)]);
        let frames = Frames::of(&profile, false, None);
        let weights = Weights {
            index: 1,
            mean: false,
        };
        let cums: Vec<i64> = sum(&profile, &frames, weights)
            .iter()
            .map(|n| n.cum.value)
            .collect();
        assert_eq!(cums, [12, 12, 5]);
    }
}
