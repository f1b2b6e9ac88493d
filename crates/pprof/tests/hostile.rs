//! Input that lies: named errors, bounded memory, no panic.

use shakedown_pprof::goroutine::{Counts, Dump};
use shakedown_pprof::{DecodeError, Granularity, Limits, Profile, top};

/// A field with a length, as profile.proto has most.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut len = content.len();
    while len >= 0x80 {
        bytes.push(len as u8 | 0x80);
        len >>= 7;
    }
    bytes.push(len as u8);
    bytes.extend_from_slice(content);
    bytes
}

/// A profile with one sample type, the strings "" and "cpu", and `more`.
fn profile(more: &[Vec<u8>]) -> Result<Profile, DecodeError> {
    let mut bytes = field(1, &[0x08, 1]);
    bytes.extend(field(6, b""));
    bytes.extend(field(6, b"cpu"));
    bytes.extend(more.concat());
    Profile::decode(&bytes)
}

fn check(more: &[Vec<u8>], wrong: &str) {
    match profile(more) {
        Err(DecodeError::Malformed { what, .. }) => assert_eq!(what, wrong),
        other => panic!("{wrong}: {other:?}"),
    }
}

fn function(id: u8) -> Vec<u8> {
    field(5, &[0x08, id, 0x10, 1])
}

fn location(id: u8, function: u8) -> Vec<u8> {
    field(4, &[0x08, id, 0x22, 2, 0x08, function])
}

#[test]
fn ids_must_be_unique_and_not_zero() {
    check(&[function(0)], "the id 0 is reserved");
    check(&[function(1), function(1)], "an id comes twice");
    check(
        &[function(9), function(1), function(9)],
        "an id comes twice",
    );
    check(
        &[location(1, 1), location(1, 1), function(1)],
        "an id comes twice",
    );
    check(&[field(3, &[])], "the id 0 is reserved");
}

#[test]
fn references_must_lead_somewhere() {
    check(
        &[location(1, 7), function(1)],
        "a line of no known function",
    );
    check(
        &[location(1, 0), function(1)],
        "a line of no known function",
    );
    check(
        &[field(2, &[0x08, 3, 0x10, 1])],
        "a sample at no known location",
    );
    check(
        &[field(5, &[0x08, 1, 0x10, 99])],
        "a string outside the string table",
    );
    let negative = [
        0x08, 1, 0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
    ];
    check(&[field(5, &negative)], "a string outside the string table");
}

#[test]
fn samples_have_a_value_for_each_type() {
    let wrong = "a sample has not one value for each sample type";
    check(&[field(2, &[])], wrong);
    check(&[field(2, &[0x12, 2, 1, 1])], wrong);
    assert_eq!(
        profile(&[field(2, &[0x12, 1, 1])])
            .expect("one value")
            .samples()
            .len(),
        1
    );
}

#[test]
fn tables_may_come_in_any_order_with_any_ids() {
    let sample = field(2, &[0x0a, 2, 200, 1, 0x10, 5]);
    let at_200 = field(4, &[0x08, 200, 1, 0x22, 3, 0x08, 0x90, 0x01]);
    let number_144 = field(5, &[0x08, 0x90, 0x01, 0x10, 1]);
    let profile = profile(&[sample, at_200, function(3), number_144]).expect("sound");
    let top = top(&profile, 0, Granularity::Function);
    assert_eq!((top.total, &*top.rows[0].name), (5, "cpu"));
}

#[test]
fn two_profiles_in_a_row_are_named() {
    let timed = vec![0x48, 1];
    assert!(profile(std::slice::from_ref(&timed)).is_ok());
    assert_eq!(
        profile(&[timed.clone(), timed]),
        Err(DecodeError::Concatenated)
    );
}

#[test]
fn lengths_that_lie_are_cuts() {
    let mut bytes = field(1, &[0x08, 1]);
    bytes.extend([0x32, 0xff, 0xff, 0xff, 0xff, 0x7f, 1]);
    assert!(matches!(
        Profile::decode(&bytes),
        Err(DecodeError::Truncated { .. })
    ));
    bytes = vec![
        0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
    ];
    assert!(Profile::decode(&bytes).is_err());
}

#[test]
fn what_came_instead_is_named() {
    let said = |bytes: &[u8]| Profile::decode(bytes).expect_err("no profile").to_string();
    assert_eq!(said(b""), "nothing came: the input is empty");
    assert_eq!(
        said(b"<html><head><title>Sign in</title>"),
        "this is not a pprof profile but an HTML page (Sign in)"
    );
    assert_eq!(
        said(b"goroutine 1 [running]:\nmain.main()\n"),
        "this is not a pprof profile but a goroutine dump (debug=2)"
    );
    assert_eq!(
        said(b"goroutine profile: total 9\nnine"),
        "malformed profile at byte 0: a count and a stack were expected"
    );
    let dump = Dump::decode(b"goroutine profile: total 9\n").expect_err("no dump");
    assert_eq!(
        dump.to_string(),
        "this is not a goroutine dump but a legacy profile (goroutine or thread counts, debug=1)"
    );
    assert_eq!(Dump::decode(b""), Err(DecodeError::Empty));
    assert!(Counts::decode(b"goroutine 1 [running]:\n").is_err());
}

#[test]
fn sums_wrap_and_the_smallest_number_is_no_trap() {
    let mut profile = Profile::new(&[("cpu", "nanoseconds")]);
    let function = profile.push_function("f", "", 0);
    let line = shakedown_pprof::Line {
        function,
        line: i64::MIN,
        column: -1,
    };
    let location = profile.push_location(u64::MAX, None, &[line, line]);
    for value in [i64::MIN, i64::MIN, i64::MAX, 2] {
        profile.push_sample(&[location, location], &[value], &[]);
    }
    let profile = Profile::decode(&profile.encode()).expect("sound");
    for by in [Granularity::Function, Granularity::Line] {
        let top = top(&profile, 0, by);
        assert_eq!(
            (top.total, top.rows[0].flat, top.rows[0].cum),
            (i64::MIN + 1, i64::MIN + 1, i64::MIN + 1)
        );
    }
}

#[test]
fn names_that_are_no_utf8_are_shown_all_the_same() {
    let profile = profile(&[field(6, b"caf\xe9"), field(5, &[0x08, 1, 0x10, 2])]).expect("sound");
    assert_eq!(profile.text(profile.functions()[0].name), "caf\u{fffd}");
}

#[test]
fn tables_stop_at_their_bound() {
    let limits = Limits {
        inflated_bytes: 1 << 20,
        decoded_bytes: 10_000,
        ..Limits::default()
    };
    let mut bytes = field(1, &[0x08, 1]);
    bytes.extend(field(6, b""));
    bytes.extend(field(6, b"cpu"));
    let comments = [0x68, 0x01].repeat(5_000);
    let labels = field(2, &[&[0x10, 1][..], &[0x1a, 0].repeat(5_000)].concat());
    let strings = [0x32, 0].repeat(5_000);
    for many in [comments, labels, strings] {
        let bytes = [&bytes[..], &many].concat();
        let too_large = DecodeError::TooLarge {
            what: "the decoded input",
            limit: 10_000,
        };
        assert_eq!(Profile::decode_within(&bytes, &limits), Err(too_large));
        assert!(Profile::decode(&bytes).is_ok());
    }
    let long = vec![0; (1 << 20) + 1];
    assert!(matches!(
        Profile::decode_within(&long, &limits),
        Err(DecodeError::TooLarge { .. })
    ));
}

/// A profile of one stack: a location a hundred times, each with so many inlined calls.
fn inlined(calls: usize) -> Vec<u8> {
    let lines = [0x22, 2, 0x08, 1].repeat(calls);
    let stack = [field(1, &[1; 100]), field(2, &[1])].concat();
    let parts = [
        field(1, &[0x08, 1]),
        field(2, &stack),
        field(4, &[&[0x08, 1][..], &lines].concat()),
        function(1),
        field(6, b""),
        field(6, b"cpu"),
    ];
    parts.concat()
}

#[test]
fn inlined_calls_stop_at_their_bound() {
    let within = |calls, frames| {
        let limits = Limits {
            frames,
            ..Limits::default()
        };
        let bytes = inlined(calls);
        let decoded = Profile::decode_within(&bytes, &limits);
        let owned = Profile::decode_owned(bytes, &limits);
        assert_eq!(decoded.as_ref().err(), owned.as_ref().err());
        decoded.map(|profile| profile.locations().len())
    };
    assert_eq!(within(20, 2000), Ok(1));
    // Sixteen for each location pass whatever the bound, more do not.
    assert_eq!(within(16, 0), Ok(1));
    let refused = |limit| Err(DecodeError::TooManyFrames { limit });
    assert_eq!(within(17, 0), refused(1600));
    assert_eq!(within(20, 1999), refused(1999));
}

#[test]
fn dumps_stop_at_their_bound() {
    let limits = Limits {
        inflated_bytes: 1 << 20,
        decoded_bytes: 10_000,
        ..Limits::default()
    };
    let frames: String = (0..1000).map(|i| format!("f{i}()\n\tx.go:{i}\n")).collect();
    let dump = format!("goroutine 1 [running]:\n{frames}");
    assert!(matches!(
        Dump::decode_within(dump.as_bytes(), &limits),
        Err(DecodeError::TooLarge { .. })
    ));
    let many = "goroutine 1 []:\n".repeat(1000);
    assert!(matches!(
        Dump::decode_within(many.as_bytes(), &limits),
        Err(DecodeError::TooLarge { .. })
    ));
    assert_eq!(
        Dump::decode(many.as_bytes())
            .expect("a dump")
            .goroutines
            .len(),
        1000
    );
}

#[test]
fn a_dump_of_exactly_the_runtimes_limit_is_cut() {
    let goroutine = "goroutine 1 [select]:\nmain.f()\n\tf.go:1 +0x1\n";
    let filling = (64 << 20) - goroutine.len() - 2;
    let mut text = format!("{}\n\n{goroutine}", "-".repeat(filling));
    let dump = Dump::decode(text.as_bytes()).expect("a dump");
    assert_eq!(
        dump.truncated,
        Some(shakedown_pprof::goroutine::Truncation::SizeLimit)
    );
    text.push('\n');
    assert_eq!(
        Dump::decode(text.as_bytes()).expect("a dump").truncated,
        None
    );
}

#[test]
fn odd_lines_are_counted_not_lost() {
    let text = "noise\ngoroutine 1 [running]:\nmain.f(0x1)\nhalf a line\n\tf.go:x\n\
        non-Go function at pc=0x12\nC.f\n\t/f.c:7 pc=0x12\nC.g\n\tpc=0x13\n\
        \tgoroutine running on other thread; stack unavailable\n\
        main.e(...)\n\te.go:3\n...additional frames elided...\n\
        created by main.g\n\tg.go:9 +0x1\n\nmore noise\n";
    let dump = Dump::decode(text.as_bytes()).expect("a dump");
    let g = &dump.goroutines[0];
    let names: Vec<_> = g
        .frames
        .iter()
        .map(|f| (&*f.function, &*f.file, f.line))
        .collect();
    assert_eq!(
        names,
        [
            ("non-Go function", "", 0),
            ("C.f", "/f.c", 7),
            ("C.g", "", 0),
            ("main.e", "e.go", 3)
        ]
    );
    // `main.f` has no place, and `f.go:x` is none.
    assert_eq!(dump.unread_lines, 2);
    assert!(g.stack_unavailable && g.elided_after == Some(4) && g.root().is_none());
    let created_by = g.created_by.as_ref().expect("main.g");
    assert_eq!(
        (&*created_by.frame.function, created_by.parent),
        ("main.g", None)
    );
}
