//! `-raw`: the profile's tables as text.
//!
//! Source: google/pprof, profile/profile.go `String`.

use std::fmt::Write as _;

use super::Zone;
use super::gofmt::duration;
use super::paper::Paper;
use super::units::LabelSet;
use crate::{Columns, LocationId, Profile, Sample};

/// The profile's tables as text, times in `zone`.
pub fn raw(profile: &Profile, zone: &Zone) -> String {
    let mut bytes = Vec::new();
    let mut out = |piece: &[u8]| bytes.extend_from_slice(piece);
    write(profile, zone, &mut Paper::on(&mut out));
    String::from_utf8(bytes).unwrap_or_default()
}

pub(super) fn write(profile: &Profile, zone: &Zone, paper: &mut Paper<'_>) {
    let out = &mut paper.text;
    for &comment in &profile.comments {
        let _ = writeln!(out, "Comment: {}", profile.text(comment));
    }
    let url = profile.text(profile.doc_url);
    if !url.is_empty() {
        let _ = writeln!(out, "Doc: {url}");
    }
    let period = profile.period_type;
    let (kind, unit) = (profile.text(period.kind), profile.text(period.unit));
    let _ = writeln!(out, "PeriodType: {kind} {unit}");
    let _ = writeln!(out, "Period: {}", profile.period);
    if profile.time_nanos != 0 {
        let _ = writeln!(out, "Time: {}", zone.long(profile.time_nanos));
    }
    if profile.duration_nanos != 0 {
        // The original cuts the text to four characters, not the number to four digits.
        let short: String = duration(profile.duration_nanos).chars().take(4).collect();
        let _ = writeln!(out, "Duration: {short}");
    }
    out.push_str("Samples:\n");
    let default = profile.text(profile.default_sample_type);
    let types = profile.sample_types().iter().map(|t| {
        let (kind, unit) = (profile.text(t.kind), profile.text(t.unit));
        let mark = if kind == default { "[dflt]" } else { "" };
        format!("{kind}/{unit}{mark} ")
    });
    let types: String = types.collect();
    let _ = writeln!(out, "{}", types.trim());
    profile.each_sample(Columns::ALL, |sample| {
        write_sample(profile, sample, paper);
        paper.row_done();
    });
    paper.text.push_str("Locations\n");
    for i in 0..profile.locations().len() {
        write_location(profile, LocationId::at(i), &mut paper.text);
        paper.row_done();
    }
    let out = &mut paper.text;
    out.push_str("Mappings\n");
    for (i, m) in profile.mappings().iter().enumerate() {
        let id = profile.numbers.mappings.of(i);
        let flags = [
            (m.has_functions, "[FN]"),
            (m.has_filenames, "[FL]"),
            (m.has_line_numbers, "[LN]"),
            (m.has_inline_frames, "[IN]"),
        ];
        let set = flags.iter().filter(|(on, _)| *on);
        let flags: String = set.map(|(_, text)| *text).collect();
        let (file, build_id) = (profile.text(m.file), profile.text(m.build_id));
        let _ = writeln!(
            out,
            "{id}: {:#x}/{:#x}/{:#x} {file} {build_id} {flags}",
            m.start, m.limit, m.offset
        );
    }
}

fn write_sample(profile: &Profile, sample: &Sample<'_>, paper: &mut Paper<'_>) {
    for value in sample.values {
        let _ = write!(paper.text, " {value:>10}");
    }
    paper.text.push_str(": ");
    for location in sample.locations {
        paper.number(profile.numbers.locations.of(location.index()));
        paper.text.push(' ');
    }
    let out = &mut paper.text;
    out.push('\n');
    if sample.labels.is_empty() {
        return;
    }
    let labels = LabelSet::of(profile, sample);
    let texts = labels.texts.iter();
    let texts = texts.map(|(key, texts)| format!("{key}:[{}]", texts.join(" ")));
    write_labels(texts.collect(), out);
    let numbers = labels.numbers.iter().map(|(key, numbers)| {
        let values = numbers.values.iter().enumerate();
        let values = values.map(|(i, value)| match numbers.units.get(i) {
            Some(unit) => format!("{value} {unit}"),
            None => value.to_string(),
        });
        let values: Vec<String> = values.collect();
        format!("{key}:[{}]", values.join(" "))
    });
    write_labels(numbers.collect(), out);
}

fn write_labels(mut labels: Vec<String>, out: &mut String) {
    if !labels.is_empty() {
        labels.sort();
        let _ = writeln!(out, "{:16}{}", "", labels.join(" "));
    }
}

fn write_location(profile: &Profile, id: LocationId, out: &mut String) {
    let Some(location) = profile.locations().get(id.index()) else {
        return;
    };
    let number = profile.numbers.locations.of(id.index());
    let _ = write!(out, "{number:>6}: {:#x} ", location.address);
    if let Some(mapping) = location.mapping {
        let number = profile.numbers.mappings.of(mapping.index());
        let _ = write!(out, "M={number} ");
    }
    if location.is_folded {
        out.push_str("[F] ");
    }
    let lines = profile.lines(id);
    for (i, line) in lines.iter().enumerate() {
        if i > 0 {
            let _ = write!(out, "{:13}", "");
        }
        let function = profile.functions().get(line.function.index());
        let function = function.copied().unwrap_or_default();
        let (name, system) = (
            profile.text(function.name),
            profile.text(function.system_name),
        );
        let _ = write!(
            out,
            "{name} {}:{}:{} s={}",
            profile.text(function.file),
            line.line,
            line.column,
            function.start_line
        );
        if name != system {
            let _ = write!(out, "({system})");
        }
        out.push('\n');
    }
    if lines.is_empty() {
        out.push('\n');
    }
}
