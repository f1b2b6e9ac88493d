//! Sockets of a service, seen from outside: who listens where, and whom it has called.
//!
//! Read from `/proc/PID/net/tcp{,6}` of each network namespace and `/proc/PID/fd`; nothing is
//! connected to. What a listener speaks is asked elsewhere.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use procfs::ProcError;
use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::{FDTarget, Process};

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
            let looked = look(pid);
            // A process that has ended meanwhile is no error.
            let (inodes, network, process) = match looked {
                Ok(seen) => seen,
                Err(_) if has_ended(pid) => continue,
                Err(error) => return Err(io::Error::other(error)),
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
            // After the descriptors: a socket in hand is in the table.
            match entries(&process) {
                Ok(entries) => sockets.tables.push(Table {
                    entries,
                    here: own.is_none_or(|own| own == network),
                }),
                // The next process of the same namespace gives the same table.
                Err(_) if has_ended(pid) => continue,
                Err(error) => return Err(io::Error::other(error)),
            }
            networks.insert(network);
        }
        Ok(sockets)
    }

    fn depth(&self, pid: u32) -> usize {
        self.depths.get(&pid).copied().unwrap_or_default()
    }
}

/// A process's sockets and its network namespace.
fn look(pid: u32) -> Result<(Vec<u64>, u64, Process), ProcError> {
    let process = Process::new(signed(pid)?)?;
    let sockets = process.fd()?.filter_map(|fd| match fd.ok()?.target {
        FDTarget::Socket(inode) => Some(inode),
        _ => None,
    });
    Ok((sockets.collect(), network(pid)?, process))
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

fn entries(process: &Process) -> Result<Vec<TcpNetEntry>, ProcError> {
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

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::process::{Child, Command, Stdio};

    use super::*;

    fn own() -> u32 {
        std::process::id()
    }

    /// What is found of one listener of ours; tests beside this one have theirs.
    fn check(address: &str) -> Found {
        let listener = TcpListener::bind(address).expect("bind");
        found(listener.local_addr().expect("is bound").port(), &[own()])
    }

    fn found(port: u16, tree: &[u32]) -> Found {
        let mut all = scan(tree).expect("look at ourselves");
        all.retain(|found| found.bound.port() == port);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[test]
    fn loopback_is_reached_as_bound() {
        for address in ["127.0.0.1:0", "127.0.0.7:0", "[::1]:0"] {
            let found = check(address);
            assert_eq!(found.reach, found.bound);
            assert!(found.loopback && found.here);
            assert_eq!(found.pid, own());
        }
    }

    #[test]
    fn a_wildcard_is_public_and_reached_by_loopback() {
        for address in ["0.0.0.0:0", "[::]:0"] {
            let found = check(address);
            assert_eq!(
                found.reach,
                SocketAddr::from(([127, 0, 0, 1], found.bound.port()))
            );
            assert!(!found.loopback);
            assert!(found.bound.ip().is_unspecified());
        }
    }

    #[test]
    fn what_reaches_us_by_that_address_is_the_listener() {
        for address in ["0.0.0.0:0", "[::]:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).expect("bind");
            let port = listener.local_addr().expect("is bound").port();
            TcpStream::connect(found(port, &[own()]).reach).expect("connect");
        }
    }

    #[test]
    fn beside_ipv4_a_wildcard_of_ipv6_is_for_ipv6_alone() {
        let entry = |address: &str| {
            let mut entry = procfs::net::tcp().expect("read").remove(0);
            entry.local_address = address.parse().expect("is an address");
            entry.state = TcpState::Listen;
            entry
        };
        let bound = "[::]:8080".parse().expect("is an address");
        let reached = |other: &str| reach(bound, &[entry(other)]).to_string();
        let _keeps_the_table_from_being_empty = TcpListener::bind("127.0.0.1:0").expect("bind");
        assert_eq!(reached("127.0.0.1:8080"), "[::1]:8080");
        assert_eq!(reached("0.0.0.0:8080"), "[::1]:8080");
        assert_eq!(reached("127.0.0.1:8081"), "127.0.0.1:8080");
        assert_eq!(reached("10.1.2.3:8080"), "127.0.0.1:8080");
    }

    /// A child that holds our listener as its standard input until it is dropped.
    struct Heir(Child);

    impl Heir {
        fn of(listener: &TcpListener) -> Self {
            let listener = listener.try_clone().expect("clone");
            let mut command = Command::new("sleep");
            command
                .arg("1000")
                .stdin(Stdio::from(std::os::fd::OwnedFd::from(listener)));
            Self(command.spawn().expect("spawn"))
        }
    }

    impl Drop for Heir {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn an_inherited_socket_belongs_to_the_deepest_process() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let port = listener.local_addr().expect("is bound").port();
        let heir = Heir::of(&listener);
        let child = heir.0.id();
        assert_eq!(found(port, &[own(), child]).pid, child);
        assert_eq!(found(port, &[child, own()]).pid, child);
        assert_eq!(found(port, &[own()]).pid, own());
    }

    #[test]
    fn processes_that_are_gone_are_passed_over() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let port = listener.local_addr().expect("is bound").port();
        assert_eq!(
            found(port, &[u32::MAX, i32::MAX.unsigned_abs(), own()]).pid,
            own()
        );
        assert_eq!(scan(&[u32::MAX]).expect("nothing to look at"), []);
    }

    #[test]
    fn a_connection_has_its_holder() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let to = listener.local_addr().expect("is bound");
        let call = TcpStream::connect(to).expect("connect");
        let from = call.local_addr().expect("is bound");
        let heir = Heir::of(&listener);
        let held = |tree: &[u32]| holds(tree, from, to).expect("look at ourselves");
        assert!(held(&[own()]));
        assert!(!held(&[heir.0.id()]));
    }

    #[test]
    fn calls_are_told_from_accepted_connections() {
        let listener = TcpListener::bind("[::]:0").expect("bind");
        let port = listener.local_addr().expect("is bound").port();
        let _call = TcpStream::connect(("127.0.0.1", port)).expect("connect");
        let (_accepted, caller) = listener.accept().expect("accept");
        let peers = outgoing(&[own()]).expect("look at ourselves");
        assert!(peers.contains(&SocketAddr::from(([127, 0, 0, 1], port))));
        assert!(!peers.contains(&canonical(caller)));
    }
}
