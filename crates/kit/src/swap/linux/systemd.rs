//! What systemd is told (`sd_notify(3)`): one datagram to the socket that `NOTIFY_SOCKET` names.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Says something, if somebody wants to hear it.
pub(super) fn notify(state: &str) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    if let Err(error) = send(socket.as_bytes(), state) {
        tracing::warn!(%error, state, "systemd cannot be told");
    }
}

fn send(socket: &[u8], state: &str) -> io::Result<()> {
    let address = match socket {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
    };
    let sender = UnixDatagram::unbound()?;
    // Not at the price of the service: who does not read is not waited for.
    sender.set_nonblocking(true)?;
    sender.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_a_name_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let name = format!("kit-notify-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name).expect("it is short");
        for (socket, receiver) in [
            (
                path.as_os_str().as_bytes().to_vec(),
                UnixDatagram::bind(&path),
            ),
            (
                format!("@{name}").into_bytes(),
                UnixDatagram::bind_addr(&abstract_name),
            ),
        ] {
            let receiver = receiver.expect("it is bound");
            send(&socket, "READY=1").expect("it is sent");
            let mut said = [0; 64];
            let length = receiver.recv(&mut said).expect("it has come");
            assert_eq!(&said[..length], b"READY=1");
        }
        assert!(send(b"", "READY=1").is_err());
        assert!(send(b"/nowhere/at/all", "READY=1").is_err());
    }
}
