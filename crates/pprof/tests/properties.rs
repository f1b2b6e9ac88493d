//! Properties: what is written is read again; noise never panics.

use proptest::collection::vec;
use proptest::prelude::*;
use shakedown_pprof::goroutine::{Counts, Dump};
use shakedown_pprof::{Granularity, Label, LabelValue, Line, Mapping, Profile, StringId, top};

/// Function, line, column.
type LineParts = (usize, i64, i64);
/// Key, text or none, number.
type LabelParts = (usize, Option<usize>, i64);

/// The parts of a profile, drawn at random; numbers are places, taken modulo.
#[derive(Debug, Clone)]
struct Parts {
    types: Vec<(String, String)>,
    texts: Vec<String>,
    functions: Vec<(String, String, i64)>,
    locations: Vec<(u64, bool, Vec<LineParts>)>,
    samples: Vec<(Vec<usize>, Vec<i64>, Vec<LabelParts>)>,
    scalars: [i64; 3],
}

fn parts() -> impl Strategy<Value = Parts> {
    let text = "[a-zé(*).]{0,6}";
    let lines = vec((any::<usize>(), any::<i64>(), 0..9i64), 0..4);
    let labels = vec((any::<usize>(), any::<Option<usize>>(), any::<i64>()), 0..3);
    (
        vec((text, text), 1..4),
        vec(text, 1..6),
        vec((text, text, any::<i64>()), 1..5),
        vec((any::<u64>(), any::<bool>(), lines), 1..6),
        vec(
            (vec(any::<usize>(), 0..8), vec(any::<i64>(), 0..4), labels),
            0..8,
        ),
        any::<[i64; 3]>(),
    )
        .prop_map(
            |(types, texts, functions, locations, samples, scalars)| Parts {
                types,
                texts,
                functions,
                locations,
                samples,
                scalars,
            },
        )
}

fn build(parts: &Parts) -> Profile {
    let types: Vec<_> = parts.types.iter().map(|(k, u)| (&**k, &**u)).collect();
    let mut profile = Profile::new(&types);
    let texts: Vec<StringId> = parts.texts.iter().map(|t| profile.intern(t)).collect();
    let text = |i: usize| texts[i % texts.len()];
    let mapping = Mapping {
        start: 1,
        limit: u64::MAX,
        file: text(0),
        has_functions: true,
        ..Mapping::default()
    };
    let mapping = profile.push_mapping(mapping);
    let functions: Vec<_> = parts
        .functions
        .iter()
        .map(|(n, f, l)| profile.push_function(n, f, *l))
        .collect();
    let mut locations = Vec::new();
    for (address, mapped, lines) in &parts.locations {
        let line = |&(f, line, column): &(usize, i64, i64)| Line {
            function: functions[f % functions.len()],
            line,
            column,
        };
        let lines: Vec<Line> = lines.iter().map(line).collect();
        locations.push(profile.push_location(*address, mapped.then_some(mapping), &lines));
    }
    for (stack, values, labels) in &parts.samples {
        let stack: Vec<_> = stack
            .iter()
            .map(|i| locations[i % locations.len()])
            .collect();
        let label = |&(key, value, number): &(usize, Option<usize>, i64)| Label {
            key: text(key),
            value: match value.map(text) {
                Some(text) if text != StringId::default() => LabelValue::Text(text),
                _ => LabelValue::Number {
                    value: number,
                    unit: text(key / 2),
                },
            },
        };
        let labels: Vec<_> = labels.iter().map(label).collect();
        profile.push_sample(&stack, values, &labels);
    }
    [profile.time_nanos, profile.duration_nanos, profile.period] = parts.scalars;
    profile.comments = texts.clone();
    profile.default_sample_type = text(1);
    profile.period_type = profile.sample_types()[0];
    profile
}

/// Everything that can be done with a profile; must not panic.
fn use_all(bytes: &[u8]) {
    if let Ok(profile) = Profile::decode(bytes) {
        for by in [Granularity::Function, Granularity::Line] {
            for row in top(&profile, profile.sample_types().len() - 1, by).rows {
                let _ = (row.short_name().len(), row.place());
            }
        }
        let _ = Counts::from_profile(&profile);
        assert_eq!(Profile::decode(&profile.encode()), Ok(profile));
    }
    let _ = Dump::decode(bytes);
    let _ = Counts::decode(bytes);
}

/// Flips, cuts and repeats parts of `bytes`.
fn mutate(bytes: &[u8], edits: &[(usize, u8, usize)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for &(place, byte, kind) in edits {
        if bytes.is_empty() {
            break;
        }
        let at = place % bytes.len();
        match kind % 4 {
            0 => bytes[at] = byte,
            1 => bytes.truncate(at),
            2 => bytes.insert(at, byte),
            _ => {
                let from = bytes[at..bytes.len().min(at + usize::from(byte))].to_vec();
                bytes.splice(at..at, from);
            }
        }
    }
    bytes
}

const DUMP: &[u8] = include_bytes!("data/goroutine/go127m.goroutine_after_leak.d2.txt");
const CRASH: &[u8] = include_bytes!("data/goroutine/panic_ancestors.txt");
const COUNTS: &[u8] = include_bytes!("data/goroutine/go127m.leak.d1.txt");

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(parts in parts()) {
        let profile = build(&parts);
        prop_assert_eq!(Profile::decode(&profile.encode()), Ok(profile));
    }

    #[test]
    fn flat_values_sum_to_what_was_sampled(parts in parts()) {
        let profile = build(&parts);
        for by in [Granularity::Function, Granularity::Line] {
            let top = top(&profile, 0, by);
            let flat = top.rows.iter().fold(0i64, |sum, row| sum.wrapping_add(row.flat));
            let with_stack = profile.samples().filter(|s| !s.locations.is_empty());
            let sampled = with_stack.fold(0i64, |sum, s| sum.wrapping_add(s.values[0]));
            prop_assert_eq!(flat, sampled);
        }
    }

    #[test]
    fn noise_never_panics(bytes in vec(any::<u8>(), 0..300)) {
        use_all(&bytes);
    }

    #[test]
    fn damaged_profiles_never_panic(parts in parts(), edits in vec(any::<(usize, u8, usize)>(), 1..6)) {
        use_all(&mutate(&build(&parts).encode(), &edits));
    }

    #[test]
    fn damaged_dumps_never_panic(which in 0..3usize, edits in vec(any::<(usize, u8, usize)>(), 1..20)) {
        use_all(&mutate([DUMP, CRASH, COUNTS][which], &edits));
    }
}
