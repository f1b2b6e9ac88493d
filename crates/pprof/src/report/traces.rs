//! `-traces`: every sample with its labels and stack.

use super::graph::{Frames, Sum};
use super::measurement::label;
use super::paper::Paper;
use super::units::LabelSet;
use super::{Report, header};
use crate::{Columns, Profile};

const SEPARATOR: &str = "-----------+-------------------------------------------------------";

impl Report<'_> {
    pub(super) fn traces(&self, profile: &Profile, paper: &mut Paper<'_>) {
        paper.text += &header::profile_lines(self, profile).join("\n");
        paper.text.push('\n');
        let frames = Frames::of(profile, false, None);
        let names: Vec<String> = frames.infos.iter().map(|i| i.printable()).collect();
        profile.each_sample(Columns::ALL, |sample| {
            if sample.locations.is_empty() {
                return;
            }
            let out = &mut paper.text;
            out.push_str(SEPARATOR);
            out.push('\n');
            if !sample.labels.is_empty() {
                self.labels(&LabelSet::of(profile, sample), out);
            }
            let (value, divisor) = self.weights.of(sample);
            let mut value = format!("{:>10}", self.value(Sum { value, divisor }.shown()));
            for &location in sample.locations {
                let infos = frames.at(location);
                for (depth, &info) in infos.iter().enumerate() {
                    let mark = if depth + 1 == infos.len() {
                        ""
                    } else {
                        " (inline)"
                    };
                    let name = names.get(info as usize).map_or("", String::as_str);
                    // Not by `write!`: this is most of what the report does.
                    out.push_str(&value);
                    out.push_str("   ");
                    out.push_str(name);
                    out.push_str(mark);
                    out.push('\n');
                    value.clear();
                    value.push_str("          ");
                }
            }
            paper.row_done();
        });
        paper.text.push_str(SEPARATOR);
        paper.text.push('\n');
    }

    fn labels(&self, labels: &LabelSet<'_>, out: &mut String) {
        let texts = labels.texts.iter();
        let mut lines: Vec<String> = texts
            .map(|(key, texts)| format!("{key:>10}:  {}\n", texts.join(" ")))
            .collect();
        lines.sort();
        out.extend(lines);
        let numbers = labels.numbers.iter().map(|(key, numbers)| {
            let unit = self.units.of_key(key);
            let values = numbers.values.iter().map(|&v| label(v, unit));
            let values: Vec<String> = values.collect();
            format!("{key:>10}:  {}\n", values.join(" "))
        });
        let mut lines: Vec<String> = numbers.collect();
        lines.sort();
        out.extend(lines);
    }
}
