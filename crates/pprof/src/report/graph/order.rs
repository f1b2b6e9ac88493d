//! Orders of nodes: by flat, by cum, and by how much a graph tells with them.

use std::cmp::Ordering;

use super::{Edge, Graph};
use crate::report::gofmt::to_int;

/// What nodes are sorted by, before their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Flat,
    Cum,
    /// Favours nodes where paths meet and part; for drawings.
    Entropy,
}

/// A node with all that its place depends on.
struct Ranked {
    id: u32,
    score: i64,
    name: String,
    /// Breaks ties of the score and name.
    second: i64,
}

pub(super) fn sort(graph: &mut Graph<'_>, by: By) {
    let mut ranked: Vec<Ranked> = graph
        .order
        .iter()
        .map(|&id| {
            let node = graph.node(id);
            let (score, second) = match by {
                By::Flat => (node.flat.value, node.cum.value),
                By::Cum => (node.cum.value, node.flat.value),
                By::Entropy => (entropy(graph, id), node.flat.value),
            };
            Ranked {
                id,
                score: score.wrapping_abs(),
                name: graph.name(id),
                second: second.wrapping_abs(),
            }
        })
        .collect();
    let compare = |a: &Ranked, b: &Ranked| -> Ordering {
        let by_score = b.score.cmp(&a.score);
        let by_name = by_score.then_with(|| a.name.cmp(&b.name));
        by_name
            .then_with(|| b.second.cmp(&a.second))
            .then_with(|| graph.info(a.id).compare(&graph.info(b.id)))
    };
    // Equal paths of a call tree keep the order they had.
    ranked.sort_by(compare);
    graph.order = ranked.into_iter().map(|r| r.id).collect();
}

fn entropy(graph: &Graph<'_>, id: u32) -> i64 {
    let node = graph.node(id);
    let side = |edges: &mut dyn Iterator<Item = &Edge>, own: i64| {
        let weights: Vec<i64> = edges.map(|e| e.weight.value).collect();
        match weights.is_empty() {
            true => 1.0,
            false => edge_entropy(&weights, own),
        }
    };
    let score = side(&mut graph.edges.leading_to(id).map(|(_, e)| e), 0)
        + side(
            &mut graph.edges.leading_from(id).map(|(_, e)| e),
            node.flat.value,
        );
    to_int(score * node.cum.value as f64).wrapping_add(node.flat.value)
}

fn edge_entropy(weights: &[i64], own: i64) -> f64 {
    let positive = weights.iter().filter(|w| **w > 0);
    let total = positive.fold(own, |sum, w| sum.wrapping_add(*w));
    if total == 0 {
        return 0.0;
    }
    let part = |weight: i64| {
        let share = weight.wrapping_abs() as f64 / total as f64;
        -share * share.log2()
    };
    let mut sorted = weights.to_vec();
    // Sums of floats depend on their order; the original's is random.
    sorted.sort_unstable();
    let score: f64 = sorted.into_iter().map(part).sum();
    if own > 0 { score + part(own) } else { score }
}
