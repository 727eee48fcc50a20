//! Chance for one worker: cheap, not secret. It chooses endpoints and names requests; no security rests on it.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

/// xorshift64* (Marsaglia, Vigna), seeded by the process's own hash keys.
#[derive(Debug)]
pub(crate) struct Chance(Cell<u64>);

impl Chance {
    pub(crate) fn new() -> Self {
        Self(Cell::new(RandomState::new().hash_one(std::thread::current().id()) | 1))
    }

    /// The next 64 bits.
    pub(crate) fn next(&self) -> u64 {
        let mut x = self.0.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.0.set(x);
        x.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&self, bound: usize) -> usize {
        // Lemire: the high half of the product is even enough for choosing among endpoints.
        let product = u128::from(self.next()) * (bound as u128);
        usize::try_from(product >> 64).unwrap_or(0)
    }
}
