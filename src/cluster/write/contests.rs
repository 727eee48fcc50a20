//! Those who change back what is set: they are set back with growing pauses, and named where they go on.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::troubles::growing;
use crate::inventory::ObjectReference;

/// The same object is set back a second time after this long, and the pauses grow to the longest.
const CONTESTED: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(1), SignedDuration::from_secs(300));
/// Whoever has changed nothing for so long is no rival any more.
const PEACE: SignedDuration = SignedDuration::from_secs(600);
/// Set back so often within [`PEACE`], the rival is named.
const RIVAL_AFTER: u32 = 4;

/// The objects that somebody else changes.
#[derive(Debug, Default)]
pub struct Contests {
    contests: BTreeMap<ObjectReference, Contest>,
}

#[derive(Debug, Clone)]
struct Contest {
    times: u32,
    last: Timestamp,
    /// What was changed last.
    field: String,
}

/// Whether a contest is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peace {
    /// There was none.
    Was,
    /// It is over from now on.
    Made,
    /// It will be at this time, if nothing happens.
    At(Timestamp),
}

impl Contests {
    /// An object was set back.
    pub(super) fn set_back(&mut self, target: &ObjectReference, now: Timestamp) {
        let contest = self.contests.entry(target.clone()).or_insert(Contest {
            times: 0,
            last: now,
            field: String::new(),
        });
        contest.times += 1;
        contest.last = now;
    }

    /// From when on an object may be set back; `field` is what somebody changed.
    pub(super) fn may_set_back(
        &mut self,
        target: &ObjectReference,
        field: &str,
        now: Timestamp,
    ) -> Timestamp {
        let Some(contest) = self.contests.get_mut(target) else { return now };
        field.clone_into(&mut contest.field);
        let pause = growing(CONTESTED, contest.times);
        contest.last.checked_add(pause).unwrap_or(now)
    }

    /// Rivals that have changed nothing for long are none any more.
    pub(super) fn make_peace(&mut self, target: &ObjectReference, now: Timestamp) -> Peace {
        let Some(contest) = self.contests.get(target) else { return Peace::Was };
        let over = contest.last.checked_add(PEACE).unwrap_or(now);
        if over > now {
            return Peace::At(over);
        }
        self.contests.remove(target);
        Peace::Made
    }

    /// The object is gone, and the contest with it.
    pub(super) fn forget(&mut self, target: &ObjectReference) {
        self.contests.remove(target);
    }

    /// The field that a rival keeps changing; `None` where nobody is one.
    pub(super) fn rival(&self, target: &ObjectReference) -> Option<&str> {
        let contest = self.contests.get(target).filter(|contest| contest.times >= RIVAL_AFTER)?;
        Some(&contest.field)
    }
}
