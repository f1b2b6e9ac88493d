//! Sockets of a service, seen from outside: who listens where, and whom it has called.
//!
//! Read from `/proc/PID/net/tcp{,6}` and `unix` of each network namespace and `/proc/PID/fd`;
//! nothing is connected to. What a listener speaks is asked elsewhere.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use procfs::ProcError;
use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::{FDTarget, Process};

#[cfg(test)]
mod tests;
mod unix;

pub use unix::{FoundUnix, scan_unix};

/// A process that gives back much memory takes this long to end.
const ENDING_TIME: Duration = Duration::from_millis(100);
const ENDING_AGAIN: Duration = Duration::from_millis(1);

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Address as bound.
    pub bound: SocketAddr,
    /// Address to reach it from this machine: loopback for a wildcard.
    pub reach: SocketAddr,
    /// Process that serves it.
    pub pid: u32,
    /// Bound to a loopback address.
    pub loopback: bool,
    /// In our own network namespace; else `reach` leads to something else or nowhere.
    pub here: bool,
}

/// Finds the listening TCP sockets of these processes, by address.
///
/// A socket that several of them hold, such as one handed from a wrapper or an old process to a
/// new one, belongs to the process deepest in the tree. Processes that end meanwhile are passed
/// over.
///
/// # Errors
/// A process that is still there cannot be looked into: it runs as another user.
pub fn scan(tree: &[u32]) -> io::Result<Vec<Found>> {
    let sockets = Sockets::of(tree)?;
    let mut found: BTreeMap<(bool, SocketAddr), Found> = BTreeMap::new();
    for table in sockets.tables.iter() {
        let listening = |entry: &&TcpNetEntry| entry.state == TcpState::Listen;
        for entry in table.entries.iter().filter(listening) {
            let Some(&pid) = sockets.owners.get(&entry.inode) else {
                continue;
            };
            let bound = entry.local_address;
            let listener = Found {
                bound,
                reach: reach(bound, &table.entries),
                pid,
                loopback: bound.ip().to_canonical().is_loopback(),
                here: table.here,
            };
            // Several sockets on one address (SO_REUSEPORT): the deepest process again.
            let known = found
                .entry((!table.here, bound))
                .or_insert(listener.clone());
            if sockets.depth(pid) > sockets.depth(known.pid) {
                *known = listener;
            }
        }
    }
    Ok(found.into_values().collect())
}

/// Finds where these processes have connected to, themselves: accepted connections, which have
/// the port of a listener, are left out.
///
/// # Errors
/// As [`scan`].
pub fn outgoing(tree: &[u32]) -> io::Result<Vec<SocketAddr>> {
    let sockets = Sockets::of(tree)?;
    let mut peers = HashSet::new();
    for table in &sockets.tables {
        let owned = |entry: &&TcpNetEntry| sockets.owners.contains_key(&entry.inode);
        let owned: Vec<&TcpNetEntry> = table.entries.iter().filter(owned).collect();
        let listening: HashSet<u16> = owned
            .iter()
            .filter(|entry| entry.state == TcpState::Listen)
            .map(|entry| entry.local_address.port())
            .collect();
        let called = owned.iter().filter(|entry| {
            matches!(entry.state, TcpState::Established | TcpState::SynSent)
                && !listening.contains(&entry.local_address.port())
        });
        peers.extend(called.map(|entry| canonical(entry.remote_address)));
    }
    let mut peers: Vec<_> = peers.into_iter().collect();
    peers.sort();
    Ok(peers)
}

/// The connections that these processes hold, as local and remote end.
///
/// # Errors
/// As [`scan`].
pub fn connected(tree: &[u32]) -> io::Result<Vec<(SocketAddr, SocketAddr)>> {
    let sockets = Sockets::of(tree)?;
    let mut found = Vec::new();
    for table in &sockets.tables {
        let owned = |entry: &&TcpNetEntry| sockets.owners.contains_key(&entry.inode);
        let open = table.entries.iter().filter(owned).filter(|entry| {
            matches!(
                entry.state,
                TcpState::Established | TcpState::CloseWait | TcpState::SynRecv
            )
        });
        let ends = |entry: &TcpNetEntry| {
            (
                canonical(entry.local_address),
                canonical(entry.remote_address),
            )
        };
        found.extend(open.map(ends));
    }
    Ok(found)
}

/// Whether one of these processes holds the connection from `from` to `to`.
///
/// # Errors
/// As [`scan`].
pub fn holds(tree: &[u32], from: SocketAddr, to: SocketAddr) -> io::Result<bool> {
    let sockets = Sockets::of(tree)?;
    let is_it = |entry: &TcpNetEntry| {
        canonical(entry.local_address) == from
            && canonical(entry.remote_address) == to
            && sockets.owners.contains_key(&entry.inode)
    };
    let mut entries = sockets.tables.iter().flat_map(|table| &table.entries);
    Ok(entries.any(is_it))
}

/// The sockets of a tree of processes.
struct Sockets {
    /// One a network namespace.
    tables: Vec<Table>,
    /// Socket inode to the deepest process that holds it. Inodes are unique over namespaces.
    owners: HashMap<u64, u32>,
    depths: HashMap<u32, usize>,
}

struct Table {
    entries: Vec<TcpNetEntry>,
    here: bool,
}

impl Sockets {
    fn of(tree: &[u32]) -> io::Result<Self> {
        let own = network(std::process::id()).ok();
        let mut sockets = Self {
            tables: Vec::new(),
            owners: HashMap::new(),
            depths: depths(tree),
        };
        let mut networks = HashSet::new();
        for &pid in tree {
            let Some((inodes, network)) = patiently(pid, || look(pid))? else {
                continue;
            };
            for inode in inodes {
                let owner = *sockets.owners.entry(inode).or_insert(pid);
                if sockets.depth(pid) > sockets.depth(owner) {
                    sockets.owners.insert(inode, pid);
                }
            }
            if networks.contains(&network) {
                continue;
            }
            // After the descriptors: a socket in hand is in the table. If the process has ended
            // meanwhile, the next one of the same namespace gives the same table.
            if let Some(entries) = patiently(pid, || entries(pid))? {
                networks.insert(network);
                sockets.tables.push(Table {
                    entries,
                    here: own.is_none_or(|own| own == network),
                });
            }
        }
        Ok(sockets)
    }

    fn depth(&self, pid: u32) -> usize {
        self.depths.get(&pid).copied().unwrap_or_default()
    }
}

/// Looks into a process; nothing if it has ended.
///
/// One that is just ending refuses before it is seen to have ended: its files, its memory and its
/// namespaces go first.
fn patiently<T>(pid: u32, look: impl Fn() -> Result<T, ProcError>) -> io::Result<Option<T>> {
    let until = Instant::now() + ENDING_TIME;
    loop {
        match look() {
            Ok(seen) => return Ok(Some(seen)),
            Err(_) if has_ended(pid) => return Ok(None),
            Err(error) if Instant::now() >= until => return Err(io::Error::other(error)),
            Err(_) => thread::sleep(ENDING_AGAIN),
        }
    }
}

/// A process's sockets and its network namespace.
fn look(pid: u32) -> Result<(Vec<u64>, u64), ProcError> {
    let process = Process::new(signed(pid)?)?;
    let sockets = process.fd()?.filter_map(|fd| match fd.ok()?.target {
        FDTarget::Socket(inode) => Some(inode),
        _ => None,
    });
    Ok((sockets.collect(), network(pid)?))
}

/// The network namespace's number.
fn network(pid: u32) -> io::Result<u64> {
    Ok(std::fs::metadata(format!("/proc/{pid}/ns/net"))?.ino())
}

/// Gone, or ended and not yet waited for.
fn has_ended(pid: u32) -> bool {
    let stat = signed(pid)
        .and_then(Process::new)
        .and_then(|process| process.stat());
    stat.is_ok_and(|stat| matches!(stat.state, 'Z' | 'X'))
        || !Path::new(&format!("/proc/{pid}")).exists()
}

fn signed(pid: u32) -> Result<i32, ProcError> {
    i32::try_from(pid).map_err(|_| ProcError::NotFound(None))
}

fn entries(pid: u32) -> Result<Vec<TcpNetEntry>, ProcError> {
    let process = Process::new(signed(pid)?)?;
    let mut entries = process.tcp()?;
    match process.tcp6() {
        Ok(version6) => entries.extend(version6),
        // A kernel without IPv6.
        Err(ProcError::NotFound(_)) => {}
        Err(error) => return Err(error),
    }
    Ok(entries)
}

/// How deep each process stands among those given.
fn depths(tree: &[u32]) -> HashMap<u32, usize> {
    let parent = |pid: &u32| {
        let stat = signed(*pid)
            .and_then(Process::new)
            .and_then(|process| process.stat());
        Some((*pid, u32::try_from(stat.ok()?.ppid).ok()?))
    };
    let parents: HashMap<u32, u32> = tree.iter().filter_map(parent).collect();
    let depth = |pid: &u32| {
        let up = std::iter::successors(Some(*pid), |pid| parents.get(pid).copied());
        // Bounded: ids that were reused meanwhile could make a circle.
        up.take(tree.len() + 1)
            .filter(|pid| parents.contains_key(pid))
            .count()
    };
    tree.iter().map(|pid| (*pid, depth(pid))).collect()
}

/// Where a bound address is reached from this machine.
///
/// `[::]` takes IPv4 too, and `127.0.0.1` works where IPv6 is switched off. Only when another
/// socket has that port on IPv4 is it for IPv6 alone: the kernel would not have let both be.
fn reach(bound: SocketAddr, table: &[TcpNetEntry]) -> SocketAddr {
    let v4_is_taken = || {
        table.iter().any(|entry| {
            let other = entry.local_address;
            let at_loopback = other.ip().is_unspecified() || other.ip().is_loopback();
            entry.state == TcpState::Listen
                && other.is_ipv4()
                && other.port() == bound.port()
                && at_loopback
        })
    };
    let ip = match bound.ip() {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) if v4_is_taken() => Ipv6Addr::LOCALHOST.into(),
        ip if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        ip => ip.to_canonical(),
    };
    SocketAddr::new(ip, bound.port())
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
