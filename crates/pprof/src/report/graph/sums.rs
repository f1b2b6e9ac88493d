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
