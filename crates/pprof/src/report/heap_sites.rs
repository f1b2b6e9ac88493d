//! `-heap-sites`: all that a heap profile says of each place that allocates.
//!
//! google/pprof shows one sample type at a time. With a base, every column is
//! growth.

use std::cmp::Reverse;
use std::fmt::Write as _;

use super::gofmt::to_int;
use super::measurement::scaled_label;
use super::{Report, ReportError, header};
use crate::{Columns, Profile};

/// What Go's heap profiles measure, in the order of the columns.
const TYPES: [&str; 4] = [
    "inuse_space",
    "inuse_objects",
    "alloc_space",
    "alloc_objects",
];

/// Columns: the four types, then churn: what was allocated and is freed again.
const COLUMNS: [&str; 6] = [
    TYPES[0],
    TYPES[1],
    TYPES[2],
    TYPES[3],
    "churn_space",
    "churn_objects",
];

/// The values of a site, and whatever comes of them.
type Row = [i64; COLUMNS.len()];

impl Report<'_> {
    pub(super) fn heap_sites(&self, profile: &Profile) -> Result<String, ReportError> {
        let places = places(profile)?;
        let frames = self.frames(profile);
        let mut rows = vec![Row::default(); frames.infos.len()];
        let mut total = Row::default();
        profile.each_sample(Columns::STACKS, |sample| {
            let values = places.map(|i| sample.values.get(i).copied().unwrap_or(0));
            add(&mut total, values);
            let leaf = sample.locations.iter().flat_map(|&l| frames.at(l)).next();
            if let Some(row) = leaf.and_then(|&leaf| rows.get_mut(leaf as usize)) {
                add(row, values);
            }
        });
        // The sample type that was chosen leads; another type, as of a file of six, leaves the first.
        let by = places.iter().position(|&i| i == self.weights.index);
        let by = by.unwrap_or(0);
        let sites = frames.infos.iter().zip(rows);
        let sites = sites.filter(|(_, row)| row.iter().any(|&v| v != 0));
        let mut sites: Vec<(String, Row)> = sites.map(|(i, row)| (i.printable(), row)).collect();
        sites.sort_by(|(one, a), (other, b)| {
            let weight = |row: &Row| row.map(|v| Reverse(v.unsigned_abs()));
            let lead = |row: &Row| Reverse(row.get(by).map_or(0, |v| v.unsigned_abs()));
            let key = |row: &Row| (lead(row), weight(row));
            key(a).cmp(&key(b)).then_with(|| one.cmp(other))
        });
        let before = sites.len();
        sites.retain(|(_, row)| self.is_heavy(row, &total));
        if let Ok(most) = usize::try_from(self.options.node_count)
            && most > 0
        {
            sites.truncate(most);
        }
        let mut out = String::new();
        if !self.options.compact_labels {
            let lines = header::profile_lines(self, profile);
            for line in lines.iter().filter(|l| !l.starts_with("Type: ")) {
                let _ = writeln!(out, "{line}");
            }
        }
        let (shown, by) = (sites.len(), COLUMNS.get(by).unwrap_or(&""));
        let _ = writeln!(out, "Showing {shown} of {before} sites, by {by}");
        let _ = writeln!(out, "churn is alloc less inuse: what was freed again");
        let _ = writeln!(
            out,
            "{}  site",
            COLUMNS.map(|c| format!("{c:>13}")).join(" ")
        );
        self.row(&total, "total", &mut out);
        for (name, row) in &sites {
            self.row(row, name, &mut out);
        }
        Ok(out)
    }

    /// True if one of the values is worth showing.
    fn is_heavy(&self, row: &Row, total: &Row) -> bool {
        row.iter().zip(total).any(|(value, total)| {
            let cutoff = to_int(*total as f64 * self.options.node_fraction);
            *value != 0 && value.unsigned_abs() >= cutoff.unsigned_abs()
        })
    }

    fn row(&self, row: &Row, name: &str, out: &mut String) {
        let wanted = match self.options.unit.as_str() {
            "minimum" => "auto",
            unit => unit,
        };
        for (column, value) in COLUMNS.iter().zip(row) {
            let value = self.scaled(*value);
            let text = match column.ends_with("_space") {
                true => scaled_label(value, "bytes", wanted),
                false => value.to_string(),
            };
            let _ = write!(out, "{text:>13} ");
        }
        let _ = writeln!(out, " {name}");
    }
}

/// The places of the four types.
fn places(profile: &Profile) -> Result<[usize; TYPES.len()], ReportError> {
    let have: Vec<&str> = profile
        .sample_types()
        .iter()
        .map(|t| profile.text(t.kind))
        .collect();
    let mut places = [0; TYPES.len()];
    for (place, wanted) in places.iter_mut().zip(TYPES) {
        let found = have.iter().position(|kind| *kind == wanted);
        *place = found.ok_or_else(|| ReportError::NoHeap {
            missing: wanted,
            have: have.join(" "),
        })?;
    }
    Ok(places)
}

/// Adds the values of a sample, and what follows from them.
fn add(row: &mut Row, [inuse, objects, alloc, alloc_objects]: [i64; TYPES.len()]) {
    let churn = [
        alloc.wrapping_sub(inuse),
        alloc_objects.wrapping_sub(objects),
    ];
    let values = [inuse, objects, alloc, alloc_objects, churn[0], churn[1]];
    for (sum, value) in row.iter_mut().zip(values) {
        *sum = sum.wrapping_add(value);
    }
}

#[cfg(test)]
mod tests {
    use crate::report::{Command, NoSources, Options, ReportError, run};
    use crate::{Line, Profile};

    /// `leak` keeps what it allocates, `churn` frees all but a tenth.
    fn heap() -> Profile {
        let mut heap = Profile::new(&[
            ("alloc_objects", "count"),
            ("alloc_space", "bytes"),
            ("inuse_objects", "count"),
            ("inuse_space", "bytes"),
        ]);
        for (name, line, values) in [
            ("main.leak", 7, [10, 10_240, 10, 10_240]),
            ("main.churn", 9, [1_000, 1_048_576, 1, 1_024]),
            ("main.churn", 9, [0, 0, 0, 1_024]),
        ] {
            let function = heap.push_function(name, "/src/main.go", 1);
            let line = Line {
                function,
                line,
                column: 0,
            };
            let location = heap.push_location(1, None, &[line]);
            heap.push_sample(&[location], &values, &[]);
        }
        heap
    }

    fn check(profile: Profile, options: &Options) -> Result<String, ReportError> {
        let text = run(
            profile,
            &Command::HeapSites,
            options,
            &NoSources,
            &mut Vec::new(),
        );
        text.map(|text| String::from_utf8(text).expect("text"))
    }

    fn words(line: &str) -> Vec<&str> {
        line.split_whitespace().collect()
    }

    #[test]
    fn all_values_of_a_site_stand_side_by_side() {
        let text = check(heap(), &Options::default()).expect("a heap profile");
        let rows: Vec<_> = text.lines().skip(3).map(words).collect();
        assert_eq!(
            rows,
            [
                words("12kB 11 1.01MB 1010 1022kB 999 total"),
                words("10kB 10 10kB 10 0 0 main.leak /src/main.go:7"),
                words("2kB 1 1MB 1000 1022kB 999 main.churn /src/main.go:9"),
            ]
        );
    }

    #[test]
    fn the_chosen_type_leads() {
        let options = Options {
            sample_index: "alloc_space".to_owned(),
            node_count: 1,
            ..Options::default()
        };
        let text = check(heap(), &options).expect("a heap profile");
        assert!(
            text.contains("Showing 1 of 2 sites, by alloc_space"),
            "{text}"
        );
        assert!(
            text.contains("main.churn") && !text.contains("main.leak"),
            "{text}"
        );
    }

    #[test]
    fn growth_keeps_its_sign() {
        let base = heap();
        let mut now = Profile::new(&[
            ("alloc_objects", "count"),
            ("alloc_space", "bytes"),
            ("inuse_objects", "count"),
            ("inuse_space", "bytes"),
        ]);
        now.push_sample(&[], &[0; 4], &[]);
        let grown = crate::report::subtract(now, base, crate::report::Difference::default());
        let text = check(grown.expect("alike"), &Options::default()).expect("a heap profile");
        assert!(text.contains("-10kB"), "{text}");
    }

    #[test]
    fn other_profiles_are_refused_with_their_types() {
        let cpu = Profile::new(&[("samples", "count"), ("cpu", "nanoseconds")]);
        let error = check(cpu, &Options::default()).expect_err("no heap profile");
        let why =
            "-heap-sites needs a heap profile with inuse_space; sample types are [samples cpu]";
        assert_eq!(error.to_string(), why);
    }
}
