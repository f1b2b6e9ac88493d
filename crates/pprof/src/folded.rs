//! Folded stacks: lines of `root;…;leaf value`, which perf, async-profiler, py-spy
//! and bpftrace are collapsed to, and which `-folded` writes.
//!
//! A file is taken for one where its first stack is a line of this form and some
//! stack has two frames: "404 page not found 404" is no profile. What follows has to
//! keep the form. Nothing says what was counted, so it is `samples` in `count`.
//!
//! Source: Brendan Gregg, FlameGraph, stackcollapse.

use std::collections::HashMap;

use crate::limits::Budget;
use crate::{DecodeError, Line, LocationId, Mapping, Profile};

/// What a name costs: its text's place, a function, a location, a line, and its place
/// in the map, with room to grow.
type NameCost = [u64; 32];

/// Reads folded stacks; `None` if `bytes` are something else.
pub(crate) fn decode(bytes: &[u8], budget: Budget) -> Option<Result<Profile, DecodeError>> {
    let text = str::from_utf8(bytes).ok()?;
    let mut stacks = stacks(text);
    let (_, first) = stacks.next()?;
    let (stack, _) = row(first)?;
    let is_deep = |line: &str| row(line).is_some_and(|(stack, _)| stack.contains(';'));
    if !stack.contains(';') && !stacks.any(|(_, line)| is_deep(line)) {
        return None;
    }
    Some(read(text, budget))
}

/// Lines that hold stacks, and where in the file each begins.
fn stacks(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    let lines = text.split_inclusive('\n').map(move |line| {
        let begins = at;
        at += line.len();
        (begins, line.trim_end())
    });
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// `root;…;leaf value`: the stack and its value.
fn row(line: &str) -> Option<(&str, i64)> {
    let (stack, value) = line.rsplit_once([' ', '\t'])?;
    let stack = stack.trim_end();
    let digits = value.strip_prefix('-').unwrap_or(value);
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let value = value.parse().ok().filter(|_| is_number)?;
    (!stack.is_empty()).then_some((stack, value))
}

fn read(text: &str, mut budget: Budget) -> Result<Profile, DecodeError> {
    let mut profile = Profile::new(&[("samples", "count")]);
    profile.period_type = profile.sample_types()[0];
    profile.period = 1;
    // Names are all there will ever be: nothing is to be looked up.
    let mapping = profile.push_mapping(Mapping {
        has_functions: true,
        ..Mapping::default()
    });
    let mut known: HashMap<&str, LocationId> = HashMap::new();
    let mut frames = Vec::new();
    for (at, line) in stacks(text) {
        let Some((stack, value)) = row(line) else {
            return Err(DecodeError::Malformed {
                at,
                what: "a folded stack and its whole number were expected",
            });
        };
        frames.clear();
        for name in stack.split(';') {
            let known = match known.get(name) {
                Some(&known) => known,
                None => {
                    budget.rows::<NameCost>(1)?;
                    budget.bytes(name.len())?;
                    let function = profile.push_function(name, "", 0);
                    let line = Line {
                        function,
                        line: 0,
                        column: 0,
                    };
                    let location = profile.push_location(0, Some(mapping), &[line]);
                    known.insert(name, location);
                    location
                }
            };
            frames.push(known);
        }
        budget.rows::<LocationId>(frames.len())?;
        budget.rows::<[u64; 4]>(1)?;
        frames.reverse();
        profile.push_sample(&frames, &[value], &[]);
    }
    Ok(profile)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Came, Limits};

    fn check(text: &str) -> Result<Vec<(Vec<String>, i64)>, DecodeError> {
        let profile = Profile::decode(text.as_bytes())?;
        let name = |id: &LocationId| {
            let function = profile.lines(*id)[0].function;
            let name = profile.functions()[function.index()].name;
            profile.text(name).to_owned()
        };
        let samples = profile.samples();
        let rows = samples.map(|s| (s.locations.iter().map(name).collect(), s.values[0]));
        Ok(rows.collect())
    }

    fn stack(leaf_first: &[&str], value: i64) -> (Vec<String>, i64) {
        (leaf_first.iter().map(|n| (*n).to_owned()).collect(), value)
    }

    #[test]
    fn stacks_are_read_leaf_first() {
        let text = "# perf\nmain;std::vec<int, x> f;g 3\r\n\nmain 1\nmain;g -2";
        let wanted = vec![
            stack(&["g", "std::vec<int, x> f", "main"], 3),
            stack(&["main"], 1),
            stack(&["g", "main"], -2),
        ];
        assert_eq!(check(text), Ok(wanted));
    }

    #[test]
    fn a_server_saying_a_number_is_no_profile() {
        for text in [
            "error 500",
            "404 page not found 404\n",
            "a;b c",
            "; 1.5",
            " 7",
        ] {
            let refused = check(text);
            let came = matches!(
                refused,
                Err(DecodeError::Unexpected {
                    came: Came::Text(_),
                    ..
                })
            );
            assert!(came, "{text}: {refused:?}");
        }
    }

    #[test]
    fn a_damaged_line_is_told_by_its_place() {
        let what = "a folded stack and its whole number were expected";
        for end in ["c;d", "c;d 1.5", "c 99999999999999999999", "c;d +1"] {
            let text = format!("a;b 1\n{end}\n");
            assert_eq!(check(&text), Err(DecodeError::Malformed { at: 6, what }));
        }
    }

    #[test]
    fn memory_has_a_bound() {
        let text: String = (0..10_000).map(|n| format!("a;b{n} 1\n")).collect();
        let limits = Limits {
            decoded_bytes: 1 << 16,
            ..Limits::default()
        };
        let refused = Profile::decode_within(text.as_bytes(), &limits);
        assert!(matches!(refused, Err(DecodeError::TooLarge { .. })));
    }
}
