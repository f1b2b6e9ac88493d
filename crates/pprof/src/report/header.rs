//! The head of a report: what was measured, what is shown, what is left out.
//!
//! Source: google/pprof, internal/report/report.go `ProfileLabels`,
//! `reportLabels`, `computeTotal`, `selectOutputUnit`.

use super::gofmt::to_int;
use super::graph::{Graph, Trimmed, Weights};
use super::measurement::{label, percentage, scale};
use super::{Command, Report};
use crate::paths::base;
use crate::{Columns, LabelValue, Profile, Sample};

/// A filter shown in the head is cut after so many bytes.
const FILTER_BYTES: usize = 80;

/// What percentages are of: all samples, or those of the base of a difference.
pub(super) fn total(profile: &Profile, weights: Weights) -> i64 {
    let base = profile.strings.find("pprof::base");
    if let (None, false, Some(total)) = (base, weights.mean, profile.magnitude(weights.index)) {
        return total;
    }
    let is_base = |sample: &Sample<'_>| {
        base.is_some()
            && sample.labels.iter().any(|label| match label.value {
                LabelValue::Text(text) => Some(label.key) == base && profile.text(text) == "true",
                LabelValue::Number { .. } => false,
            })
    };
    let (mut all, mut of_base) = ((0i64, 0i64), (0i64, 0i64));
    let look = match base {
        Some(_) => Columns::LABELS,
        None => Columns::VALUES,
    };
    profile.each_sample(look, |sample| {
        let (value, divisor) = weights.of(sample);
        let value = value.wrapping_abs();
        let add = |sum: &mut (i64, i64)| {
            sum.0 = sum.0.wrapping_add(value);
            sum.1 = sum.1.wrapping_add(divisor);
        };
        add(&mut all);
        if is_base(sample) {
            add(&mut of_base);
        }
    });
    match if of_base.0 > 0 { of_base } else { all } {
        (total, 0) => total,
        (total, divisor) => total.wrapping_div(divisor),
    }
}

/// Replaces the unit `minimum` by the one that suits the smallest value shown.
pub(super) fn choose_unit(report: &mut Report<'_>, graph: &Graph<'_>) {
    if report.options.unit != "minimum" || graph.order.is_empty() {
        return;
    }
    let mut least = 0;
    for &id in &graph.order {
        let node = graph.node(id);
        let value = match node.flat.shown().wrapping_abs() {
            0 => node.cum.shown().wrapping_abs(),
            flat => flat,
        };
        if value > 0 && (least == 0 || value < least) {
            least = value;
        }
    }
    let mut most = report.total;
    if least == 0 {
        least = most;
    }
    (least, most) = (report.scaled(least), report.scaled(most));
    let natural = |value: i64| scale(value, &report.unit, "minimum").1;
    let mut unit = natural(least);
    let wide = least.wrapping_mul(100) < most && !matches!(report.command, Command::Callgrind);
    if unit != natural(most) && wide {
        unit = natural(least.wrapping_mul(100));
    }
    report.shown_unit = match &*unit {
        "" => report.unit.clone(),
        unit => unit.to_owned(),
    };
}

/// Lines about the profile.
pub(super) fn profile_lines(report: &Report<'_>, profile: &Profile) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(main) = profile.mappings().first() {
        let (file, build_id) = (profile.text(main.file), profile.text(main.build_id));
        if !file.is_empty() {
            lines.push(format!("File: {}", base(file)));
        }
        if !build_id.is_empty() {
            lines.push(format!("Build ID: {build_id}"));
        }
    }
    let comments = profile.comments.iter().map(|&c| profile.text(c));
    lines.extend(comments.filter(|c| !c.starts_with('#')).map(str::to_owned));
    if !report.kind.is_empty() {
        lines.push(format!("Type: {}", report.kind));
    }
    let url = profile.text(profile.doc_url);
    if !url.is_empty() {
        lines.push(format!("Doc: {url}"));
    }
    if profile.time_nanos != 0 {
        let time = report.options.zone.short(profile.time_nanos);
        lines.push(format!("Time: {time}"));
    }
    if profile.duration_nanos != 0 {
        let duration = label(profile.duration_nanos, "nanoseconds");
        let (nanos, unit) = scale(report.total, &report.unit, "nanoseconds");
        let ratio = match unit == "ns" && nanos != 0.0 {
            true => {
                let share = percentage(to_int(nanos), profile.duration_nanos);
                format!("({share})")
            }
            false => String::new(),
        };
        let total = report.value(report.total);
        lines.push(format!(
            "Duration: {duration}, Total samples = {total} {ratio}"
        ));
    }
    lines
}

/// The head of a report over a graph; drawings have it in full.
pub(super) fn lines(
    report: &Report<'_>,
    profile: &Profile,
    trimmed: &Trimmed<'_>,
    drawing: bool,
) -> Vec<String> {
    let options = report.options;
    let mut lines = match drawing || !options.compact_labels {
        true => profile_lines(report, profile),
        false => Vec::new(),
    };
    let filters = filters(report);
    if !filters.is_empty() {
        lines.push("Active filters:".to_owned());
        lines.extend(filters);
    }
    let total = report.total;
    let shown = trimmed.graph.total();
    lines.push(format!(
        "Showing nodes accounting for {}, {} of {} total",
        report.value(shown),
        percentage(shown, total).trim(),
        report.value(total)
    ));
    if total != 0 {
        let dropped = |count: usize, what: &str, by: &str, fraction: f64| {
            let plural = if count > 1 { "s" } else { "" };
            let cutoff = to_int(total as f64 * fraction).wrapping_abs();
            let cutoff = report.value(cutoff);
            format!("Dropped {count} {what}{plural} ({by} <= {cutoff})")
        };
        if trimmed.dropped_nodes > 0 {
            let fraction = options.node_fraction;
            lines.push(dropped(trimmed.dropped_nodes, "node", "cum", fraction));
        }
        if drawing && trimmed.dropped_edges > 0 {
            let fraction = options.edge_fraction;
            lines.push(dropped(trimmed.dropped_edges, "edge", "freq", fraction));
        }
        let (count, before) = (trimmed.graph.order.len(), trimmed.nodes_before);
        if count > 0 && count < before {
            lines.push(format!("Showing top {count} nodes out of {before}"));
        }
    }
    if drawing {
        lines.push("\nSee https://git.io/JfYMW for how to read the graph".to_owned());
    }
    lines
}

/// The filters in force, as `   focus=…`.
fn filters(report: &Report<'_>) -> Vec<String> {
    let o = report.options;
    let all = [
        ("focus", &o.focus),
        ("ignore", &o.ignore),
        ("hide", &o.hide),
        ("show", &o.show),
        ("show_from", &o.show_from),
        ("tagfocus", &o.tag_focus),
        ("tagignore", &o.tag_ignore),
        ("tagshow", &o.tag_show),
        ("taghide", &o.tag_hide),
    ];
    let given = all.iter().filter(|(_, value)| !value.is_empty());
    given
        .map(|(name, value)| {
            let filter = format!("{name}={value}");
            match filter.len() > FILTER_BYTES {
                true => {
                    let whole = |end: &usize| filter.is_char_boundary(*end);
                    let cut = (0..=FILTER_BYTES).rev().find(whole).unwrap_or(0);
                    format!("   {}…", filter.get(..cut).unwrap_or(""))
                }
                false => format!("   {filter}"),
            }
        })
        .collect()
}
