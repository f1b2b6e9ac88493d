//! The table in each of its layouts, written by hand: one function with a call inlined into it.
//! What real toolchains write is tested in tests/go_program.rs, with the one that is installed.

use proptest::prelude::*;

use super::function::{Function, InlineTree};
use super::header::{Header, Layout};

const TEXT: u64 = 0x40_1000;
const LAYOUTS: [Layout; 3] = [Layout::Go116, Layout::Go118, Layout::Go120];

/// Writes numbers as a machine does.
#[derive(Clone, Copy)]
struct Machine {
    is_little: bool,
    pointer: usize,
}

impl Machine {
    fn u32(self, value: u32) -> Vec<u8> {
        match self.is_little {
            true => value.to_le_bytes().to_vec(),
            false => value.to_be_bytes().to_vec(),
        }
    }

    fn pointer(self, value: u64) -> Vec<u8> {
        match (self.pointer, self.is_little) {
            (4, _) => self.u32(u32::try_from(value).expect("small")),
            (_, true) => value.to_le_bytes().to_vec(),
            (_, false) => value.to_be_bytes().to_vec(),
        }
    }
}

/// A table of two functions; the second, 32 bytes at TEXT + 16, has `main.twist` inlined into
/// its bytes 8 to 16.
fn table(layout: Layout, machine: Machine) -> Vec<u8> {
    let names = b"main.first\0main.fold\0main.twist\0".to_vec();
    let files = b"first.go\0fold.go\0".to_vec();
    let units: Vec<u8> = [0, 9].into_iter().flat_map(|at| machine.u32(at)).collect();
    // Differences are zigzag, positions are plain; values begin at -1.
    let mut values = vec![0];
    let mut list = |bytes: &[u8]| {
        let at = values.len();
        values.extend(bytes);
        values.push(0);
        u32::try_from(at).expect("small")
    };
    let file = list(&[4, 32]);
    // 20 for 8 bytes, 7 in the inlined call for 8, 21 for the rest.
    let line = list(&[42, 8, 25, 8, 28, 16]);
    let inline = list(&[0, 8, 2, 8, 1, 16]);
    let wide = layout == Layout::Go116;
    let entry = |at: u64| match wide {
        true => machine.pointer(TEXT + at),
        false => machine.u32(u32::try_from(at).expect("small")),
    };
    let half = if wide { machine.pointer } else { 4 };
    let record = |at: u64, name: u32| {
        let mut record = entry(at);
        // Name, arguments, deferred return, stack, file, line, values, unit.
        for field in [name, 0, 0, 0, file, line, 3, 0] {
            record.extend(machine.u32(field));
        }
        if layout == Layout::Go120 {
            record.extend(machine.u32(19));
        }
        record.extend([0, 0, 0, 4]);
        for field in [0, 0, inline] {
            record.extend(machine.u32(field));
        }
        if wide {
            record.resize(record.len().next_multiple_of(machine.pointer), 0);
            for address in [0, 0, 0, 0x50_0000] {
                record.extend(machine.pointer(address));
            }
        } else {
            for offset in [u32::MAX, u32::MAX, u32::MAX, 0x40] {
                record.extend(machine.u32(offset));
            }
        }
        record
    };
    let (first, second) = (record(0, 0), record(16, 11));
    let directory = (5 * half).next_multiple_of(8);
    let mut functions = Vec::new();
    for (at, record) in [
        (0, directory),
        (16, directory + first.len().next_multiple_of(8)),
    ] {
        functions.extend(entry(at));
        let record = record as u64;
        functions.extend(if wide {
            machine.pointer(record)
        } else {
            machine.u32(u32::try_from(record).expect("small"))
        });
    }
    functions.extend(entry(48));
    functions.resize(directory, 0);
    functions.extend(&first);
    functions.resize(directory + first.len().next_multiple_of(8), 0);
    functions.extend(&second);

    let magic = match layout {
        Layout::Go116 => 0xffff_fffa,
        Layout::Go118 => 0xffff_fff0,
        Layout::Go120 => 0xffff_fff1,
    };
    let mut head = machine.u32(magic);
    head.extend([0, 0, 1, u8::try_from(machine.pointer).expect("small")]);
    head.extend(machine.pointer(2));
    head.extend(machine.pointer(2));
    if !wide {
        head.extend(machine.pointer(TEXT));
    }
    let parts = [names, units, files, values, functions];
    let mut at = head.len() + parts.len() * machine.pointer;
    for part in &parts {
        at = at.next_multiple_of(8);
        head.extend(machine.pointer(at as u64));
        at += part.len();
    }
    for part in &parts {
        head.resize(head.len().next_multiple_of(8), 0);
        head.extend(part);
    }
    head
}

/// The calls that are inlined into the second function.
fn tree(layout: Layout, machine: Machine) -> Vec<u8> {
    let fields: &[u32] = match layout {
        // Parent and kind, file, line, name, place.
        Layout::Go116 | Layout::Go118 => &[u32::MAX, 1, 20, 21, 4],
        // Kind, name, place, first line.
        Layout::Go120 => &[0, 21, 4, 5],
    };
    fields
        .iter()
        .flat_map(|field| machine.u32(*field))
        .collect()
}

fn machines() -> impl Iterator<Item = Machine> {
    [(true, 8), (false, 8), (true, 4), (false, 4)]
        .into_iter()
        .map(|(is_little, pointer)| Machine { is_little, pointer })
}

#[test]
fn every_layout_gives_names_lines_and_inlined_calls() {
    for (layout, machine) in LAYOUTS
        .into_iter()
        .flat_map(|l| machines().map(move |m| (l, m)))
    {
        let bytes = table(layout, machine);
        let header = Header::read(&bytes).expect("a head");
        assert_eq!((header.layout, header.functions), (layout, 2));
        let function = |at: u64| Function::at(&header, TEXT, TEXT + at);
        assert!(Function::at(&header, TEXT, TEXT - 1).is_none());
        assert!(function(48).is_none());
        assert_eq!(
            function(15).and_then(|f| f.name()),
            Some(&b"main.first"[..])
        );
        let fold = function(47).expect("the last byte");
        assert_eq!(
            (fold.entry, fold.name()),
            (TEXT + 16, Some(&b"main.fold"[..]))
        );
        let starts = if layout == Layout::Go120 {
            (19, 5)
        } else {
            (0, 0)
        };
        assert_eq!(fold.start_line(), starts.0);
        let at = |offset: u64| fold.file_line(fold.entry + offset);
        assert_eq!(at(0), Some((&b"fold.go"[..], 20)));
        assert_eq!(at(8), Some((&b"fold.go"[..], 7)));
        assert_eq!(at(31), Some((&b"fold.go"[..], 21)));
        assert_eq!(at(32), None);
        let index = |offset: u64| fold.inline_index(fold.entry + offset);
        assert_eq!(
            (index(7), index(8), index(16)),
            (Some(-1), Some(0), Some(-1))
        );
        let expected = match layout {
            Layout::Go116 => 0x50_0000,
            Layout::Go118 | Layout::Go120 => 0x60_0040,
        };
        assert_eq!(fold.inline_tree(Some(0x60_0000)), Some(expected));
        let calls = tree(layout, machine);
        let call = InlineTree::new(&calls).call(&header, 0).expect("a call");
        let found = (call.name, call.start_line, call.parent);
        assert_eq!(found, (&b"main.twist"[..], starts.1, 4));
        assert!(InlineTree::new(&calls).call(&header, 1).is_none());
    }
}

#[test]
fn counts_that_lie_are_refused() {
    let machine = Machine {
        is_little: true,
        pointer: 8,
    };
    let mut bytes = table(Layout::Go120, machine);
    bytes[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(Header::read(&bytes).is_none());
    bytes[8..16].copy_from_slice(&0x1000_0000u64.to_le_bytes());
    assert!(Header::read(&bytes).is_none());
    bytes[8..16].fill(0);
    assert!(Header::read(&bytes).is_none());
}

proptest! {
    #[test]
    fn damage_never_panics(
        layout in 0..3usize,
        machine in 0..4usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        end in any::<prop::sample::Index>(),
    ) {
        let machine = machines().nth(machine).expect("four");
        let mut bytes = table(LAYOUTS[layout], machine);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(end.index(bytes.len()) + 1);
        if let Some(header) = Header::read(&bytes) {
            for at in 0..64 {
                let Some(function) = Function::at(&header, TEXT, TEXT + at) else { continue };
                let _ = (function.name(), function.file_line(TEXT + at), function.start_line());
                let _ = (function.inline_index(TEXT + at), function.inline_tree(Some(u64::MAX)));
                let _ = InlineTree::new(&bytes).call(&header, u32::try_from(at).expect("small"));
            }
        }
    }
}
