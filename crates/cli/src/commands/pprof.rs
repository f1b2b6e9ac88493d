//! `shakedown pprof …`: the command line of `go tool pprof` over the real world.
//!
//! Go's flags have one dash, so the words are passed on as they are.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use shakedown_acquire::probe::{self, Credentials, Fetch};
use shakedown_pprof::report::Zone;
use shakedown_pprof_cli::{Request, Tls, World};
use tokio::task::JoinSet;

use crate::exit::Ended;
use crate::terminal;

/// A larger answer is no profile that anybody reads.
const FETCH_MAX: usize = 1 << 30;

/// What every program begins with.
const ELF: &[u8] = b"\x7fELF";
/// The largest programs, with all their debug information, have a few gigabytes.
const PROGRAM_MAX: u64 = 8 << 30;
/// Generated code has some megabytes.
const SOURCE_MAX: u64 = 256 << 20;

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

/// Where systems keep the authorities that they believe, as Go looks for them.
///
/// Source: Go, crypto/x509/root_linux.go, root_darwin.go.
const SYSTEM: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The authorities that a flag, the environment or the system names, in this order.
fn credentials(tls: &Tls) -> Credentials {
    let said = tls.authorities.clone().map(PathBuf::from);
    let said = said.or_else(|| std::env::var_os("SSL_CERT_FILE").map(PathBuf::from));
    let shown = |(certificate, key): &(String, String)| (certificate.into(), key.into());
    Credentials {
        authorities: match said {
            Some(said) => vec![said],
            None => SYSTEM.map(PathBuf::from).to_vec(),
        },
        shown: tls.shown.as_ref().map(shown),
    }
}

/// Asks all at once; answers come in the order of the requests.
async fn ask_all(requests: &[Request<'_>]) -> Vec<Result<Vec<u8>, String>> {
    let mut asking = JoinSet::new();
    for (place, request) in requests.iter().enumerate() {
        let (url, body) = (request.url.to_owned(), request.body.map(str::to_owned));
        let (within, credentials) = (request.timeout, credentials(request.tls));
        asking.spawn(async move {
            let fetched = probe::fetch(Fetch {
                url: &url,
                body: body.as_deref(),
                within,
                limit: FETCH_MAX,
                credentials: &credentials,
            });
            (place, fetched.await)
        });
    }
    let mut answers = vec![Err("our own task broke".to_owned()); requests.len()];
    while let Some(done) = asking.join_next().await {
        if let Ok((place, answer)) = done
            && let Some(slot) = answers.get_mut(place)
        {
            *slot = answer;
        }
    }
    answers
}

/// Opens a file that a profile names. It may name a pipe or a device, which have no end: opened,
/// it would be too late.
fn regular_file(path: &str) -> io::Result<fs::File> {
    match fs::metadata(path)?.is_file() {
        true => fs::File::open(path),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Files, network, environment and streams as they are.
struct Real {
    zone: TimeZone,
}

impl World for Real {
    fn read(&mut self, path: &str) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn program(&mut self, path: &str) -> io::Result<Vec<u8>> {
        let mut file = regular_file(path)?;
        let mut bytes = Vec::new();
        Read::by_ref(&mut file)
            .take(ELF.len() as u64)
            .read_to_end(&mut bytes)?;
        if bytes != ELF {
            return Err(io::ErrorKind::InvalidData.into());
        }
        file.take(PROGRAM_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn source(&mut self, path: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = regular_file(path)?;
        file.take(SOURCE_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn names(&mut self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        names
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

    fn fetch(&mut self, requests: &[Request<'_>]) -> Vec<Result<Vec<u8>, String>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return vec![Err(error.to_string()); requests.len()],
        };
        runtime.block_on(ask_all(requests))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> Real {
        Real {
            zone: TimeZone::UTC,
        }
    }

    #[test]
    fn a_device_or_folder_that_a_profile_names_is_not_read() {
        for path in ["/dev/zero", "/dev/null", "/"] {
            for refused in [world().source(path), world().program(path)] {
                let kind = refused.expect_err(path).kind();
                assert_eq!(kind, io::ErrorKind::InvalidData, "{path}");
            }
        }
        let missing = world().program("/nowhere/at/all").expect_err("not there");
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_program_is_what_begins_as_one() {
        let own = std::env::current_exe().expect("a test is a program");
        let own = own.to_str().expect("UTF-8");
        assert!(world().program(own).expect("read").starts_with(ELF));
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let text = world().program(manifest).expect_err("no program");
        assert_eq!(text.kind(), io::ErrorKind::InvalidData);
        assert!(
            world()
                .source(manifest)
                .expect("read")
                .starts_with(b"[package]")
        );
    }

    #[test]
    fn names_come_in_order() {
        let names = world().names(env!("CARGO_MANIFEST_DIR"));
        assert!(names.is_sorted() && names.iter().any(|name| name == "Cargo.toml"));
        assert_eq!(world().names("/nowhere"), [""; 0]);
    }
}
