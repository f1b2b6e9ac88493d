//! `-speedscope`: a file for speedscope.app.
//!
//! Source: jlfwong/speedscope, "Importing from custom sources", file format.

use std::fmt::Write as _;

use super::quote;
use crate::Profile;
use crate::report::Report;

impl Report<'_> {
    pub(in crate::report) fn speedscope(&self, profile: &Profile) -> String {
        let stacks = self.stacks(profile);
        let mut out = String::from(
            "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"shared\":{\"frames\":[",
        );
        for (i, info) in stacks.frames.infos.iter().enumerate() {
            out.push_str(if i == 0 { "{\"name\":" } else { ",{\"name\":" });
            quote(&info.printable(), &mut out);
            if !info.file.is_empty() {
                out.push_str(",\"file\":");
                quote(&info.file, &mut out);
            }
            if info.line > 0 {
                let _ = write!(out, ",\"line\":{}", info.line);
            }
            out.push('}');
        }
        out.push_str("]},\"profiles\":[{\"type\":\"sampled\",\"name\":");
        quote(&self.kind, &mut out);
        let unit = match self.unit.as_str() {
            "nanoseconds" | "microseconds" | "milliseconds" | "seconds" | "bytes" => &self.unit,
            _ => "none",
        };
        // The format has no negative weights: a difference shows what grew.
        let grown = || stacks.values.iter().filter(|(_, value)| **value > 0);
        let end = grown().fold(0i64, |sum, (_, value)| sum.saturating_add(*value));
        let _ = write!(
            out,
            ",\"unit\":\"{unit}\",\"startValue\":0,\"endValue\":{end},\"samples\":["
        );
        let samples = grown().map(|(stack, _)| {
            let frames: Vec<String> = stack.iter().map(u32::to_string).collect();
            format!("[{}]", frames.join(","))
        });
        out.push_str(&samples.collect::<Vec<_>>().join(","));
        out.push_str("],\"weights\":[");
        let weights = grown().map(|(_, value)| value.to_string());
        out.push_str(&weights.collect::<Vec<_>>().join(","));
        out.push_str("]}],\"exporter\":\"shakedown\"}\n");
        out
    }
}
