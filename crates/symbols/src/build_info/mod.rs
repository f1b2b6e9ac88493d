//! Go build info: what `go version -m` prints, read from an ELF executable.
//!
//! The linker leaves a blob that begins with [`MAGIC`]: in a section of its own, or, where the
//! section headers are gone, somewhere in the first writable segment. Since Go 1.18 version and
//! module text follow inline; before, the blob points to them. The layout is that of the standard
//! library's `debug/buildinfo`. Stripping (`-s -w`, `strip`) removes neither.
//!
//! Only ELF is read: the program runs on Linux.

mod image;
mod text;

use std::io::{Read, Seek};

use object::{ReadCache, ReadRef};

pub(crate) use image::Image;

/// What the blob begins with.
const MAGIC: &[u8] = b"\xff Go buildinf:";
/// The blob is aligned to this, and so is the search for it.
const ALIGN: u64 = 16;
/// Length of the blob's fixed part.
const HEADER: u64 = 32;
/// The linker puts the blob near the beginning of its segment; the reference searches all of it.
const SEARCH_MAX: u64 = 16 << 20;
/// Text of a large program with a thousand modules is about 100 KB.
const TEXT_MAX: u64 = 4 << 20;
/// Frame of random bytes on either side of the module text
/// (`infoStart` and `infoEnd` of `cmd/go/internal/modload`).
const FRAME: usize = 16;

/// What a Go executable says of its build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoBuild {
    /// Version of the toolchain, such as `go1.26.8`.
    pub go: String,
    /// Import path of the main package; nothing for a build without modules.
    pub package: Option<String>,
    /// Main module.
    pub main: Option<GoModule>,
    /// Modules linked in.
    pub deps: Vec<GoModule>,
    /// Build settings such as `vcs.revision`, in their order.
    pub settings: Vec<(String, String)>,
}

/// A module as it was required, and what took its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoModule {
    /// Import path.
    pub path: String,
    /// Version; `(devel)` for a main module that is not known to version control.
    pub version: String,
    /// Checksum, empty if there is none.
    pub sum: String,
    /// Module that was linked in its place (`replace` in go.mod).
    pub replaced_by: Option<Box<GoModule>>,
}

impl GoBuild {
    /// The value of a build setting.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&str> {
        let found = self.settings.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }
}

/// Why nothing can be said about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BuildInfoError {
    /// Not an ELF file at all.
    #[error("not an ELF executable")]
    NotElf,
    /// The headers or the build info contradict themselves, or are beyond their bounds.
    #[error("damaged executable: {0}")]
    Damaged(&'static str),
}

/// Reads the build info of an executable; nothing if it is not Go's.
///
/// # Errors
/// The bytes are not ELF, or are damaged.
pub fn build_info(bytes: &[u8]) -> Result<Option<GoBuild>, BuildInfoError> {
    read(bytes)
}

/// The same over a reader, of which only the headers and the info are read.
///
/// # Errors
/// The content is not ELF or is damaged; a failed read counts as damage.
pub fn build_info_from(reader: impl Read + Seek) -> Result<Option<GoBuild>, BuildInfoError> {
    read(&ReadCache::new(reader))
}

fn read<'data>(data: impl ReadRef<'data>) -> Result<Option<GoBuild>, BuildInfoError> {
    let image = Image::parse(data)?;
    let Some(blob) = find(&image) else {
        return Ok(None);
    };
    let (go, modules) = strings(&image, blob)?;
    if go.is_empty() {
        return Ok(None);
    }
    let framed = modules.len() > 2 * FRAME && modules[modules.len() - FRAME - 1] == b'\n';
    let text = if framed {
        &modules[FRAME..modules.len() - FRAME]
    } else {
        &[]
    };
    let mut build = text::parse(&String::from_utf8_lossy(text));
    build.go = String::from_utf8_lossy(go).into_owned();
    Ok(Some(build))
}

/// Address of the blob.
fn find<'data>(image: &Image<impl ReadRef<'data>>) -> Option<u64> {
    let (start, size) = image.build_info_range()?;
    let end = start.checked_add(size.min(SEARCH_MAX))?;
    let start = start.checked_next_multiple_of(ALIGN)?;
    let bytes = image.up_to(start, end.checked_sub(start)?)?;
    let mut hits = memchr::memmem::find_iter(bytes, MAGIC).map(|at| at as u64);
    hits.find(|at| at % ALIGN == 0).map(|at| start + at)
}

/// Version and framed module text.
fn strings<'data>(
    image: &Image<impl ReadRef<'data>>,
    blob: u64,
) -> Result<(&'data [u8], &'data [u8]), BuildInfoError> {
    let cut = BuildInfoError::Damaged("the Go build info is cut short");
    let header = image.exactly(blob, HEADER).ok_or(cut)?;
    let (pointer_size, flags) = (header[MAGIC.len()], header[MAGIC.len() + 1]);
    let inline = flags & 2 != 0;
    if inline {
        let at = blob.checked_add(HEADER).ok_or(cut)?;
        let (go, at) = inline_string(image, at).ok_or(cut)?;
        let (modules, _) = inline_string(image, at).ok_or(cut)?;
        return Ok((go, modules));
    }
    let size = match pointer_size {
        4 => 4,
        8 => 8,
        _ => return Err(BuildInfoError::Damaged("pointers of an unknown size")),
    };
    let pointers = Pointers {
        size,
        big_endian: flags & 1 != 0,
    };
    let at = MAGIC.len() + 2;
    let go = pointers.string(image, &header[at..]).ok_or(cut)?;
    // A build without modules points nowhere.
    let modules = pointers.string(image, &header[at + size..]);
    Ok((go, modules.unwrap_or_default()))
}

/// A string behind its varint length, and the address after it.
fn inline_string<'data>(image: &Image<impl ReadRef<'data>>, at: u64) -> Option<(&'data [u8], u64)> {
    /// A varint of 64 bits.
    const VARINT_MAX: u64 = 10;
    let mut length = 0_u64;
    for (position, byte) in image.up_to(at, VARINT_MAX)?.iter().enumerate() {
        let shift = 7 * u32::try_from(position).ok()?;
        length |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            let begin = at.checked_add(position as u64 + 1)?;
            let end = begin.checked_add(length)?;
            let bytes = image.exactly(begin, length.min(TEXT_MAX + 1))?;
            return (length <= TEXT_MAX).then_some((bytes, end));
        }
    }
    None
}

/// How the blob of Go before 1.18 writes pointers.
#[derive(Clone, Copy)]
struct Pointers {
    size: usize,
    big_endian: bool,
}

impl Pointers {
    /// The Go string whose header the first pointer in `bytes` points to.
    fn string<'data>(
        self,
        image: &Image<impl ReadRef<'data>>,
        bytes: &[u8],
    ) -> Option<&'data [u8]> {
        let header = image.exactly(self.read(bytes)?, 2 * self.size as u64)?;
        let (data, length) = (self.read(header)?, self.read(&header[self.size..])?);
        if length > TEXT_MAX {
            return None;
        }
        image.exactly(data, length)
    }

    fn read(self, bytes: &[u8]) -> Option<u64> {
        let bytes = bytes.get(..self.size)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.big_endian {
            bytes.iter().fold(0, add)
        } else {
            bytes.iter().rev().fold(0, add)
        })
    }
}
