//! Maps by the number of a task.
//!
//! Each spawn and each end looks into two of them. The numbers are counted here and nobody outside
//! chooses them, so they need no hash that withstands an attacker.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Something by the number of a task.
pub(crate) type ById<T> = HashMap<u64, T, BuildHasherDefault<Spread>>;

/// Spreads numbers that follow each other over all bits: a map looks at the lowest and the highest.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        // By 2^64 over the golden ratio; the upper half, which depends on every bit, goes down too.
        let spread = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = spread ^ spread >> 32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shard has every 32nd number, and a map takes the lowest bits for the place.
    #[test]
    fn numbers_of_one_shard_spread_over_a_map() {
        const PLACES: u64 = 1024;
        for step in [1, 16, 32, 1024] {
            let mut taken = [0u32; PLACES as usize];
            for n in 0..PLACES {
                let mut hash = Spread::default();
                hash.write_u64(n * step);
                taken[(hash.finish() % PLACES) as usize] += 1;
            }
            let used = taken.iter().filter(|taken| **taken > 0).count();
            // Chance alone would use 63 %.
            assert!(used as u64 > PLACES / 2, "{step}: {used}");
            assert!(taken.iter().all(|taken| *taken < 12), "{step}");
        }
    }
}
