//! Those who change back what is set, or delete what is made: it is set back and made anew with growing pauses, and
//! they are named where they go on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::troubles::growing;
use crate::inventory::{Key, ObjectReference};

/// The same object is set back a second time after this long, and the pauses grow to the longest.
const CONTESTED: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(1), SignedDuration::from_secs(300));
/// Whoever has changed nothing for so long is no rival any more.
const PEACE: SignedDuration = SignedDuration::from_secs(600);
/// Set back so often within [`PEACE`], the rival is named.
const RIVAL_AFTER: u32 = 4;

/// The objects that somebody else changes or deletes, by the DeploymentVersion that they are made for.
#[derive(Debug, Default)]
pub struct Contests {
    contests: BTreeMap<Key, BTreeMap<ObjectReference, Contest>>,
    /// What was made, so that making it again is known for what it is.
    made: BTreeMap<Key, BTreeSet<ObjectReference>>,
}

#[derive(Debug, Clone)]
struct Contest {
    times: u32,
    last: Timestamp,
    /// What was done last.
    deed: Option<Deed>,
}

/// What somebody does to an object of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    /// Changes this field.
    Changes(String),
    /// Deletes it.
    Deletes,
}

/// What has become of a DeploymentVersion's contests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Peace {
    /// Whether one is over from now on.
    pub made: bool,
    /// When the next one will be, if nothing happens.
    pub next: Option<Timestamp>,
}

impl Contests {
    /// An object was set back.
    pub(super) fn set_back(&mut self, dpv: &Key, target: &ObjectReference, now: Timestamp) {
        let contests = self.contests.entry(dpv.clone()).or_default();
        let contest = contests.entry(target.clone()).or_insert(Contest { times: 0, last: now, deed: None });
        contest.times += 1;
        contest.last = now;
    }

    /// An object was made. One that had been made before was deleted by somebody: it was set back; tells
    /// whether.
    pub(super) fn made(&mut self, dpv: &Key, target: &ObjectReference, now: Timestamp) -> bool {
        let again = !self.made.entry(dpv.clone()).or_default().insert(target.clone());
        if again {
            self.set_back(dpv, target, now);
        }
        again
    }

    /// From when on an object may be set back or made anew; `deed` is what somebody did to it.
    pub(super) fn may_set_back(
        &mut self,
        dpv: &Key,
        target: &ObjectReference,
        deed: Deed,
        now: Timestamp,
    ) -> Timestamp {
        let contest = self.contests.get_mut(dpv).and_then(|contests| contests.get_mut(target));
        let Some(contest) = contest else { return now };
        contest.deed = Some(deed);
        contest.last.checked_add(growing(CONTESTED, contest.times)).unwrap_or(now)
    }

    /// Rivals that have done nothing for long are none any more.
    pub(super) fn make_peace(&mut self, dpv: &Key, now: Timestamp) -> Peace {
        let Some(contests) = self.contests.get_mut(dpv) else { return Peace::default() };
        let over = |contest: &Contest| contest.last.checked_add(PEACE).unwrap_or(now);
        let before = contests.len();
        contests.retain(|_, contest| over(contest) > now);
        let peace = Peace { made: contests.len() < before, next: contests.values().map(over).min() };
        if contests.is_empty() {
            self.contests.remove(dpv);
        }
        peace
    }

    /// We deleted an object ourselves: nobody took it from us.
    pub(super) fn let_go(&mut self, dpv: &Key, target: &ObjectReference) {
        if let Some(contests) = self.contests.get_mut(dpv) {
            contests.remove(target);
        }
        if let Some(made) = self.made.get_mut(dpv) {
            made.remove(target);
        }
    }

    /// A DeploymentVersion is gone, and what it was contested about with it.
    pub(super) fn forget(&mut self, dpv: &Key) {
        self.contests.remove(dpv);
        self.made.remove(dpv);
    }

    /// Of a DeploymentVersion, what rivals keep doing to which object.
    pub(super) fn rivals(&self, dpv: &Key) -> impl Iterator<Item = (&ObjectReference, &Deed)> {
        let contests = self.contests.get(dpv).into_iter().flatten();
        let rivals = contests.filter(|(_, contest)| contest.times >= RIVAL_AFTER);
        rivals.filter_map(|(target, contest)| Some((target, contest.deed.as_ref()?)))
    }
}
