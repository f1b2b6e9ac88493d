//! `grpc-timeout`, as the gRPC protocol over HTTP/2 has it: at most eight digits and a unit.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

/// The header.
pub(crate) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

const DIGITS_MAX: usize = 8;

/// Reads a value; `None` if it is malformed.
pub(crate) fn parse(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > DIGITS_MAX {
        return None;
    }
    let number = digits.iter().try_fold(0u64, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u64::from(digit - b'0'))
    })?;
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

/// Writes a value: in the finest unit that eight digits can hold, rounded down, because whoever is
/// called must not believe to have more time than there is.
pub(crate) fn value(timeout: Duration) -> HeaderValue {
    let nanos = timeout.as_nanos();
    let units: [(u128, char); 5] = [
        (1, 'n'),
        (1_000, 'u'),
        (1_000_000, 'm'),
        (1_000_000_000, 'S'),
        (60_000_000_000, 'M'),
    ];
    let fits = units
        .iter()
        .find(|(unit, _)| nanos / unit < 10u128.pow(DIGITS_MAX as u32));
    let text = match fits {
        Some((unit, letter)) => format!("{}{letter}", nanos / unit),
        // 190 years; more cannot be said, and nobody waits so long.
        None => "99999999M".to_owned(),
    };
    HeaderValue::from_str(&text).expect("digits and a letter are a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        for (text, expected) in [
            ("1H", Duration::from_secs(3600)),
            ("2M", Duration::from_secs(120)),
            ("99999999S", Duration::from_secs(99_999_999)),
            ("500m", Duration::from_millis(500)),
            ("0u", Duration::ZERO),
            ("7n", Duration::from_nanos(7)),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_malformed_is_nothing() {
        for text in [
            "",
            "S",
            "5",
            "5s",
            "-1S",
            "1.5S",
            " 1S",
            "1 S",
            "123456789S",
            "12x",
            "\u{661}S",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        for length in 0..4 {
            for byte in 0..=255u8 {
                parse(&vec![byte; length]);
            }
        }
    }

    #[test]
    fn what_is_written_is_read_and_never_later() {
        for nanos in (0..80).map(|shift| 7u128 << shift) {
            let timeout = Duration::from_secs((nanos / 1_000_000_000) as u64)
                + Duration::from_nanos((nanos % 1_000_000_000) as u64);
            if timeout > Duration::from_secs(99_999_999 * 60) {
                break;
            }
            let value = value(timeout);
            let read = parse(value.as_bytes()).expect("it is well formed");
            assert!(read <= timeout, "{value:?} for {timeout:?}");
            // The next unit is at most 1000 times as coarse, and eight digits are full before it.
            assert!((timeout - read).as_secs_f64() <= timeout.as_secs_f64() * 1e-5);
        }
        assert_eq!(value(Duration::MAX), "99999999M");
        assert_eq!(value(Duration::ZERO), "0n");
    }
}
