//! Stacks of addresses → profile.proto.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shakedown_pprof::{
    FunctionId, Label, LabelValue, Line, LocationId, Mapping, MappingId, Profile, StringId,
    ValueType,
};

use super::heap::Unseen;
use super::modules::Module;
use super::symbolize::{Frame, Symbolizer};

/// A profile that is being written.
pub(crate) struct Encoder<'m> {
    profile: Profile,
    symbolizer: Symbolizer<'m>,
    mappings: Vec<MappingId>,
    /// Modules of which at least one address has a name.
    named: Vec<bool>,
    locations: HashMap<(u64, bool), Option<LocationId>>,
    functions: HashMap<(String, String), FunctionId>,
    /// Frames at the leaf that belong to the measuring.
    is_ours: fn(&str) -> bool,
    /// What is allocated here is no allocation of the service.
    _unseen: Unseen,
}

/// A label of a sample.
pub(crate) enum Value<'t> {
    Text(&'t str),
    Number(i64),
}

impl<'m> Encoder<'m> {
    /// `is_ours` says of a function whether it is left out where it stands at the leaf.
    pub(crate) fn new(
        sample_types: &[(&str, &str)],
        modules: &'m [Module],
        is_ours: fn(&str) -> bool,
    ) -> Self {
        let unseen = Unseen::begin();
        let mut profile = Profile::new(sample_types);
        // pprof takes the first mapping for the program.
        let mut order: Vec<usize> = (0..modules.len()).collect();
        order.sort_by_key(|&index| !is_program(&modules[index]));
        let mut mappings = vec![MappingId::default(); modules.len()];
        for index in order {
            let module = &modules[index];
            let file = profile.intern(&module.name);
            let build_id = profile.intern(&module.build_id);
            mappings[index] = profile.push_mapping(Mapping {
                start: module.code.start,
                limit: module.code.end,
                offset: module.offset,
                file,
                build_id,
                ..Mapping::default()
            });
        }
        Encoder {
            profile,
            symbolizer: Symbolizer::new(modules),
            mappings,
            named: vec![false; modules.len()],
            locations: HashMap::new(),
            functions: HashMap::new(),
            is_ours,
            _unseen: unseen,
        }
    }

    /// What a sample stands for: `kind` in `unit`, `period` of it between two samples.
    pub(crate) fn period(&mut self, kind: &str, unit: &str, period: i64) {
        self.profile.period_type = ValueType {
            kind: self.profile.intern(kind),
            unit: self.profile.intern(unit),
        };
        self.profile.period = period;
    }

    pub(crate) fn show_first(&mut self, kind: &str) {
        self.profile.default_sample_type = self.profile.intern(kind);
    }

    /// A line that pprof prints above each report with `-comments`.
    pub(crate) fn comment(&mut self, text: &str) {
        let text = self.profile.intern(text);
        self.profile.comments.push(text);
    }

    pub(crate) fn time(&mut self, start: SystemTime, duration: Duration) {
        let since = start.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.profile.time_nanos = i64::try_from(since.as_nanos()).unwrap_or(0);
        self.profile.duration_nanos = i64::try_from(duration.as_nanos()).unwrap_or(0);
    }

    /// Adds a stack, leaf first.
    pub(crate) fn sample(&mut self, stack: &[u64], values: &[i64], labels: &[(&str, Value<'_>)]) {
        let mut locations = Vec::with_capacity(stack.len());
        for &address in stack {
            // Ours are left out only before the first that is not.
            let trim = locations.is_empty();
            if let Some(location) = self.location(address, trim) {
                locations.push(location);
            }
        }
        self.push(&locations, values, labels);
    }

    /// Adds a sample that has no stack, under a name that says why.
    pub(crate) fn unknown(&mut self, why: &str, values: &[i64], labels: &[(&str, Value<'_>)]) {
        let function = self.function(&Frame {
            function: why.to_owned(),
            ..Frame::default()
        });
        let line = Line {
            function,
            line: 0,
            column: 0,
        };
        let location = self.profile.push_location(0, None, &[line]);
        self.push(&[location], values, labels);
    }

    fn push(&mut self, locations: &[LocationId], values: &[i64], labels: &[(&str, Value<'_>)]) {
        let labels: Vec<Label> = labels
            .iter()
            .map(|(key, value)| Label {
                key: self.profile.intern(key),
                value: match value {
                    Value::Text(text) => LabelValue::Text(self.profile.intern(text)),
                    Value::Number(value) => LabelValue::Number {
                        value: *value,
                        unit: Default::default(),
                    },
                },
            })
            .collect();
        self.profile.push_sample(locations, values, &labels);
    }

    /// The location of an address; none where all of its frames are ours and may be left out.
    fn location(&mut self, address: u64, trim: bool) -> Option<LocationId> {
        // The same code can stand at the leaf and further out.
        let key = (address, trim);
        if let Some(known) = self.locations.get(&key) {
            return *known;
        }
        let mut frames = self.symbolizer.resolve(&[address]).remove(0);
        let all = frames.len();
        if trim {
            let ours = frames
                .iter()
                .take_while(|frame| (self.is_ours)(&frame.function))
                .count();
            frames.drain(..ours);
        }
        let location = if frames.is_empty() && all > 0 {
            None
        } else {
            Some(self.push_location(address, &frames))
        };
        self.locations.insert(key, location);
        location
    }

    fn push_location(&mut self, address: u64, frames: &[Frame]) -> LocationId {
        let lines: Vec<Line> = frames
            .iter()
            .map(|frame| Line {
                function: self.function(frame),
                line: frame.line.into(),
                column: 0,
            })
            .collect();
        let module = self.symbolizer.module_at(address);
        if let (Some(module), false) = (module, lines.is_empty()) {
            self.named[module] = true;
        }
        let mapping = module.map(|module| self.mappings[module]);
        self.profile.push_location(address, mapping, &lines)
    }

    fn function(&mut self, frame: &Frame) -> FunctionId {
        let key = (frame.function.clone(), frame.file.clone());
        if let Some(known) = self.functions.get(&key) {
            return *known;
        }
        let id = self.profile.push_function(&frame.function, &frame.file, 0);
        if let Some(function) = self.profile.function_mut(id) {
            // pprof takes a name that equals the linker's for a mangled one, and cuts what stands
            // between < and > out of it.
            function.system_name = StringId::default();
        }
        self.functions.insert(key, id);
        id
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        for (index, named) in self.named.iter().enumerate() {
            // Where we found no name, pprof may: it looks for a file with the same build id.
            if let Some(mapping) = self.profile.mapping_mut(self.mappings[index]) {
                mapping.has_functions = *named;
                mapping.has_filenames = *named;
                mapping.has_line_numbers = *named;
                mapping.has_inline_frames = *named;
            }
        }
        self.profile.encode()
    }
}

fn is_program(module: &Module) -> bool {
    module
        .file
        .as_ref()
        .is_some_and(|file| file.as_os_str() == "/proc/self/exe")
}
