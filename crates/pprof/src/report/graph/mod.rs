//! Nodes and edges of a profile.
//!
//! A node's own sums do not depend on which other nodes are kept, so they are
//! taken once; edges and labels are built for the nodes that stay, and only
//! where the report prints them. google/pprof builds everything twice.
//!
//! Source: google/pprof, internal/graph/graph.go.

mod call_tree;
mod edges;
mod infos;
mod nodelets;
mod order;
mod sums;
mod trim;

pub(super) use crate::hash::Quick;
pub(super) use edges::Edge;
pub(super) use infos::{Frames, Info};
pub(super) use nodelets::{Tag, TagMap, Tags, sort_tags};
pub(super) use trim::{Limits, Need, TagUnits, Trimmed, trimmed};

use crate::{Profile, Sample};

/// Which of a sample's values count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    pub(super) index: usize,
    /// Values are divided by the sample's first value.
    pub(super) mean: bool,
}

impl Weights {
    /// The sample's value and divisor; 0 is "no divisor".
    #[inline]
    pub(super) fn of(self, sample: &Sample<'_>) -> (i64, i64) {
        self.of_values(sample.values)
    }

    #[inline]
    fn of_values(self, values: &[i64]) -> (i64, i64) {
        let at = |i: usize| values.get(i).copied().unwrap_or(0);
        (at(self.index), if self.mean { at(0) } else { 0 })
    }

    /// Gives the samples that count to `each`, with their weights.
    #[inline]
    pub(super) fn each_sample(
        self,
        profile: &Profile,
        mut each: impl FnMut(&Sample<'_>, (i64, i64)),
    ) {
        let counts = |values: &[i64]| self.of_values(values) != (0, 0);
        profile.each_stack(counts, |sample| each(sample, self.of(sample)));
    }
}

/// A value and what it is divided by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) value: i64,
    pub(super) divisor: i64,
}

impl Sum {
    #[inline]
    pub(super) fn add(&mut self, (value, divisor): (i64, i64)) {
        self.value = self.value.wrapping_add(value);
        self.divisor = self.divisor.wrapping_add(divisor);
    }

    /// The mean, where there is a divisor.
    pub(super) fn shown(self) -> i64 {
        match self.divisor {
            0 => self.value,
            divisor => self.value.wrapping_div(divisor),
        }
    }
}

/// A node: what it stands for, its own value and that with all it calls.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Node {
    pub(super) info: u32,
    /// Node that stands above it in a call tree, plus one.
    pub(super) parent: u32,
    pub(super) flat: Sum,
    pub(super) cum: Sum,
}

/// Nodes, in the order of the report, with edges and labels where asked for.
#[derive(Default)]
pub(super) struct Graph<'p> {
    pub(super) infos: Vec<Info<'p>>,
    pub(super) nodes: Vec<Node>,
    /// The nodes the report shows, in its order.
    pub(super) order: Vec<u32>,
    pub(super) edges: edges::Edges,
    pub(super) tags: Vec<Tags>,
}

impl<'p> Graph<'p> {
    pub(super) fn node(&self, id: u32) -> Node {
        self.nodes.get(id as usize).copied().unwrap_or_default()
    }

    pub(super) fn info(&self, id: u32) -> Info<'p> {
        let info = self.node(id).info;
        self.infos.get(info as usize).cloned().unwrap_or_default()
    }

    pub(super) fn name(&self, id: u32) -> String {
        let info = self.node(id).info;
        self.infos
            .get(info as usize)
            .map_or_else(String::new, Info::printable)
    }

    /// Edges into a node, heaviest first.
    pub(super) fn callers(&self, id: u32) -> Vec<Edge> {
        self.edges
            .sorted(self.edges.leading_to(id), |edge| self.names(edge))
    }

    /// Edges out of a node, heaviest first.
    pub(super) fn callees(&self, id: u32) -> Vec<Edge> {
        self.edges
            .sorted(self.edges.leading_from(id), |edge| self.names(edge))
    }

    pub(super) fn names(&self, edge: &Edge) -> (String, String) {
        (self.name(edge.from), self.name(edge.to))
    }

    /// Sum of the shown values of all nodes in the report.
    pub(super) fn total(&self) -> i64 {
        let shown = |&id: &u32| self.node(id).flat.shown();
        self.order
            .iter()
            .map(shown)
            .fold(0, |sum: i64, v| sum.wrapping_add(v))
    }
}

/// A graph of all nodes without edges, in no order: what listings need.
pub(super) fn all_nodes<'p>(
    profile: &'p Profile,
    frames: Frames<'p>,
    weights: Weights,
    drop_negative: bool,
) -> Graph<'p> {
    let nodes = sums::sum(profile, &frames, weights);
    Graph {
        order: sums::select(&nodes, drop_negative),
        infos: frames.infos,
        nodes,
        ..Graph::default()
    }
}
