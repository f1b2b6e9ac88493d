//! An ELF file by its headers: segments, sections, symbols, notes.
//!
//! What stands at an address, and who it belongs to, is found elsewhere.

use std::borrow::Cow;
use std::io::Read;

use object::read::elf::ElfFile;
use object::{
    CompressionFormat, Endianness, Object, ObjectKind, ObjectSection, ObjectSegment, ObjectSymbol,
    SegmentFlags, elf,
};

/// Longest that a compressed section may become. The debug sections of the largest programs that
/// people profile hold a few hundred megabytes each.
const SECTION_MAX: u64 = 1 << 30;

/// An ELF file of either width.
#[derive(Debug)]
pub(crate) struct Elf<'data> {
    pub(crate) data: &'data [u8],
    pub(crate) file: object::File<'data, &'data [u8]>,
    pub(crate) segments: Vec<Segment>,
}

/// A part that is mapped (`PT_LOAD`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) offset: u64,
    pub(crate) address: u64,
    pub(crate) file_size: u64,
    pub(crate) memory_size: u64,
    pub(crate) align: u64,
    pub(crate) executable: bool,
}

impl<'data> Elf<'data> {
    pub(crate) fn parse(data: &'data [u8]) -> Result<Self, &'static str> {
        if !data.starts_with(&elf::ELFMAG) {
            return Err("not an ELF file");
        }
        let file = match data.get(4).copied().map(elf::FileClass) {
            Some(elf::ELFCLASS32) => object::File::Elf32(parse::<elf::FileHeader32<_>>(data)?),
            Some(elf::ELFCLASS64) => object::File::Elf64(parse::<elf::FileHeader64<_>>(data)?),
            _ => return Err("an ELF file neither of 32 nor of 64 bits"),
        };
        let segments = file.segments().map(|segment| {
            let (offset, file_size) = segment.file_range();
            let executable = match segment.flags() {
                SegmentFlags::Elf { p_flags, .. } => p_flags.0 & elf::PF_X.0 != 0,
                _ => false,
            };
            Segment {
                offset,
                address: segment.address(),
                file_size,
                memory_size: segment.size(),
                align: segment.align(),
                executable,
            }
        });
        let segments = segments.collect();
        Ok(Elf {
            data,
            file,
            segments,
        })
    }

    /// Where it may run at any address: a shared object or a position-independent program.
    pub(crate) fn kind(&self) -> ObjectKind {
        self.file.kind()
    }

    pub(crate) fn is_little(&self) -> bool {
        self.file.is_little_endian()
    }

    /// Bytes of a pointer.
    pub(crate) fn pointer(&self) -> u8 {
        if self.file.is_64() { 8 } else { 4 }
    }

    /// The address of the first symbol of this name.
    pub(crate) fn symbol_address(&self, name: &[u8]) -> Option<u64> {
        let mut symbols = self.file.symbols();
        let found = symbols.find(|symbol| symbol.name_bytes() == Ok(name))?;
        Some(found.address())
    }

    pub(crate) fn has_section(&self, name: &str) -> bool {
        self.file.section_by_name(name).is_some()
    }

    /// Address and content of a section that is not compressed.
    pub(crate) fn section(&self, name: &str) -> Option<(u64, &'data [u8])> {
        let section = self.file.section_by_name(name)?;
        Some((section.address(), section.data().ok()?))
    }

    /// Content of a section, inflated if need be. Nothing for one that is absent, damaged or
    /// compressed in a way that is not read here (zstd).
    pub(crate) fn inflated(&self, name: &str) -> Option<Cow<'data, [u8]>> {
        let section = self.file.section_by_name(name)?;
        let packed = section.compressed_data().ok()?;
        match packed.format {
            CompressionFormat::None => Some(Cow::Borrowed(packed.data)),
            CompressionFormat::Zlib if packed.uncompressed_size <= SECTION_MAX => {
                let mut whole = Vec::new();
                let reader = flate2::read::ZlibDecoder::new(packed.data);
                let most = packed.uncompressed_size;
                reader.take(most).read_to_end(&mut whole).ok()?;
                (whole.len() as u64 == most).then_some(Cow::Owned(whole))
            }
            _ => None,
        }
    }

    /// Bytes at an address, as many as the file holds of those asked for.
    pub(crate) fn at(&self, address: u64, size: u64) -> Option<&'data [u8]> {
        let segment = self.segments.iter().find(|s| {
            let within = address.checked_sub(s.address);
            within.is_some_and(|within| within < s.file_size)
        })?;
        let within = address - segment.address;
        let begin = segment.offset.checked_add(within)?;
        let size = size.min(segment.file_size - within);
        let data = self.data;
        let end = begin.checked_add(size)?.min(data.len() as u64);
        data.get(usize::try_from(begin).ok()?..usize::try_from(end).ok()?)
    }
}

fn parse<'data, H: object::read::elf::FileHeader<Endian = Endianness>>(
    data: &'data [u8],
) -> Result<ElfFile<'data, H, &'data [u8]>, &'static str> {
    ElfFile::parse(data).map_err(|_| "damaged ELF headers")
}
