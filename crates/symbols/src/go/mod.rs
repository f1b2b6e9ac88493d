//! Names and lines of Go code: the table that Go's runtime itself reads for stack traces.
//!
//! It is in every Go program, stripped or not, since a panic could not be printed without it.
//! Calls that the compiler inlined come out as frames of their own, as `runtime.CallersFrames`
//! has them.
//!
//! Source: runtime/symtab.go, runtime/symtabinl.go and cmd/link/internal/ld/pcln.go of Go 1.16,
//! 1.18, 1.20 and 1.26; debug/gosym/pclntab.go.

mod function;
mod header;
mod module;
#[cfg(test)]
mod tests;

use crate::elf::Elf;
use crate::frame::Frame;
use function::{Function, InlineTree};
use header::Header;
use module::Module;

/// Deepest nesting of inlined calls that is followed; the compiler's budget ends far before.
const DEPTH_MAX: usize = 200;

/// The sections that hold the table, for fixed and for position-independent programs.
const SECTIONS: [&str; 2] = [".gopclntab", ".data.rel.ro.gopclntab"];

/// The table of one program.
#[derive(Debug)]
pub(crate) struct GoTable<'data> {
    header: Header<'data>,
    /// Address of the code that the table counts from; before Go 1.18 it has whole addresses.
    text: u64,
    /// Address that offsets of function data count from; before Go 1.18 they are addresses.
    function_data: Option<u64>,
}

impl<'data> GoTable<'data> {
    /// Finds the table; nothing for a program without Go code.
    pub(crate) fn find(elf: &Elf<'data>) -> Option<Self> {
        let named = SECTIONS.iter().find_map(|name| elf.section(name));
        let (address, header) = match named {
            Some((address, bytes)) => (address, Header::read(bytes)?),
            None => header::search(elf)?,
        };
        let module = Module::find(elf, address, &header);
        let text = match &module {
            Some(module) => module.text,
            None => text_start(elf, &header)?,
        };
        Some(GoTable {
            header,
            text,
            function_data: module.and_then(|module| module.function_data),
        })
    }

    /// Frames of the instruction at `address`, the innermost first; none where no Go code is.
    pub(crate) fn frames(&self, elf: &Elf<'data>, address: u64) -> Vec<Frame> {
        let Some(function) = self.function(address) else {
            return Vec::new();
        };
        let tree = self.inline_tree(elf, &function);
        let mut frames = Vec::new();
        let mut at = address;
        while frames.len() < DEPTH_MAX {
            let call = tree.as_ref().and_then(|tree| {
                let index = u32::try_from(function.inline_index(at)?).ok()?;
                tree.call(&self.header, index)
            });
            let (file, line) = function.file_line(at).unwrap_or_default();
            let (name, start_line) = match &call {
                Some(call) => (call.name, call.start_line),
                None => (function.name().unwrap_or_default(), function.start_line()),
            };
            frames.push(Frame {
                system_name: String::from_utf8_lossy(name).into_owned(),
                file: String::from_utf8_lossy(file).into_owned(),
                line,
                column: 0,
                start_line,
            });
            match call {
                Some(call) => at = function.entry.wrapping_add(call.parent),
                None => break,
            }
        }
        frames
    }

    fn function(&self, address: u64) -> Option<Function<'_, 'data>> {
        Function::at(&self.header, self.text, address)
    }

    /// Where the calls that were inlined into a function are told.
    fn inline_tree(
        &self,
        elf: &Elf<'data>,
        function: &Function<'_, 'data>,
    ) -> Option<InlineTree<'data>> {
        let address = function.inline_tree(self.function_data)?;
        let bytes = elf.at(address, InlineTree::BYTES_MAX)?;
        Some(InlineTree::new(bytes))
    }
}

/// Where the code begins, if the runtime's own record of it cannot be found.
fn text_start(elf: &Elf<'_>, header: &Header<'_>) -> Option<u64> {
    header
        .text_start()
        .filter(|start| *start != 0)
        .or_else(|| elf.symbol_address(b"runtime.text"))
        .or_else(|| Some(elf.section(".text")?.0))
}
