//! Registers and a stack → the addresses of the calls on it.

use framehop::{ExplicitModuleSectionInfo, FrameAddress, Unwinder as _};

use super::arch::{Cache, Registers, Unwinder, unwind_registers};
use super::modules::{Bytes, Module};

/// Deeper stacks lose their outermost calls. Go keeps 64 by default and 128 at most; async stacks
/// carry several frames for each call.
pub(crate) const DEPTH_MAX: usize = 192;

/// Walks stacks by the unwind tables of the modules that it was made with.
///
/// Once made it allocates nothing, which the allocator's sampler rests on.
pub(crate) struct Walker {
    unwinder: Unwinder<Bytes>,
    cache: Cache,
    /// Where code is, by address: what lies elsewhere is no return address.
    code: Vec<(u64, u64)>,
}

/// How a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Walk {
    /// How many addresses were written.
    pub(crate) depth: usize,
    /// True if the outermost call was reached.
    pub(crate) is_whole: bool,
}

impl Walker {
    pub(crate) fn new(modules: &[Module]) -> Self {
        let mut unwinder = Unwinder::new();
        for module in modules {
            if let Some(module) = framehop_module(module) {
                unwinder.add_module(module);
            }
        }
        Walker {
            unwinder,
            cache: Cache::new_in(),
            code: modules
                .iter()
                .map(|module| (module.code.start, module.code.end))
                .collect(),
        }
    }

    /// Writes the stack into `into`, leaf first. A caller is the address before its return address,
    /// which is what lies within the call.
    ///
    /// `read_stack` gives the 8 bytes at an address, if they are known.
    pub(crate) fn walk(
        &mut self,
        from: Registers,
        mut read_stack: impl FnMut(u64) -> Result<u64, ()>,
        into: &mut [u64],
    ) -> Walk {
        let mut frames = self.unwinder.iter_frames(
            from.ip,
            unwind_registers(from),
            &mut self.cache,
            &mut read_stack,
        );
        let mut depth = 0;
        for slot in into {
            let address = match frames.next() {
                Ok(Some(FrameAddress::InstructionPointer(address))) => address,
                Ok(Some(FrameAddress::ReturnAddress(address))) => address.get() - 1,
                Ok(None) => {
                    return Walk {
                        depth,
                        is_whole: true,
                    };
                }
                Err(_) => {
                    return Walk {
                        depth,
                        is_whole: false,
                    };
                }
            };
            // The leaf may be anywhere, as in code that was made at run time; a caller that is no
            // code is a slip of the walk.
            if depth > 0 && !is_code(&self.code, address) {
                return Walk {
                    depth,
                    is_whole: false,
                };
            }
            *slot = address;
            depth += 1;
        }
        Walk {
            depth,
            is_whole: false,
        }
    }
}

fn is_code(code: &[(u64, u64)], address: u64) -> bool {
    let after = code.partition_point(|&(start, _)| start <= address);
    after > 0 && address < code[after - 1].1
}

fn framehop_module(module: &Module) -> Option<framehop::Module<Bytes>> {
    let tables = module.unwind.as_ref()?;
    let of_file = |at: u64| at.wrapping_sub(module.bias);
    let range = |at: u64, bytes: &Bytes| of_file(at)..of_file(at) + bytes.len() as u64;
    let sections = ExplicitModuleSectionInfo {
        base_svma: 0,
        eh_frame_svma: Some(range(tables.frames_at, &tables.frames)),
        eh_frame: Some(tables.frames.clone()),
        eh_frame_hdr_svma: Some(range(tables.header_at, &tables.header)),
        eh_frame_hdr: Some(tables.header.clone()),
        ..Default::default()
    };
    Some(framehop::Module::new(
        module.name.clone(),
        module.code.clone(),
        module.bias,
        sections,
    ))
}

/// Reads 8 bytes of a stack that was copied from `sp` upwards.
pub(crate) fn read_copy(copy: &[u8], sp: u64, at: u64) -> Result<u64, ()> {
    let offset = usize::try_from(at.checked_sub(sp).ok_or(())?).map_err(|_| ())?;
    let bytes = copy
        .get(offset..offset.checked_add(8).ok_or(())?)
        .ok_or(())?;
    bytes.try_into().map(u64::from_le_bytes).map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use super::*;
    use crate::profile::linux::{arch, memory, modules, symbolize};

    /// The stack of the caller, by names.
    #[inline(never)]
    fn stack() -> (Vec<String>, bool) {
        let registers = arch::here();
        let mut copy = vec![MaybeUninit::<u8>::uninit(); 64 * 1024];
        let read = memory::read_stack(registers.sp, &mut copy);
        let copy = memory::written(&copy, read);
        let mut walker = Walker::new(&modules::loaded());
        let mut addresses = [0; DEPTH_MAX];
        let walk = walker.walk(
            registers,
            |at| read_copy(copy, registers.sp, at),
            &mut addresses,
        );
        let mut names = Vec::new();
        for frames in symbolize::resolve(&addresses[..walk.depth]) {
            names.extend(frames.into_iter().map(|frame| frame.function));
        }
        (names, walk.is_whole)
    }

    #[inline(never)]
    fn inner() -> (Vec<String>, bool) {
        let found = stack();
        std::hint::black_box(());
        found
    }

    #[inline(never)]
    fn outer() -> (Vec<String>, bool) {
        let found = inner();
        std::hint::black_box(());
        found
    }

    #[test]
    fn a_stack_is_walked_to_its_root() {
        let (names, is_whole) = std::thread::spawn(outer).join().expect("no panic");
        let at = |end: &str| names.iter().position(|name| name.ends_with(end));
        let (inner, outer) = (at("tests::inner"), at("tests::outer"));
        assert!(inner.is_some() && inner < outer, "{names:#?}");
        // What calls this is the C library, whose own functions have no names in most systems.
        assert!(at("Thread>::new::thread_start") > outer, "{names:#?}");
        // musl has no unwind tables, so that its own first call is not known for one.
        assert!(is_whole || cfg!(target_env = "musl"), "{names:#?}");
    }

    #[test]
    fn nonsense_ends_the_walk() {
        let mut walker = Walker::new(&modules::loaded());
        let mut addresses = [0; 8];
        for ip in [0, 1, 0x1234, u64::MAX] {
            let registers = Registers {
                ip,
                sp: 16,
                fp: u64::MAX - 7,
                lr: 1,
            };
            let walk = walker.walk(registers, |_| Err(()), &mut addresses);
            assert!(walk.depth <= 1 && !walk.is_whole, "{ip:x}: {walk:?}");
            let walk = walker.walk(registers, |at| Ok(at.wrapping_add(24)), &mut addresses);
            assert!(walk.depth <= 1, "{ip:x}: {walk:?}");
        }
        assert_eq!(read_copy(&[0; 16], 100, 99), Err(()));
        assert_eq!(read_copy(&[0; 16], 100, 109), Err(()));
        assert_eq!(read_copy(&[1, 0, 0, 0, 0, 0, 0, 0], 100, 100), Ok(1));
    }
}
