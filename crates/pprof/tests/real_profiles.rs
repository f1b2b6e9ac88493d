//! Two real profiles of the Go compiler against `go tool pprof`'s numbers.
//!
//! tests/data/README.md says how the numbers were frozen.

use shakedown_pprof::{Granularity, Profile, top};

const CPU: &[u8] = include_bytes!("data/profile/cpu_compile.pb.gz");
const HEAP: &[u8] = include_bytes!("data/profile/heap_compile.pb.gz");

/// FNV-1a, 64 bits: all rows in eight bytes.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn check(profile: &[u8], by: Granularity, frozen: &str) {
    let profile = Profile::decode(profile).expect("a real profile");
    let sample_type = profile.sample_type(None).expect("it has some");
    let top = top(&profile, sample_type, by);
    let mut text = String::new();
    for row in &top.rows {
        let place = match by {
            Granularity::Function => String::new(),
            Granularity::Line => format!(" {}:{}", row.file, row.line),
        };
        text += &format!("{}\t{}\t{}{place}\n", row.flat, row.cum, row.name);
    }
    let (head, rows) = frozen.split_once('\n').expect("a head line");
    for (ours, original) in text.lines().zip(rows.lines()) {
        assert_eq!(ours, original);
    }
    let ours = format!(
        "# total {}, rows {}, fnv1a {:016x}",
        top.total,
        top.rows.len(),
        fingerprint(&text)
    );
    assert_eq!(ours, head);
    let flat: i64 = top.rows.iter().map(|row| row.flat).sum();
    assert_eq!(flat, top.total);
}

#[test]
fn cpu_by_function_is_the_originals() {
    check(
        CPU,
        Granularity::Function,
        include_str!("data/profile/cpu_compile.top.functions.tsv"),
    );
}

#[test]
fn cpu_by_line_is_the_originals() {
    check(
        CPU,
        Granularity::Line,
        include_str!("data/profile/cpu_compile.top.lines.tsv"),
    );
}

#[test]
fn heap_by_function_is_the_originals() {
    check(
        HEAP,
        Granularity::Function,
        include_str!("data/profile/heap_compile.top.functions.tsv"),
    );
}

#[test]
fn heap_by_line_is_the_originals() {
    check(
        HEAP,
        Granularity::Line,
        include_str!("data/profile/heap_compile.top.lines.tsv"),
    );
}

#[test]
fn a_row_can_be_printed_for_a_person() {
    let heap = Profile::decode(HEAP).expect("a real profile");
    let sample_type = heap
        .sample_type(Some("inuse_space"))
        .expect("heap profiles have it");
    let top = top(&heap, sample_type, Granularity::Function);
    let first = &top.rows[0];
    let share = 100.0 * top.share(first.flat);
    let line = format!("{} {} {share:.0} %", first.short_name(), first.place());
    assert_eq!(line, "ir.newNameAt name.go:147 9 %");
}

#[test]
fn a_real_profile_survives_a_round_trip() {
    for bytes in [CPU, HEAP] {
        let profile = Profile::decode(bytes).expect("a real profile");
        assert_eq!(Profile::decode(&profile.encode()).as_ref(), Ok(&profile));
    }
}

#[test]
fn head_and_tables_are_read() {
    let cpu = Profile::decode(CPU).expect("a real profile");
    let types: Vec<_> = cpu
        .sample_types()
        .iter()
        .map(|t| (cpu.text(t.kind), cpu.text(t.unit)))
        .collect();
    assert_eq!(types, [("samples", "count"), ("cpu", "nanoseconds")]);
    // As `go tool pprof -raw` has them.
    assert_eq!(cpu.duration_nanos / 10_000_000, 37_861);
    assert_eq!(
        (cpu.period, cpu.text(cpu.period_type.kind)),
        (10_000_000, "cpu")
    );
    let main = &cpu.mappings()[0];
    assert_eq!(
        cpu.text(main.build_id),
        "cb8459da4c9033f85c4a873a405f80dd036867ac"
    );
}
