//! Properties of legacy formats, filters and reports: nothing panics, merging
//! loses nothing.

use proptest::collection::vec;
use proptest::prelude::*;
use shakedown_pprof::report::{Command, Granularity, NoSources, Options, combine, run, subtract};
use shakedown_pprof::{Label, LabelValue, Limits, Line, Pattern, Profile};

const SMALL: Limits = Limits {
    inflated_bytes: 1 << 20,
    decoded_bytes: 8 << 20,
    frames: 1 << 16,
};

/// Heads that get noise past the first check of each legacy parser.
const HEADS: [&[u8]; 9] = [
    b"heap profile: 1: 2 [ 3: 4] @ heap_v2/5\n1: 2 [3: 4] @ 0x1 0x2\n",
    b"heap profile: 1: 2 [ 3: 4] @ growthz\n-1: -2 [3: 4] @ 0x0\n",
    b"goroutine profile: total 3\n3 @ 0x1 0x2\n",
    b"--- contentionz 1 ---\ncycles/second = 9\nsampling period = 2\n1 2 @ 0x1\n",
    b"--- threadz 1 ---\n\n--- Thread 7f (name: a/1) stack: ---\n 0x1 0x2\n",
    b"--- heapz 1 ---\nformat = java\nresolution = bytes\n 2 1 @ 0x1\n 0x1 a.b (c.java:3)\n",
    b"\0\0\0\0\x03\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\x02\0\0\0\x09\0\0\0\x08\0\0\0",
    b"\0\0\0\0\x03\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\x09\0\0\0",
    b"",
];
const MAPS: &[u8] = b"\n--- Memory map: ---\n  0-9: /b\n1-f r-xp 1 0:0 0 /b.so\nx=1\n";

/// Few names, so that stacks meet.
fn profile() -> impl Strategy<Value = Profile> {
    profile_of(any::<[i64; 2]>())
}

fn profile_of(values: impl Strategy<Value = [i64; 2]>) -> impl Strategy<Value = Profile> {
    let labels = vec((0..2usize, 0..3usize, any::<i8>()), 0..3);
    vec((vec(0..6usize, 0..6), values, labels), 0..12).prop_map(|samples| {
        let mut profile = Profile::new(&[("n", "count"), ("cpu", "nanoseconds")]);
        let names = ["a", "b.(*T[...]).f", "", "c/d.e", "ns::F<x>", "a"];
        let mut lines = Vec::new();
        for (i, name) in names.iter().enumerate() {
            let function = profile.push_function(name, "./x/../f.go", i as i64);
            lines.push(Line {
                function,
                line: i as i64,
                column: 2,
            });
        }
        let locations: Vec<_> = (0..6)
            .map(|i| profile.push_location(i as u64, None, &lines[..i]))
            .collect();
        for (stack, values, labels) in samples {
            let stack: Vec<_> = stack.into_iter().map(|i| locations[i]).collect();
            let labels: Vec<_> = labels
                .into_iter()
                .map(|(key, kind, number)| {
                    let key = profile.intern(["bytes", "k"][key]);
                    let value = match kind {
                        0 => LabelValue::Text(profile.intern("v")),
                        _ => LabelValue::Number {
                            value: i64::from(number),
                            unit: profile.intern(["", "kb"][kind - 1]),
                        },
                    };
                    Label { key, value }
                })
                .collect();
            profile.push_sample(&stack, &values, &labels);
        }
        profile
    })
}

fn options() -> impl Strategy<Value = Options> {
    let expression = prop::sample::select(vec!["", "", "a", "b|e", "^$", "1:5", "k=v", "bytes"]);
    let granularity = prop::sample::select(vec![
        None,
        Some(Granularity::Files),
        Some(Granularity::Lines),
        Some(Granularity::Addresses),
        Some(Granularity::FileFunctions),
    ]);
    (
        any::<[bool; 7]>(),
        vec(expression, 11),
        granularity,
        -1..5i64,
        prop::sample::select(vec![0.0, 0.1, 1.0, -1.0, f64::NAN]),
    )
        .prop_map(|(flags, expressions, granularity, node_count, fraction)| {
            let text = |i: usize| String::from(expressions[i]);
            Options {
                call_tree: flags[0],
                relative_percentages: flags[1],
                mean: flags[2],
                drop_negative: flags[3],
                no_inlines: flags[4],
                show_columns: flags[5],
                trim: flags[6],
                focus: text(0),
                ignore: text(1),
                hide: text(2),
                show: text(3),
                show_from: text(4),
                prune_from: text(5),
                tag_focus: text(6),
                tag_ignore: text(7),
                tag_show: text(8),
                tag_hide: text(9),
                tag_root: text(10),
                granularity,
                node_count,
                node_fraction: fraction,
                edge_fraction: fraction,
                ..Options::default()
            }
        })
}

fn commands() -> Vec<Command> {
    vec![
        Command::Top,
        Command::Tree,
        Command::Peek("a".to_owned()),
        Command::List("a".to_owned()),
        Command::Traces,
        Command::Tags,
        Command::Raw,
        Command::Dot,
        Command::Callgrind,
        Command::Proto,
        Command::TopProto,
        Command::Folded,
        Command::Json,
        Command::Csv,
        Command::Speedscope,
        Command::Flame,
    ]
}

/// Sums of each sample type.
fn sums(profile: &Profile) -> Vec<i64> {
    let mut sums = vec![0i64; profile.sample_types().len()];
    for sample in profile.samples() {
        for (sum, value) in sums.iter_mut().zip(sample.values) {
            *sum = sum.wrapping_add(*value);
        }
    }
    sums
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_legacy_profiles_never_panic(
        head in 0..9usize,
        maps in any::<bool>(),
        noise in vec(any::<u8>(), 0..60),
        cut in 0..200usize,
    ) {
        let mut bytes = HEADS[head].to_vec();
        bytes.truncate(bytes.len().min(cut.max(20)));
        bytes.extend(&noise);
        if maps {
            bytes.extend(MAPS);
        }
        if let Ok(profile) = Profile::decode_within(&bytes, &SMALL) {
            let again = Profile::decode(&profile.encode()).expect("what we wrote");
            prop_assert_eq!(again.samples().len(), profile.samples().len());
        }
    }

    #[test]
    fn every_report_prints_or_says_why(profile in profile(), options in options()) {
        for command in commands() {
            let mut notes = Vec::new();
            let first = run(profile.clone(), &command, &options, &NoSources, &mut notes);
            prop_assert_eq!(run(profile.clone(), &command, &options, &NoSources, &mut notes), first);
        }
    }

    #[test]
    fn merging_loses_nothing(one in profile(), two in profile()) {
        let merged = combine(vec![one.clone(), two.clone()]).expect("same types");
        let both: Vec<i64> = sums(&one).iter().zip(sums(&two)).map(|(a, b)| a.wrapping_add(b)).collect();
        prop_assert_eq!(sums(&merged), both);
        prop_assert!(merged.samples().all(|s| s.values.iter().any(|v| *v != 0)));
    }

    #[test]
    fn folded_stacks_keep_every_value(
        profile in profile_of(any::<[i32; 2]>().prop_map(|v| v.map(i64::from))),
    ) {
        let mut notes = Vec::new();
        let folded = run(profile.clone(), &Command::Folded, &Options::default(), &NoSources, &mut notes);
        let folded = String::from_utf8(folded.expect("no filters")).expect("text");
        let values = folded.lines().map(|l| l.rsplit(' ').next().expect("a value").parse::<i64>());
        let stacked = profile.samples().filter(|s| !s.locations.is_empty());
        let wanted: i64 = stacked.map(|s| s.values[1]).sum();
        prop_assert_eq!(values.map(|v| v.expect("a number")).sum::<i64>(), wanted);
    }

    #[test]
    fn a_profile_less_itself_is_empty(
        // Beyond 2^53 a float does not hold every value.
        profile in profile_of(any::<[i32; 2]>().prop_map(|v| v.map(i64::from))),
    ) {
        let none = subtract(profile.clone(), profile, Default::default()).expect("same types");
        prop_assert_eq!(none.samples().len(), 0);
    }

    #[test]
    fn expressions_never_panic(source in r"[a\\QEdpPx{}\[\]()?*+|^$.<>:,0-9é-]{0,14}", text in "[aé0 ]{0,5}") {
        if let Ok(pattern) = Pattern::new(&source) {
            let _ = pattern.is_match(&text);
        }
    }
}

proptest! {
    /// What `-folded` writes is read again to the same lines.
    #[test]
    fn folded_stacks_are_read_again(profile in profile_of([-9..9i64, -9..9i64])) {
        let print = |profile: Profile| {
            let (command, options) = (Command::Folded, Options::default());
            let printed = run(profile, &command, &options, &NoSources, &mut Vec::new());
            String::from_utf8(printed.expect("stacks")).expect("text")
        };
        let folded = print(profile);
        match Profile::decode(folded.as_bytes()) {
            Ok(again) => prop_assert_eq!(print(again), folded),
            // Nothing, or no stack with two frames: no folded file.
            Err(_) => prop_assert!(!folded.contains(';')),
        }
    }
}
