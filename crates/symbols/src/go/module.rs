//! The runtime's record of a program (`moduledata`): where its code begins, and the data that
//! functions point to.
//!
//! Its address is nowhere said once the symbol table is gone. But its first word points to the
//! head of the table, and its second to the first of the smaller tables, which no other two words
//! do. In a position-independent program both are relocations: the file may hold zeros.

use memchr::memmem;
use object::{Object, RelocationTarget};

use super::header::{Header, Layout, Words};
use crate::elf::Elf;

/// Words up to and with the last one that is read.
const WORDS: u64 = 41;
/// Where the address of the code is, in words.
const TEXT: u64 = 22;

/// What is needed of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Module {
    pub(super) text: u64,
    /// Nothing before Go 1.18, which has addresses where later versions count from here.
    pub(super) function_data: Option<u64>,
}

impl Module {
    /// Finds the record that points to the table at `table`.
    pub(super) fn find(elf: &Elf<'_>, table: u64, header: &Header<'_>) -> Option<Self> {
        let names = table.checked_add(header.names_offset)?;
        let read = |words: &dyn Fn(u64) -> Option<u64>| -> Option<Module> {
            let is_it = words(0)? == table && words(1)? == names;
            is_it.then(|| Self::read(words, header.layout)).flatten()
        };
        let stored = places(elf, table, header.words).find_map(|at| {
            let size = WORDS * header.words.pointer as u64;
            let bytes = elf.at(at, size)?;
            read(&|index| {
                let at = usize::try_from(index).ok()? * header.words.pointer;
                header.words.pointer(bytes, at)
            })
        });
        stored.or_else(|| {
            let relocated = Relocations::of(elf, table, header.words)?;
            relocated.places().find_map(|at| {
                read(&|index| relocated.at(at.checked_add(index * header.words.pointer as u64)?))
            })
        })
    }

    fn read(words: &dyn Fn(u64) -> Option<u64>, layout: Layout) -> Option<Self> {
        let function_data = match layout {
            Layout::Go116 => None,
            Layout::Go118 => Some(words(38)?),
            // Counters of coverage came before it.
            Layout::Go120 => Some(words(40)?),
        };
        Some(Module {
            text: words(TEXT)?,
            function_data,
        })
    }
}

/// Addresses of words that hold `value`.
fn places(elf: &Elf<'_>, value: u64, words: Words) -> impl Iterator<Item = u64> {
    let pattern = match (words.pointer, words.is_little) {
        (8, true) => value.to_le_bytes().to_vec(),
        (8, false) => value.to_be_bytes().to_vec(),
        (_, true) => value.to_le_bytes()[..4].to_vec(),
        (_, false) => value.to_be_bytes()[4..].to_vec(),
    };
    let finder = memmem::Finder::new(&pattern).into_owned();
    elf.segments.iter().flat_map(move |segment| {
        let bytes = elf.at(segment.address, segment.file_size);
        let found: Vec<u64> = finder
            .find_iter(bytes.unwrap_or_default())
            .map(|at| segment.address.wrapping_add(at as u64))
            .collect();
        found.into_iter()
    })
}

/// Words that the loader will write, around those with one value.
struct Relocations {
    found: Vec<u64>,
    near: Vec<(u64, u64)>,
}

impl Relocations {
    /// Places that may hold the pointer to the table; there is one.
    const PLACES_MAX: usize = 64;

    fn of(elf: &Elf<'_>, value: u64, words: Words) -> Option<Self> {
        let all = || {
            let relocations = elf.file.dynamic_relocations().into_iter().flatten();
            relocations.filter_map(|(at, relocation)| {
                // Without a symbol it is the distance from where the program begins.
                let is_base = matches!(relocation.target(), RelocationTarget::Absolute);
                is_base.then_some((at, relocation.addend().cast_unsigned()))
            })
        };
        let found: Vec<u64> = all()
            .filter(|(_, target)| *target == value)
            .map(|(at, _)| at)
            .take(Self::PLACES_MAX)
            .collect();
        let size = WORDS * words.pointer as u64;
        let is_near = |at: u64| found.iter().any(|first| at.wrapping_sub(*first) < size);
        let mut near: Vec<(u64, u64)> = all().filter(|(at, _)| is_near(*at)).collect();
        near.sort_unstable();
        (!found.is_empty()).then_some(Relocations { found, near })
    }

    fn places(&self) -> impl Iterator<Item = u64> {
        self.found.iter().copied()
    }

    fn at(&self, address: u64) -> Option<u64> {
        let index = self
            .near
            .binary_search_by_key(&address, |(at, _)| *at)
            .ok()?;
        self.near.get(index).map(|(_, value)| *value)
    }
}
