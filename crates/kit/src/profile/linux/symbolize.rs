//! Names and lines of code addresses.
//!
//! Files are opened when a name of theirs is first asked for, and closed with the answer: the
//! parsed debug information of a service is tens of megabytes. What was found is kept, for as many
//! addresses as a large service has on its stacks.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use addr2line::Loader;

use super::heap::Unseen;
use super::modules::{self, Module};
pub use crate::profile::contract::Frame;

/// Addresses whose frames are kept. A service has some thousands on all of its stacks.
const KEPT_MAX: usize = 64 * 1024;

static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);

/// The calls at each address, the innermost of inlined ones first; none where nothing is known.
///
/// An address is an instruction within the call: for a return address that is the one before.
/// The first call reads the debug information of every module that is asked about, which takes
/// tens of milliseconds; later ones for the same addresses take none. Do not call it from a signal
/// handler or an allocator.
///
/// ```
/// use shakedown_kit::profile::symbolize;
///
/// fn handler() {}
/// let frames = symbolize::resolve(&[handler as fn() as usize as u64]);
/// # #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
/// assert!(frames[0].iter().any(|frame| frame.function.ends_with("handler")));
/// ```
///
/// ```
/// use shakedown_kit::profile::symbolize;
///
/// fn here() {}
/// let frames = symbolize::resolve(&[here as fn() as usize as u64]);
/// assert_eq!(frames.len(), 1, "as many as were asked for");
/// ```
pub fn resolve(addresses: &[u64]) -> Vec<Vec<Frame>> {
    let _unseen = Unseen::begin();
    Symbolizer::new(&modules::loaded()).resolve(addresses)
}

/// Names addresses of the modules it was made with.
pub(crate) struct Symbolizer<'m> {
    modules: &'m [Module],
    /// By module; none where the file cannot be read.
    loaders: HashMap<usize, Option<Loader>>,
}

impl<'m> Symbolizer<'m> {
    pub(crate) fn new(modules: &'m [Module]) -> Self {
        Symbolizer {
            modules,
            loaders: HashMap::new(),
        }
    }

    pub(crate) fn resolve(&mut self, addresses: &[u64]) -> Vec<Vec<Frame>> {
        let generation = modules::generation();
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        addresses
            .iter()
            .map(|&address| {
                if let Some(known) = kept.get(generation, address) {
                    return known;
                }
                let frames = self.look_up(address);
                kept.put(address, &frames);
                frames
            })
            .collect()
    }

    /// The place of the module whose code is at `address`.
    pub(crate) fn module_at(&self, address: u64) -> Option<usize> {
        module_at(self.modules, address)
    }

    fn look_up(&mut self, address: u64) -> Vec<Frame> {
        let Some(index) = self.module_at(address) else {
            return Vec::new();
        };
        let module = &self.modules[index];
        let Some(file) = &module.file else {
            // The vdso has no file; its name says what there is to know.
            return vec![Frame {
                function: module.name.clone(),
                ..Frame::default()
            }];
        };
        let loader = self
            .loaders
            .entry(index)
            .or_insert_with(|| Loader::new(file).ok());
        let Some(loader) = loader else {
            return Vec::new();
        };
        let probe = address.wrapping_sub(module.bias);
        let mut frames = from_debug_information(loader, probe);
        // Debug information for lines alone, as `debug = "line-tables-only"` makes it, has names
        // without their path. The symbol table has the whole, but knows nothing of inlined calls.
        if let Some(symbol) = loader.find_symbol(probe) {
            match frames.last_mut() {
                Some(outermost) => outermost.function = demangle(symbol),
                None => frames.push(Frame {
                    function: demangle(symbol),
                    ..Frame::default()
                }),
            }
        }
        frames.retain(|frame| !frame.function.is_empty());
        frames
    }
}

fn module_at(modules: &[Module], address: u64) -> Option<usize> {
    modules
        .iter()
        .position(|module| module.code.contains(&address))
}

fn from_debug_information(loader: &Loader, probe: u64) -> Vec<Frame> {
    let mut found = Vec::new();
    let Ok(mut frames) = loader.find_frames(probe) else {
        return found;
    };
    while let Ok(Some(frame)) = frames.next() {
        // Units without functions, as of assembler, still know their lines.
        let function = frame
            .function
            .as_ref()
            .and_then(|name| name.raw_name().ok().map(|name| demangle(&name)))
            .unwrap_or_default();
        let (file, line) = frame
            .location
            .map(|at| (at.file.unwrap_or_default(), at.line.unwrap_or(0)))
            .unwrap_or_default();
        found.push(Frame {
            function,
            file: file.to_owned(),
            line,
        });
    }
    found
}

/// Without the hash that the compiler adds: it differs from build to build, and a comparison of
/// two profiles would find no function again.
fn demangle(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

/// What was found while the same modules were loaded.
#[derive(Default)]
struct Kept {
    generation: u64,
    frames: HashMap<u64, Vec<Frame>>,
}

impl Kept {
    fn get(&mut self, generation: u64, address: u64) -> Option<Vec<Frame>> {
        if self.generation != generation {
            self.frames.clear();
            self.generation = generation;
        }
        self.frames.get(&address).cloned()
    }

    fn put(&mut self, address: u64, frames: &[Frame]) {
        if self.frames.len() >= KEPT_MAX {
            self.frames.clear();
        }
        self.frames.insert(address, frames.to_vec());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(never)]
    fn named() -> u64 {
        std::hint::black_box(named as *const () as u64)
    }

    #[test]
    fn an_address_of_ours_has_name_file_and_line() {
        let frames = resolve(&[named() + 1]).remove(0);
        let frame = frames.last().expect("it is in the debug information");
        assert!(
            frame.function.ends_with("symbolize::tests::named"),
            "{frame:?}"
        );
        assert!(frame.file.ends_with("symbolize.rs"), "{frame:?}");
        assert!(frame.line > 0, "{frame:?}");
    }

    #[test]
    fn a_function_of_the_c_library_has_its_name() {
        let frames = resolve(&[libc::getppid as *const () as u64]).remove(0);
        // A program that is linked dynamically has a stub in between, without a name.
        let names: Vec<_> = frames.iter().map(|frame| frame.function.as_str()).collect();
        assert!(
            names.is_empty() || names.iter().any(|name| name.contains("getppid")),
            "{names:?}"
        );
    }

    #[test]
    fn what_is_no_code_has_no_frames() {
        let here = 0_u64;
        assert_eq!(
            resolve(&[0, 1, u64::MAX, &raw const here as u64]),
            vec![vec![]; 4]
        );
    }

    #[test]
    fn names_have_no_hash() {
        assert_eq!(
            demangle("_ZN4core3fmt5write17h0123456789abcdefE"),
            "core::fmt::write"
        );
        assert_eq!(demangle("memcpy"), "memcpy");
    }
}
