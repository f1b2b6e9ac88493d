//! What the command asks of the world outside.

use std::io;
use std::time::Duration;

use shakedown_pprof::report::Zone;

/// What is asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// `http`, `https`, `https+insecure` or `unix` and where it leads: of a Unix socket
    /// `unix:///run/orders.sock:/debug/pprof/heap`.
    pub url: &'a str,
    /// What is posted; nothing is a GET.
    pub body: Option<&'a str>,
    /// How long the answer may take.
    pub timeout: Duration,
    /// Files that TLS is spoken with.
    pub tls: &'a Tls,
}

/// Files that TLS is spoken with, as the flags name them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// Whom to believe (`-tls_ca`); nothing is whom the system believes.
    pub authorities: Option<String>,
    /// What to show (`-tls_cert`, `-tls_key`).
    pub shown: Option<(String, String)>,
}

/// Files, network, environment and streams.
pub trait World {
    /// The content of a file.
    ///
    /// # Errors
    /// As the system says.
    fn read(&mut self, path: &str) -> io::Result<Vec<u8>>;

    /// The content of a program: a regular file that begins as ELF does. Profiles name
    /// such files, and anybody may have written the profile: nothing else is to be opened.
    ///
    /// # Errors
    /// As the system says; `InvalidData` for what is no program.
    fn program(&mut self, path: &str) -> io::Result<Vec<u8>>;

    /// The content of a source file: a regular file of a size that people read. Profiles
    /// name these, too.
    ///
    /// # Errors
    /// As the system says; `InvalidData` for what is no such file.
    fn source(&mut self, path: &str) -> io::Result<Vec<u8>>;

    /// The names of what is in a folder, sorted; none if it cannot be read.
    fn names(&mut self, folder: &str) -> Vec<String>;

    /// True if `path` is there.
    fn exists(&mut self, path: &str) -> bool;

    /// Creates or replaces a file.
    ///
    /// # Errors
    /// As the system says.
    fn write(&mut self, path: &str, bytes: &[u8]) -> io::Result<()>;

    /// Makes a folder and those above it; one that is there is fine.
    ///
    /// # Errors
    /// As the system says.
    fn make_folder(&mut self, path: &str) -> io::Result<()>;

    /// What servers answer, asked all at once, in the order of the requests; an error
    /// is one line for a person.
    fn fetch(&mut self, requests: &[Request<'_>]) -> Vec<Result<Vec<u8>, String>>;

    /// What `program` writes when it is given `input`.
    ///
    /// # Errors
    /// One line for a person.
    fn pipe(&mut self, program: &str, args: &[&str], input: &[u8]) -> Result<Vec<u8>, String>;

    /// The directory that relative paths begin at.
    fn working_directory(&self) -> String;

    /// A variable of the environment.
    fn env(&self, name: &str) -> Option<String>;

    /// The local time zone at a moment, in seconds since 1970.
    fn zone(&self, at: i64) -> Zone;

    /// Writes to standard output.
    ///
    /// # Errors
    /// As the system says: a closed pipe.
    fn stdout(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Writes to standard error.
    fn stderr(&mut self, text: &str);
}
