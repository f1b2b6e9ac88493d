//! The cases of `tests/process.rs`, and what they stand on.

mod endings;
mod owning;
mod recording;
mod starting;

use std::fs;
use std::future::Future;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use shakedown_acquire::Recorder;
use shakedown_acquire::process::{Launch, Service};
use shakedown_evidence::Role;

/// First argument by which this executable owns a service until it is killed.
pub(crate) const OWNER: &str = "__owner";
/// Variable that marks the processes of one case.
const MARK: &str = "SHAKEDOWN_TEST";
/// No step of these cases takes longer on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A name, as a claim, and the case.
type Case = (&'static str, fn());

/// Turns functions into a table of cases under their names.
macro_rules! cases {
    ($($module:ident: $($case:ident),* $(,)?;)*) => {
        &[$($((stringify!($case), $module::$case as fn())),*),*]
    };
}

pub(crate) const TESTS: &[Case] = cases! {
    starting:
        an_absent_command_is_named,
        an_absent_command_in_the_folder_is_found,
        a_file_that_may_not_be_executed_is_named,
        a_directory_is_named,
        an_absent_interpreter_is_named,
        an_absent_working_directory_is_named,
        no_command_is_no_start,
        a_program_that_is_no_guardian_is_named,
        a_service_starts_in_its_folder_with_its_variables,
        a_service_inherits_nothing_of_ours;
    recording:
        an_early_exit_is_recorded_after_its_lines,
        a_full_pipe_is_read_before_the_end_is_recorded,
        a_signal_is_recorded,
        a_long_line_is_cut,
        a_flood_is_dropped_and_told_once,
        bytes_that_are_no_text_are_replaced,
        a_signal_of_ours_is_expected_and_its_end_is_seen,
        a_stranger_gets_no_signal;
    owning:
        the_owner_behind_go_run_is_found,
        the_owner_behind_a_shell_is_found,
        a_listener_that_a_wrapper_hands_down_is_the_childs;
    endings:
        a_wrapper_and_its_child_are_ended,
        a_daemon_is_ended,
        a_service_that_ignores_sigterm_is_killed_after_the_grace,
        a_service_that_keeps_forking_is_ended,
        a_service_that_has_ended_leaves_no_zombie,
        a_dropped_handle_ends_the_service,
        a_killed_owner_leaves_nothing,
        ctrl_c_to_the_whole_group_leaves_nothing,
        a_killed_guardian_leaves_nothing,
        a_guardian_ignores_the_signals_of_a_terminal,
        an_end_without_a_service_is_quick;
};

/// A service of one case, running `sh -c SCRIPT`.
struct Live {
    recorder: Recorder,
    service: Service,
    mark: String,
}

impl Live {
    async fn start(case: &str, script: &str) -> Self {
        let mark = format!("{case}-{}", std::process::id());
        let recorder = Recorder::new(Instant::now(), None);
        let service = Service::start(recorder.clone(), Role::Target, &launch(&mark, script)).await;
        Self {
            recorder,
            service: service.expect("sh starts"),
            mark,
        }
    }

    /// The service's log so far.
    fn log(&self) -> Vec<String> {
        let texts = |evidence: &shakedown_evidence::Evidence| {
            evidence
                .lines
                .iter()
                .map(|line| line.text.clone())
                .collect()
        };
        self.recorder.read(texts)
    }

    async fn until_it_says(&self, text: &str) {
        until(|| self.log().iter().any(|line| line == text)).await;
    }

    fn guardian(&self) -> u32 {
        parent(self.service.pid()).expect("the service is running")
    }
}

fn launch(mark: &str, script: &str) -> Launch {
    Launch {
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        env: vec![(MARK.to_owned(), mark.to_owned())],
        ..Launch::default()
    }
}

/// Runs one case in a runtime of its own.
fn run(case: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build();
    runtime.expect("a runtime starts").block_on(case);
}

/// Starts a service and waits to be killed, saying who runs.
pub(crate) fn own(mark: &str, script: &str) -> ExitCode {
    run(async {
        let recorder = Recorder::new(Instant::now(), None);
        let service = Service::start(recorder.clone(), Role::Target, &launch(mark, script)).await;
        let service = service.expect("sh starts");
        writeln!(io::stdout(), "{}", service.pid()).expect("the case listens");
        std::future::pending::<()>().await;
    });
    ExitCode::SUCCESS
}

/// Waits until something holds that no event tells of.
async fn until(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let held = tokio::time::timeout(PATIENCE, waiting).await;
    held.expect("it holds in the end");
}

/// Running processes that bear a mark: the guardian, the service and what they began.
fn alive(mark: &str) -> Vec<u32> {
    let variable = format!("{MARK}={mark}");
    let entries = fs::read_dir("/proc").expect("/proc is there").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let bears = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|found| found == variable.as_bytes())
    };
    pids.filter(bears).collect()
}

/// A field of `/proc/PID/status`.
fn status(pid: u32, field: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    Some(line?.trim().to_owned())
}

fn parent(pid: u32) -> Option<u32> {
    status(pid, "PPid")?.parse().ok()
}

/// Sends a signal by id: these processes are our own and still running.
fn kill(pid: u32, signal: shakedown_acquire::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().expect("an id"));
    rustix::process::kill_process(pid.expect("an id"), signal).expect("it is running");
}
