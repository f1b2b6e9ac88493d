//! Every report, merge and difference of any profile, legacy formats among them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shakedown_pprof::report::{Command, Granularity, NoSources, Options, combine, run, subtract};
use shakedown_pprof::{Limits, Profile};

const LIMITS: Limits = Limits {
    inflated_bytes: 1 << 20,
    decoded_bytes: 16 << 20,
    frames: 1 << 16,
};

fuzz_target!(|bytes: &[u8]| {
    // The first byte chooses options, the rest is the profile.
    let Some((&choice, bytes)) = bytes.split_first() else {
        return;
    };
    let Ok(profile) = Profile::decode_within(bytes, &LIMITS) else {
        return;
    };
    let bit = |n: u8| choice >> n & 1 == 1;
    let options = Options {
        call_tree: bit(0),
        no_inlines: bit(1),
        mean: bit(2),
        drop_negative: bit(3),
        trim: bit(4),
        node_count: if bit(5) { 3 } else { -1 },
        granularity: bit(6).then_some(Granularity::Lines),
        tag_root: if bit(7) {
            "bytes,k".to_owned()
        } else {
            String::new()
        },
        show_from: if bit(7) {
            "a".to_owned()
        } else {
            String::new()
        },
        ..Options::default()
    };
    let expression = "a|0".to_owned();
    for command in [
        Command::Top,
        Command::Tree,
        Command::Peek(expression.clone()),
        Command::List(expression),
        Command::Traces,
        Command::Tags,
        Command::Raw,
        Command::Comments,
        Command::Dot,
        Command::Callgrind,
        Command::Proto,
        Command::TopProto,
        Command::Folded,
        Command::Json,
        Command::Csv,
        Command::Speedscope,
        Command::Flame,
    ] {
        let _ = run(
            profile.clone(),
            &command,
            &options,
            &NoSources,
            &mut Vec::new(),
        );
    }
    let mut pruned = profile.clone();
    pruned.remove_uninteresting();
    let _ = combine(vec![profile.clone(), pruned]);
    let _ = subtract(profile.clone(), profile, Default::default());
});
