//! Whether packed ids are known, eight bytes at a time.
//!
//! A file has an id for every frame of every stack, and checking them one by one is
//! most of what a look at values or labels would take. Where the known ids are those
//! from 1 to some number, comparing the highest bits is enough for nearly all.

/// The lowest bit of each byte of a word.
const LOW: u64 = 0x0101_0101_0101_0101;
/// The highest one: set where a varint goes on behind the byte.
const HIGH: u64 = LOW << 7;

/// How many packed ids there are, where it is plain to see that all are from 1 to `most`;
/// `None` says that somebody has to look at each.
#[inline]
pub(crate) fn count_up_to(most: usize, ids: &[u8]) -> Option<usize> {
    let most = most as u64;
    // Ids of so many bytes are known whatever they are; those of one more, by comparison.
    let (free, one_is_enough) = match most {
        0x80..0x4000 => (1, HIGH),
        0x4000..0x20_0000 => (2, 0),
        _ => return None,
    };
    let is_cut = ids.last().is_none_or(|&byte| byte >= 0x80);
    let (words, rest) = ids.as_chunks::<8>();
    // What is left over, as a word that is filled up with ids of 1.
    let filled = 8 - rest.len();
    let last = match rest.len() {
        0 => LOW,
        len => {
            let word = u64::from_le_bytes(*ids.last_chunk()?);
            word >> (8 * filled) | LOW << (8 * len)
        }
    };
    let highest = (most >> (7 * free)) * LOW;
    let next = (most >> (7 * (free - 1)) & 0x7f) * LOW;
    let (mut before, mut ends, mut doubtful) = (0, 0, 0);
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    for word in words.chain([last]) {
        // The same bytes' neighbours, one and two places to the front.
        let one = word << 8 | before >> 56;
        let two = word << 16 | before >> 48;
        before = word;
        let end = !word & HIGH;
        ends += (end >> 7).wrapping_mul(LOW) >> 56;
        // At least the byte behind those that make an id known.
        let behind = one & (two | one_is_enough) & HIGH;
        let top = word & (((behind & end) >> 7) * 0x7f);
        // Bytes below 128, so that no sum runs over into the next byte.
        let above = top + (0x7f * LOW - highest);
        let at_least = top + (HIGH - highest);
        let next_at_least = (one & !HIGH) + (HIGH - next);
        let zero = word.wrapping_sub(LOW) & end;
        doubtful |= (behind & word) | above | (at_least & next_at_least) | zero;
    }
    let all_known = doubtful & HIGH == 0 && !is_cut;
    all_known.then_some((ends as usize).saturating_sub(filled))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::count_up_to;
    use crate::wire::{Message, Value, Writer};

    fn packed(ids: &[u64]) -> Vec<u8> {
        let mut writer = Writer::default();
        ids.iter().for_each(|&id| writer.varint(id));
        writer.into_bytes()
    }

    /// What reading one by one finds: how many there are, if all are known.
    fn one_by_one(most: usize, ids: &[u8]) -> Option<usize> {
        let at = Message::new(ids);
        let mut count = 0;
        let read = Value::Bytes(at).numbers(&at, |id| match id {
            0 => at.malformed("none"),
            id if id > most as u64 => at.malformed("unknown"),
            _ => {
                count += 1;
                Ok(())
            }
        });
        read.ok().map(|()| count)
    }

    #[test]
    fn long_stacks_of_usual_ids_need_no_second_look() {
        for most in [200, 5000, 20_000, 100_000] {
            let ids: Vec<u64> = (0..100).map(|i| 1 + i * (most - 129) / 100).collect();
            let all = usize::try_from(most).expect("small");
            assert_eq!(count_up_to(all, &packed(&ids)), Some(100), "{most}");
        }
    }

    #[test]
    fn an_unknown_id_is_seen_wherever_it_stands() {
        for most in [128, 129, 300, 16_383, 16_384, 16_512, 40_000, 2_097_151] {
            for unknown in [
                0,
                most + 1,
                most + 128,
                16_384 + most,
                1 << 21,
                1 << 28,
                u64::MAX,
            ] {
                for place in 0..20 {
                    let mut ids = vec![1; 20];
                    ids[place] = unknown;
                    let most = usize::try_from(most).expect("small");
                    assert_eq!(count_up_to(most, &packed(&ids)), None, "{most} {unknown}");
                }
            }
        }
    }

    #[test]
    fn a_cut_id_is_seen() {
        let ids = packed(&[1, 2, 3, 4, 5, 6, 7, 8, 300]);
        assert_eq!(count_up_to(1000, &ids), Some(9));
        assert_eq!(count_up_to(1000, &ids[..ids.len() - 1]), None);
    }

    proptest! {
        #[test]
        fn it_never_says_otherwise_than_reading_one_by_one(
            most in prop_oneof![1_usize..300, 16_000_usize..17_000, 1_usize..3_000_000],
            near in proptest::collection::vec((0_u64..40, any::<bool>(), any::<u64>()), 0..60),
            noise in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let id = |&(off, near, far): &(u64, bool, u64)| match near {
                true => (most as u64 + 4).saturating_sub(off),
                false => 1 + far % most as u64,
            };
            let ids: Vec<u64> = near.iter().map(id).collect();
            for bytes in [packed(&ids), noise] {
                if let Some(count) = count_up_to(most, &bytes) {
                    prop_assert_eq!(Some(count), one_by_one(most, &bytes));
                }
            }
        }
    }
}
