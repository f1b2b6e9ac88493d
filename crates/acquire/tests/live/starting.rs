//! What is started, with what, and what is said when it cannot be.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use shakedown_acquire::Recorder;
use shakedown_acquire::process::{Launch, Service, StartError};
use shakedown_evidence::Role;

use super::{Live, MARK, alive, run, status, until};

/// A start that fails; nothing of it is recorded or left.
fn check(command: &[&str], change: impl FnOnce(&mut Launch)) -> StartError {
    let mark = format!(
        "start-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    );
    let mut launch = Launch {
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        env: vec![(MARK.to_owned(), mark.clone())],
        ..Launch::default()
    };
    change(&mut launch);
    let mut failure = None;
    run(async {
        let recorder = Recorder::new(Instant::now(), None);
        let started = Service::start(recorder.clone(), Role::Target, &launch).await;
        failure = Some(started.expect_err("cannot start"));
        until(|| alive(&mark).is_empty()).await;
        assert!(recorder.read(|evidence| evidence.processes.is_empty()));
    });
    failure.expect("was set")
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("make folder");
    let plain = dir.path().join("plain");
    fs::write(plain, "no program").expect("write");
    script(
        &dir.path().join("greet-3141"),
        "#!/bin/sh\npwd; echo \"$GREETING\"\n",
    );
    script(&dir.path().join("interpreted"), "#!/no/such/interpreter\n");
    dir
}

fn script(path: &Path, content: &str) {
    fs::write(path, content).expect("write");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("chmod");
}

fn in_folder(dir: &tempfile::TempDir) -> impl FnOnce(&mut Launch) {
    let cwd = dir.path().to_owned();
    move |launch| launch.cwd = Some(cwd)
}

pub(super) fn an_absent_command_is_named() {
    let error = check(&["no-such-service-3141", "-port", "1"], |_| {});
    assert!(matches!(error, StartError::NotFound { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .starts_with("no-such-service-3141: no such command")
    );
    let error = check(&["./no-such-service-3141"], |_| {});
    assert!(matches!(error, StartError::NotFound { .. }), "{error:?}");
}

pub(super) fn an_absent_command_in_the_folder_is_found() {
    let dir = folder();
    let error = check(&["greet-3141"], in_folder(&dir));
    assert!(error.to_string().contains("-- ./greet-3141"), "{error}");
}

pub(super) fn a_file_that_may_not_be_executed_is_named() {
    let dir = folder();
    let error = check(&["./plain"], in_folder(&dir));
    assert!(matches!(error, StartError::Permission { .. }), "{error:?}");
    assert!(error.to_string().contains("chmod +x ./plain"), "{error}");
}

pub(super) fn a_directory_is_named() {
    let error = check(&["/tmp"], |_| {});
    assert!(matches!(error, StartError::IsDirectory { .. }), "{error:?}");
    assert!(error.to_string().contains("go run /tmp"), "{error}");
}

pub(super) fn an_absent_interpreter_is_named() {
    let dir = folder();
    let error = check(&["./interpreted"], in_folder(&dir));
    assert!(
        matches!(error, StartError::NoInterpreter { .. }),
        "{error:?}"
    );
}

pub(super) fn an_absent_working_directory_is_named() {
    let error = check(&["true"], |launch| {
        launch.cwd = Some(PathBuf::from("/no/such/folder"));
    });
    assert!(
        error.to_string().starts_with("/no/such/folder: "),
        "{error}"
    );
}

pub(super) fn no_command_is_no_start() {
    assert!(matches!(check(&[], |_| {}), StartError::NoCommand));
}

pub(super) fn a_program_that_is_no_guardian_is_named() {
    for guardian in ["/bin/true", "/bin/ls", "/no/such/guardian"] {
        let error = check(&["true"], |launch| {
            launch.guardian = Some(PathBuf::from(guardian));
        });
        assert!(matches!(error, StartError::Guardian { .. }), "{error:?}");
        assert!(error.to_string().starts_with(guardian), "{error}");
    }
}

pub(super) fn a_service_starts_in_its_folder_with_its_variables() {
    let dir = folder();
    let launch = Launch {
        command: vec!["./greet-3141".to_owned()],
        env: vec![("GREETING".to_owned(), "hello there".to_owned())],
        cwd: Some(dir.path().to_owned()),
        ..Launch::default()
    };
    run(async {
        let recorder = Recorder::new(Instant::now(), None);
        let service = Service::start(recorder, Role::Dependency("inventory".to_owned()), &launch);
        let mut service = service.await.expect("starts");
        service.wait_exit(super::PATIENCE).await.expect("ends");
        let cwd = dir.path().canonicalize().expect("is there");
        assert_eq!(
            service.last_lines(9),
            [cwd.to_str().expect("UTF-8"), "hello there"]
        );
        service.end(Duration::ZERO).await;
    });
}

pub(super) fn a_service_inherits_nothing_of_ours() {
    run(async {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        let mut live = Live::start("inherits", "exec sleep 1000").await;
        let pid = live.service.pid();
        until(|| status(pid, "Name").as_deref() == Some("sleep")).await;

        let descriptors = || {
            let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("is running");
            entries
                .flatten()
                .map(|entry| fs::read_link(entry.path()).unwrap_or_default())
        };
        assert!(descriptors().any(|target| target == Path::new("/dev/null")));
        let sockets =
            descriptors().filter(|target| target.to_string_lossy().starts_with("socket:"));
        assert_eq!(sockets.count(), 0);

        // INT, QUIT, PIPE, TERM, CHLD, HUP: neither blocked nor, unless we were told to, ignored.
        let masks = |pid, field| u64::from_str_radix(&status(pid, field).expect("runs"), 16);
        let signals = [2, 3, 13, 15, 17, 1]
            .iter()
            .fold(0, |sum, signal| sum | 1 << (signal - 1));
        let ours = masks(std::process::id(), "SigIgn").expect("is hexadecimal") & !(1 << 12);
        assert_eq!(masks(pid, "SigBlk").expect("is hexadecimal"), 0);
        assert_eq!(
            masks(pid, "SigIgn").expect("is hexadecimal") & signals & !ours,
            0
        );

        // A group and a session of its own: no Ctrl-C reaches it.
        let raw = rustix::process::Pid::from_raw(pid.try_into().expect("an id"));
        assert_eq!(rustix::process::getpgid(raw).ok(), raw);
        let session = rustix::process::getsid(raw).expect("is running");
        assert_eq!(
            session.as_raw_nonzero().get().unsigned_abs(),
            live.guardian()
        );
        // The guardian lets go of the service's pipes, or they would not end before it does.
        for descriptor in [0, 1, 2] {
            let target = fs::read_link(format!("/proc/{}/fd/{descriptor}", live.guardian()));
            assert_eq!(target.expect("is running"), Path::new("/dev/null"));
        }
        drop(socket);
        live.service.end(Duration::from_secs(5)).await;
    });
}
