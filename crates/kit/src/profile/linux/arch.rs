//! The registers that unwinding starts from, for each processor.
#![expect(
    unsafe_code,
    reason = "reads registers, and the context that the kernel gives a signal handler"
)]

/// Where a thread stood. Plain numbers: a signal handler writes them into memory that was set aside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Registers {
    pub(crate) ip: u64,
    pub(crate) sp: u64,
    /// The frame pointer (rbp, x29), which functions are free to use for something else.
    pub(crate) fp: u64,
    /// The link register of aarch64: the return address of a leaf function. 0 on x86-64.
    pub(crate) lr: u64,
}

#[cfg(target_arch = "x86_64")]
mod imp {
    use super::Registers;

    pub(crate) type Unwinder<D> =
        framehop::x86_64::UnwinderX86_64<D, framehop::MustNotAllocateDuringUnwind>;
    pub(crate) type Cache = framehop::x86_64::CacheX86_64<framehop::MustNotAllocateDuringUnwind>;

    pub(crate) fn unwind_registers(at: Registers) -> framehop::x86_64::UnwindRegsX86_64 {
        framehop::x86_64::UnwindRegsX86_64::new(at.ip, at.sp, at.fp)
    }

    /// # Safety
    /// `context` is what the kernel gave to a handler installed with SA_SIGINFO.
    pub(crate) unsafe fn from_context(context: *const libc::ucontext_t) -> Registers {
        // SAFETY: the caller says that the kernel made it.
        let registers = unsafe { &(*context).uc_mcontext.gregs };
        let read = |register: libc::c_int| registers[register as usize].cast_unsigned();
        Registers {
            ip: read(libc::REG_RIP),
            sp: read(libc::REG_RSP),
            fp: read(libc::REG_RBP),
            lr: 0,
        }
    }

    #[inline(always)]
    pub(crate) fn here() -> Registers {
        let (ip, sp, fp): (u64, u64, u64);
        // SAFETY: reads three registers and touches no memory.
        unsafe {
            std::arch::asm!(
                "lea {ip}, [rip]",
                "mov {sp}, rsp",
                "mov {fp}, rbp",
                ip = out(reg) ip,
                sp = out(reg) sp,
                fp = out(reg) fp,
                options(nomem, nostack, preserves_flags),
            );
        }
        Registers { ip, sp, fp, lr: 0 }
    }
}

#[cfg(target_arch = "aarch64")]
mod imp {
    use super::Registers;

    pub(crate) type Unwinder<D> =
        framehop::aarch64::UnwinderAarch64<D, framehop::MustNotAllocateDuringUnwind>;
    pub(crate) type Cache = framehop::aarch64::CacheAarch64<framehop::MustNotAllocateDuringUnwind>;

    pub(crate) fn unwind_registers(at: Registers) -> framehop::aarch64::UnwindRegsAarch64 {
        // Linux uses 48 or 52 bits of an address; what stands above is a pointer authentication
        // code where the code was compiled with one.
        let mask = framehop::aarch64::PtrAuthMask(u64::MAX >> 12);
        framehop::aarch64::UnwindRegsAarch64::new_with_ptr_auth_mask(mask, at.lr, at.sp, at.fp)
    }

    /// # Safety
    /// `context` is what the kernel gave to a handler installed with SA_SIGINFO.
    pub(crate) unsafe fn from_context(context: *const libc::ucontext_t) -> Registers {
        // SAFETY: the caller says that the kernel made it.
        let machine = unsafe { &(*context).uc_mcontext };
        Registers {
            ip: machine.pc,
            sp: machine.sp,
            fp: machine.regs[29],
            lr: machine.regs[30],
        }
    }

    #[inline(always)]
    pub(crate) fn here() -> Registers {
        let (ip, sp, fp, lr): (u64, u64, u64, u64);
        // SAFETY: reads four registers and touches no memory.
        unsafe {
            std::arch::asm!(
                "adr {ip}, .",
                "mov {sp}, sp",
                "mov {fp}, x29",
                "mov {lr}, x30",
                ip = out(reg) ip,
                sp = out(reg) sp,
                fp = out(reg) fp,
                lr = out(reg) lr,
                options(nomem, nostack, preserves_flags),
            );
        }
        Registers { ip, sp, fp, lr }
    }
}

pub(crate) use imp::{Cache, Unwinder, from_context, here, unwind_registers};
