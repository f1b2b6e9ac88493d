//! The hash of what tables are searched for: ids, stacks, names.
//!
//! Its seed is drawn at random for each process. With a known one somebody could write a
//! file whose names all meet in one place, and a few megabytes of those would take hours.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::LazyLock;

use foldhash::fast::{FoldHasher, RandomState, SeedableRandomState};

/// Hashes the keys of one map; of two maps each has its own seed.
pub(crate) type Quick = RandomState;

/// One seed for all hashes that are kept and compared.
static SHARED: LazyLock<SeedableRandomState> = LazyLock::new(SeedableRandomState::random);

/// A hasher that says the same of the same key wherever it is asked.
#[inline]
pub(crate) fn hasher() -> FoldHasher<'static> {
    SHARED.build_hasher()
}

/// The hash of `key` for [`Places`](crate::places::Places).
#[inline]
pub(crate) fn hash_of(key: impl Hash) -> u32 {
    let mut hasher = hasher();
    key.hash(&mut hasher);
    hasher.finish() as u32
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Names that meet in one place under multiply and rotate without a seed, which this was once:
    /// the second half of each undoes what the first half did.
    fn names_that_met() -> Vec<[u8; 16]> {
        const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
        let halves = (1..=1000_u64).map(|first| {
            let second = first.wrapping_mul(MULTIPLIER).rotate_left(5) ^ 0x6161_6161_6161_6161;
            (u128::from(second) << 64 | u128::from(first)).to_le_bytes()
        });
        halves.collect()
    }

    #[test]
    fn names_cannot_be_made_to_meet() {
        let names = names_that_met();
        let shared: HashSet<u32> = names.iter().map(hash_of).collect();
        let quick = Quick::default();
        let of_map: HashSet<u32> = names.iter().map(|n| quick.hash_one(n) as u32).collect();
        // Of a thousand random numbers of 32 bits two are the same once in eight thousand times.
        assert!(shared.len() > 990 && of_map.len() > 990);
    }

    #[test]
    fn the_seed_is_of_this_process_and_of_this_map() {
        let seed = |quick: Quick| quick.hash_one(1);
        assert_ne!(seed(Quick::default()), seed(Quick::default()));
        assert_eq!(hash_of("main.main"), hash_of("main.main"));
    }
}
