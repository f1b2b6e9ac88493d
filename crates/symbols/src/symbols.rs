//! Names, files and lines of the addresses of one program.

use std::sync::OnceLock;

use crate::base::{self, BaseError, Mapped};
use crate::build_id;
use crate::dwarf::Dwarf;
use crate::elf::Elf;
use crate::frame::Frame;
use crate::go::GoTable;
use crate::table::SymbolTable;

/// Why a file has no symbols to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SymbolsError {
    /// Something else, or cut short.
    #[error("{0}")]
    NotReadable(&'static str),
}

/// A program or library, as far as it says what its addresses are.
///
/// Where several sources know an address, the best one answers: for Go code the table of Go's
/// runtime, which stripping leaves and which knows inlined calls; then debug information; then the
/// symbol table. Each is read when it is first asked.
///
/// ```
/// # fn show(bytes: &[u8]) -> Option<()> {
/// use shakedown_symbols::{Mapped, Names, Symbols};
///
/// let symbols = Symbols::parse(bytes).ok()?;
/// let mapped = Mapped { start: 0x5555_0000_0000, limit: 0x5555_0010_0000, offset: 0 };
/// let address = symbols.place(mapped, 0x5555_0000_1234).ok()?;
/// for frame in symbols.frames(address) {
///     println!("{} {}:{}", frame.function(Names::Simple), frame.file, frame.line);
/// }
/// # None
/// # }
/// ```
#[derive(Debug)]
pub struct Symbols<'data> {
    elf: Elf<'data>,
    go: OnceLock<Option<GoTable<'data>>>,
    dwarf: OnceLock<Option<Dwarf>>,
    table: OnceLock<SymbolTable<'data>>,
}

impl<'data> Symbols<'data> {
    /// Reads the headers of an ELF file.
    ///
    /// # Errors
    /// [`SymbolsError`] for what is none.
    pub fn parse(data: &'data [u8]) -> Result<Self, SymbolsError> {
        Ok(Symbols {
            elf: Elf::parse(data).map_err(SymbolsError::NotReadable)?,
            go: OnceLock::new(),
            dwarf: OnceLock::new(),
            table: OnceLock::new(),
        })
    }

    /// The linker's GNU build id, in hexadecimal: what profiles name.
    #[must_use]
    pub fn build_id(&self) -> Option<String> {
        build_id::gnu(&self.elf)
    }

    /// Go's own build id, as `go tool buildid` prints it.
    #[must_use]
    pub fn go_build_id(&self) -> Option<String> {
        build_id::go(&self.elf)
    }

    /// The address in the file of an address in a process that had mapped it.
    ///
    /// # Errors
    /// [`BaseError`] if the mapping does not fit the file.
    pub fn place(&self, mapped: Mapped, address: u64) -> Result<u64, BaseError> {
        Ok(address.wrapping_sub(base::base(&self.elf, mapped, address)?))
    }

    /// Frames of the instruction at an address of the file, the innermost first: more than one
    /// where calls were inlined, none where nothing is known.
    ///
    /// A return address belongs to the next instruction: take one off before asking.
    #[must_use]
    pub fn frames(&self, address: u64) -> Vec<Frame> {
        let go = self.go().map(|go| go.frames(&self.elf, address));
        if let Some(frames) = go.filter(|frames| !frames.is_empty()) {
            return frames;
        }
        let dwarf = self.dwarf.get_or_init(|| Dwarf::of(&self.elf));
        let mut frames = dwarf
            .as_ref()
            .map(|dwarf| dwarf.frames(address))
            .unwrap_or_default();
        let Some(name) = self.table().name(address) else {
            return frames;
        };
        match frames.last_mut() {
            // The linker knows clones (`run.cold`) and what assembler calls itself.
            Some(outermost) => outermost.system_name = name,
            None => frames.push(Frame {
                system_name: name,
                ..Frame::default()
            }),
        }
        frames
    }

    /// The function at an address of the file, by name alone: what [`Symbols::frames`] costs
    /// with large debug information is not spent.
    #[must_use]
    pub fn name(&self, address: u64) -> Option<String> {
        let name = self.table().name(address);
        name.or_else(|| Some(self.go()?.frames(&self.elf, address).pop()?.system_name))
    }

    /// True for a program with the table of Go's runtime.
    #[must_use]
    pub fn is_go(&self) -> bool {
        self.go().is_some()
    }

    fn go(&self) -> Option<&GoTable<'data>> {
        self.go.get_or_init(|| GoTable::find(&self.elf)).as_ref()
    }

    fn table(&self) -> &SymbolTable<'data> {
        self.table.get_or_init(|| SymbolTable::of(&self.elf))
    }
}
