//! google/pprof's own driver tests: the stock command prints these bytes.
//!
//! crates/pprof/tests/golden/README.md says where the data is from.

mod support;

use std::path::Path;

use support::Desk;

/// Rows that need a mock disassembler, or a report that is not here.
const LEFT_OUT: [&str; 2] = [
    "pprof.cpu.flat.addresses.disasm",
    "pprof.cpu.flat.addresses.weblist",
];

#[test]
fn every_driver_case_prints_the_golden_bytes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pprof/tests/golden");
    let index = std::fs::read_to_string(folder.join("INDEX.tsv")).expect("the index");
    let (mut passed, mut failed) = (0, Vec::new());
    for row in index.lines().filter(|r| r.starts_with("driver\t")) {
        let columns: Vec<&str> = row.split('\t').collect();
        let [_, input, flags, golden, ..] = columns.as_slice() else {
            panic!("a row of four columns: {row}");
        };
        let name = golden.trim_start_matches("driver/");
        if LEFT_OUT.contains(&name) {
            continue;
        }
        let mut desk = Desk {
            folder: folder.join("driver"),
            ..Desk::default()
        };
        let mut args: Vec<&str> = flags.split_whitespace().collect();
        args.push(input.trim_start_matches("driver/"));
        let code = desk.run(&args);
        let wanted = std::fs::read(folder.join(golden)).expect("a golden file");
        if code == 0 && desk.out == wanted {
            passed += 1;
        } else {
            let (out, wanted) = (
                String::from_utf8_lossy(&desk.out),
                String::from_utf8_lossy(&wanted),
            );
            let line = out.lines().zip(wanted.lines()).position(|(a, b)| a != b);
            let at = line.unwrap_or(out.lines().count().min(wanted.lines().count()));
            failed.push(format!(
                "{name}: code {code} {}\n  line {at}\n  ours   {:?}\n  theirs {:?}",
                desk.errors,
                out.lines().nth(at),
                wanted.lines().nth(at)
            ));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(passed, 48);
}
