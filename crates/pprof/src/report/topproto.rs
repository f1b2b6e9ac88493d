//! `-topproto`: the nodes of `-top` as a profile.

use std::collections::HashMap;

use super::Report;
use super::gofmt::to_int;
use super::graph::Need;
use super::measurement::scale;
use crate::{FunctionId, Line, Profile, StringId, ValueType};

impl Report<'_> {
    pub(super) fn top_proto(&mut self, profile: &Profile) -> Vec<u8> {
        let trimmed = self.graph(profile, Need::Nodes);
        let graph = &trimmed.graph;
        let unit = self.shown_unit.as_str();
        let mut out = Profile::new(&[("cum", unit), ("flat", unit)]);
        out.time_nanos = profile.time_nanos;
        out.duration_nanos = profile.duration_nanos;
        out.period = profile.period;
        out.period_type = ValueType {
            kind: out.intern(profile.text(profile.period_type.kind)),
            unit: out.intern(profile.text(profile.period_type.unit)),
        };
        let mut functions: HashMap<(String, String, i64), FunctionId> = HashMap::new();
        for &id in &graph.order {
            let (node, info) = (graph.node(id), graph.info(id));
            let key = (info.name.to_owned(), info.file.to_string(), info.start);
            let function = *functions.entry(key).or_insert_with(|| {
                let function = out.push_function(info.name, &info.file, info.start);
                if let Some(function) = out.functions.get_mut(function.index()) {
                    function.system_name = StringId::default();
                }
                function
            });
            let line = Line {
                function,
                line: info.line,
                column: info.column,
            };
            let location = out.push_location(info.address, None, &[line]);
            let shown = |value: i64| to_int(scale(value, &self.unit, unit).0);
            let values = [shown(node.cum.shown()), shown(node.flat.shown())];
            out.push_sample(&[location], &values, &[]);
        }
        out.canonical().encode()
    }
}
