//! gRPC's framing: messages within a body, the deadline header and the status.
//!
//! Source: grpc/doc/PROTOCOL-HTTP2.md.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::HeaderMap;

/// Status messages are shown, not kept: longer ones are cut.
const STATUS_MESSAGE_MAX: usize = 1024;

/// Puts a message into its frame: uncompressed, four bytes of length.
pub(crate) fn frame(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(0);
    // A message is made from a command line or a file of ours, far below 4 GiB.
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    framed.freeze()
}

/// Takes a body apart as it comes.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    buffer: BytesMut,
}

impl Frames {
    pub(crate) fn push(&mut self, data: &[u8]) {
        self.buffer.extend_from_slice(data);
    }

    /// The next whole message; an error for a compressed one, which we never asked for.
    pub(crate) fn next(&mut self) -> Option<Result<Bytes, String>> {
        let [compressed, a, b, c, d] = *self.buffer.first_chunk::<5>()?;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if self.buffer.len() - 5 < length {
            return None;
        }
        self.buffer.advance(5);
        let message = self.buffer.split_to(length).freeze();
        Some(if compressed == 0 {
            Ok(message)
        } else {
            Err("a compressed message came although none was asked for".to_owned())
        })
    }
}

/// The value of `grpc-timeout`: at most eight digits and a unit, rounded up, so that the server
/// never gets less time than was asked for.
pub(crate) fn timeout_value(timeout: Duration) -> String {
    const UNITS: [(u128, char); 6] = [
        (1, 'n'),
        (1_000, 'u'),
        (1_000_000, 'm'),
        (1_000_000_000, 'S'),
        (60_000_000_000, 'M'),
        (3_600_000_000_000, 'H'),
    ];
    const MOST: u128 = 99_999_999;
    let nanos = timeout.as_nanos();
    UNITS
        .iter()
        .map(|(unit, letter)| (nanos.div_ceil(*unit), letter))
        .find(|(count, _)| *count <= MOST)
        .map_or_else(
            || format!("{MOST}H"),
            |(count, letter)| format!("{count}{letter}"),
        )
}

/// The status that headers or trailers hold, with its message.
pub(crate) fn status(headers: &HeaderMap) -> Option<Result<(u16, String), String>> {
    let code = headers.get("grpc-status")?;
    let message = headers
        .get("grpc-message")
        .map_or(&b""[..], |value| value.as_bytes());
    let number = code.to_str().ok().and_then(|code| code.parse().ok());
    Some(number.map_or_else(
        || Err(format!("grpc-status is {code:?}, which is not a number")),
        |number| Ok((number, percent_decoded(message))),
    ))
}

fn percent_decoded(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len().min(STATUS_MESSAGE_MAX));
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        if bytes.len() == STATUS_MESSAGE_MAX {
            return String::from_utf8_lossy(&bytes).into_owned() + "…";
        }
        let escaped = after.first_chunk::<2>().filter(|_| first == b'%');
        // What is no escape stands for itself, as the specification wants.
        let decoded = escaped.and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 16).ok()
        });
        rest = decoded.map_or(after, |_| after.get(2..).unwrap_or_default());
        bytes.push(decoded.unwrap_or(first));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_has_eight_digits_and_is_never_shortened() {
        for (timeout, value) in [
            (Duration::ZERO, "0n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_nanos(100_000_001), "100001u"),
            (Duration::from_millis(500), "500000u"),
            (Duration::from_secs(30), "30000000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_secs(99_999_999), "99999999S"),
            (Duration::from_secs(100_000_000), "1666667M"),
            (Duration::MAX, "99999999H"),
        ] {
            assert_eq!(timeout_value(timeout), value);
        }
    }

    #[test]
    fn a_status_message_is_decoded_and_cut() {
        let check = |message: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", "5".parse().expect("a value"));
            headers.insert("grpc-message", message.parse().expect("a value"));
            status(&headers).expect("a status").expect("a number").1
        };
        assert_eq!(check("no%20order %E2%82%AC%0A"), "no order €\n");
        assert_eq!(check("100%"), "100%");
        assert_eq!(check("%zz%4"), "%zz%4");
        let long = check(Box::leak("x".repeat(5000).into_boxed_str()));
        assert_eq!(long.chars().count(), STATUS_MESSAGE_MAX + 1);
    }

    #[test]
    fn messages_come_out_whole_however_they_were_cut() {
        let body = [frame(b"one"), frame(b""), frame(b"three")].concat();
        for step in 1..body.len() {
            let mut frames = Frames::default();
            let mut come = Vec::new();
            for piece in body.chunks(step) {
                frames.push(piece);
                while let Some(message) = frames.next() {
                    come.push(message.expect("uncompressed"));
                }
            }
            assert_eq!(come, [&b"one"[..], b"", b"three"]);
        }
    }
}
