//! Which build a file is: the linker's notes.
//!
//! Profiles name the GNU build id of what was mapped. Go writes its own note beside it or in its
//! place, and `go tool buildid` prints that.
//!
//! Source of the layout: the ELF gABI, "Note Section".

use object::{Object, ObjectSection, elf};

use crate::elf::Elf;

/// Owner of Go's note, and its type (`ELF_NOTE_GOBUILDID_TAG` of cmd/link).
const GO: (&[u8], u32) = (b"Go", 4);
/// Owner of the GNU linkers' note, and its type.
const GNU: (&[u8], u32) = (b"GNU", elf::NT_GNU_BUILD_ID.0);

/// The content of the first note of this owner and type.
fn note<'data>(elf: &Elf<'data>, (owner, kind): (&[u8], u32)) -> Option<&'data [u8]> {
    elf.file.sections().find_map(|section| {
        // By name, as the sections of notes are called in every toolchain; what a file without
        // section headers says in its segments is looked for below.
        let is_note = section.name_bytes().is_ok_and(|n| n.starts_with(b".note"));
        let align = section.align();
        let data = is_note.then(|| section.data().ok()).flatten()?;
        notes(data, align, elf.is_little())
            .find(|note| note.owner == owner && note.kind == kind)
            .map(|note| note.content)
    })
}

pub(crate) fn gnu(elf: &Elf<'_>) -> Option<String> {
    let of_file = elf.file.build_id().ok().flatten();
    let id = of_file.or_else(|| note(elf, GNU))?;
    Some(id.iter().map(|byte| format!("{byte:02x}")).collect())
}

pub(crate) fn go(elf: &Elf<'_>) -> Option<String> {
    let id = std::str::from_utf8(note(elf, GO)?).ok()?;
    Some(id.to_owned())
}

struct Note<'data> {
    owner: &'data [u8],
    kind: u32,
    content: &'data [u8],
}

fn notes(data: &[u8], align: u64, is_little: bool) -> impl Iterator<Item = Note<'_>> {
    // Notes of programs are aligned to four; eight is for properties.
    let align = if align == 8 { 8 } else { 4 };
    let mut rest = data;
    std::iter::from_fn(move || {
        let mut words = rest.get(..12)?.chunks_exact(4).map(|word| {
            let word: [u8; 4] = word.try_into().unwrap_or_default();
            match is_little {
                true => u32::from_le_bytes(word),
                false => u32::from_be_bytes(word),
            }
        });
        let (name, size, kind) = (words.next()?, words.next()?, words.next()?);
        let content = (12 + name as usize).next_multiple_of(align);
        let end = content.checked_add(size as usize)?;
        let note = Note {
            owner: rest
                .get(12..12 + name as usize)?
                .split(|b| *b == 0)
                .next()?,
            kind,
            content: rest.get(content..end)?,
        };
        rest = rest.get(end.next_multiple_of(align)..).unwrap_or_default();
        Some(note)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(data: &[u8]) -> Vec<(Vec<u8>, u32, Vec<u8>)> {
        let owned = |n: Note<'_>| (n.owner.to_vec(), n.kind, n.content.to_vec());
        notes(data, 4, true).map(owned).collect()
    }

    #[test]
    fn notes_are_read_one_after_another() {
        let mut data = vec![3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0];
        data.extend(b"Go\0\0ab\0\0");
        data.extend([4, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0]);
        data.extend(b"GNU\0\x01\x02\x03");
        let both = [
            (b"Go".to_vec(), 4, b"ab".to_vec()),
            (b"GNU".to_vec(), 3, vec![1, 2, 3]),
        ];
        assert_eq!(check(&data), both);
        for end in 0..data.len() {
            assert!(check(&data[..end]).len() < 2);
        }
    }

    #[test]
    fn sizes_that_lie_end_the_list() {
        assert_eq!(check(&[0xff; 64]), []);
        assert_eq!(check(&[4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 3, 0, 0, 0]), []);
    }
}
