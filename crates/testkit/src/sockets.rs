//! Closing a socket of another process, as nothing but a fault of its own would.

use std::fs;
use std::net::SocketAddr;

use rustix::io::Errno;
use rustix::net::{Shutdown, getsockname, shutdown};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

/// Shuts every socket of the process that is bound to the address: what listens there ends, and
/// what was accepted there, too.
///
/// # Panics
/// If there is none, or the kernel does not let us: the process must be our child.
pub(crate) fn shut(pid: u32, address: SocketAddr) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .expect("a pid");
    let process = pidfd_open(pid, PidfdFlags::empty()).expect("it runs");
    let table = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).expect("it runs");
    let names = table.flatten().map(|entry| entry.file_name());
    let mut count = 0;
    for fd in names.filter_map(|name| name.to_str()?.parse().ok()) {
        let copy = match pidfd_getfd(&process, fd, PidfdGetfdFlags::empty()) {
            Ok(copy) => copy,
            // Closed meanwhile.
            Err(Errno::BADF) => continue,
            Err(error) => panic!("a descriptor of {pid:?}: {error}"),
        };
        let bound = getsockname(&copy)
            .ok()
            .and_then(|any| SocketAddr::try_from(any).ok());
        if bound == Some(address) {
            shutdown(&copy, Shutdown::Both).expect("it is a socket");
            count += 1;
        }
    }
    assert!(count > 0, "no socket is bound to {address}");
}
