//! Listening Unix sockets, which live in the file system.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Sockets, patiently};

/// `SO_ACCEPTCON`: somebody called listen(2) on it (proc_net_unix(5), linux/net.h).
const LISTENS: u32 = 1 << 16;
/// `SOCK_STREAM`.
const STREAM: u32 = 1;

/// A listening Unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundUnix {
    /// Path as bound.
    pub bound: PathBuf,
    /// Path by which it is reached from here.
    pub reach: PathBuf,
    /// Process that serves it.
    pub pid: u32,
}

/// Finds the listening Unix sockets of these processes, by path. Abstract ones, which have no
/// path, are left out.
///
/// # Errors
/// As [`super::scan`].
pub fn scan_unix(tree: &[u32]) -> io::Result<Vec<FoundUnix>> {
    let sockets = Sockets::of(tree)?;
    let mut found = BTreeMap::new();
    for &pid in tree {
        let table = format!("/proc/{pid}/net/unix");
        let Some(table) = patiently(pid, || Ok(fs::read(&table)?))? else {
            continue;
        };
        for (inode, bound) in String::from_utf8_lossy(&table)
            .lines()
            .filter_map(listening)
        {
            let Some(&pid) = sockets.owners.get(&inode) else {
                continue;
            };
            if let Some(reach) = reach(pid, &bound) {
                found.insert(bound.clone(), FoundUnix { bound, reach, pid });
            }
        }
    }
    Ok(found.into_values().collect())
}

/// Inode and path of a listening stream socket that has a path.
fn listening(line: &str) -> Option<(u64, PathBuf)> {
    let mut fields = line.split_ascii_whitespace();
    // Num RefCount Protocol Flags Type St Inode Path; a path may hold blanks.
    let flags = u32::from_str_radix(fields.nth(3)?, 16).ok()?;
    let kind = u32::from_str_radix(fields.next()?, 16).ok()?;
    let inode = fields.nth(1)?;
    let (_, rest) = line.split_once(&format!(" {inode} "))?;
    let path = rest.trim_start();
    let named = !path.is_empty() && !path.starts_with('@');
    let listens = flags & LISTENS != 0 && kind == STREAM && named;
    let inode = inode.parse().ok().filter(|_| listens)?;
    Some((inode, PathBuf::from(path)))
}

/// Where the file of a socket is seen from here: a process may have another root than ours, and
/// may have bound a path relative to its folder.
fn reach(pid: u32, bound: &Path) -> Option<PathBuf> {
    let is_there = |path: &PathBuf| path.exists();
    if bound.is_relative() {
        let cwd = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
        return Some(cwd.join(bound)).filter(is_there);
    }
    let own_root =
        fs::read_link(format!("/proc/{pid}/root")).is_ok_and(|root| root == Path::new("/"));
    if own_root && bound.exists() {
        return Some(bound.to_owned());
    }
    let relative = bound.strip_prefix("/").ok()?;
    Some(Path::new(&format!("/proc/{pid}/root")).join(relative)).filter(is_there)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

    use super::*;

    #[test]
    fn only_listening_streams_with_a_path_are_found() {
        let check =
            |line: &str| listening(line).map(|(inode, path)| (inode, path.display().to_string()));
        let found = "00000000f: 00000002 00000000 00010000 0001 01 123 /run/a b.sock";
        assert_eq!(check(found), Some((123, "/run/a b.sock".into())));
        for line in [
            "Num       RefCount Protocol Flags    Type St Inode Path",
            "0: 00000002 00000000 00000000 0001 03 123 /run/accepted.sock",
            "0: 00000002 00000000 00010000 0005 01 123 /run/seqpacket.sock",
            "0: 00000002 00000000 00010000 0001 01 123 @abstract",
            "0: 00000002 00000000 00010000 0001 01 123",
            "0: 00000002 00000000 zzz",
            "",
        ] {
            assert_eq!(check(line), None, "{line}");
        }
    }

    #[test]
    fn our_own_sockets_are_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.sock");
        let _listener = UnixListener::bind(&path).expect("a socket");
        let _client = UnixStream::connect(&path).expect("it listens");
        let _datagram = UnixDatagram::bind(folder.path().join("d.sock")).expect("a socket");
        let own = std::process::id();
        let found = scan_unix(&[own]).expect("our own");
        let ours: Vec<_> = found
            .iter()
            .filter(|found| found.bound.starts_with(folder.path()))
            .collect();
        assert_eq!(
            ours,
            [&FoundUnix {
                bound: path.clone(),
                reach: path,
                pid: own
            }]
        );
    }
}
