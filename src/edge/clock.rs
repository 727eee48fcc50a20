//! A worker's coarse clock: milliseconds since it began, advanced by its sweep alone.
//!
//! Reading it costs a load, so that deadlines are numbers and no request arms a timer. What needs a finer
//! measure (durations in the log and the metrics, connect deadlines) asks the system itself.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Milliseconds since the worker began, as of the last sweep.
#[derive(Debug)]
pub(crate) struct Clock {
    began: Instant,
    now: Cell<u64>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), now: Cell::new(1) }
    }

    /// The time as of the last sweep.
    pub(crate) fn now(&self) -> u64 {
        self.now.get()
    }

    /// Reads the system's clock.
    pub(crate) fn advance(&self) -> u64 {
        // From 1, so that 0 can mean "not stamped yet".
        let now = millis(self.began.elapsed()).saturating_add(1);
        self.now.set(now);
        now
    }
}

/// Whole milliseconds; what does not fit is the largest.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
