//! Descriptors that another process handed to this one, as `sd_listen_fds(3)` has it.
//!
//! `LISTEN_PID` says for whom they are: a process that only inherited the environment leaves them
//! alone. The variables stay, because nothing may change the environment of a process with threads;
//! the descriptors are no longer inherited from here on.

#![expect(unsafe_code, reason = "takes over descriptors by their number")]

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::READY;

/// The first descriptor that is handed over.
pub(super) const FIRST: RawFd = 3;
/// More is nothing that a service listens on.
const MOST: usize = 256;

/// What was handed over and not asked for yet.
#[derive(Debug, Default)]
pub(super) struct Inherited {
    pub(super) listeners: Vec<(String, OwnedFd)>,
    /// Where the process that served until now wants to hear that this one is ready.
    pub(super) ready: Option<OwnedFd>,
}

impl Inherited {
    /// Takes what the environment tells of, once in the life of the process.
    pub(super) fn take() -> Self {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        let variable = |name| std::env::var(name).ok();
        let pid = variable("LISTEN_PID");
        let (count, names) = (variable("LISTEN_FDS"), variable("LISTEN_FDNAMES"));
        let names = told(std::process::id(), pid, count, names);
        if names.is_empty() || TAKEN.swap(true, Ordering::AcqRel) {
            return Inherited::default();
        }
        let mut inherited = Inherited::default();
        for (name, number) in names.into_iter().zip(FIRST..) {
            let Some(descriptor) = claim(number) else {
                continue;
            };
            if name == READY {
                inherited.ready = Some(descriptor);
            } else {
                inherited.listeners.push((name, descriptor));
            }
        }
        inherited
    }

    /// A TCP listener by its name, or else by its address.
    pub(super) fn tcp(&mut self, name: &str, asked: SocketAddr) -> Option<TcpListener> {
        let fits = |descriptor: &OwnedFd| {
            // A port of 0 takes any; the address is what the service decides to be reachable by.
            address(descriptor).is_some_and(|has| {
                has.ip() == asked.ip() && (has.port() == asked.port() || asked.port() == 0)
            })
        };
        let mut by_name = self.listeners.iter();
        let found = by_name.position(|(is, descriptor)| is == name && fits(descriptor));
        let found = found.or_else(|| {
            let mut by_address = self.listeners.iter();
            by_address.position(|(_, descriptor)| address(descriptor) == Some(asked))
        });
        let (_, descriptor) = self.listeners.remove(found?);
        let listener = TcpListener::from(descriptor);
        listener.set_nonblocking(true).ok()?;
        Some(listener)
    }

    /// A Unix listener by its name and path.
    pub(super) fn unix(&mut self, name: &str, path: &Path) -> Option<UnixListener> {
        let fits = |descriptor: &OwnedFd| {
            let second = descriptor.try_clone().map(UnixListener::from).ok();
            let address = second.and_then(|listener| listener.local_addr().ok());
            address.is_some_and(|address| address.as_pathname() == Some(path))
        };
        let mut listeners = self.listeners.iter();
        let found = listeners.position(|(is, descriptor)| is == name && fits(descriptor))?;
        let listener = UnixListener::from(self.listeners.remove(found).1);
        listener.set_nonblocking(true).ok()?;
        Some(listener)
    }
}

/// The address of a TCP listener; `None` for whatever else it may be.
pub(super) fn address(descriptor: &OwnedFd) -> Option<SocketAddr> {
    TcpListener::from(descriptor.try_clone().ok()?)
        .local_addr()
        .ok()
}

/// The names of the descriptors that are for this process, in their order.
fn told(
    ourselves: u32,
    pid: Option<String>,
    count: Option<String>,
    names: Option<String>,
) -> Vec<String> {
    let number = |text: Option<String>| text?.trim().parse::<u32>().ok();
    if number(pid) != Some(ourselves) {
        return Vec::new();
    }
    let count = (number(count).unwrap_or(0) as usize).min(MOST);
    let names = names.unwrap_or_default();
    // systemd calls those without a name so.
    let unknown = || "unknown".to_owned();
    let mut names = names.split(':').map(str::to_owned);
    std::iter::repeat_with(|| names.next().unwrap_or_else(unknown))
        .take(count)
        .collect()
}

/// Makes a descriptor ours, if it is open; programs that we start do not inherit it.
fn claim(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: asks for and sets a flag of a descriptor by its number, which need not be open.
    let is_open = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } != -1;
    // SAFETY: it is open, and whoever started this process says that it is for this process. It is
    // taken once, before which nobody here can have known of it.
    is_open.then(|| unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pid: &str, count: &str, names: &str) -> Vec<String> {
        let some = |text: &str| (text != "-").then(|| text.to_owned());
        told(7, some(pid), some(count), some(names))
    }

    #[test]
    fn what_is_for_somebody_else_is_left_alone() {
        for pid in ["-", "", "8", "x", "-7", "99999999999"] {
            assert_eq!(check(pid, "2", "a:b"), [""; 0], "{pid}");
        }
    }

    #[test]
    fn each_descriptor_has_a_name() {
        assert_eq!(check("7", "2", "a:b"), ["a", "b"]);
        assert_eq!(check("7", "2", "-"), ["", "unknown"]);
        assert_eq!(check("7", "3", "a"), ["a", "unknown", "unknown"]);
        assert_eq!(check("7", "1", "a:b"), ["a"]);
        assert_eq!(check("7", "-", "a"), [""; 0]);
        assert_eq!(check("7", "4000000000", "").len(), MOST);
    }

    #[test]
    fn a_listener_is_found_by_name_and_address_or_by_address() {
        let listener = || TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let (one, other) = (listener(), listener());
        let at = |listener: &TcpListener| listener.local_addr().expect("it has one");
        let (at_one, at_other) = (at(&one), at(&other));
        let mut inherited = Inherited {
            listeners: vec![
                ("127.0.0.1_0".into(), one.into()),
                ("web".into(), other.into()),
            ],
            ready: None,
        };
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        let elsewhere: SocketAddr = ([127, 0, 0, 2], 0).into();
        assert!(inherited.tcp("127.0.0.1_0", elsewhere).is_none());
        assert!(inherited.tcp("other", any).is_none());
        let found = inherited.tcp("127.0.0.1_0", any).expect("by its name");
        assert_eq!(at(&found), at_one);
        let found = inherited.tcp("asked", at_other).expect("by its address");
        assert_eq!(at(&found), at_other);
        assert!(inherited.listeners.is_empty());
    }

    #[test]
    fn the_admin_socket_is_found_by_its_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("admin");
        let listener = UnixListener::bind(&path).expect("it is free");
        let mut inherited = Inherited {
            listeners: vec![("kit-admin".into(), listener.into())],
            ready: None,
        };
        assert!(inherited.unix("kit-admin", folder.path()).is_none());
        assert!(
            inherited
                .tcp("kit-admin", ([127, 0, 0, 1], 0).into())
                .is_none()
        );
        assert!(inherited.unix("kit-admin", &path).is_some());
    }
}
