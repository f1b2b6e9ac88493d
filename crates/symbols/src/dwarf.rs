//! Names and lines from debug information (DWARF), inlined calls included.
//!
//! The reading itself is done by gimli and addr2line; here is which sections they get, bounded,
//! and the line a function begins at. Debug information in other files (split DWARF, alternate
//! files) is not followed: files are found by whoever called.

use std::sync::Arc;

use gimli::{AttributeValue, RunTimeEndian, SectionId, UnitOffset};

use crate::elf::Elf;
use crate::frame::Frame;

type Bytes = gimli::EndianArcSlice<RunTimeEndian>;

/// Deepest nesting of inlined calls that is followed.
const DEPTH_MAX: usize = 200;
/// References from a function to its origin and declaration that are followed.
const ORIGINS_MAX: usize = 8;

/// The debug information of one program.
pub(crate) struct Dwarf {
    context: addr2line::Context<Bytes>,
}

impl std::fmt::Debug for Dwarf {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Dwarf")
    }
}

impl Dwarf {
    /// Nothing for a program without debug information, or with damaged one.
    pub(crate) fn of(elf: &Elf<'_>) -> Option<Self> {
        if !elf.has_section(".debug_info") {
            return None;
        }
        let endian = match elf.is_little() {
            true => RunTimeEndian::Little,
            false => RunTimeEndian::Big,
        };
        let section = |id: SectionId| -> Result<Bytes, gimli::Error> {
            let bytes = elf.inflated(id.name()).unwrap_or_default();
            Ok(Bytes::new(Arc::from(bytes.as_ref()), endian))
        };
        let dwarf = gimli::Dwarf::load(section).ok()?;
        let context = addr2line::Context::from_dwarf(dwarf).ok()?;
        Some(Dwarf { context })
    }

    /// Frames of the instruction at `address`, the innermost first.
    pub(crate) fn frames(&self, address: u64) -> Vec<Frame> {
        let mut frames = Vec::new();
        // addr2line looks from an address to the next, and there is none after the last.
        if address == u64::MAX {
            return frames;
        }
        let Ok(mut found) = self.context.find_frames(address).skip_all_loads() else {
            return frames;
        };
        while let Ok(Some(frame)) = found.next()
            && frames.len() < DEPTH_MAX
        {
            let name = frame.function.as_ref().and_then(|f| f.raw_name().ok());
            let location = frame.location.as_ref();
            frames.push(Frame {
                system_name: name.map(|n| n.into_owned()).unwrap_or_default(),
                file: location.and_then(|l| l.file).unwrap_or_default().to_owned(),
                line: location.and_then(|l| l.line).unwrap_or(0),
                column: location.and_then(|l| l.column).unwrap_or(0),
                start_line: frame
                    .dw_die_offset
                    .and_then(|at| self.start_line(address, at))
                    .unwrap_or(0),
            });
        }
        frames
    }

    /// The line that a function was declared at; inlined ones and clones say it elsewhere.
    fn start_line(&self, address: u64, function: UnitOffset) -> Option<u32> {
        let unit = self.context.find_dwarf_and_unit(address).skip_all_loads()?;
        let mut at = function;
        for _ in 0..ORIGINS_MAX {
            let entry = unit.entry(at).ok()?;
            let line = entry.attr_value(gimli::DW_AT_decl_line);
            if let Some(line) = line.and_then(|line| line.udata_value()) {
                return u32::try_from(line).ok();
            }
            let origin = entry
                .attr_value(gimli::DW_AT_abstract_origin)
                .or_else(|| entry.attr_value(gimli::DW_AT_specification))?;
            at = match origin {
                AttributeValue::UnitRef(at) => at,
                // An origin in another unit: rare (link-time optimisation), and only a hint is lost.
                _ => return None,
            };
        }
        None
    }
}
