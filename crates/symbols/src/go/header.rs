//! The head of the table, and the smaller tables that it points to.

use crate::elf::Elf;

/// A layout of the table, by its magic number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Layout {
    /// Go 1.16 and 1.17.
    Go116,
    /// Go 1.18 and 1.19: functions count from the beginning of the code.
    Go118,
    /// Go 1.20 and later: functions know the line they begin at.
    Go120,
}

impl Layout {
    const ALL: [(u32, Layout); 3] = [
        (0xffff_fffa, Layout::Go116),
        (0xffff_fff0, Layout::Go118),
        (0xffff_fff1, Layout::Go120),
    ];
}

/// Numbers as the program's machine writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) is_little: bool,
    /// Bytes of a pointer: 4 or 8.
    pub(super) pointer: usize,
}

impl Words {
    pub(super) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let word: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(match self.is_little {
            true => u32::from_le_bytes(word),
            false => u32::from_be_bytes(word),
        })
    }

    /// A number as wide as a pointer.
    pub(super) fn pointer(self, bytes: &[u8], at: usize) -> Option<u64> {
        if self.pointer == 4 {
            return self.u32(bytes, at).map(u64::from);
        }
        let word: [u8; 8] = bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
        Some(match self.is_little {
            true => u64::from_le_bytes(word),
            false => u64::from_be_bytes(word),
        })
    }
}

/// The head, read.
#[derive(Debug)]
pub(super) struct Header<'data> {
    pub(super) layout: Layout,
    pub(super) words: Words,
    /// Bytes that positions of instructions are counted in.
    pub(super) quantum: u64,
    pub(super) functions: usize,
    text_start: Option<u64>,
    /// Offset of the first of the smaller tables, as the head says it.
    pub(super) names_offset: u64,
    pub(super) names: &'data [u8],
    /// Of each compilation unit, where its files are named in `files`.
    pub(super) units: &'data [u8],
    pub(super) files: &'data [u8],
    /// Values by instruction.
    pub(super) values: &'data [u8],
    /// Entries of functions, and the functions.
    pub(super) table: &'data [u8],
}

impl<'data> Header<'data> {
    pub(super) fn read(bytes: &'data [u8]) -> Option<Self> {
        let fixed: [u8; 8] = bytes.get(..8)?.try_into().ok()?;
        let [
            m0,
            m1,
            m2,
            m3,
            0,
            0,
            quantum @ (1 | 2 | 4),
            pointer @ (4 | 8),
        ] = fixed
        else {
            return None;
        };
        let magic = [m0, m1, m2, m3];
        let layout_of = |magic| {
            let found = Layout::ALL.iter().find(|(number, _)| *number == magic);
            found.map(|(_, layout)| *layout)
        };
        let little = layout_of(u32::from_le_bytes(magic));
        let layout = little.or_else(|| layout_of(u32::from_be_bytes(magic)))?;
        let words = Words {
            is_little: little.is_some(),
            pointer: usize::from(pointer),
        };
        let word = |index: usize| words.pointer(bytes, 8 + index * words.pointer);
        let part = |index: usize| bytes.get(usize::try_from(word(index)?).ok()?..);
        // Go 1.18 put the address of the code between the counts and the offsets.
        let first = if layout == Layout::Go116 { 2 } else { 3 };
        let functions = usize::try_from(word(0)?).ok()?;
        let header = Header {
            layout,
            words,
            quantum: quantum.into(),
            functions,
            text_start: if first == 3 { word(2) } else { None },
            names_offset: word(first)?,
            names: part(first)?,
            units: part(first + 1)?,
            files: part(first + 2)?,
            values: part(first + 3)?,
            table: part(first + 4)?,
        };
        // The table of entries has one more: where the last function ends.
        let entries = functions.checked_mul(2)?.checked_add(1)?;
        let size = entries.checked_mul(header.entry_size())?;
        (functions > 0 && size <= header.table.len()).then_some(header)
    }

    /// The address of the code, where the layout says it and the linker wrote it.
    pub(super) fn text_start(&self) -> Option<u64> {
        self.text_start
    }

    /// Bytes of half an entry of the table of functions.
    pub(super) fn entry_size(&self) -> usize {
        match self.layout {
            Layout::Go116 => self.words.pointer,
            Layout::Go118 | Layout::Go120 => 4,
        }
    }
}

/// Looks for the head where no section names it.
pub(super) fn search<'data>(elf: &Elf<'data>) -> Option<(u64, Header<'data>)> {
    let quanta = [1, 2, 4];
    for segment in &elf.segments {
        let Some(bytes) = elf.at(segment.address, segment.file_size) else {
            continue;
        };
        for (magic, _) in Layout::ALL {
            let magic = match elf.is_little() {
                true => magic.to_le_bytes(),
                false => magic.to_be_bytes(),
            };
            for quantum in quanta {
                let mut pattern = magic.to_vec();
                pattern.extend([0, 0, quantum, elf.pointer()]);
                for at in memchr::memmem::find_iter(bytes, &pattern) {
                    if let Some(header) = bytes.get(at..).and_then(Header::read) {
                        return Some((segment.address.wrapping_add(at as u64), header));
                    }
                }
            }
        }
    }
    None
}

/// The text from `at` to the next zero byte.
pub(super) fn text(bytes: &[u8], at: u32) -> Option<&[u8]> {
    let bytes = bytes.get(at as usize..)?;
    bytes.get(..memchr::memchr(0, bytes)?)
}
