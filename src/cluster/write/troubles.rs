//! Writes that were not made: when each may be tried again, and what a person is told of it.
//!
//! A pause is for one wish. Another one, or a change of the object that stood in the way, is tried at once.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::prepare::mark_text;
use super::{Act, Lane, Write};
use crate::inventory::{Finding, Key, ObjectReference};

/// So many attempts in a row fail before a person is told of it: most ends by itself.
const TOLD_AFTER: u32 = 3;

/// How long a write that was not made is left alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pauses {
    /// After the first attempt; it doubles with each.
    first: SignedDuration,
    longest: SignedDuration,
    /// What the server asked for.
    at_least: SignedDuration,
}

impl Pauses {
    /// Somebody has to do something.
    pub(super) const REFUSED: Self = Self::new(1_000, 60_000);
    /// The server could not do it now: it is asked again sooner, because it does not depend on anybody.
    pub(super) const UNAVAILABLE: Self = Self::new(250, 10_000);

    const fn new(first: i64, longest: i64) -> Self {
        Self {
            first: SignedDuration::from_millis(first),
            longest: SignedDuration::from_millis(longest),
            at_least: SignedDuration::ZERO,
        }
    }

    /// Just so long.
    pub(super) fn exactly(pause: SignedDuration) -> Self {
        Self { first: pause, longest: pause, at_least: SignedDuration::ZERO }
    }

    /// The same, and not before the server wants to be asked again.
    pub(super) fn at_least(mut self, pause: Option<SignedDuration>) -> Self {
        self.at_least = pause.unwrap_or_default();
        self
    }

    fn after(self, attempts: u32) -> SignedDuration {
        growing((self.first, self.longest), attempts).max(self.at_least)
    }
}

/// The writes that were not made.
#[derive(Debug, Default)]
pub struct Troubles {
    lanes: BTreeMap<Lane, BTreeMap<ObjectReference, Trouble>>,
}

#[derive(Debug, Clone)]
struct Trouble {
    attempts: u32,
    again: Timestamp,
    /// What was tried, so that something else is tried at once.
    tried: String,
    finding: Option<Finding>,
}

impl Troubles {
    /// A write was not made; tells whether something else is to be told than before.
    pub(super) fn add(
        &mut self,
        write: &Write,
        finding: Option<Finding>,
        pauses: Pauses,
        now: Timestamp,
    ) -> bool {
        let (lane, tried) = (write.lane(), tried(&write.act));
        let spread = spread_of(&lane);
        let troubles = self.lanes.entry(lane).or_default();
        let before = troubles.get(&write.target).filter(|trouble| trouble.tried == tried);
        let attempts = before.map_or(0, |trouble| trouble.attempts).saturating_add(1);
        let pause = pauses.after(attempts);
        // Those that were refused together do not come again together.
        let spread = pause.as_millis().try_into().unwrap_or(i64::MAX) / 8 * spread / 8;
        let again = now.checked_add(pause).and_then(|at| at.checked_add(SignedDuration::from_millis(spread)));
        let known = before.and_then(|trouble| trouble.finding.clone());
        let soon = finding.as_ref().is_some_and(|finding| finding.reason == "WriteFailed");
        let finding = finding.filter(|_| !soon || attempts >= TOLD_AFTER);
        let told = known != finding;
        let again = again.unwrap_or(now);
        troubles.insert(write.target.clone(), Trouble { attempts, again, tried, finding });
        told
    }

    /// There is none with an object any more; tells whether something else is to be told than before.
    pub(super) fn relieve(&mut self, lane: &Lane, target: &ObjectReference) -> bool {
        let Some(troubles) = self.lanes.get_mut(lane) else { return false };
        let told = troubles.remove(target).is_some_and(|trouble| trouble.finding.is_some());
        if troubles.is_empty() {
            self.lanes.remove(lane);
        }
        told
    }

    /// There is none with a lane any more.
    pub(super) fn forget(&mut self, lane: &Lane) {
        self.lanes.remove(lane);
    }

    /// From when on a write may be tried: now, or when its pause ends. Another wish than the one that failed
    /// is tried at once.
    pub(super) fn may_try(&self, write: &Write, now: Timestamp) -> Timestamp {
        let trouble = self.lanes.get(&write.lane()).and_then(|troubles| troubles.get(&write.target));
        match trouble {
            Some(trouble) if trouble.tried == tried(&write.act) => trouble.again.max(now),
            Some(_) | None => now,
        }
    }

    /// Troubles with objects that nobody wants any more are no troubles; tells whether something else is to be
    /// told than before.
    pub(super) fn keep(&mut self, lane: &Lane, of: impl Fn(&ObjectReference) -> bool) -> bool {
        let stale: Vec<ObjectReference> = match self.lanes.get(lane) {
            Some(troubles) => troubles.keys().filter(|target| !of(target)).cloned().collect(),
            None => return false,
        };
        let mut told = false;
        for target in stale {
            told |= self.relieve(lane, &target);
        }
        told
    }

    /// An object in whose way something stood has changed: what was refused there is tried at once. Returns
    /// the DeploymentVersions to look at.
    pub(super) fn encourage(&mut self, reference: &ObjectReference) -> Vec<Key> {
        let mut look = Vec::new();
        for (lane, troubles) in &mut self.lanes {
            if let (Lane::Clone(dpv), Some(trouble)) = (lane, troubles.get_mut(reference)) {
                trouble.again = Timestamp::MIN;
                look.push(dpv.clone());
            }
        }
        look
    }

    /// What a person is told of a lane.
    pub(super) fn findings(&self, lane: &Lane) -> impl Iterator<Item = &Finding> {
        let troubles = self.lanes.get(lane).into_iter().flat_map(BTreeMap::values);
        troubles.filter_map(|trouble| trouble.finding.as_ref())
    }
}

/// What was tried, in one text.
fn tried(act: &Act) -> String {
    match act {
        Act::Create { object, .. } => format!("create {}", mark_text(object).unwrap_or_default()),
        Act::Update { object, uid, .. } => format!("update {uid} {}", mark_text(object).unwrap_or_default()),
        Act::HandOver { uid, .. } => format!("hand over {uid}"),
        Act::Delete { uid, .. } => format!("delete {uid}"),
        // They meet the same trouble, and take turns.
        Act::Finalizers { .. } | Act::Status { .. } => "itself".to_owned(),
        Act::Event { .. } => "event".to_owned(),
    }
}

/// The pause before the attempt after `times` that failed: doubled each time, up to the longest.
pub(super) fn growing((first, longest): (SignedDuration, SignedDuration), times: u32) -> SignedDuration {
    let factor = 1_i32.checked_shl(times.saturating_sub(1).min(20)).unwrap_or(i32::MAX);
    first.checked_mul(factor).unwrap_or(longest).min(longest)
}

/// 0 to 7, by the lane.
fn spread_of(lane: &Lane) -> i64 {
    let text = format!("{lane:?}");
    i64::from(text.bytes().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)) % 8)
}
