//! Granularity: what of a location a report may see.
//!
//! Source: google/pprof, internal/driver/driver.go `aggregate`,
//! profile/profile.go `Aggregate`.

use super::{Granularity, Options};
use crate::{Profile, StringId};

/// What is kept of each frame.
struct Kept {
    function: bool,
    file: bool,
    line: bool,
    address: bool,
}

/// Blanks what the granularity of `options` does not show.
pub(super) fn aggregate(profile: &mut Profile, options: &Options) {
    let kept = |function, file, line, address| Kept {
        function,
        file,
        line,
        address,
    };
    let kept = match options.granularity {
        None | Some(Granularity::Functions) => kept(true, false, false, false),
        Some(Granularity::FileFunctions) => kept(true, true, false, false),
        Some(Granularity::Files) => kept(false, true, false, false),
        Some(Granularity::Lines) => kept(true, true, true, false),
        Some(Granularity::Addresses) if !options.no_inlines => return,
        Some(Granularity::Addresses) => kept(true, true, true, true),
    };
    for mapping in &mut profile.mappings {
        mapping.has_inline_frames &= !options.no_inlines;
        mapping.has_functions &= kept.function;
        mapping.has_filenames &= kept.file;
        mapping.has_line_numbers &= kept.line;
    }
    for function in &mut profile.functions {
        if !kept.function {
            function.name = StringId::default();
            function.system_name = StringId::default();
        }
        if !kept.file {
            function.file = StringId::default();
        }
    }
    for location in &mut profile.locations {
        if options.no_inlines && location.lines.len() > 1 {
            location.lines.start = location.lines.end - 1;
        }
        if !kept.address {
            location.address = 0;
        }
    }
    for line in &mut profile.lines {
        if !kept.line {
            line.line = 0;
        }
        if !kept.line || !options.show_columns {
            line.column = 0;
        }
    }
}
