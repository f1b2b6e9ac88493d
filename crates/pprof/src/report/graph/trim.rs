//! From all nodes to those a report shows.
//!
//! Source: google/pprof, internal/report/report.go `newTrimmedGraph`.

use std::collections::HashSet;

use super::edges::{Edges, Wanted, build};
use super::order::{By, sort};
use super::{Frames, Graph, Quick, Weights, call_tree, nodelets, sums};
use crate::report::gofmt::to_int;
use crate::report::options::Sort;
use crate::{LocationId, Profile, Sample};

/// What of the graph a report prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Need {
    /// Nodes.
    Nodes,
    /// Nodes, and whether their calls were inlined.
    InlineMarks,
    /// Nodes and edges.
    Edges,
    /// Nodes, edges and labels, chosen for a drawing.
    Drawing,
}

/// How much a graph may hold.
#[derive(Debug, Clone, Copy)]
pub(in crate::report) struct Limits {
    pub(in crate::report) nodes: i64,
    pub(in crate::report) node_fraction: f64,
    pub(in crate::report) edge_fraction: f64,
    pub(in crate::report) sort: Sort,
    pub(in crate::report) drop_negative: bool,
    pub(in crate::report) call_tree: bool,
}

/// A graph of what a report shows, and what it leaves out.
pub(in crate::report) struct Trimmed<'p> {
    pub(in crate::report) graph: Graph<'p>,
    pub(in crate::report) nodes_before: usize,
    pub(in crate::report) dropped_nodes: usize,
    pub(in crate::report) dropped_edges: usize,
}

/// The unit of numeric labels and that of the report.
pub(in crate::report) struct TagUnits<'a> {
    pub(in crate::report) bytes: &'a str,
    pub(in crate::report) shown: &'a str,
}

pub(in crate::report) fn trimmed<'p>(
    profile: &'p Profile,
    mut frames: Frames<'p>,
    weights: Weights,
    need: Need,
    limits: &Limits,
    units: &TagUnits<'_>,
) -> Trimmed<'p> {
    let mut graph = Graph::default();
    let mut tree = None;
    if limits.call_tree {
        tree = Some(call_tree::build(profile, &frames, weights, &mut graph));
    } else {
        graph.nodes = sums::sum(profile, &frames, weights);
    }
    graph.infos = std::mem::take(&mut frames.infos);
    let mut work = Work {
        profile,
        frames,
        weights,
        tree,
        kept: None,
        drawn: None,
    };
    graph.order = sums::select(&graph.nodes, limits.drop_negative);
    let total = graph
        .order
        .iter()
        .fold(0i64, |sum, &id| sum.wrapping_add(graph.node(id).flat.value));
    let cutoff = |fraction: f64| to_int(total as f64 * fraction).wrapping_abs();
    let (node_cutoff, edge_cutoff) = (cutoff(limits.node_fraction), cutoff(limits.edge_fraction));

    let mut dropped_nodes = 0;
    if node_cutoff > 0 {
        let order = std::mem::take(&mut graph.order);
        let before = order.len();
        let heavy = |&id: &u32| graph.node(id).cum.value.wrapping_abs() >= node_cutoff;
        let kept: Vec<u32> = order.iter().copied().filter(heavy).collect();
        dropped_nodes = before - kept.len();
        graph.order = order;
        if dropped_nodes > 0 {
            work.keep(&mut graph, kept);
        }
    }
    let nodes_before = graph.order.len();

    let by = match (need, limits.sort) {
        (Need::Drawing, _) => By::Entropy,
        (_, Sort::Cum) => By::Cum,
        (_, Sort::Flat) => By::Flat,
    };
    let drawing = need == Need::Drawing;
    if drawing {
        work.connect(&mut graph, need);
    }
    sort(&mut graph, by);
    if drawing {
        work.drawn = Some(nodelets::Drawn::of(profile, units));
        work.label(&mut graph, limits.nodes, node_cutoff);
    }
    if limits.nodes > 0 {
        if drawing {
            trim_edges(&mut graph, edge_cutoff);
        }
        let most = usize::try_from(limits.nodes).unwrap_or(usize::MAX);
        let most = match drawing {
            true => nodelets::nodes_that_fit(&graph, most),
            false => most,
        };
        if most < graph.order.len() {
            let kept = graph.order.iter().take(most).copied().collect();
            work.keep(&mut graph, kept);
            if drawing {
                work.connect(&mut graph, need);
                sort(&mut graph, by);
                work.label(&mut graph, limits.nodes, node_cutoff);
            }
        }
    }
    if !drawing {
        work.connect(&mut graph, need);
    }
    let dropped_edges = trim_edges(&mut graph, edge_cutoff);
    if drawing {
        remove_redundant_edges(&mut graph);
    }
    Trimmed {
        graph,
        nodes_before,
        dropped_nodes,
        dropped_edges,
    }
}

struct Work<'p> {
    profile: &'p Profile,
    frames: Frames<'p>,
    weights: Weights,
    /// Present where nodes are paths.
    tree: Option<call_tree::Tree>,
    /// Nodes that exist; `None` is all.
    kept: Option<Vec<bool>>,
    /// Present where labels are drawn.
    drawn: Option<nodelets::Drawn<'p>>,
}

impl<'p> Work<'p> {
    /// Leaves only the nodes of `kept`, which keeps the order.
    fn keep(&mut self, graph: &mut Graph<'p>, kept: Vec<u32>) {
        let mut flags = vec![false; graph.nodes.len()];
        for &id in &kept {
            if let Some(flag) = flags.get_mut(id as usize) {
                *flag = true;
            }
        }
        if self.tree.is_some() {
            call_tree::trim(graph, &flags);
        } else {
            self.kept = Some(flags);
        }
        graph.order = kept;
    }

    /// Builds the edges that the report needs; a tree has them.
    fn connect(&self, graph: &mut Graph<'p>, need: Need) {
        if self.tree.is_none() {
            self.build_edges(graph, need);
        }
    }

    /// Builds the labels of the first `most` nodes, all if that is 0; of a tree only once,
    /// because leaving nodes out changes no other path.
    fn label(&self, graph: &mut Graph<'p>, most: i64, cutoff: i64) {
        let Some(drawn) = &self.drawn else { return };
        if self.tree.is_some() && !graph.tags.is_empty() {
            return;
        }
        let most = match usize::try_from(most) {
            Ok(0) | Err(_) => usize::MAX,
            Ok(most) => most,
        };
        let mut wanted = vec![false; graph.nodes.len()];
        for &id in graph.order.iter().take(most) {
            if let Some(flag) = wanted.get_mut(id as usize) {
                *flag = true;
            }
        }
        let path = |sample: &Sample<'_>, nodes: &mut Vec<u32>| match &self.tree {
            Some(tree) => tree.path(&self.frames, sample, nodes),
            None => self.path(sample, nodes),
        };
        graph.tags = drawn.at_nodes(&wanted, self.weights, cutoff, path);
    }

    /// Appends the kept nodes of a sample, each once; the leaf, if it is kept.
    fn path(&self, sample: &Sample<'_>, nodes: &mut Vec<u32>) -> Option<u32> {
        let kept = |id: &u32| {
            let kept = self.kept.as_ref();
            kept.is_none_or(|k| k.get(*id as usize).copied().unwrap_or(false))
        };
        let infos = |l: &LocationId| self.frames.at(*l).iter().copied();
        nodes.extend(sample.locations.iter().flat_map(infos).filter(kept));
        nodes.sort_unstable();
        nodes.dedup();
        let leaf = sample.locations.iter().flat_map(infos).next();
        leaf.filter(kept)
    }

    fn build_edges(&self, graph: &mut Graph<'p>, need: Need) {
        let inlined;
        let count = graph.infos.len();
        let to = match need {
            Need::Nodes => return,
            Need::InlineMarks => {
                inlined = self.frames.inlined(count);
                if !inlined.contains(&true) {
                    return;
                }
                Some(&inlined[..])
            }
            Need::Edges | Need::Drawing => None,
        };
        let wanted = Wanted {
            kept: self.kept.as_deref(),
            to,
        };
        graph.edges = build(self.profile, &self.frames, count, self.weights, &wanted);
    }
}

/// Removes light edges into shown nodes; how many.
fn trim_edges(graph: &mut Graph<'_>, cutoff: i64) -> usize {
    let mut light = vec![false; graph.edges.count()];
    let mut count = 0;
    for &id in &graph.order {
        for (edge, found) in graph.edges.leading_to(id) {
            if found.weight.value.wrapping_abs() < cutoff
                && let Some(light) = light.get_mut(edge as usize)
            {
                *light = true;
                count += 1;
            }
        }
    }
    graph.edges.remove_all(&light);
    count
}

/// Removes edges over hidden nodes where another path leads to the same place.
fn remove_redundant_edges(graph: &mut Graph<'_>) {
    for place in (0..graph.order.len()).rev() {
        let Some(&id) = graph.order.get(place) else {
            continue;
        };
        let callers = graph.callers(id);
        for edge in callers.iter().rev() {
            if !edge.residual {
                break;
            }
            let found = graph
                .edges
                .leading_to(id)
                .find(|(_, e)| e.from == edge.from);
            if let Some((found, _)) = found
                && is_redundant(&graph.edges, found, edge.from, edge.to)
            {
                graph.edges.remove(found);
            }
        }
    }
}

/// True if `from` reaches `to` without the edge `edge`.
fn is_redundant(edges: &Edges, edge: u32, from: u32, to: u32) -> bool {
    let mut seen: HashSet<u32, Quick> = HashSet::default();
    seen.insert(to);
    let mut queue = vec![to];
    while let Some(node) = queue.pop() {
        for (id, above) in edges.leading_to(node) {
            if id == edge || seen.contains(&above.from) {
                continue;
            }
            if above.from == from {
                return true;
            }
            seen.insert(above.from);
            queue.push(above.from);
        }
    }
    false
}
