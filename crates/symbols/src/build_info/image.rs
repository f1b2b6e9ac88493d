//! An ELF file as the loader sees it: bytes by their virtual address.

use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, ReadRef};

use super::BuildInfoError;

/// Section that holds the build info.
const SECTION: &[u8] = b".go.buildinfo";
/// Section that compilers write their names into.
const COMMENT: &[u8] = b".comment";
/// A name for each compiler that took part: a few hundred bytes.
const COMMENT_MAX: u64 = 1 << 16;
/// What the plain header fields can count; files with more are not programs.
const HEADERS_MAX: u32 = 0xffff;
/// Section names of a large program are a few KB.
const NAMES_MAX: u64 = 1 << 20;

/// Loadable parts of an executable.
#[derive(Debug)]
pub(crate) struct Image<R> {
    data: R,
    loads: Vec<Load>,
    section: Option<(u64, u64)>,
    /// Offset and size.
    comment: Option<(u64, u64)>,
}

#[derive(Debug)]
struct Load {
    address: u64,
    offset: u64,
    /// Bytes in the file; what lies beyond is zero at run time.
    size: u64,
    writable_data: bool,
}

impl<'data, R: ReadRef<'data>> Image<R> {
    pub(crate) fn parse(data: R) -> Result<Self, BuildInfoError> {
        let ident = data.read_bytes_at(0, 5).unwrap_or_default();
        if !ident.starts_with(&elf::ELFMAG) {
            return Err(BuildInfoError::NotElf);
        }
        match elf::FileClass(ident[4]) {
            elf::ELFCLASS32 => Self::of::<FileHeader32<Endianness>>(data),
            elf::ELFCLASS64 => Self::of::<FileHeader64<Endianness>>(data),
            _ => Err(BuildInfoError::Damaged("neither of 32 nor of 64 bits")),
        }
    }

    fn of<H: FileHeader<Endian = Endianness>>(data: R) -> Result<Self, BuildInfoError> {
        let header = H::parse(data).map_err(|_| BuildInfoError::Damaged("file header"))?;
        let endian = header
            .endian()
            .map_err(|_| BuildInfoError::Damaged("byte order"))?;
        let count = header
            .phnum(endian, data)
            .map_err(|_| BuildInfoError::Damaged("number of segments"))?;
        if count > HEADERS_MAX {
            return Err(BuildInfoError::Damaged("more segments than a program has"));
        }
        let segments = header
            .program_headers(endian, data)
            .map_err(|_| BuildInfoError::Damaged("segment headers"))?;
        let loads = segments
            .iter()
            .filter(|segment| segment.p_type(endian) == elf::PT_LOAD)
            .map(|segment| Load {
                address: segment.p_vaddr(endian).into(),
                offset: segment.p_offset(endian).into(),
                size: segment.p_filesz(endian).into(),
                writable_data: segment.p_flags(endian).0 & (elf::PF_X.0 | elf::PF_W.0)
                    == elf::PF_W.0,
            })
            .collect();
        Ok(Self {
            data,
            loads,
            // Section headers are no part of what runs: damaged or absent, the segment is searched.
            section: section::<H, R>(header, endian, data, SECTION)
                .map(|found| (found.sh_addr(endian).into(), found.sh_size(endian).into())),
            comment: section::<H, R>(header, endian, data, COMMENT)
                .map(|found| (found.sh_offset(endian).into(), found.sh_size(endian).into())),
        })
    }

    /// Address and size of the part that should hold the build info.
    pub(super) fn build_info_range(&self) -> Option<(u64, u64)> {
        self.section.or_else(|| {
            let data = self.loads.iter().find(|load| load.writable_data)?;
            Some((data.address, data.size))
        })
    }

    /// What compilers wrote about themselves; it is no part of what is loaded.
    pub(crate) fn comment(&self) -> Option<&'data [u8]> {
        let (offset, size) = self.comment?;
        self.data.read_bytes_at(offset, size.min(COMMENT_MAX)).ok()
    }

    /// Address and size of every part that is loaded from the file.
    pub(crate) fn loaded(&self) -> impl Iterator<Item = (u64, u64)> {
        self.loads.iter().map(|load| (load.address, load.size))
    }

    /// Bytes from an address, fewer than asked for where the segment ends.
    pub(crate) fn up_to(&self, address: u64, size: u64) -> Option<&'data [u8]> {
        let inside = |load: &&Load| {
            let within = address.checked_sub(load.address);
            within.is_some_and(|within| within < load.size)
        };
        let load = self.loads.iter().find(inside)?;
        let within = address - load.address;
        let offset = load.offset.checked_add(within)?;
        let in_file = self.data.len().ok()?.checked_sub(offset)?;
        let size = size.min(load.size - within).min(in_file);
        self.data.read_bytes_at(offset, size).ok()
    }

    /// Exactly so many bytes from an address.
    pub(super) fn exactly(&self, address: u64, size: u64) -> Option<&'data [u8]> {
        if size == 0 {
            return Some(&[]);
        }
        let bytes = self.up_to(address, size)?;
        (bytes.len() as u64 == size).then_some(bytes)
    }
}

fn section<'data, H, R>(
    header: &H,
    endian: Endianness,
    data: R,
    wanted: &[u8],
) -> Option<&'data H::SectionHeader>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    if header.shnum(endian, data).ok()? > HEADERS_MAX {
        return None;
    }
    let sections = header.section_headers(endian, data).ok()?;
    let names = sections.get(header.section_strings_index(endian, data).ok()?.0)?;
    let size: u64 = names.sh_size(endian).into();
    if size > NAMES_MAX {
        return None;
    }
    let names = data
        .read_bytes_at(names.sh_offset(endian).into(), size)
        .ok()?;
    let named = |section: &&H::SectionHeader| {
        let name = names.get(section.sh_name(endian) as usize..);
        name.is_some_and(|name| {
            name.strip_prefix(wanted)
                .is_some_and(|rest| rest.first() == Some(&0))
        })
    };
    sections.iter().find(named)
}
