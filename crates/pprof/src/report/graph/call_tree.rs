//! Call trees: a node for each path, not for each function.
//!
//! Source: google/pprof, internal/graph/graph.go `newTree`, `TrimTree`.

use std::collections::HashMap;

use super::edges::{Edge, Edges};
use super::{Frames, Graph, Node, Quick, Sum, Weights};
use crate::{Profile, Sample};

/// Finds the nodes of a path again.
pub(super) struct Tree {
    /// By the node above plus one (0 at the root) and the info.
    children: HashMap<(u32, u32), u32, Quick>,
}

impl Tree {
    /// Appends the nodes of a sample's path; the leaf.
    pub(super) fn path(
        &self,
        frames: &Frames<'_>,
        sample: &Sample<'_>,
        nodes: &mut Vec<u32>,
    ) -> Option<u32> {
        let mut leaf = None;
        for &location in sample.locations.iter().rev() {
            for &info in frames.at(location).iter().rev() {
                let above = leaf.map_or(0, |n: u32| n + 1);
                leaf = Some(*self.children.get(&(above, info))?);
                nodes.extend(leaf);
            }
        }
        leaf
    }
}

/// Fills nodes and edges of `graph`.
pub(super) fn build(
    profile: &Profile,
    frames: &Frames<'_>,
    weights: Weights,
    graph: &mut Graph<'_>,
) -> Tree {
    let mut tree = Tree {
        children: HashMap::default(),
    };
    let nodes = &mut graph.nodes;
    // Of each node, whether every call to it was inlined.
    let mut inlined: Vec<bool> = Vec::new();
    weights.each_sample(profile, |sample, weight| {
        let mut parent = 0u32;
        for &location in sample.locations.iter().rev() {
            let infos = frames.at(location);
            for (depth, &info) in infos.iter().enumerate().rev() {
                let next = crate::profile::row(nodes.len());
                let id = *tree.children.entry((parent, info)).or_insert(next);
                if id == next {
                    nodes.push(Node {
                        info,
                        parent,
                        ..Node::default()
                    });
                    inlined.push(true);
                }
                if let (Some(node), Some(inline)) =
                    (nodes.get_mut(id as usize), inlined.get_mut(id as usize))
                {
                    node.cum.add(weight);
                    *inline &= depth + 1 != infos.len();
                }
                parent = id + 1;
            }
        }
        if let Some(leaf) = parent.checked_sub(1)
            && let Some(node) = nodes.get_mut(leaf as usize)
        {
            node.flat.add(weight);
        }
    });
    graph.edges = Edges::for_nodes(nodes.len());
    for (to, (node, inline)) in (0..).zip(nodes.iter().zip(inlined)) {
        if let Some(from) = node.parent.checked_sub(1) {
            graph.edges.push(Edge {
                from,
                to,
                weight: Sum { ..node.cum },
                residual: false,
                inline,
            });
        }
    }
    tree
}

/// Takes out the nodes that `keep` does not flag; what they call is then called
/// by what called them.
pub(super) fn trim(graph: &mut Graph<'_>, keep: &[bool]) {
    let mut leaves = vec![false; graph.nodes.len()];
    for &id in &graph.order {
        if let Some(leaves) = leaves.get_mut(id as usize) {
            *leaves = !keep.get(id as usize).copied().unwrap_or(false);
        }
    }
    let mut edges = Edges::for_nodes(graph.nodes.len());
    // Of each node that leaves, the edge that led to it, over those that left above it. A caller
    // is numbered before what it calls.
    let mut above: Vec<Option<Edge>> = vec![None; leaves.len()];
    for to in 0..leaves.len() {
        let into = graph.edges.leading_to(crate::profile::row(to)).next();
        let Some((_, &(mut edge))) = into else {
            continue;
        };
        if leaves.get(edge.from as usize) == Some(&true) {
            let Some(Some(over)) = above.get(edge.from as usize) else {
                continue;
            };
            edge.from = over.from;
            edge.residual = true;
            edge.inline &= over.inline;
        }
        match leaves.get(to) {
            Some(true) => above[to] = Some(edge),
            _ => edges.push(edge),
        }
    }
    graph.edges = edges;
}
