//! Flat and cumulative sums of nodes.

use super::{Frames, Node, Weights};
use crate::Profile;

/// One node for each info.
pub(super) fn sum(profile: &Profile, frames: &Frames<'_>, weights: Weights) -> Vec<Node> {
    let mut nodes: Vec<Node> = (0..frames.infos.len())
        .map(|i| Node {
            info: crate::profile::row(i),
            ..Node::default()
        })
        .collect();
    // The last sample that counted for a node: recursion counts once.
    let mut counted = vec![0usize; nodes.len()];
    for (number, sample) in (1..).zip(profile.samples()) {
        let weight = weights.of(&sample);
        if weight == (0, 0) {
            continue;
        }
        let mut leaf = true;
        for &location in sample.locations {
            for &id in frames.at(location) {
                let id = id as usize;
                let (Some(node), Some(last)) = (nodes.get_mut(id), counted.get_mut(id)) else {
                    continue;
                };
                if leaf {
                    node.flat.add(weight);
                    leaf = false;
                }
                if *last != number {
                    *last = number;
                    node.cum.add(weight);
                }
            }
        }
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
