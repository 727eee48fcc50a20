//! Two clocks. The wall clock is what is written; it can be set, forward and back, while this process runs. What is
//! waited for is measured on a steady one, which only runs forward and as fast as time does.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// The time, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// On the steady clock: the time of this process's start, and what has passed since.
    pub steady: Timestamp,
    /// On the wall clock.
    pub wall: Timestamp,
}

/// The steady clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Instant,
    at: Timestamp,
}

impl Clock {
    /// Begins to run, and agrees with the wall clock so far.
    #[must_use]
    pub fn start() -> Self {
        Self { began: Instant::now(), at: Timestamp::now() }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Now {
        let passed = SignedDuration::try_from(self.began.elapsed()).unwrap_or(SignedDuration::MAX);
        Now { steady: self.at.checked_add(passed).unwrap_or(Timestamp::MAX), wall: Timestamp::now() }
    }

    /// How long it is until a time of this clock; zero where it has come.
    #[must_use]
    pub fn until(&self, when: Timestamp) -> Duration {
        Duration::try_from(when.duration_since(self.now().steady)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steady_clock_runs_forward_and_tells_what_is_left() {
        let clock = Clock::start();
        let first = clock.now().steady;
        assert!(first >= clock.at && clock.now().steady >= first);
        let hour = first.checked_add(SignedDuration::from_hours(1)).unwrap();
        let left = clock.until(hour);
        assert!(left <= Duration::from_secs(3_600) && left > Duration::from_secs(3_500), "{left:?}");
        assert_eq!(clock.until(Timestamp::UNIX_EPOCH), Duration::ZERO);
    }
}
