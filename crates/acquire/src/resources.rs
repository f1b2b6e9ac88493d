//! What a process holds: its descriptors by what they lead to, its memory, its threads.
//!
//! Read from `/proc/PID` alone; nothing of the process is touched.

use std::collections::{HashMap, HashSet};

use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::Process;
use procfs::{ProcError, ProcResult};
use shakedown_evidence::resources::{counted, kind_of_file};
use shakedown_evidence::{Event, ProbeKind, Resources};

use crate::Recorder;

/// Looks at a process and records what it holds, or why that could not be seen.
pub(crate) async fn record(recorder: &Recorder, pid: u32, label: String) {
    let looked = tokio::task::spawn_blocking(move || look(pid)).await;
    let at = recorder.now();
    match looked {
        Ok(Ok(seen)) => recorder.record(Event::Resources(Resources {
            at,
            label,
            pid,
            descriptors: counted(seen.kinds),
            resident: seen.resident,
            threads: seen.threads,
        })),
        Ok(Err(error)) => recorder.failed(
            ProbeKind::Resources,
            format!("/proc/{pid}"),
            format!("{error}; does the service run as another user?"),
        ),
        // The run is ending.
        Err(_) => {}
    }
}

struct Seen {
    kinds: Vec<String>,
    resident: u64,
    threads: u64,
}

fn look(pid: u32) -> ProcResult<Seen> {
    let process = Process::new(i32::try_from(pid).map_err(|_| ProcError::NotFound(None))?)?;
    // By the link's own text: it may hold anything, and is only sorted here.
    let mut targets = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
        // A descriptor that was closed meanwhile is none.
        if let Ok(target) = entry.and_then(|entry| std::fs::read_link(entry.path())) {
            targets.push(target.to_string_lossy().into_owned());
        }
    }
    // After the descriptors: a socket in hand is in its table.
    let sockets = Sockets::of(&process)?;
    let status = process.status()?;
    Ok(Seen {
        kinds: targets
            .iter()
            .map(|target| match socket_inode(target) {
                Some(inode) => sockets.kind(inode),
                None => kind_of_file(target),
            })
            .collect(),
        resident: status.vmrss.unwrap_or(0).saturating_mul(1024),
        threads: status.threads,
    })
}

/// The inode of `socket:[4711]`.
fn socket_inode(target: &str) -> Option<u64> {
    let inode = target.strip_prefix("socket:[")?.strip_suffix(']')?;
    inode.parse().ok()
}

/// The sockets of a process's network namespace, by inode.
struct Sockets {
    tcp: HashMap<u64, TcpNetEntry>,
    listening: HashSet<u16>,
    udp: HashSet<u64>,
    unix: HashSet<u64>,
}

impl Sockets {
    fn of(process: &Process) -> ProcResult<Self> {
        let mut tcp = process.tcp()?;
        let mut udp = process.udp()?;
        // A kernel without IPv6 has neither.
        tcp.extend(process.tcp6().unwrap_or_default());
        udp.extend(process.udp6().unwrap_or_default());
        let unix = process.unix().unwrap_or_default();
        Ok(Self {
            listening: tcp
                .iter()
                .filter(|entry| entry.state == TcpState::Listen)
                .map(|entry| entry.local_address.port())
                .collect(),
            tcp: tcp.into_iter().map(|entry| (entry.inode, entry)).collect(),
            udp: udp.into_iter().map(|entry| entry.inode).collect(),
            unix: unix.into_iter().map(|entry| entry.inode).collect(),
        })
    }

    fn kind(&self, inode: u64) -> String {
        match self.tcp.get(&inode) {
            Some(entry) => self.kind_of_tcp(entry),
            None if self.udp.contains(&inode) => "socket UDP".into(),
            None if self.unix.contains(&inode) => "socket unix".into(),
            // Netlink and the like, and TCP sockets that were never connected or are so no more.
            None => "socket unconnected".into(),
        }
    }

    fn kind_of_tcp(&self, entry: &TcpNetEntry) -> String {
        if entry.state == TcpState::Listen {
            return "listener".into();
        }
        let taken = self.listening.contains(&entry.local_address.port());
        match (taken, &entry.state) {
            // The client has closed it; the service has not.
            (true, TcpState::CloseWait) => "connection left by its client".into(),
            (true, _) => "connection of a client".into(),
            (false, _) => {
                let ip = entry.remote_address.ip().to_canonical();
                format!("connection to {ip}:{}", entry.remote_address.port())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn our_own_descriptors_are_told_apart() {
        let before = counted(look(std::process::id()).expect("we may look at us").kinds);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let out: Vec<_> = (0..3)
            .map(|_| TcpStream::connect(address).expect("it listens"))
            .collect();
        let (accepted, _) = listener.accept().expect("a connection");
        let left = listener.accept().expect("another").0;
        let file = File::open("/proc/self/status").expect("a file");
        drop(out.into_iter().nth(1));
        // The client's end is gone, the service's is not.
        let kinds = counted(look(std::process::id()).expect("we may look at us").kinds);
        let more = |kind: &str| {
            kinds.get(kind).copied().unwrap_or(0) - before.get(kind).copied().unwrap_or(0)
        };
        assert_eq!(more("listener"), 1);
        assert_eq!(more("connection left by its client"), 2);
        assert!(
            kinds.keys().any(|kind| kind.starts_with("file /proc/")),
            "{kinds:?}"
        );
        drop((accepted, left, file));
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        assert!(look(u32::MAX).is_err());
        assert!(look(0x3fff_ffff).is_err());
    }
}
