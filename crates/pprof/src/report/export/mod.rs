//! Reports for other programs: folded stacks, JSON, CSV, speedscope, and a flame
//! graph as one HTML file.
//!
//! google/pprof has none of them. Filters, granularity and sample types work as
//! for its own reports.

mod csv;
mod flame;
mod folded;
mod json;
mod speedscope;
mod stacks;

/// Appends `text` as a JSON string.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}
