//! `shakedown pprof …`: the command line of `go tool pprof` over the real world.
//!
//! Go's flags have one dash, so the words are passed on as they are.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use shakedown_acquire::probe;
use shakedown_pprof::report::Zone;
use shakedown_pprof_cli::World;

use crate::exit::Ended;
use crate::terminal;

/// A larger answer is no profile that anybody reads.
const FETCH_MAX: usize = 1 << 30;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Flags and sources of `go tool pprof`; `shakedown pprof -help` lists them
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGUMENTS"
    )]
    words: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Ended {
    let mut world = Real {
        zone: TimeZone::system(),
    };
    let code = shakedown_pprof_cli::main(&args.words, &mut world);
    Ok(u8::try_from(code).unwrap_or(1))
}

/// Files, network, environment and streams as they are.
struct Real {
    zone: TimeZone,
}

impl World for Real {
    fn read(&mut self, path: &str) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn exists(&mut self, path: &str) -> bool {
        Path::new(path).exists()
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        fs::write(path, bytes)
    }

    fn make_folder(&mut self, path: &str) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn fetch(&mut self, url: &str, timeout: Duration) -> Result<Vec<u8>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| format!("{url}: {error}"))?;
        runtime.block_on(probe::get(url, timeout, FETCH_MAX))
    }

    fn pipe(&mut self, program: &str, args: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
        let said = |error: io::Error| format!("{program}: {error}");
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.map_err(said)?;
        let stdin = child.stdin.take();
        // Written beside, so that a program that answers before it has read all does not stand still.
        let output = std::thread::scope(|scope| {
            scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
            child.wait_with_output()
        });
        let output = output.map_err(said)?;
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(format!("{program}: {}", output.status))
        }
    }

    fn working_directory(&self) -> String {
        std::env::current_dir().map_or_else(|_| ".".into(), |dir| dir.display().to_string())
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn zone(&self, at: i64) -> Zone {
        let at = Timestamp::from_second(at).unwrap_or(Timestamp::UNIX_EPOCH);
        let info = self.zone.to_offset_info(at);
        Zone {
            name: info.abbreviation().to_owned(),
            offset_seconds: info.offset().seconds(),
        }
    }

    fn stdout(&mut self, bytes: &[u8]) -> io::Result<()> {
        terminal::show_bytes(bytes)
    }

    fn stderr(&mut self, text: &str) {
        terminal::complain(text.trim_end_matches('\n'));
    }
}
