//! Flat and cumulative sums of nodes.

use super::{Frames, Node, Weights};
use crate::Profile;

/// What the sums of a node need while samples go by; two of them fill a cache line's half.
#[derive(Clone, Copy, Default)]
struct Cum {
    value: i64,
    /// The last sample that counted: recursion counts once.
    counted: u32,
}

/// One node for each info.
pub(super) fn sum(profile: &Profile, frames: &Frames<'_>, weights: Weights) -> Vec<Node> {
    let mut nodes: Vec<Node> = (0..frames.infos.len())
        .map(|i| Node {
            info: crate::profile::row(i),
            ..Node::default()
        })
        .collect();
    let mut cums = vec![Cum::default(); nodes.len()];
    let mut divisors = vec![0i64; if weights.mean { nodes.len() } else { 0 }];
    let mut number = 0u32;
    weights.each_sample(profile, |sample, weight| {
        number = number.wrapping_add(1);
        let mut infos = sample.locations.iter().flat_map(|&l| frames.at(l));
        if let Some(node) = infos.next().and_then(|&leaf| nodes.get_mut(leaf as usize)) {
            node.flat.add(weight);
        }
        for &location in sample.locations {
            for &id in frames.at(location) {
                let Some(cum) = cums.get_mut(id as usize) else {
                    continue;
                };
                if cum.counted == number {
                    continue;
                }
                cum.counted = number;
                cum.value = cum.value.wrapping_add(weight.0);
                if let Some(divisor) = divisors.get_mut(id as usize) {
                    *divisor = divisor.wrapping_add(weight.1);
                }
            }
        }
    });
    for (node, cum) in nodes.iter_mut().zip(cums) {
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
