//! The executable and the libraries that are loaded: where, from which file, with which build id,
//! and how to unwind through them.
//!
//! Read from memory, not from the files: those may have been replaced since, and the vdso has none.
#![expect(
    unsafe_code,
    reason = "reads the headers of loaded modules, under the loader's lock"
)]

use std::ffi::CStr;
use std::ops::{Deref, Range};
use std::path::PathBuf;
use std::sync::Arc;

/// Modules of a process; ordinary services have fewer than 20.
const MODULES_MAX: usize = 4096;
const PAGE: u64 = 4096;

/// A part of a loaded file that the loader never changes.
#[derive(Debug, Clone)]
pub(crate) enum Bytes {
    /// Of the main program, which stays.
    Static(&'static [u8]),
    /// Of a library, which may be unloaded.
    Copied(Arc<[u8]>),
}

impl Default for Bytes {
    fn default() -> Self {
        Bytes::Static(&[])
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Static(bytes) => bytes,
            Bytes::Copied(bytes) => bytes,
        }
    }
}

/// Where the unwind tables of a module lie, and what they say.
#[derive(Debug, Clone)]
pub(crate) struct UnwindTables {
    pub(crate) header_at: u64,
    pub(crate) header: Bytes,
    pub(crate) frames_at: u64,
    pub(crate) frames: Bytes,
}

/// A loaded file.
#[derive(Debug, Clone)]
pub(crate) struct Module {
    /// As a person reads it; `[vdso]` for the kernel's.
    pub(crate) name: String,
    /// What to open for names and lines; none for the vdso.
    pub(crate) file: Option<PathBuf>,
    /// What is added to an address of the file.
    pub(crate) bias: u64,
    /// The executable part, in whole pages.
    pub(crate) code: Range<u64>,
    /// Where `code` begins in the file.
    pub(crate) offset: u64,
    /// In hex; empty where the linker wrote none.
    pub(crate) build_id: String,
    pub(crate) unwind: Option<UnwindTables>,
}

/// Every module that has code, by address.
pub(crate) fn loaded() -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    // SAFETY: the callback gets back the pointer to `modules`, which outlives the call.
    unsafe {
        libc::dl_iterate_phdr(Some(visit), (&raw mut modules).cast());
    }
    modules.sort_by_key(|module| module.code.start);
    modules
}

/// How many modules were loaded and unloaded since the start, where the loader counts: changes when
/// [`loaded`] would answer something else.
pub(crate) fn generation() -> u64 {
    unsafe extern "C" fn first(
        info: *mut libc::dl_phdr_info,
        _size: libc::size_t,
        counts: *mut libc::c_void,
    ) -> libc::c_int {
        // SAFETY: both pointers are of this call.
        unsafe {
            *counts.cast::<u64>() = (*info).dlpi_adds.wrapping_add((*info).dlpi_subs << 32);
        }
        1
    }
    let mut counts = 0_u64;
    // SAFETY: the callback gets back the pointer to `counts`, which outlives the call.
    unsafe {
        libc::dl_iterate_phdr(Some(first), (&raw mut counts).cast());
    }
    counts
}

/// The loader holds its lock during the call, so the module stays while it is read.
unsafe extern "C" fn visit(
    info: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    modules: *mut libc::c_void,
) -> libc::c_int {
    // SAFETY: `loaded` passes a vector, and the loader a module with its program headers.
    unsafe {
        let modules = &mut *modules.cast::<Vec<Module>>();
        if modules.len() >= MODULES_MAX {
            return 1;
        }
        let info = &*info;
        if info.dlpi_phdr.is_null() {
            return 0;
        }
        let headers = std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum));
        let name = if info.dlpi_name.is_null() {
            String::new()
        } else {
            CStr::from_ptr(info.dlpi_name)
                .to_string_lossy()
                .into_owned()
        };
        // The program itself comes first, with a name that differs from libc to libc.
        let is_main = modules.is_empty();
        modules.extend(read(&name, is_main, info.dlpi_addr, headers));
    }
    0
}

/// # Safety
/// `headers` are of a module that is loaded at `bias` and stays during the call.
unsafe fn read(
    name: &str,
    is_main: bool,
    bias: u64,
    headers: &[libc::Elf64_Phdr],
) -> Option<Module> {
    let at = |header: &libc::Elf64_Phdr| bias.wrapping_add(header.p_vaddr);
    let executable = |header: &&libc::Elf64_Phdr| {
        header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_X != 0
    };
    let first = headers.iter().find(executable)?;
    let start = at(first) & !(PAGE - 1);
    let end = headers
        .iter()
        .filter(executable)
        .map(|header| at(header).saturating_add(header.p_memsz))
        .max()?
        .next_multiple_of(PAGE);
    let (name, file) = name_and_file(name, is_main);
    // SAFETY: the caller's promise.
    let (build_id, unwind) = unsafe {
        let build_id = headers
            .iter()
            .filter(|header| header.p_type == libc::PT_NOTE)
            .find_map(|header| build_id(bytes_of(at(header), header.p_memsz)));
        (build_id, unwind_tables(bias, headers, is_main))
    };
    Some(Module {
        name,
        file,
        bias,
        code: start..end,
        offset: first.p_offset & !(PAGE - 1),
        build_id: build_id.unwrap_or_default(),
        unwind,
    })
}

fn name_and_file(name: &str, is_main: bool) -> (String, Option<PathBuf>) {
    if is_main {
        // The link still opens the running program after its file was replaced.
        let link = PathBuf::from("/proc/self/exe");
        let target = std::fs::read_link(&link).unwrap_or_default();
        let target = target.to_string_lossy();
        let shown = target.strip_suffix(" (deleted)").unwrap_or(&target);
        (shown.to_owned(), Some(link))
    } else if name.starts_with("linux-vdso") || name.starts_with("linux-gate") {
        ("[vdso]".to_owned(), None)
    } else {
        (name.to_owned(), Some(PathBuf::from(name)))
    }
}

/// # Safety
/// `length` bytes at `at` are loaded and stay during the call.
unsafe fn bytes_of<'a>(at: u64, length: u64) -> &'a [u8] {
    let (Ok(at), Ok(length)) = (usize::try_from(at), usize::try_from(length)) else {
        return &[];
    };
    if at == 0 || length == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(at as *const u8, length) }
}

/// The build id in a note segment, in hex.
fn build_id(mut notes: &[u8]) -> Option<String> {
    const GNU_BUILD_ID: u32 = 3;
    while notes.len() >= 12 {
        let (name_length, length) = (word(notes, 0)? as usize, word(notes, 4)? as usize);
        let kind = word(notes, 8)?;
        let name_end = 12_usize.checked_add(name_length)?;
        let start = name_end.checked_next_multiple_of(4)?;
        let end = start.checked_add(length)?;
        let content = notes.get(start..end)?;
        if kind == GNU_BUILD_ID && notes.get(12..name_end) == Some(b"GNU\0") {
            return Some(content.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        notes = notes.get(end.checked_next_multiple_of(4)?..)?;
    }
    None
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// `.eh_frame_hdr`, which the linker gives a program header, and `.eh_frame`, to which it points.
///
/// # Safety
/// As for [`read`].
unsafe fn unwind_tables(
    bias: u64,
    headers: &[libc::Elf64_Phdr],
    is_main: bool,
) -> Option<UnwindTables> {
    let header = headers
        .iter()
        .find(|header| header.p_type == libc::PT_GNU_EH_FRAME)?;
    let header_at = bias.wrapping_add(header.p_vaddr);
    // SAFETY: the caller's promise.
    let header = unsafe { bytes_of(header_at, header.p_memsz) };
    let frames_at = frames_address(header, header_at)?;
    let segment = headers.iter().find(|segment| {
        let start = bias.wrapping_add(segment.p_vaddr);
        segment.p_type == libc::PT_LOAD
            && (start..start.saturating_add(segment.p_memsz)).contains(&frames_at)
    })?;
    let end = bias.wrapping_add(segment.p_vaddr) + segment.p_memsz;
    // SAFETY: within a loaded segment.
    let rest = unsafe { bytes_of(frames_at, end - frames_at) };
    let frames = &rest[..frames_length(rest)];
    let keep = |bytes: &'static [u8]| {
        if is_main {
            Bytes::Static(bytes)
        } else {
            Bytes::Copied(bytes.into())
        }
    };
    Some(UnwindTables {
        header_at,
        header: keep(header),
        frames_at,
        frames: keep(frames),
    })
}

/// Where `.eh_frame` is, as `.eh_frame_hdr` says it: 4 bytes relative to themselves, which is what
/// every linker writes.
fn frames_address(header: &[u8], header_at: u64) -> Option<u64> {
    const VERSION: u8 = 1;
    const RELATIVE_SIGNED_4: u8 = 0x1b;
    if header.first() != Some(&VERSION) || header.get(1) != Some(&RELATIVE_SIGNED_4) {
        return None;
    }
    let distance = word(header, 4)?.cast_signed();
    Some(
        header_at
            .wrapping_add(4)
            .wrapping_add_signed(distance.into()),
    )
}

/// The length of `.eh_frame` with its end mark: entries begin with their length, the last is 0.
fn frames_length(rest: &[u8]) -> usize {
    const LONG: u32 = u32::MAX;
    let mut at = 0_usize;
    while let Some(length) = word(rest, at) {
        let next = at + 4 + length as usize;
        if length == LONG || next > rest.len() {
            return at;
        }
        at = next;
        if length == 0 {
            return at;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_program_is_found_with_its_tables() {
        let modules = loaded();
        let here = our_address();
        let ours = modules
            .iter()
            .find(|module| module.code.contains(&here))
            .expect("this code is loaded");
        assert_eq!(ours.file.as_deref(), Some("/proc/self/exe".as_ref()));
        let program = std::env::current_exe().expect("a path");
        assert_eq!(ours.name, program.to_string_lossy());
        let tables = ours.unwind.as_ref().expect("a Rust program has them");
        assert!(tables.frames.len() > 10_000, "{}", tables.frames.len());
        assert_eq!(tables.frames[tables.frames.len() - 4..], [0; 4]);
    }

    fn our_address() -> u64 {
        our_address as *const () as u64
    }

    #[test]
    fn notes_are_read_with_bounds() {
        let mut notes = Vec::new();
        notes.extend([4, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0]);
        notes.extend(*b"GNU\0ab\0\0");
        notes.extend([4, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0]);
        notes.extend(*b"GNU\0\x01\xab\xff\0");
        assert_eq!(build_id(&notes).as_deref(), Some("01abff"));
        for end in 0..notes.len() - 1 {
            assert_eq!(build_id(&notes[..end]), None, "{end}");
        }
        assert_eq!(build_id(&[0xff; 40]), None);
    }

    #[test]
    fn entries_end_at_their_mark_or_before_what_is_broken() {
        let entry = [4, 0, 0, 0, 9, 9, 9, 9];
        let whole = [entry.as_slice(), &[0; 4], &[1; 20]].concat();
        assert_eq!(frames_length(&whole), 12);
        assert_eq!(frames_length(&[4, 0, 0, 0, 9]), 0);
        assert_eq!(frames_length(&[entry.as_slice(), &[0xff; 8]].concat()), 8);
        assert_eq!(frames_length(&[]), 0);
    }
}
