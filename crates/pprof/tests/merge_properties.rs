//! Properties of merging: what a plain way of doing it gives.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;
use shakedown_pprof::report::{Merging, combine};
use shakedown_pprof::{Label, LabelValue, Line, LocationId, Mapping, Profile};

/// Key and text, or key, number and unit.
type LabelParts = (u8, Result<u8, (i64, u8)>);

/// A stack, by places in [`PLACES`], its values and labels.
type SampleParts = (Vec<usize>, [i64; 2], Vec<LabelParts>);

/// Mapping, address in it, and lines: function and number.
type PlaceParts = (Option<u8>, u64, &'static [(u8, i64)]);

/// Some differ in one thing only.
const PLACES: [PlaceParts; 9] = [
    (Some(0), 0x10, &[]),
    (Some(1), 0x10, &[]),
    (None, 0x10, &[]),
    (Some(0), 0x20, &[(0, 7)]),
    (Some(0), 0x20, &[(1, 7)]),
    (Some(0), 0x20, &[(0, 8)]),
    (Some(0), 0x20, &[(0, 7), (1, 7)]),
    (Some(1), 0x30, &[(2, 1), (2, 1)]),
    (None, 0, &[(3, 9)]),
];

/// A profile in which mappings begin at `shift`, and rows stand in the order of `turn`.
fn build(samples: &[SampleParts], shift: u64, turn: usize) -> Profile {
    let mut profile = Profile::new(&[("samples", "count"), ("cpu", "nanoseconds")]);
    for i in 0..turn {
        profile.intern(&format!("not used {i}"));
    }
    let mappings = [0u8, 1].map(|i| {
        let start = 0x1000 * (u64::from(i) + 1) + shift;
        let file = profile.intern(&format!("lib{i}.so"));
        profile.push_mapping(Mapping {
            start,
            limit: start + 0x1000,
            file,
            ..Mapping::default()
        })
    });
    let mut functions = HashMap::new();
    let mut places = [None; PLACES.len()];
    for i in 0..PLACES.len() {
        let at = (i + turn) % PLACES.len();
        let (mapping, address, lines) = PLACES[at];
        let lines = lines.iter().map(|&(name, line)| Line {
            function: *functions
                .entry(name)
                .or_insert_with(|| profile.push_function(&format!("f{name}"), "f.go", 1)),
            line,
            column: 0,
        });
        let lines: Vec<Line> = lines.collect();
        let start = mapping.map_or(0, |m| 0x1000 * (u64::from(m) + 1) + shift);
        let mapping = mapping.map(|m| mappings[usize::from(m)]);
        places[at] = Some(profile.push_location(start + address, mapping, &lines));
    }
    for (stack, values, labels) in samples {
        let stack = stack.iter().filter_map(|&i| places[i % PLACES.len()]);
        let stack: Vec<LocationId> = stack.collect();
        let mut text = |kind: &str, i: u8| profile.intern(&format!("{kind}{i}"));
        let labels = labels.iter().map(|&(key, value)| Label {
            key: text("key", key),
            value: match value {
                Ok(value) => LabelValue::Text(text("value", value)),
                Err((value, unit)) => LabelValue::Number {
                    value,
                    unit: text("unit", unit),
                },
            },
        });
        let labels: Vec<Label> = labels.collect();
        profile.push_sample(&stack, values, &labels);
    }
    profile
}

/// A sample in words: what makes it equal to another.
fn words(profile: &Profile, stack: &[LocationId], labels: &[Label]) -> String {
    let mut words = String::new();
    for &id in stack {
        let location = &profile.locations()[id.index()];
        let mapping = location.mapping.map(|m| profile.mappings()[m.index()]);
        let file = mapping.map_or("", |m| profile.text(m.file));
        let address = location.address - mapping.map_or(0, |m| m.start);
        words += &format!("{file}+{address:x}");
        for line in profile.lines(id) {
            let function = profile.functions()[line.function.index()];
            words += &format!(" {}:{}", profile.text(function.name), line.line);
        }
        words.push(';');
    }
    let mut labels: Vec<Label> = labels.to_vec();
    labels.sort_by_key(|l| {
        let number = matches!(l.value, LabelValue::Number { .. });
        (number, profile.text(l.key))
    });
    for label in labels {
        let key = profile.text(label.key);
        words += &match label.value {
            LabelValue::Text(text) => format!(" {key}={}", profile.text(text)),
            LabelValue::Number { value, unit } => {
                format!(" {key}={value}{}", profile.text(unit))
            }
        };
    }
    words
}

/// Samples in words with their sums, in the order in which they first come.
fn plain(profiles: &[Profile]) -> Vec<(String, Vec<i64>)> {
    let mut sums: Vec<(String, Vec<i64>)> = Vec::new();
    let mut places = HashMap::new();
    for profile in profiles {
        for sample in profile.samples() {
            if sample.values.iter().all(|&v| v == 0) {
                continue;
            }
            let words = words(profile, sample.locations, sample.labels);
            let place = *places.entry(words.clone()).or_insert(sums.len());
            if place == sums.len() {
                sums.push((words, vec![0; sample.values.len()]));
            }
            for (sum, value) in sums[place].1.iter_mut().zip(sample.values) {
                *sum += value;
            }
        }
    }
    sums.retain(|(_, values)| values.iter().any(|&v| v != 0));
    sums
}

fn sample() -> impl Strategy<Value = SampleParts> {
    let number = (1..3i64, 0..2u8);
    let value = prop_oneof![(0..3u8).prop_map(Ok), number.prop_map(Err)];
    let stack = vec(0..PLACES.len(), 0..4);
    (stack, [-1..2i64, -1..2i64], vec((0..3u8, value), 0..3))
}

proptest! {
    #[test]
    fn merging_adds_up_what_is_equal(
        parts in vec((vec(sample(), 0..400), 0..3u64, 0..PLACES.len()), 2..4),
    ) {
        let built = parts.iter().map(|(s, shift, turn)| build(s, shift * 0x10_000, *turn));
        let built: Vec<Profile> = built.collect();
        let merged = combine(built.clone()).expect("they measure the same");
        let samples = merged.samples();
        let found = samples.map(|s| (words(&merged, s.locations, s.labels), s.values.to_vec()));
        let found: Vec<(String, Vec<i64>)> = found.collect();
        prop_assert_eq!(&found, &plain(&built));
        // No row comes twice, and the main program stays the first.
        let files = merged.mappings().iter().map(|m| merged.text(m.file));
        let files: Vec<&str> = files.collect();
        prop_assert!(matches!(files.as_slice(), ["lib0.so"] | ["lib0.so", "lib1.so"]));
        prop_assert!(merged.locations().len() <= PLACES.len());
        prop_assert!(merged.functions().len() <= 4);

        let mut merging = Merging::like(&built[0]).expect("nothing is left out");
        for profile in built {
            prop_assert!(merging.add(profile).is_ok());
        }
        let one_by_one = merging.finish().expect("they measure the same");
        prop_assert_eq!(one_by_one.canonical().encode(), merged.canonical().encode());
    }
}

#[test]
fn what_measures_something_else_is_given_back() {
    let first = Profile::new(&[("samples", "count"), ("cpu", "nanoseconds")]);
    let mut merging = Merging::like(&first).expect("nothing is left out");
    let others: [&[(&str, &str)]; 4] = [
        &[("samples", "count")],
        &[("samples", "count"), ("cpu", "milliseconds")],
        &[("cpu", "nanoseconds"), ("samples", "count")],
        &[("samples", "count"), ("wall", "nanoseconds")],
    ];
    for other in others {
        let profile = Profile::new(other);
        let back = merging.add(profile.clone()).expect_err("not the same");
        assert_eq!(*back, profile, "{other:?}");
    }
    // A name that comes twice is no common one, and nothing is nothing in common.
    assert!(Merging::like(&Profile::new(&[("a", "count"), ("a", "bytes")])).is_none());
    assert!(Merging::like(&Profile::new(&[])).is_none());
}

#[test]
fn the_main_program_stays_the_first_though_a_library_is_used_first() {
    let samples: [SampleParts; 2] = [(vec![1], [1, 1], vec![]), (vec![0], [1, 1], vec![])];
    let built = [build(&samples, 0, 0), build(&samples, 0x5000, 3)];
    let merged = Profile::merge(&built.each_ref()).expect("they measure the same");
    let files = merged.mappings().iter().map(|m| merged.text(m.file));
    assert_eq!(files.collect::<Vec<_>>(), ["lib0.so", "lib1.so"]);
}
