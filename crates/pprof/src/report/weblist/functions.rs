//! From the lines of a file to ranges of lines, one for each function, with some around them.

use super::{File, Listing, Values};

/// Lines of one function this far apart belong to one range.
const MERGED: i64 = 20;
/// Lines shown before and behind a range.
const AROUND: i64 = 5;

/// A range of lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function<'p> {
    pub(super) name: &'p str,
    pub(super) begin: i64,
    /// The line behind the last.
    pub(super) end: i64,
    pub(super) values: Values,
}

pub(super) fn functions<'p>(file: &File<'p>, listing: &Listing<'p>) -> Vec<Function<'p>> {
    let mut functions: Vec<Function<'p>> = Vec::new();
    for (&line, code) in &file.lines {
        let name = file.names.get(&line).copied().unwrap_or_default();
        let name = listing.readable.get(name).copied().unwrap_or(name);
        let mut values = Values::default();
        for code in code {
            values.add(listing.of(code.address));
        }
        let end = line.saturating_add(1);
        match functions.last_mut() {
            Some(last) if line.saturating_sub(last.end) < MERGED && last.name == name => {
                last.end = end;
                last.values.add(values);
            }
            _ => functions.push(Function {
                name,
                begin: line,
                end,
                values,
            }),
        }
    }
    widen(&mut functions);
    functions
}

/// Shows lines around each range; two that are near share what lies between.
fn widen(functions: &mut [Function<'_>]) {
    let mut before: Option<&mut Function<'_>> = None;
    for function in functions {
        match before {
            // Line 0 stands for all that is not known, and has no neighbours.
            None if function.begin > AROUND => function.begin -= AROUND,
            None => function.begin = function.begin.min(1),
            Some(before) => {
                let gap = function.begin.saturating_sub(before.end) / 2;
                let gap = gap.min(AROUND);
                before.end = before.end.saturating_add(gap);
                function.begin = function.begin.saturating_sub(gap);
            }
        }
        before = Some(function);
    }
    if let Some(last) = before {
        last.end = last.end.saturating_add(AROUND);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[(i64, &'static str)]) -> Vec<(&'static str, i64, i64)> {
        let mut file = File::default();
        for (line, name) in lines {
            file.lines.entry(*line).or_default();
            file.names.insert(*line, name);
        }
        let found = functions(&file, &Listing::default());
        found.iter().map(|f| (f.name, f.begin, f.end)).collect()
    }

    #[test]
    fn near_lines_are_one_range_with_a_margin() {
        assert_eq!(check(&[(10, "f"), (20, "f")]), [("f", 5, 26)]);
        assert_eq!(check(&[(3, "f")]), [("f", 1, 9)]);
        assert_eq!(check(&[(0, "f")]), [("f", 0, 6)]);
    }

    #[test]
    fn ranges_share_what_lies_between() {
        let near = [("f", 5, 12), ("g", 13, 20)];
        assert_eq!(check(&[(10, "f"), (14, "g")]), near);
        let far = [("f", 5, 16), ("f", 95, 106)];
        assert_eq!(check(&[(10, "f"), (100, "f")]), far);
    }

    #[test]
    fn lines_at_the_ends_of_numbers_do_not_overflow() {
        let _ = check(&[(i64::MIN, "f"), (-1, "g"), (i64::MAX, "h")]);
    }
}
