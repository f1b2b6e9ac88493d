//! Parameters of a request to the admin listener.

use std::time::Duration;

use super::answer::Answer;

/// What stands behind the `?`, read without percent-decoding: all values are plain words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query<'q>(pub(super) &'q str);

impl<'q> Query<'q> {
    /// The first value of a parameter.
    pub(super) fn get(self, name: &str) -> Option<&'q str> {
        self.0.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then_some(value)
        })
    }

    /// A whole number, or what stands in its place.
    pub(super) fn number(self, name: &str, default: u64) -> Result<u64, Answer> {
        match self.get(name) {
            None | Some("") => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| Answer::bad(format!("{name}: a whole number is wanted"))),
        }
    }

    /// `seconds`, between one and `most`.
    pub(super) fn seconds(self, default: u64, most: u64) -> Result<Duration, Answer> {
        match self.number("seconds", default)? {
            0 => Ok(Duration::from_secs(default)),
            seconds if seconds <= most => Ok(Duration::from_secs(seconds)),
            _ => Err(Answer::bad(format!("seconds: at most {most}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_bounded() {
        let seconds = |query| Query(query).seconds(30, 300);
        assert_eq!(seconds(""), Ok(Duration::from_secs(30)));
        assert_eq!(seconds("debug=1&seconds=5"), Ok(Duration::from_secs(5)));
        assert_eq!(
            seconds("seconds=0"),
            Ok(Duration::from_secs(30)),
            "as Go does"
        );
        for wrong in [
            "seconds=301",
            "seconds=-1",
            "seconds=1e9",
            "seconds=99999999999999999999",
        ] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
