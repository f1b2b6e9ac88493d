//! Names and lines in an executable: an ELF file as it is, and names of a linker.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shakedown_symbols::{Mapped, Names, Symbols, demangle};

fuzz_target!(|data: &[u8]| {
    if let Ok(name) = std::str::from_utf8(data) {
        for names in [Names::Simple, Names::Templates, Names::Full] {
            let _ = demangle(name, names);
        }
    }
    let Ok(symbols) = Symbols::parse(data) else {
        return;
    };
    let _ = (symbols.build_id(), symbols.go_build_id());
    for address in [0, 0x1000, 0x1139, 0x1180, 0x40_1000, 0x40_1234, u64::MAX] {
        assert!(symbols.frames(address).len() <= 201);
        let _ = symbols.name(address);
        let mapped = Mapped {
            start: address & !0xfff,
            limit: address | 0xffff,
            offset: 0,
        };
        let _ = symbols.place(mapped, address);
    }
});
