//! `-callgrind`: a graph for KCachegrind.
//!
//! Source: google/pprof, internal/report/report.go `printCallgrind`; Valgrind
//! manual, "Callgrind Format Specification".

use std::collections::HashMap;
use std::fmt::Write as _;

use super::Report;
use super::gofmt::to_int;
use super::graph::{Graph, Info, Need};
use super::measurement::scale;
use crate::Profile;

/// Numbers for names: the first use says both, later ones the number.
#[derive(Default)]
struct Names {
    known: HashMap<String, usize>,
}

impl Names {
    fn of(&mut self, name: &str) -> String {
        if name.is_empty() {
            return String::new();
        }
        let next = self.known.len() + 1;
        match self.known.get(name) {
            Some(id) => format!("({id})"),
            None => {
                self.known.insert(name.to_owned(), next);
                format!("({next}) {name}")
            }
        }
    }
}

impl Report<'_> {
    pub(super) fn callgrind(&mut self, profile: &Profile) -> String {
        let trimmed = self.graph(profile, Need::Edges);
        let graph = &trimmed.graph;
        let callees = callee_names(graph);
        let mut out = format!(
            "positions: instr line\nevents: {}({})\n",
            self.kind, self.shown_unit
        );
        let cost = |value: i64| to_int(scale(value, &self.unit, &self.shown_unit).0);
        let (mut objects, mut files, mut names) =
            (Names::default(), Names::default(), Names::default());
        let mut before: Option<Info<'_>> = None;
        for &id in &graph.order {
            let info = graph.info(id);
            let same = before.as_ref().is_some_and(|b| {
                b.object == info.object && b.file == info.file && b.name == info.name
            });
            if !same {
                let object = objects.of(info.object);
                let file = files.of(&info.file);
                let name = names.of(info.name);
                let _ = writeln!(out, "\nob={object}\nfl={file}\nfn={name}");
            }
            let from = before.as_ref().map(|b| b.address);
            let flat = cost(graph.node(id).flat.shown());
            let _ = writeln!(out, "{} {} {flat}", address(from, info.address), info.line);
            for edge in graph.callees(id) {
                let callee = graph.info(edge.to);
                let name = callees.get(edge.to as usize).map_or("", String::as_str);
                let file = files.of(&callee.file);
                let name = names.of(name);
                let _ = writeln!(out, "cfl={file}\ncfn={name}");
                let place = address(from, callee.address);
                let _ = writeln!(out, "calls=0 {place} {}", callee.line);
                let _ = writeln!(out, "* * {}", cost(edge.weight.value));
            }
            before = Some(info);
        }
        out
    }
}

/// The name of each node as a callee: functions that share file and name, which
/// callgrind would merge, are numbered.
fn callee_names(graph: &Graph<'_>) -> Vec<String> {
    /// Each function of a file and name, with its number.
    type Places<'p> = HashMap<(u32, i64, &'p str), usize>;
    let mut functions: HashMap<(String, String), Places<'_>> = HashMap::new();
    let function = |id: u32| {
        let node = graph.node(id);
        let info = graph.infos.get(node.info as usize);
        let (start, object) = info.map_or((0, ""), |i| (i.start, i.object));
        (node.parent, start, object)
    };
    let key = |id: u32| {
        let info = graph.info(id);
        (info.file.into_owned(), info.name.to_owned())
    };
    for &id in &graph.order {
        let known = functions.entry(key(id)).or_default();
        let next = known.len() + 1;
        known.entry(function(id)).or_insert(next);
    }
    let mut names = vec![String::new(); graph.nodes.len()];
    for &id in &graph.order {
        let key = key(id);
        let Some(name) = names.get_mut(id as usize) else {
            continue;
        };
        let known = functions.get(&key);
        let place = known.and_then(|known| known.get(&function(id)));
        *name = match (known.map_or(0, HashMap::len), place) {
            (many @ 2.., Some(place)) => format!("{} [{place}/{many}]", key.1),
            _ => key.1,
        };
    }
    names
}

/// An address, relative to the one before where that is shorter.
fn address(before: Option<u64>, address: u64) -> String {
    let absolute = format!("{address:#x}");
    let Some(before) = before else {
        return absolute;
    };
    if before == address {
        return "*".to_owned();
    }
    let relative = format!("{:+}", address.wrapping_sub(before).cast_signed());
    match relative.len() < absolute.len() {
        true => relative,
        false => absolute,
    }
}
