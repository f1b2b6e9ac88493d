//! The command as people type it: sources, output, mistakes.

mod support;

use std::path::Path;

use support::Desk;

fn desk(folder: &str) -> Desk {
    Desk {
        folder: Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../pprof/tests")
            .join(folder),
        ..Desk::default()
    }
}

/// Runs and gives exit code, output and messages.
fn check(folder: &str, line: &str) -> (i32, String, String) {
    let mut desk = desk(folder);
    let args: Vec<&str> = line.split_whitespace().collect();
    let code = desk.run(&args);
    let out = String::from_utf8_lossy(&desk.out).into_owned();
    (code, out, desk.errors)
}

#[test]
fn source_lines_are_the_originals() {
    let line = r"-symbolize=none -list=main\.|Sum256 -source_path=src busy.pb.gz";
    let (code, out, errors) = check("data/list", line);
    let wanted = desk("data/list").folder.join("busy.list.txt");
    let wanted = std::fs::read_to_string(wanted).expect("the frozen listing");
    assert_eq!((code, out), (0, wanted), "{errors}");
}

/// data/list/freeze.sh makes the expected page anew.
#[test]
fn source_lines_as_a_page_are_the_originals() {
    let pattern = r"-weblist=main\.(main|shuffle|work)$|^main\.sum$";
    let line = &format!("-symbolize=none {pattern} -source_path=src busy.pb.gz");
    let (code, out, errors) = check("data/list", line);
    assert_eq!((code, errors.as_str()), (0, ""));
    let body = out.split_once("\n<body>\n").map(|(_, body)| body);
    let wanted = desk("data/list").folder.join("busy.weblist.html");
    let wanted = std::fs::read_to_string(wanted).expect("the frozen page");
    assert_eq!(body, wanted.strip_prefix("<body>\n"));
    let (code, out, errors) = check("data/list", "-weblist=nobody busy.pb.gz");
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(
        errors.contains("no matches found for regexp: nobody"),
        "{errors}"
    );
}

#[test]
fn heap_sites_of_a_profile_less_itself_are_none() {
    let heap = "heap_compile.pb.gz";
    let (code, out, errors) = check("data/profile", &format!("-heap-sites -nodecount=3 {heap}"));
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains("Showing 3 of "), "{out}");
    let line = format!("-heap-sites -base={heap} {heap}");
    let (code, out, errors) = check("data/profile", &line);
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains("Showing 0 of 0 sites"), "{out}");
}

#[test]
fn mistakes_end_with_code_2_and_a_reason() {
    let cases = [
        ("-top", "no profile source specified"),
        (
            "-top -tree busy.pb.gz",
            "must set at most one output format",
        ),
        ("busy.pb.gz", "no output format specified"),
        ("-top nothing.pb.gz", "failed to fetch any source profiles"),
        (
            "-top -sample_index=heap busy.pb.gz",
            "must be one of: [samples cpu]",
        ),
        (
            "-top -sample_index=7 busy.pb.gz",
            "outside the range [0..1]",
        ),
        (
            "-top -focus=( busy.pb.gz",
            "parsing focus regexp: error parsing regexp: missing closing )",
        ),
        ("-top -divide_by=0 busy.pb.gz", "zero divisor specified"),
        ("-top -cum -flat busy.pb.gz", "conflicting options set"),
        (
            "-peek=nowhere busy.pb.gz",
            "no matches found for regexp: nowhere",
        ),
        (
            "-top -normalize busy.pb.gz",
            "must have base profile to normalize by",
        ),
        (
            "-top -base=a -diff_base=b busy.pb.gz",
            "cannot both be specified",
        ),
        (
            "-top src/busy/main.go",
            "parsing profile: this is not a pprof profile but text",
        ),
        (
            "-nodecount=many -top busy.pb.gz",
            "invalid value \"many\" for flag -nodecount",
        ),
    ];
    for (line, why) in cases {
        let (code, out, errors) = check("data/list", line);
        assert_eq!((code, out.as_str()), (2, ""), "{line}");
        assert!(errors.contains(why), "{line}: {errors}");
    }
}

#[test]
fn one_lost_source_of_two_is_a_warning() {
    let (code, out, errors) = check("data/list", "-top busy.pb.gz nothing.pb.gz");
    assert_eq!(code, 0);
    assert!(out.contains("main.work"));
    assert!(
        errors.contains("Fetched 1 source profiles out of 2"),
        "{errors}"
    );
}

#[test]
fn a_url_is_fetched() {
    let mut desk = desk("data/list");
    desk.answer = Some(std::fs::read(desk.folder.join("busy.pb.gz")).expect("the profile"));
    assert_eq!(desk.run(&["-top", "-seconds=5", "localhost:6060"]), 0);
    let url = "http://localhost:6060/debug/pprof/profile?seconds=5";
    assert_eq!(desk.asked, [url]);
    assert!(
        desk.errors
            .contains(&format!("Fetching profile over HTTP from {url}"))
    );
}

#[test]
fn output_goes_to_a_file_and_drawings_through_graphviz() {
    let mut desk = desk("data/list");
    assert_eq!(desk.run(&["-svg", "-output=x.svg", "busy.pb.gz"]), 0);
    let (path, bytes) = desk.written.pop().expect("a file");
    assert_eq!(path, "x.svg");
    assert!(String::from_utf8_lossy(&bytes).starts_with("dot -Tsvg: "));
    assert!(desk.out.is_empty());
}

#[test]
fn a_base_of_itself_leaves_nothing() {
    let (code, out, _) = check("data/list", "-top -diff_base=busy.pb.gz busy.pb.gz");
    assert_eq!(code, 0);
    assert!(
        out.contains("Showing nodes accounting for 0, 0% of"),
        "{out}"
    );
}

/// What Python reads of a JSON text, as a check from outside.
fn read_by_python(json: &str, question: &str) -> String {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let program = format!("import json,sys; d=json.load(sys.stdin); print({question})");
    let mut python = Command::new("python3")
        .args(["-c", &program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is there");
    let mut stdin = python.stdin.take().expect("a pipe");
    stdin.write_all(json.as_bytes()).expect("python reads");
    drop(stdin);
    let out = python.wait_with_output().expect("python ends");
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

#[test]
fn exports_agree_with_top() {
    let (_, folded, _) = check("data/list", "-folded busy.pb.gz");
    let value = |line: &str| line.rsplit(' ').next().and_then(|v| v.parse::<i64>().ok());
    let total: i64 = folded.lines().filter_map(value).sum();
    let (_, json, _) = check("data/list", "-json busy.pb.gz");
    assert_eq!(read_by_python(&json, "d['total']"), total.to_string());
    let (_, speedscope, _) = check("data/list", "-speedscope busy.pb.gz");
    let sum = "sum(d['profiles'][0]['weights'])";
    assert_eq!(read_by_python(&speedscope, sum), total.to_string());
    let (_, csv, _) = check("data/list", "-csv -cum busy.pb.gz");
    assert!(csv.starts_with("name,flat (nanoseconds),cum (nanoseconds)\r\n"));
    let (_, top, _) = check("data/list", "-top busy.pb.gz");
    let rows = read_by_python(&json, "len(d['nodes'])");
    let head = top.lines().take_while(|l| !l.contains("flat%")).count() + 1;
    assert_eq!((top.lines().count() - head).to_string(), rows);
}

/// The data inside of a flame graph's page.
fn flame_data(page: &str) -> &str {
    let (_, after) = page.split_once("const data = ").expect("the data");
    let (data, _) = after.split_once(";\n").expect("its end");
    data
}

#[test]
fn a_flame_graph_stands_alone() {
    let (code, page, _) = check("data/list", "-flame busy.pb.gz");
    assert_eq!(code, 0);
    for outside in ["http:", "https:", "src=", "href=", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let data = flame_data(&page);
    let root = read_by_python(data, "d['nodes'][0][2] == d['total']");
    let parents = read_by_python(data, "all(n[1] <= i for i, n in enumerate(d['nodes']))");
    assert_eq!((root.as_str(), parents.as_str()), ("True", "True"));
    assert!(data.contains("\"difference\":false"));
}

#[test]
fn a_flame_graph_of_a_difference_has_both_signs() {
    let line =
        "-flame -sample_index=samples -diff_base=golden/driver/in.cpu.pb.gz data/list/busy.pb.gz";
    let (code, page, errors) = check(".", line);
    assert_eq!(code, 0, "{errors}");
    assert!(flame_data(&page).contains("\"difference\":true"));
}

/// A world that serves the busy profile, with PPROF_TMPDIR and HOME set.
fn served() -> Desk {
    let mut desk = desk("data/list");
    desk.answer = Some(std::fs::read(desk.folder.join("busy.pb.gz")).expect("the profile"));
    for (name, value) in [("PPROF_TMPDIR", "/saved"), ("HOME", "/home/gopher")] {
        desk.env.push((name.to_owned(), value.to_owned()));
    }
    desk
}

#[test]
fn a_fetched_profile_is_saved_whole_under_a_free_name() {
    let mut desk = served();
    let stem = "/saved/pprof.busy.samples.cpu.";
    desk.written.push((format!("{stem}001.pb.gz"), Vec::new()));
    assert_eq!(desk.run(&["-top", "localhost:6060"]), 0, "{}", desk.errors);
    let (path, bytes) = desk.written.last().expect("a saved profile").clone();
    assert_eq!(path, format!("{stem}002.pb.gz"));
    assert!(desk.errors.contains(&format!("Saved profile in {path}\n")));
    let saved = shakedown_pprof::Profile::decode(&bytes).expect("a profile");
    let given = desk.answer.as_deref().expect("an answer");
    let given = shakedown_pprof::Profile::decode(given).expect("a profile");
    assert_eq!(saved.samples().len(), given.samples().len());
}

#[test]
fn a_folder_that_cannot_be_used_is_told_and_the_next_is_taken() {
    let mut desk = served();
    desk.refused.push("/saved".to_owned());
    assert_eq!(desk.run(&["-top", "localhost:6060"]), 0, "{}", desk.errors);
    assert!(
        desk.errors.contains("Could not use temp dir /saved"),
        "{}",
        desk.errors
    );
    assert!(
        desk.errors
            .contains("Saved profile in /home/gopher/pprof/pprof.busy."),
        "{}",
        desk.errors
    );
}

#[test]
fn a_file_is_not_saved() {
    let mut desk = served();
    assert_eq!(desk.run(&["-top", "busy.pb.gz"]), 0, "{}", desk.errors);
    assert!(desk.written.is_empty());
}

#[test]
fn what_is_no_profile_is_named_with_its_url() {
    let mut desk = served();
    desk.answer = Some(b"<!doctype html><title>502 Bad Gateway</title>".to_vec());
    let url = "http://localhost:6060/debug/pprof/heap";
    assert_eq!(desk.run(&["-top", url]), 2);
    assert!(desk.errors.contains(url), "{}", desk.errors);
    assert!(desk.errors.contains("502 Bad Gateway"), "{}", desk.errors);
}

#[test]
fn names_that_are_cpp_are_simplified_unless_symbolization_is_off() {
    let line = "-peek=Foo in.long_name_funcs.pb.gz";
    let (_, out, errors) = check("golden/driver", line);
    assert!(out.contains(" ::Bar::Foo"), "{out}{errors}");
    let (_, out, _) = check("golden/driver", &format!("-symbolize=none {line}"));
    assert!(out.contains("(anonymous namespace)::Bar::Foo"), "{out}");
    let (_, _, errors) = check("golden/driver", &format!("-symbolize=lcoal {line}"));
    assert!(
        errors.contains("ignoring unrecognized symbolization option: lcoal"),
        "{errors}"
    );
}

/// Go's heap profile of debug=1: addresses without names.
fn unnamed(_: &shakedown_pprof_cli::Request<'_>) -> Result<Vec<u8>, String> {
    Ok(b"goroutine profile: total 5\n3 @ 0x1001 0x2001\n2 @ 0x2001\n".to_vec())
}

/// The handler that names them, and only those of its own process.
fn symbol(request: &shakedown_pprof_cli::Request<'_>) -> Result<Vec<u8>, String> {
    assert_eq!(request.body, Some("0x1000+0x2000"));
    Ok(b"num_symbols: 1\n0x1000 main.worker\n0x2000 main.main\n".to_vec())
}

const COUNTS: &str = "http://localhost:6060/debug/pprof/goroutine?debug=1";
const SYMBOL: &str = "http://localhost:6060/debug/pprof/symbol";

fn unnamed_server() -> Desk {
    let mut desk = served();
    desk.answers.push((COUNTS.to_owned(), unnamed));
    desk.answers.push((SYMBOL.to_owned(), symbol));
    desk
}

#[test]
fn a_server_names_its_own_addresses() {
    let mut desk = unnamed_server();
    assert_eq!(desk.run(&["-top", COUNTS]), 0, "{}", desk.errors);
    let out = String::from_utf8_lossy(&desk.out).into_owned();
    assert!(
        out.contains("main.worker") && out.contains("main.main"),
        "{out}"
    );
    assert_eq!(desk.asked, [COUNTS, SYMBOL]);
    let mut desk = unnamed_server();
    for mode in ["-symbolize=local", "-symbolize=none"] {
        assert_eq!(desk.run(&["-top", mode, COUNTS]), 0, "{}", desk.errors);
    }
    assert_eq!(desk.asked, [COUNTS, COUNTS]);
}

#[test]
fn a_server_without_names_leaves_addresses_and_a_word() {
    let mut desk = unnamed_server();
    desk.answers.pop();
    desk.answer = None;
    assert_eq!(desk.run(&["-raw", COUNTS]), 0, "{}", desk.errors);
    assert!(
        desk.errors
            .contains(&format!("no names from {SYMBOL}: no network")),
        "{}",
        desk.errors
    );
    assert!(String::from_utf8_lossy(&desk.out).contains("0x1000"));
}

#[test]
fn servers_are_asked_at_once_and_one_that_fails_is_a_warning() {
    let mut desk = served();
    let lost = "http://lost:6060/debug/pprof/profile";
    let failing: support::Answer = |_| Err("connection refused".to_owned());
    desk.answers.push((lost.to_owned(), failing));
    let line = ["-top", "localhost:6060", "lost:6060", "busy.pb.gz"];
    assert_eq!(desk.run(&line), 0, "{}", desk.errors);
    assert_eq!((desk.rounds, desk.asked.len()), (1, 2));
    for said in [
        "lost:6060: connection refused",
        "Fetched 2 source profiles out of 3",
    ] {
        assert!(desk.errors.contains(said), "{}", desk.errors);
    }
}

#[test]
fn half_a_key_pair_is_refused() {
    for (line, why) in [
        (
            "-top -tls_key=k busy.pb.gz",
            "-tls_cert must also be specified",
        ),
        (
            "-top -tls_cert=c busy.pb.gz",
            "-tls_key must also be specified",
        ),
    ] {
        let (code, _, errors) = check("data/list", line);
        assert_eq!(code, 2, "{errors}");
        assert!(errors.contains(why), "{errors}");
    }
}

#[test]
fn a_line_before_its_function_asks_for_no_file() {
    use shakedown_pprof::{Line, Profile, gzip};
    let mut profile = Profile::new(&[("n", "count")]);
    let function = profile.push_function("main.inlined", "absent.go", 100);
    let lines = [Line {
        function,
        line: 7,
        column: 0,
    }];
    let location = profile.push_location(1, None, &lines);
    profile.push_sample(&[location], &[1], &[]);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("p.pb.gz"), gzip(&profile.encode())).expect("room");
    let mut desk = Desk {
        folder: folder.path().to_owned(),
        ..Desk::default()
    };
    assert_eq!(
        desk.run(&["-list=inlined", "p.pb.gz"]),
        0,
        "{}",
        desk.errors
    );
    let out = String::from_utf8_lossy(&desk.out).into_owned();
    assert!(out.ends_with("(flat, cum)   100% of Total\n"), "{out}");
}
