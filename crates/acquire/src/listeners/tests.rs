//! Real sockets of this process and of its children.

use std::cell::Cell;
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
fn a_process_that_is_just_ending_is_looked_at_again() {
    let looks = Cell::new(0);
    let refuses = |times: usize| {
        looks.set(0);
        let look = || {
            looks.set(looks.get() + 1);
            let seen = looks.get() > times;
            seen.then_some("seen").ok_or(ProcError::NotFound(None))
        };
        patiently(own(), look)
    };
    assert_eq!(refuses(0).expect("was seen"), Some("seen"));
    assert_eq!(refuses(5).expect("was seen"), Some("seen"));
    assert!(
        refuses(usize::MAX).is_err(),
        "it runs, and never lets us look"
    );

    let refused = || Err::<(), _>(ProcError::PermissionDenied(None));
    assert_eq!(patiently(u32::MAX, refused).expect("is gone"), None);
    let mut ended = Command::new("true").spawn().expect("spawn");
    let zombie = patiently(ended.id(), refused).expect("ends within our patience");
    assert_eq!(zombie, None);
    ended.wait().expect("has ended");
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

#[test]
fn both_ends_of_a_connection_are_seen_until_they_are_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let to = listener.local_addr().expect("is bound");
    let out = TcpStream::connect(to).expect("connect");
    let from = out.local_addr().expect("is bound");
    let (accepted, _) = listener.accept().expect("a connection");
    let ends = |pair| {
        let all = connected(&[own()]).expect("look at ourselves");
        all.contains(&pair)
    };
    assert!(ends((from, to)) && ends((to, from)));
    // The client leaves; what it leaves behind is still the service's.
    drop(out);
    assert!(ends((to, from)) && !ends((from, to)));
    drop(accepted);
    assert!(!ends((to, from)));
}
