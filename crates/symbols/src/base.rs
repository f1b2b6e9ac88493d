//! From an address of a process to the address in the file that was mapped there.
//!
//! A program that may run anywhere (a shared object, a position-independent executable) is found
//! in a profile at other addresses than in its symbol table. What lies between, the base, follows
//! from the mapping (start, limit, file offset) and the segment of the file that was mapped.
//!
//! Source: google/pprof, internal/elfexec `GetBase`, `ProgramHeadersForMapping`,
//! `HeaderForFileOffset`, and internal/binutils `findProgramHeader`.

use object::{Object, ObjectKind, ObjectSection, ObjectSymbol};

use crate::elf::{Elf, Segment};

/// The loader's page on every machine that profiles come from.
const PAGE: u64 = 4096;
/// Addresses from here on belong to a kernel.
const KERNEL: u64 = 1 << 63;
/// Where 64-bit PowerPC kernels are linked to.
const POWERPC_KERNEL: u64 = 0xc000_0000_0000_0000;

/// Where a file was mapped in a process, as a profile says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mapped {
    /// First address.
    pub start: u64,
    /// First address behind.
    pub limit: u64,
    /// What part of the file begins at `start`.
    pub offset: u64,
}

/// Why an address of a process has no place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BaseError {
    /// The address lies outside of its own mapping.
    #[error("the address is outside the mapping")]
    Outside,
    /// No segment of the file was mapped there: most likely this is another file.
    #[error("no program header matches mapping info")]
    NoSegment,
    /// Several were.
    #[error("several program headers match mapping info")]
    SeveralSegments,
    /// A kernel at an address that none of the known ways explains.
    #[error("don't know how to handle EXEC segment")]
    Kernel,
    /// An object file that is mapped from its middle.
    #[error("don't know how to handle mapping.Offset")]
    ObjectOffset,
    /// A core file, or something unheard of.
    #[error("don't know how to handle FileHeader.Type")]
    Kind,
}

impl Mapped {
    /// A mapping that says nothing: its addresses are the file's.
    fn is_absent(self) -> bool {
        self.start == 0 && self.offset == 0 && matches!(self.limit, 0 | u64::MAX)
    }
}

/// What is to be taken off `address` to have the file's own.
pub(crate) fn base(elf: &Elf<'_>, mapped: Mapped, address: u64) -> Result<u64, BaseError> {
    if mapped.is_absent() {
        return Ok(0);
    }
    if !(mapped.start..mapped.limit).contains(&address) {
        return Err(BaseError::Outside);
    }
    let kernel = kernel_symbol(elf, mapped);
    let segment = match kernel.is_some() || mapped.limit >= KERNEL {
        true => text_segment(elf),
        false => mapped_segment(&elf.segments, mapped, address)?,
    };
    base_of(elf.kind(), segment, kernel, mapped)
}

fn base_of(
    kind: ObjectKind,
    segment: Option<Segment>,
    kernel: Option<u64>,
    mapped: Mapped,
) -> Result<u64, BaseError> {
    let Mapped { start, offset, .. } = mapped;
    let shifted = |segment: Segment| {
        let file = start.wrapping_sub(offset).wrapping_add(segment.offset);
        file.wrapping_sub(segment.address)
    };
    match (kind, segment) {
        (ObjectKind::Executable, None) => Ok(0),
        (ObjectKind::Executable, Some(segment)) => {
            if kernel.is_none() && start > 0 && start < KERNEL {
                return Ok(shifted(segment));
            }
            if let Some(base) = kernel_base(segment, kernel, mapped) {
                return Ok(base);
            }
            match start == 0 && kernel.is_none() {
                true => Ok(start.wrapping_sub(segment.address)),
                false => Err(BaseError::Kernel),
            }
        }
        (ObjectKind::Relocatable, _) => match offset {
            0 => Ok(start),
            _ => Err(BaseError::ObjectOffset),
        },
        (ObjectKind::Dynamic, None) => Ok(start.wrapping_sub(offset)),
        (ObjectKind::Dynamic, Some(segment)) => {
            Ok(kernel_base(segment, kernel, mapped).unwrap_or_else(|| shifted(segment)))
        }
        _ => Err(BaseError::Kind),
    }
}

/// Kernels are mapped by the address of a symbol, at 0, or wherever the machine put them.
fn kernel_base(segment: Segment, symbol: Option<u64>, mapped: Mapped) -> Option<u64> {
    let Mapped {
        start,
        limit,
        offset,
    } = mapped;
    if segment.address == start.wrapping_sub(offset) {
        return Some(offset);
    }
    let by_symbol = symbol.map(|symbol| start.wrapping_sub(symbol));
    if start == 0 && limit != 0 && by_symbol.is_some() {
        return by_symbol;
    }
    let same_page_offset = symbol.is_some_and(|symbol| symbol % PAGE == start % PAGE);
    let known_offset = offset == 0 || offset == POWERPC_KERNEL || offset == start;
    if start >= KERNEL && limit > start && known_offset {
        return match same_page_offset {
            true => by_symbol,
            false => Some(start.wrapping_sub(segment.address)),
        };
    }
    match start % PAGE != 0 && same_page_offset {
        true => by_symbol,
        false => None,
    }
}

/// The address of `_stext`, looked for where a mapping does not begin and end with a page: no
/// program is mapped like that.
fn kernel_symbol(elf: &Elf<'_>, mapped: Mapped) -> Option<u64> {
    let whole = |address: u64| address.is_multiple_of(PAGE);
    if whole(mapped.start) && whole(mapped.limit) && whole(mapped.offset) {
        return None;
    }
    let mut symbols = elf.file.symbols();
    let found = symbols.find(|symbol| symbol.name_bytes() == Ok(b"_stext"));
    found.map(|symbol| symbol.address())
}

fn text_segment(elf: &Elf<'_>) -> Option<Segment> {
    let text = elf.file.section_by_name(".text")?.address();
    let holds = |s: &&Segment| s.executable && text.wrapping_sub(s.address) < s.memory_size;
    elf.segments.iter().find(holds).copied()
}

/// The segment that a mapping shows; `None` for a file that has none at all.
fn mapped_segment(
    segments: &[Segment],
    mapped: Mapped,
    address: u64,
) -> Result<Option<Segment>, BaseError> {
    if segments.is_empty() {
        return Ok(None);
    }
    let size = mapped.limit - mapped.start;
    let found: Vec<Segment> = segments
        .iter()
        .copied()
        .filter(|segment| overlaps(*segment, mapped.offset, size))
        .collect();
    if let [only] = found.as_slice() {
        return Ok(Some(*only));
    }
    let at = (address - mapped.start).wrapping_add(mapped.offset);
    let mut holding = found
        .iter()
        .filter(|s| at >= s.offset && at - s.offset < s.memory_size);
    match (holding.next(), holding.next()) {
        (Some(only), None) => Ok(Some(*only)),
        (Some(_), Some(_)) => Err(BaseError::SeveralSegments),
        (None, _) => Err(BaseError::NoSegment),
    }
}

/// True if a mapping of `size` bytes at `offset` of the file may show the segment.
fn overlaps(segment: Segment, offset: u64, size: u64) -> bool {
    if segment.file_size == 0 {
        return false;
    }
    let segment_end = segment.offset.saturating_add(segment.memory_size);
    let end = offset.saturating_add(size);
    if offset >= segment_end || segment.offset >= end {
        return false;
    }
    // Mapped before the segment's first page: this shows another segment.
    let before = segment.address % PAGE;
    if offset < segment.offset.saturating_sub(before) {
        return false;
    }
    // Begins within the segment's last page and goes on behind it: another one, too.
    let from_its_end = offset > segment.offset && segment_end < offset.saturating_add(PAGE);
    !(from_its_end && end >= segment_end.saturating_add(PAGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(offset: u64, address: u64, size: u64) -> Segment {
        Segment {
            offset,
            address,
            file_size: size,
            memory_size: size,
            align: PAGE,
            executable: true,
        }
    }

    fn mapped(start: u64, limit: u64, offset: u64) -> Mapped {
        Mapped {
            start,
            limit,
            offset,
        }
    }

    #[test]
    fn a_program_at_its_own_address_has_no_base() {
        let text = segment(0x1000, 0x401000, 0x5000);
        let at = mapped(0x401000, 0x406000, 0x1000);
        assert_eq!(base_of(ObjectKind::Executable, Some(text), None, at), Ok(0));
    }

    #[test]
    fn a_program_that_may_run_anywhere_is_shifted() {
        let text = segment(0x1000, 0x2000, 0x5000);
        let at = mapped(0x5555_5555_6000, 0x5555_5555_b000, 0x1000);
        let found = base_of(ObjectKind::Dynamic, Some(text), None, at);
        assert_eq!(found, Ok(0x5555_5555_6000 - 0x2000));
        let whole = mapped(0x7f00_0000_0000, 0x7f00_0001_0000, 0);
        let found = base_of(ObjectKind::Dynamic, None, None, whole);
        assert_eq!(found, Ok(0x7f00_0000_0000));
    }

    #[test]
    fn kernels_are_found_by_symbol_and_by_segment() {
        let text = segment(0x20_0000, 0xffff_ffff_8020_0000, 0x100_0000);
        let exec = ObjectKind::Executable;
        let aslr = mapped(0xffff_ffff_8320_0000, 0xffff_ffff_8420_0000, 0);
        assert_eq!(base_of(exec, Some(text), None, aslr), Ok(0x300_0000));
        let symbol = Some(0xffff_ffff_8020_0198);
        let by_symbol = mapped(0xffff_ffff_8320_0198, 0xffff_ffff_8420_0000, 0);
        assert_eq!(base_of(exec, Some(text), symbol, by_symbol), Ok(0x300_0000));
        let odd = mapped(0xffff_ffff_8320_0000, 0xffff_ffff_8420_0000, 0x1234);
        let found = base_of(exec, Some(text), None, odd);
        assert_eq!(found, Err(BaseError::Kernel));
    }

    #[test]
    fn the_segment_is_the_one_that_was_mapped() {
        let data = segment(0, 0x40_0000, 0x800);
        let text = segment(0x800, 0x40_1800, 0x3000);
        // Both lie in the file's first page; the address decides.
        let at = mapped(0x40_1000, 0x40_5000, 0);
        let found = mapped_segment(&[data, text], at, 0x40_1000 + 0x900);
        assert_eq!(found, Ok(Some(text)));
        let found = mapped_segment(&[data, text], at, 0x40_1000 + 0x100);
        assert_eq!(found, Ok(Some(data)));
        let beyond = mapped(0x50_0000, 0x50_1000, 0x9000);
        let found = mapped_segment(&[data, text], beyond, 0x50_0010);
        assert_eq!(found, Err(BaseError::NoSegment));
        assert_eq!(mapped_segment(&[], beyond, 0x50_0010), Ok(None));
    }

    #[test]
    fn sums_at_the_end_of_the_address_space_do_not_overflow() {
        let text = segment(u64::MAX - 4, u64::MAX - 4, u64::MAX);
        let at = mapped(u64::MAX - 8192, u64::MAX, u64::MAX - 8);
        let _ = mapped_segment(&[text, text], at, u64::MAX - 5);
        let _ = base_of(ObjectKind::Dynamic, Some(text), Some(3), at);
    }
}
