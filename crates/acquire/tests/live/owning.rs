//! Behind a wrapper, the process that matters is the one that listens.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use shakedown_acquire::listeners::{Found, scan};
use shakedown_acquire::process::{Launch, Service, Signal};
use shakedown_acquire::{Recorder, executable};
use shakedown_evidence::Role;

use super::{PATIENCE, alive, launch, parent, run, until};

const SOURCE: &str = r#"package main

import ("net"; "os"; "os/exec"; "time")

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil { panic(err) }
	if len(os.Args) > 1 {
		file, err := listener.(*net.TCPListener).File()
		if err != nil { panic(err) }
		child := exec.Command("sleep", "1000")
		child.ExtraFiles = []*os.File{file}
		if err := child.Start(); err != nil { panic(err) }
	}
	time.Sleep(time.Hour)
}
"#;

struct Wrapped {
    recorder: Recorder,
    service: Service,
    mark: String,
    _source: tempfile::TempDir,
}

/// A Go program that listens, started by `script` in the folder of its source.
async fn start(case: &str, script: &str) -> Wrapped {
    let source = tempfile::tempdir().expect("make folder");
    let write = |name: &str, content| fs::write(source.path().join(name), content).expect("write");
    write("main.go", SOURCE);
    write("go.mod", "module example.com/listens\n\ngo 1.22\n");
    let mark = format!("{case}-{}", std::process::id());
    let launch = Launch {
        cwd: Some(source.path().to_owned()),
        ..launch(&mark, script)
    };
    let recorder = Recorder::new(Instant::now(), None);
    let service = Service::start(recorder.clone(), Role::Target, &launch).await;
    Wrapped {
        recorder,
        service: service.expect("sh starts"),
        mark,
        _source: source,
    }
}

impl Wrapped {
    /// Its one listener, once it has one.
    async fn listener(&self) -> Found {
        let found = || scan(&self.service.tree()).expect("is ours");
        let ready = || !found().is_empty() || self.service.exit().is_some();
        until(ready).await;
        let said = self.service.last_lines(9);
        found()
            .pop()
            .unwrap_or_else(|| panic!("no listener; is Go installed? {said:?}"))
    }

    async fn end(mut self) {
        self.service.end(Duration::from_secs(5)).await;
        assert_eq!(alive(&self.mark), [0; 0]);
    }
}

fn name(pid: u32) -> String {
    let path = fs::read_link(format!("/proc/{pid}/exe")).expect("is running");
    let name = Path::new(&path).file_name().expect("has a name");
    name.to_string_lossy().into_owned()
}

pub(super) fn the_owner_behind_go_run_is_found() {
    run(async {
        let wrapped = start("go-run", "exec go run .").await;
        let owner = wrapped.listener().await.pid;
        assert_eq!(name(wrapped.service.pid()), "go");
        assert_eq!(name(owner), "listens");
        assert_eq!(parent(owner), Some(wrapped.service.pid()));

        executable::record(&wrapped.recorder, owner).await;
        wrapped.recorder.read(|evidence| {
            let build = evidence.build.as_ref().expect("was read");
            assert_eq!(build.package.as_deref(), Some("example.com/listens"));
            assert!(build.go.as_deref().expect("is Go's").starts_with("go1."));
        });

        // Signalled itself, it ends; the wrapper follows and tells of it in its own way.
        assert!(
            wrapped
                .service
                .signal(owner, Signal::TERM)
                .expect("is ours")
        );
        assert!(wrapped.service.wait_gone(owner, PATIENCE).await.is_some());
        let exit = wrapped.service.wait_exit(PATIENCE).await.expect("follows");
        assert!(exit.expected);
        wrapped.end().await;
    });
}

pub(super) fn the_owner_behind_a_shell_is_found() {
    run(async {
        let wrapped = start("shell", "go build -o listens . && ./listens; echo ended").await;
        let owner = wrapped.listener().await.pid;
        assert_eq!(name(owner), "listens");
        assert_ne!(owner, wrapped.service.pid());
        wrapped.end().await;
    });
}

pub(super) fn a_listener_that_a_wrapper_hands_down_is_the_childs() {
    run(async {
        let wrapped = start(
            "hands-down",
            "go build -o listens . && exec ./listens handing",
        )
        .await;
        until(|| wrapped.service.tree().len() == 2 || wrapped.service.exit().is_some()).await;
        until(|| {
            scan(&wrapped.service.tree())
                .is_ok_and(|found| found.iter().any(|found| name(found.pid) == "sleep"))
        })
        .await;
        wrapped.end().await;
    });
}
