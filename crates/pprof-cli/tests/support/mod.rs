//! A world for tests: files of the disk, no network, everything in UTC.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod oracle;
pub(crate) mod scale_up;

use std::io;
use std::path::PathBuf;

use shakedown_pprof_cli::{Request, World, Zone};

/// A server's answer to a request.
pub(crate) type Answer = fn(&Request<'_>) -> Result<Vec<u8>, String>;

/// Reads below `folder`, keeps what is written.
#[derive(Default)]
pub(crate) struct Desk {
    pub(crate) folder: PathBuf,
    pub(crate) out: Vec<u8>,
    pub(crate) errors: String,
    pub(crate) written: Vec<(String, Vec<u8>)>,
    /// URLs that were asked for, and what they answer.
    pub(crate) asked: Vec<String>,
    pub(crate) answer: Option<Vec<u8>>,
    /// What one URL answers instead.
    pub(crate) answers: Vec<(String, Answer)>,
    /// How often servers were asked; all at once is once.
    pub(crate) rounds: usize,
    /// Variables of the environment.
    pub(crate) env: Vec<(String, String)>,
    /// Folders that cannot be made.
    pub(crate) refused: Vec<String>,
}

impl Desk {
    /// Runs the command in `folder`; its exit code.
    pub(crate) fn run(&mut self, args: &[&str]) -> i32 {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        shakedown_pprof_cli::main(&args, self)
    }
}

impl World for Desk {
    fn read(&mut self, path: &str) -> io::Result<Vec<u8>> {
        std::fs::read(self.folder.join(path))
    }

    fn program(&mut self, path: &str) -> io::Result<Vec<u8>> {
        let bytes = self.read(path)?;
        match bytes.starts_with(b"\x7fELF") {
            true => Ok(bytes),
            false => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn source(&mut self, path: &str) -> io::Result<Vec<u8>> {
        self.read(path)
    }

    fn names(&mut self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.join(folder));
        let entries = entries.into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn exists(&mut self, path: &str) -> bool {
        let written = |(name, _): &(String, Vec<u8>)| name == path;
        self.written.iter().any(written) || self.folder.join(path).exists()
    }

    fn make_folder(&mut self, path: &str) -> io::Result<()> {
        match self.refused.iter().any(|r| r == path) {
            true => Err(io::ErrorKind::PermissionDenied.into()),
            false => Ok(()),
        }
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.written.push((path.to_owned(), bytes.to_vec()));
        Ok(())
    }

    fn fetch(&mut self, requests: &[Request<'_>]) -> Vec<Result<Vec<u8>, String>> {
        self.rounds += 1;
        let answer = |request: &Request<'_>| {
            self.asked.push(request.url.to_owned());
            let of_url = self.answers.iter().find(|(url, _)| url == request.url);
            if let Some((_, answer)) = of_url {
                return answer(request);
            }
            self.answer.clone().ok_or_else(|| "no network".to_owned())
        };
        requests.iter().map(answer).collect()
    }

    fn pipe(&mut self, program: &str, args: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
        let head = format!("{program} {}: {} bytes", args.join(" "), input.len());
        Ok(head.into_bytes())
    }

    fn working_directory(&self) -> String {
        let folder = self.folder.canonicalize();
        folder.map_or_else(|_| "/".to_owned(), |f| f.to_string_lossy().into_owned())
    }

    fn env(&self, name: &str) -> Option<String> {
        let found = self.env.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }

    fn zone(&self, _at: i64) -> Zone {
        Zone::default()
    }

    fn stdout(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn stderr(&mut self, text: &str) {
        self.errors.push_str(text);
    }
}
