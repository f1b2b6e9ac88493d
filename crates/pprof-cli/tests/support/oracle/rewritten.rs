//! A profile written anew: every line has a column, and another sample type is the default.

use shakedown_pprof::{FunctionId, Label, LabelValue, LocationId, MappingId, Profile};

/// Columns that a line may have.
const WIDTH: i64 = 7;

/// `real` with columns, where `default` is the type that is shown first.
pub(super) fn rewritten(real: &Profile, default: &str) -> Profile {
    let text = |id| real.text(id);
    let types = real.sample_types().iter();
    let types: Vec<(&str, &str)> = types.map(|t| (text(t.kind), text(t.unit))).collect();
    let mut other = Profile::new(&types);
    other.default_sample_type = other.intern(default);
    other.time_nanos = real.time_nanos;
    other.duration_nanos = real.duration_nanos;
    other.period = real.period;
    let period = (text(real.period_type.kind), text(real.period_type.unit));
    other.period_type.kind = other.intern(period.0);
    other.period_type.unit = other.intern(period.1);
    let mappings: Vec<MappingId> = real
        .mappings()
        .iter()
        .map(|mapping| {
            let mut mapping = *mapping;
            mapping.file = other.intern(text(mapping.file));
            mapping.build_id = other.intern(text(mapping.build_id));
            other.push_mapping(mapping)
        })
        .collect();
    let functions: Vec<FunctionId> = real
        .functions()
        .iter()
        .map(|f| other.push_function(text(f.name), text(f.file), f.start_line))
        .collect();
    let mut places: Vec<Option<LocationId>> = vec![None; real.locations().len()];
    for sample in real.samples() {
        let stack: Vec<LocationId> = sample
            .locations
            .iter()
            .map(|&id| {
                *places[id.index()].get_or_insert_with(|| {
                    let location = &real.locations()[id.index()];
                    let mut lines = real.lines(id).to_vec();
                    for line in &mut lines {
                        line.function = functions[line.function.index()];
                        line.column = 1 + (location.address as i64).rem_euclid(WIDTH);
                    }
                    let mapping = location.mapping.map(|m| mappings[m.index()]);
                    other.push_location(location.address, mapping, &lines)
                })
            })
            .collect();
        let labels = sample.labels.iter().map(|label| Label {
            key: other.intern(text(label.key)),
            value: match label.value {
                LabelValue::Text(value) => LabelValue::Text(other.intern(text(value))),
                LabelValue::Number { value, unit } => LabelValue::Number {
                    value,
                    unit: other.intern(text(unit)),
                },
            },
        });
        let labels: Vec<Label> = labels.collect();
        other.push_sample(&stack, sample.values, &labels);
    }
    other
}
