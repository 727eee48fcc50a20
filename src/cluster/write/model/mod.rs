//! The whole controller against an API server made of a map: thousands of runs in the time of one real one.
//!
//! The server knows what the rules of `write` rely on (create-only applies, uids, preconditions,
//! field ownership, defaults, other words, garbage collection, finalizers) and plays the Deployment and
//! EndpointSlice controllers. The real one answers the same questions in `tests/cluster`.

mod clocks;
mod leaving;
mod rivals;
mod rules;
mod schedules;
mod server;
mod turns;
mod world;

pub use server::{Server, id};
pub use world::{Fault, World};

/// A small generator of numbers (SplitMix64); the same seed gives the same run.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % bound.max(1) as u64).unwrap_or_default()
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}
