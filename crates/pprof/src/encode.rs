//! [`Profile`] → profile.proto.

use crate::ids::Numbers;
use crate::wire::Writer;
use crate::{Columns, Label, LabelValue, Line, LocationId, Profile, StringId, ValueType};

impl Profile {
    /// Writes profile.proto, not compressed; `go tool pprof` reads it as it is.
    ///
    /// Decoding gives back an equal profile, except that texts that are not in
    /// use stay and an empty text label comes back as the number 0.
    pub fn encode(&self) -> Vec<u8> {
        // Room that nothing is written to costs nothing, and growing copies all of it.
        let mut out = Writer::with_capacity(self.samples.bytes());
        let mut row = Writer::default();
        let mut inner = Writer::default();
        for &value_type in &self.sample_types {
            write_value_type(&mut out, 1, value_type, &mut row);
        }
        self.encode_samples(&mut out, &mut row, &mut inner);
        self.encode_mappings(&mut out, &mut row);
        self.encode_locations(&mut out, &mut row, &mut inner);
        self.encode_functions(&mut out, &mut row);
        for text in self.strings.iter() {
            out.bytes(6, text.as_bytes());
        }
        out.number(7, text_id(self.drop_frames));
        out.number(8, text_id(self.keep_frames));
        out.signed(9, self.time_nanos);
        out.signed(10, self.duration_nanos);
        if self.period_type != ValueType::default() {
            write_value_type(&mut out, 11, self.period_type, &mut row);
        }
        out.signed(12, self.period);
        out.packed(13, self.comments.iter().map(|&c| text_id(c)));
        // Written even where it is 0, as google/pprof does.
        out.varint(14 << 3);
        out.varint(text_id(self.default_sample_type));
        out.number(15, text_id(self.doc_url));
        out.into_bytes()
    }

    fn encode_samples(&self, out: &mut Writer, row: &mut Writer, inner: &mut Writer) {
        self.each_sample(Columns::ALL, |sample| {
            row.clear();
            row.packed(
                1,
                sample
                    .locations
                    .iter()
                    .map(|l| self.numbers.locations.of(l.index())),
            );
            row.packed(2, sample.values.iter().map(|v| v.cast_unsigned()));
            for label in sample.labels {
                write_label(label, inner);
                row.message(3, inner);
            }
            out.message(2, row);
        });
    }

    fn encode_mappings(&self, out: &mut Writer, row: &mut Writer) {
        for (i, mapping) in self.mappings.iter().enumerate() {
            row.clear();
            row.number(1, self.numbers.mappings.of(i));
            row.number(2, mapping.start);
            row.number(3, mapping.limit);
            row.number(4, mapping.offset);
            row.number(5, text_id(mapping.file));
            row.number(6, text_id(mapping.build_id));
            row.number(7, u64::from(mapping.has_functions));
            row.number(8, u64::from(mapping.has_filenames));
            row.number(9, u64::from(mapping.has_line_numbers));
            row.number(10, u64::from(mapping.has_inline_frames));
            out.message(3, row);
        }
    }

    fn encode_locations(&self, out: &mut Writer, row: &mut Writer, inner: &mut Writer) {
        for (index, location) in self.locations.iter().enumerate() {
            let id = LocationId::at(index);
            row.clear();
            row.number(1, self.numbers.locations.of(index));
            let mapping = location
                .mapping
                .map(|m| self.numbers.mappings.of(m.index()));
            row.number(2, mapping.unwrap_or(0));
            row.number(3, location.address);
            for line in self.lines(id) {
                write_line(line, &self.numbers.functions, inner);
                row.message(4, inner);
            }
            row.number(5, u64::from(location.is_folded));
            out.message(4, row);
        }
    }

    fn encode_functions(&self, out: &mut Writer, row: &mut Writer) {
        for (i, function) in self.functions.iter().enumerate() {
            row.clear();
            row.number(1, self.numbers.functions.of(i));
            row.number(2, text_id(function.name));
            row.number(3, text_id(function.system_name));
            row.number(4, text_id(function.file));
            row.signed(5, function.start_line);
            out.message(5, row);
        }
    }
}

fn write_value_type(out: &mut Writer, field: u64, value_type: ValueType, row: &mut Writer) {
    row.clear();
    row.number(1, text_id(value_type.kind));
    row.number(2, text_id(value_type.unit));
    out.message(field, row);
}

fn write_label(label: &Label, row: &mut Writer) {
    row.clear();
    row.number(1, text_id(label.key));
    match label.value {
        LabelValue::Text(text) => row.number(2, text_id(text)),
        LabelValue::Number { value, unit } => {
            row.signed(3, value);
            row.number(4, text_id(unit));
        }
    }
}

fn write_line(line: &Line, functions: &Numbers, row: &mut Writer) {
    row.clear();
    row.number(1, functions.of(line.function.index()));
    row.signed(2, line.line);
    row.signed(3, line.column);
}

fn text_id(id: StringId) -> u64 {
    id.index() as u64
}
