//! Which Rust compiler took part in an executable: its name in `.comment`.
//!
//! `strip` leaves that section alone; only `strip -R .comment` and packers remove it. A Go or C program
//! that links a Rust library has the name, too: whoever asks looks for Go first.

use std::io::{Read, Seek};

use object::{ReadCache, ReadRef};

use crate::BuildInfoError;
use crate::build_info::Image;

/// What the compiler writes, before its version.
const NAME: &[u8] = b"rustc version ";
/// A version is `1.95.0` or `1.97.0-nightly`.
const VERSION_MAX: usize = 32;

/// The version of the Rust compiler that took part; nothing if none is known to have.
///
/// # Errors
/// The bytes are not ELF, or are damaged.
pub fn rustc(bytes: &[u8]) -> Result<Option<String>, BuildInfoError> {
    read(bytes)
}

/// The same over a reader, of which only the headers and one section are read.
///
/// # Errors
/// The content is not ELF or is damaged; a failed read counts as damage.
pub fn rustc_from(reader: impl Read + Seek) -> Result<Option<String>, BuildInfoError> {
    read(&ReadCache::new(reader))
}

fn read<'data>(data: impl ReadRef<'data>) -> Result<Option<String>, BuildInfoError> {
    Ok(Image::parse(data)?.comment().and_then(version))
}

fn version(comment: &[u8]) -> Option<String> {
    let at = memchr::memmem::find(comment, NAME)? + NAME.len();
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+');
    let version: Vec<u8> = comment[at..]
        .iter()
        .take_while(is_part)
        .take(VERSION_MAX)
        .copied()
        .collect();
    let starts = version.first().is_some_and(u8::is_ascii_digit);
    starts.then(|| String::from_utf8_lossy(&version).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_is_found_among_others() {
        let comment =
            b"GCC: (Debian 12.2.0-14) 12.2.0\0rustc version 1.95.0 (59807616e 2026-04-14)\0";
        assert_eq!(version(comment).as_deref(), Some("1.95.0"));
        let nightly = b"rustc version 1.97.0-nightly (x)\0";
        assert_eq!(version(nightly).as_deref(), Some("1.97.0-nightly"));
    }

    #[test]
    fn without_a_version_nothing_is_said() {
        for comment in [
            "",
            "GCC: 12",
            "rustc version ",
            "rustc version ?",
            "rustc versio",
        ] {
            assert_eq!(version(comment.as_bytes()), None, "{comment}");
        }
        let long = [NAME, &[b'1'; 1000]].concat();
        assert_eq!(version(&long).map(|found| found.len()), Some(VERSION_MAX));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn our_own_executable_was_made_by_rustc() {
        let own = std::fs::File::open("/proc/self/exe").expect("the test runs");
        assert!(rustc_from(own).expect("it is ELF").is_some());
        assert!(rustc(b"#!/bin/sh").is_err());
    }
}
