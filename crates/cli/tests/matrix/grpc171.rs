//! The deadline rules on grpc-go 1.71, whose server leaves a stream open until its handler ends.

use std::fs;
use std::process::Command;

use shakedown_testkit::{Ended, Run, orders, source};

use crate::expected;
use crate::live::PROGRAM;
use crate::table::{Case, HEALTHY};

const MODULE: &str = "grpc171.mod";

fn check(case: &Case) -> Ended {
    let service = orders(case.faults).program("bin/orders171").grace("4s");
    let run = Run::of(PROGRAM).config(&service);
    let built = Command::new("go")
        .args(["build", "-trimpath", "-modfile", MODULE, "-o"])
        .arg(run.folder().join("bin/orders171"))
        .arg("./cmd/orders")
        .current_dir(source())
        .output()
        .expect("live tests need Go");
    assert!(built.status.success(), "{built:?}");
    let ended = run
        .flags(["check", "--window", "6s", "--format", "json"])
        .end();
    let report = ended.report();
    case.check(&report);
    let libraries = report["target"]["libraries"].to_string();
    assert!(libraries.contains("grpc-go 1.71."), "{libraries}");
    ended
}

#[test]
fn healthy_handlers_are_proven_on_grpc_1_71() {
    let case = Case {
        name: "healthy, grpc-go 1.71",
        ..HEALTHY
    };
    let _ = check(&case);
}

#[test]
fn an_ignored_deadline_is_found_on_grpc_1_71() {
    let case = Case {
        name: "deadline-ignored, grpc-go 1.71",
        ..*expected::case("deadline-ignored")
    };
    let text = check(&case).bundled("report.txt");
    // No reset of the server's own: the caller sees the handler's answer, much too late.
    assert!(text.contains("the caller saw (gRPC status 4"), "{text}");
    assert!(!text.contains("RST_STREAM"), "{text}");
}

#[test]
fn the_other_module_differs_in_one_line() {
    let read = |name: &str| fs::read_to_string(source().join(name)).expect(name);
    let lines = |text: &str| -> Vec<String> {
        let of_module = text.lines().filter(|line| !line.starts_with("//"));
        let full = of_module.filter(|line| !line.trim().is_empty());
        full.map(str::to_owned).collect()
    };
    let (ours, other) = (lines(&read("go.mod")), lines(&read(MODULE)));
    assert_eq!(other[..other.len() - 1], ours, "go.mod changed: copy it");
    let last = other.last().expect("lines");
    assert!(
        last.starts_with("replace google.golang.org/grpc => "),
        "{last}"
    );
}
