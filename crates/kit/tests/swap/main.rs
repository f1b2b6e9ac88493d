//! Binary swaps of a real process, under clients that count what fails.
//!
//! The service is this very program, started once more with [`SERVES`]; a swap starts it again. This
//! process adopts what its end leaves behind, so the end of each is seen, and nothing outlives a test.

#![cfg(all(
    feature = "swap",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#![expect(
    unsafe_code,
    reason = "adopts and waits for processes, and sends signals"
)]

mod clients;

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use clients::{Clients, Kept, Tally, ask};
use shakedown_kit::{Kit, swap::Swap};
use tempfile::TempDir;

/// The folder in which a service finds what it is to do, and writes what it does.
const SERVES: &str = "KIT_TEST_SERVES";
/// How long anything may take on a machine that is busy with others.
const PATIENCE: Duration = Duration::from_secs(60);

/// The service. Run by name, and only in a process of its own.
#[test]
#[ignore = "is the service that the other tests start"]
fn serves() {
    let Some(folder) = std::env::var_os(SERVES).map(PathBuf::from) else {
        return;
    };
    let append = |line: String| {
        let mut log = std::fs::OpenOptions::new();
        let log = log.create(true).append(true).open(folder.join("log"));
        log.expect("it opens")
            .write_all(line.as_bytes())
            .expect("it is written");
    };
    let pid = std::process::id();
    let slow = move || async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        pid.to_string()
    };
    let router = Router::new()
        .route("/", get(move || async move { pid.to_string() }))
        .route("/slow", get(slow));
    // As long as a starved machine needs, unless the test is about those that never are.
    let hurried = folder.join("hurried").exists();
    let ready_within = Duration::from_secs(if hurried { 6 } else { 60 });
    let swap = Swap::new()
        .ready_within(ready_within)
        .linger(Duration::from_secs(6));
    append(format!("begins {pid}\n"));
    let ended = Kit::builder("swapped")
        .workers(2)
        .admin("127.0.0.1:0")
        .drain_limit(Duration::from_secs(30))
        .swap(swap)
        .run(async |kit: Kit| {
            let listen = std::fs::read_to_string(folder.join("listen"));
            let address = listen.as_deref().unwrap_or("127.0.0.1:0");
            let address = kit.serve(address, router).await?;
            append(format!("serves {pid}\n"));
            if folder.join("fails").exists() {
                return Err("it was told to fail".into());
            }
            if folder.join("hangs").exists() {
                std::future::pending::<()>().await;
            }
            let admin = kit.admin_address().expect("it was asked for");
            append(format!("ready {pid} {address} {admin}\n"));
            Ok(())
        });
    append(format!("ends {pid} {}\n", ended.is_ok()));
    // The code that a `main` would end with: a test that fails has another one than 0, too.
    assert!(ended.is_ok(), "{ended:?}");
}

/// A service and all that follow it; nothing of it lives on when this is dropped.
struct Service {
    folder: TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Service {
    fn start(prepare: impl FnOnce(&Path, &mut Command)) -> Self {
        // Whose children are whose is of the process, so there is one service at a time.
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: what our children leave behind becomes ours; nothing else follows from it.
        assert_eq!(
            unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) },
            0
        );
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(std::env::current_exe().expect("we run"));
        command
            .args([
                "serves",
                "--exact",
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(SERVES, folder.path())
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        prepare(folder.path(), &mut command);
        let begun = command.spawn().expect("it starts");
        // Waited for like those that follow it: by its number.
        drop(begun);
        let service = Service {
            folder,
            _alone: alone,
        };
        service.until("it is ready", |service| !service.ready().is_empty());
        service
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What follows a word in the log, line by line.
    fn log(&self, word: &str) -> Vec<String> {
        let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        let lines = log.lines().filter_map(|line| line.strip_prefix(word));
        lines.map(|line| line.trim().to_owned()).collect()
    }

    /// Process id, address and admin address of each process that was ready.
    fn ready(&self) -> Vec<(i32, SocketAddr, SocketAddr)> {
        let read = |line: &String| {
            let mut words = line.split(' ');
            let pid = words.next()?.parse().ok()?;
            let mut address = || words.next()?.parse().ok();
            Some((pid, address()?, address()?))
        };
        self.log("ready ").iter().filter_map(read).collect()
    }

    fn newest(&self) -> (i32, SocketAddr, SocketAddr) {
        *self.ready().last().expect("one is ready")
    }

    fn signal(&self, pid: i32, signal: i32) {
        // SAFETY: a process that this test started and has not waited for.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// Asks the newest for a swap, and waits until another one is ready.
    fn swap(&self) {
        let before = self.ready().len();
        self.signal(self.newest().0, libc::SIGUSR2);
        self.until("the next one is ready", |service| {
            service.ready().len() > before
        });
    }

    fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            let log = || std::fs::read_to_string(self.path("log"));
            assert!(began.elapsed() < PATIENCE, "never: {what}; {:?}", log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for the end of a process of ours, whose parent may have to end first, and gives its code.
    fn exit_code(&self, pid: i32) -> i32 {
        let mut status = 0;
        self.until("it ends", |_| {
            // SAFETY: waits for a child of ours, if it is one by now.
            unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) == pid }
        });
        if libc::WIFEXITED(status) {
            libc::WEXITSTATUS(status)
        } else {
            -1
        }
    }

    fn status(&self) -> serde_json::Value {
        let (_, _, admin) = self.newest();
        let answer = ask(admin, "/debug/kit/status").expect("it answers");
        serde_json::from_str(&answer).expect("it is JSON")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let begun = self.log("begins ");
        // In the order in which they began: what one leaves behind is ours when it has ended.
        for pid in begun.iter().filter_map(|pid| pid.parse().ok()) {
            let mut status = 0;
            // SAFETY: asks first whether it is a child of ours that lives; another process may have
            // the number of one that was waited for.
            unsafe {
                if libc::waitpid(pid, &raw mut status, libc::WNOHANG) == 0 {
                    libc::kill(pid, libc::SIGKILL);
                    libc::waitpid(pid, &raw mut status, 0);
                }
            }
        }
    }
}

fn swaps_lose_nothing(swaps: usize, requests: u64) {
    let service = Service::start(|_, _| {});
    let (_, address, admin) = service.newest();
    let clients = Clients::start(address);
    for n in 1..=swaps {
        let until = requests * n as u64 / (swaps as u64 + 1);
        service.until("requests are answered", |_| clients.answered() >= until);
        service.swap();
    }
    service.until("the last requests", |_| clients.answered() >= requests);
    let ready = service.ready();
    assert_eq!(ready.len(), swaps + 1);
    let (last, old) = ready.split_last().expect("one is ready");
    // Under load until the last connection of the last old process is closed.
    for (pid, _, _) in old {
        assert_eq!(service.exit_code(*pid), 0, "{pid} has drained");
    }
    let Tally {
        answered,
        failed,
        by_kind,
    } = clients.end();
    let _ = writeln!(
        std::io::stdout(),
        "{answered} requests over {swaps} swaps: {by_kind}"
    );
    assert_eq!(failed, [""; 0], "of {answered}");
    assert!(answered >= requests);

    assert!(
        ready
            .iter()
            .all(|(_, at, of_admin)| (*at, *of_admin) == (address, admin))
    );
    assert_eq!(
        ask(address, "/").as_deref(),
        Ok(last.0.to_string().as_str())
    );
    assert_eq!(service.status()["pid"], last.0);
    service.signal(last.0, libc::SIGTERM);
    assert_eq!(service.exit_code(last.0), 0);
    assert!(ask(address, "/").is_err(), "nobody keeps the listener open");
}

#[test]
fn no_request_is_lost_over_swaps() {
    swaps_lose_nothing(3, 3000);
}

#[test]
#[ignore = "takes a minute of a quiet machine"]
fn fifty_thousand_requests_over_ten_swaps_lose_none() {
    swaps_lose_nothing(10, 50_000);
}

#[test]
fn a_kept_connection_is_answered_once_more_and_told_to_go() {
    let service = Service::start(|_, _| {});
    let (old, address, _) = service.newest();
    let mut kept = Kept::new(address);
    for _ in 0..2 {
        assert_eq!(kept.ask("/"), Ok(old.to_string()));
        assert!(kept.is_open());
    }
    service.swap();
    service.until("the old one has heard of it", |service| {
        ask(address, "/").is_ok_and(|answer| answer == service.newest().0.to_string())
    });
    // It may be about to: the new one answers before the old one knows that it does.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(kept.ask("/"), Ok(old.to_string()));
    assert!(!kept.is_open(), "it was told to go");
    assert_eq!(kept.ask("/"), Ok(service.newest().0.to_string()));
    assert_eq!(service.exit_code(old), 0);
}

/// Asks for a swap that is to be refused, under load; nothing of it is to be seen.
fn refused(service: &Service, file: &str, reason: &str) {
    let (pid, address, _) = service.newest();
    let clients = Clients::start(address);
    std::fs::write(service.path(file), "").expect("it is written");
    service.signal(pid, libc::SIGUSR2);
    service.until("it could serve", |service| service.log("serves ").len() > 1);
    for _ in 0..50 {
        assert_eq!(
            ask(address, "/").as_deref(),
            Ok(pid.to_string().as_str()),
            "who is not ready takes no connection"
        );
    }
    service.until("the swap is refused", |service| {
        let status = service.status();
        assert_eq!(status["pid"], pid);
        assert_eq!(status["phase"], "ready");
        status["swap_refused"]
            .as_str()
            .is_some_and(|refused| refused.contains(reason))
    });
    let Tally { failed, .. } = clients.end();
    assert_eq!(failed, [""; 0]);
    // The service has waited for it, so it is no child of anybody.
    let next: i32 = service.log("begins ")[1].parse().expect("it is a number");
    // SAFETY: asks whether there is such a process.
    assert_eq!(unsafe { libc::kill(next, 0) }, -1, "{next} lives on");
    std::fs::remove_file(service.path(file)).expect("it is there");
}

#[test]
fn a_process_that_fails_changes_nothing_and_the_next_may_take_over() {
    let service = Service::start(|_, _| {});
    let (pid, _, _) = service.newest();
    refused(&service, "fails", "exit code 101");
    service.swap();
    assert_eq!(service.exit_code(pid), 0);
}

#[test]
fn a_process_that_is_never_ready_is_ended() {
    let service = Service::start(|folder, _| {
        std::fs::write(folder.join("hurried"), "").expect("it is written");
    });
    refused(&service, "hangs", "not ready within");
}

#[test]
fn who_is_stopped_during_a_swap_ends_with_what_it_began() {
    let service = Service::start(|_, _| {});
    let (pid, _, _) = service.newest();
    std::fs::write(service.path("hangs"), "").expect("it is written");
    service.signal(pid, libc::SIGUSR2);
    service.until("the next one begins", |service| {
        service.log("begins ").len() == 2
    });
    service.signal(pid, libc::SIGTERM);
    assert_eq!(service.exit_code(pid), 0);
    let next: i32 = service.log("begins ")[1].parse().expect("it is a number");
    // SAFETY: asks whether there is such a process.
    assert_eq!(unsafe { libc::kill(next, 0) }, -1);
}

#[test]
fn systemd_hears_who_is_the_main_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let systemd = UnixDatagram::bind(&path).expect("it is free");
    systemd
        .set_read_timeout(Some(PATIENCE))
        .expect("it is a time");
    let heard = || {
        let mut said = [0; 256];
        let length = systemd.recv(&mut said).expect("something is said");
        String::from_utf8_lossy(&said[..length]).into_owned()
    };
    let service = Service::start(|_, command| {
        command.env("NOTIFY_SOCKET", &path);
    });
    assert_eq!(heard(), "READY=1");
    service.swap();
    let (pid, _, _) = service.newest();
    assert_eq!(heard(), format!("MAINPID={pid}"));
    service.until("the old one has gone", |service| {
        service.log("ends ").len() == 1
    });
    service.signal(pid, libc::SIGTERM);
    // The old one says nothing of its end, which is not the service's.
    let last = heard();
    assert!(last == "STOPPING=1", "{last}");
}

#[test]
fn a_listener_of_systemd_is_taken() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address = listener.local_addr().expect("it has one");
    let service = Service::start(|folder, command| {
        std::fs::write(folder.join("listen"), address.to_string()).expect("it is written");
        let program = command.get_program().to_owned();
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut shell = Command::new("sh");
        let script = "export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$@\" 3<&0 </dev/null";
        shell
            .args(["-c", script, "sh"])
            .arg(program)
            .args(arguments);
        shell
            .env(SERVES, folder)
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(listener)));
        shell.stdout(Stdio::null());
        *command = shell;
    });
    let (pid, served, _) = service.newest();
    assert_eq!(served, address, "it could not have been bound twice");
    assert_eq!(ask(address, "/").as_deref(), Ok(pid.to_string().as_str()));
    service.swap();
    service.until("the next one answers", |service| {
        ask(address, "/").is_ok_and(|answer| answer == service.newest().0.to_string())
    });
}
