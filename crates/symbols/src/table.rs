//! The symbol table: names of functions by address, where nothing better is known.

use object::{Object, ObjectSymbol, SymbolKind};

use crate::elf::Elf;

/// Functions, sorted by address.
#[derive(Debug)]
pub(crate) struct SymbolTable<'data> {
    symbols: Vec<Symbol<'data>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Symbol<'data> {
    address: u64,
    /// 0 for what was written in assembler without saying it.
    size: u64,
    name: &'data [u8],
}

impl<'data> SymbolTable<'data> {
    pub(crate) fn of(elf: &Elf<'data>) -> Self {
        let own = elf.file.symbols();
        // What the linker kept for the loader: all that a stripped library has.
        let dynamic = elf.file.dynamic_symbols();
        let is_code = |kind| matches!(kind, SymbolKind::Text | SymbolKind::Unknown);
        let symbols = own
            .chain(dynamic)
            .filter(|s| s.is_definition() && is_code(s.kind()));
        let mut symbols: Vec<Symbol<'data>> = symbols
            .filter_map(|symbol| {
                Some(Symbol {
                    address: symbol.address(),
                    size: symbol.size(),
                    name: symbol.name_bytes().ok().filter(|name| !name.is_empty())?,
                })
            })
            .collect();
        // Of several names for one place the one with a size comes last, which is taken.
        symbols.sort_by_key(|symbol| (symbol.address, symbol.size));
        SymbolTable { symbols }
    }

    /// The name of the function that holds `address`.
    pub(crate) fn name(&self, address: u64) -> Option<String> {
        let after = self.symbols.partition_point(|s| s.address <= address);
        let symbol = self.symbols.get(after.checked_sub(1)?)?;
        let is_inside = symbol.size == 0 || address - symbol.address < symbol.size;
        is_inside.then(|| String::from_utf8_lossy(symbol.name).into_owned())
    }
}
