//! Whether a peer makes the progress that it owes. Numbers alone: the sweep tells the time, and others the bytes.

use std::cell::Cell;

use super::clock::millis;
use super::limits::Limits;

/// A stretch of time in which a peer owes progress.
///
/// What it owes grows with time and shrinks with what it makes, but never below nothing: a fast start buys no time
/// for a stop.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    active: Cell<bool>,
    /// The last look; 0 before the first.
    stamp: Cell<u64>,
    /// Made since then.
    bytes: Cell<u64>,
    /// Thousandths of bytes that were owed then.
    debt: Cell<u64>,
}

impl Progress {
    pub(crate) fn begin(&self) {
        if !self.active.replace(true) {
            self.stamp.set(0);
        }
    }

    pub(crate) fn end(&self) {
        self.active.set(false);
    }

    pub(crate) fn made(&self, bytes: usize) {
        self.bytes.set(self.bytes.get().saturating_add(bytes as u64));
    }

    /// Whether more is owed than the rate asks for in the grace; `unseen` bytes may have been made beside those told
    /// of.
    pub(crate) fn too_slow(&self, now: u64, limits: &Limits, unseen: u64) -> bool {
        let made = self.bytes.take().saturating_mul(1000);
        if !self.active.get() {
            return false;
        }
        let rate = u64::from(limits.progress_rate);
        let owed = match self.stamp.replace(now) {
            0 => 0,
            before => now.saturating_sub(before).saturating_mul(rate).saturating_add(self.debt.get()),
        };
        self.debt.set(owed.saturating_sub(made));
        let borne = millis(limits.progress_grace).saturating_mul(rate);
        self.debt.get() > borne.saturating_add(unseen.saturating_mul(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_start_buys_no_time_for_a_stop() {
        // The grace is 10 s, and the rate 1 KiB/s.
        let (limits, progress) = (Limits::default(), Progress::default());
        progress.begin();
        assert!(!progress.too_slow(500, &limits, 0));
        progress.made(1 << 30);
        assert!(!progress.too_slow(1_000, &limits, 0));
        assert!(!progress.too_slow(11_000, &limits, 0));
        assert!(progress.too_slow(11_500, &limits, 0));
        // What the kernel may have passed on unseen is not held against the peer.
        assert!(!progress.too_slow(12_000, &limits, 2 << 10));
        progress.made(2 << 10);
        assert!(!progress.too_slow(12_500, &limits, 0));
    }

    #[test]
    fn the_rate_is_enough_at_any_pace() {
        let (limits, progress) = (Limits::default(), Progress::default());
        progress.begin();
        for second in 1..1_000 {
            if second % 9 == 0 {
                progress.made(9 << 10);
            }
            assert!(!progress.too_slow(second * 1_000, &limits, 0), "after {second} s");
        }
        progress.end();
        assert!(!progress.too_slow(2_000_000, &limits, 0));
        progress.begin();
        assert!(!progress.too_slow(3_000_000, &limits, 0), "a stretch begins anew");
    }
}
