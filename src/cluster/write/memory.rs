//! What came of earlier writes, as far as the next ones depend on it.
//!
//! None of it has to outlive the process: with an empty memory the same end is reached, at the cost of at most
//! one apply for each object that the API server words differently than it was asked.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::in_use::Leaving;
use super::index::Index;
use super::outcome::Outcome;
use super::prepare::{Mark, Prepared, hash, prepare};
use super::rolling::Group;
use super::status::StatusMemory;
use super::{Act, Because, Lane, Write, compare, words};
use crate::api::names;
use crate::inventory::object::Meta;
use crate::inventory::report::{CloneReport, Pending};
use crate::inventory::{Changes, Document, Finding, Inventory, Key, Kind, ObjectReference};
use crate::plan::Desired;

/// A written object is waited for in the watch for so long; then what the watch says is believed.
const WATCH_LAG: SignedDuration = SignedDuration::from_secs(10);
/// The first pause after a refusal, and the longest.
const REFUSED: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(1), SignedDuration::from_secs(60));
/// The same where the server could not do it now: it is asked again sooner, because it does not depend on
/// anybody.
const UNAVAILABLE: (SignedDuration, SignedDuration) =
    (SignedDuration::from_millis(250), SignedDuration::from_secs(10));
/// So many attempts in a row fail before a person is told of it: most ends by itself.
const TOLD_AFTER: u32 = 3;
/// The same object is set back a second time after this long, and the pauses grow to the longest.
const CONTESTED: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(1), SignedDuration::from_secs(300));
/// Whoever has changed nothing for so long is no rival any more.
const PEACE: SignedDuration = SignedDuration::from_secs(600);
/// Set back so often within [`PEACE`], the rival is named.
const RIVAL_AFTER: u32 = 4;

/// What came of earlier writes.
#[derive(Debug, Default)]
pub struct Memory {
    pub(super) index: Index,
    /// Lanes whose writes are on their way.
    busy: BTreeSet<Lane>,
    awaited: BTreeMap<ObjectReference, Awaited>,
    settled: BTreeMap<ObjectReference, Settled>,
    contests: BTreeMap<ObjectReference, Contest>,
    troubles: BTreeMap<Lane, BTreeMap<ObjectReference, Trouble>>,
    /// What of each DeploymentVersion its Deployment was last written for.
    pub(super) authors: BTreeMap<Key, String>,
    /// Deployments whose pod template was written, and when.
    pub(super) started: BTreeMap<Key, (Group, Timestamp)>,
    /// DeploymentVersions that wait for their turn, by base.
    pub(super) waiting: BTreeMap<Group, BTreeSet<Key>>,
    pub(super) leaving: BTreeMap<Key, Leaving>,
    pending: BTreeMap<Key, Pending>,
    pub(super) statuses: StatusMemory,
    /// When a DeploymentVersion is to be looked at again.
    alarms: BTreeMap<Key, Timestamp>,
    /// DeploymentVersions of which something else is to be told than before.
    told: BTreeSet<Key>,
    /// The marks of desired objects, for as long as the same is desired.
    marks: BTreeMap<ObjectReference, (Document, Mark)>,
}

/// A write that the watch has not shown yet.
#[derive(Debug, Clone)]
struct Awaited {
    what: Echo,
    until: Timestamp,
}

#[derive(Debug, Clone)]
enum Echo {
    /// The object in this version or a later one.
    Version(String),
    /// That the object of this uid goes.
    Leaving(String),
}

/// What the API server made of what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Settled {
    uid: String,
    mark: String,
    seen: String,
}

/// Somebody who changes back what is set.
#[derive(Debug, Clone)]
struct Contest {
    times: u32,
    last: Timestamp,
    field: String,
}

#[derive(Debug, Clone)]
struct Trouble {
    attempts: u32,
    again: Timestamp,
    /// What was tried, so that something else is tried at once.
    tried: String,
    finding: Option<Finding>,
}

impl Memory {
    /// Takes in what changed; returns the DeploymentVersions to look at, beside those whose plan differs.
    pub fn saw(&mut self, changes: &Changes, inventory: &Inventory) -> BTreeSet<Key> {
        let mut look = self.index.saw(changes, inventory);
        for (kind, key) in &changes.objects {
            let reference = ObjectReference { kind: *kind, key: key.clone() };
            let live = super::index::live(inventory, &reference);
            if live.is_none() {
                self.settled.remove(&reference);
                self.contests.remove(&reference);
                self.marks.remove(&reference);
                self.started.retain(|deployment, _| *kind != Kind::Deployment || deployment != key);
            }
            match kind {
                Kind::DeploymentVersion if live.is_none() => self.forget(key),
                Kind::Router if live.is_none() => self.statuses.forget(&reference),
                _ => look.extend(self.encouraged(&reference)),
            }
        }
        look
    }

    /// A desired object as it is sent; its hashes are worked out once.
    pub(super) fn prepare(&mut self, desired: &Desired) -> Prepared {
        let target = &desired.reference;
        let autoscaled = target.kind == Kind::Deployment && self.index.is_scaled(&target.key);
        let known = self
            .marks
            .get(target)
            .filter(|(object, mark)| *object == desired.object && mark.autoscaled == autoscaled);
        let mark = match known {
            Some((_, mark)) => mark.clone(),
            None => Mark::of(desired, autoscaled),
        };
        self.marks.insert(target.clone(), (desired.object.clone(), mark.clone()));
        prepare(desired, mark)
    }

    /// An object in whose way something stood has changed: what was refused there is tried at once.
    fn encouraged(&mut self, reference: &ObjectReference) -> Vec<Key> {
        let mut look = Vec::new();
        for (lane, troubles) in &mut self.troubles {
            if let (Lane::Clone(dpv), Some(trouble)) = (lane, troubles.get_mut(reference)) {
                trouble.again = Timestamp::MIN;
                look.push(dpv.clone());
            }
        }
        look
    }

    /// A DeploymentVersion is gone; what belongs to it, the cluster clears away.
    fn forget(&mut self, dpv: &Key) {
        self.troubles.remove(&Lane::Clone(dpv.clone()));
        self.authors.remove(dpv);
        self.leaving.remove(dpv);
        self.alarms.remove(dpv);
        self.tell(dpv, None);
        self.waiting.retain(|_, members| {
            members.remove(dpv);
            !members.is_empty()
        });
        let reference = ObjectReference { kind: Kind::DeploymentVersion, key: dpv.clone() };
        self.awaited.remove(&reference);
        self.troubles.remove(&Lane::Itself(reference.clone()));
        self.statuses.forget(&reference);
    }

    /// Writes are on their way.
    pub(super) fn sent(&mut self, writes: &[Write]) {
        self.busy.extend(writes.iter().map(Write::lane));
    }

    /// Takes in what came of a write.
    pub fn learned(&mut self, write: &Write, outcome: Outcome, now: Timestamp) {
        let lane = write.lane();
        self.busy.remove(&lane);
        if write.cause.kind == Kind::DeploymentVersion {
            self.alarm(&write.cause.key, now);
        }
        match outcome {
            Outcome::Done(live) => {
                self.relieve(&lane, &write.target);
                self.done(write, &live, now);
            }
            Outcome::Ours(live) => {
                self.relieve(&lane, &write.target);
                self.await_version(&write.target, &live, now);
            }
            Outcome::Gone => {
                if let Some(uid) = uid_of(&write.act) {
                    self.await_leaving(&write.target, uid, now);
                }
                self.started.remove(&write.target.key);
                self.trouble(&lane, write, None, UNAVAILABLE, None, now);
            }
            Outcome::Taken => {
                let finding = words::taken(write);
                self.trouble(&lane, write, Some(finding), REFUSED, None, now);
            }
            Outcome::Conflict => self.trouble(&lane, write, None, UNAVAILABLE, None, now),
            Outcome::Refused(reason, said) => {
                self.started.remove(&write.target.key);
                let finding =
                    Finding::rejected(write.cause.clone(), reason, "", words::refused(write, &said));
                self.trouble(&lane, write, Some(finding), REFUSED, None, now);
            }
            Outcome::Later(after, said) => {
                let finding =
                    Finding::rejected(write.cause.clone(), "WriteFailed", "", words::failed(write, &said));
                let after = after.and_then(|after| SignedDuration::try_from(after).ok());
                self.trouble(&lane, write, Some(finding), UNAVAILABLE, after, now);
            }
            Outcome::Skipped => {
                self.started.remove(&write.target.key);
            }
        }
    }

    fn done(&mut self, write: &Write, live: &Value, now: Timestamp) {
        let target = &write.target;
        match &write.act {
            Act::Create { object, .. } => {
                self.settle(target, object, live);
                self.await_version(target, live, now);
            }
            Act::Update { object, because, .. } => {
                self.settle(target, object, live);
                self.await_version(target, live, now);
                if *because == Because::Drift {
                    self.contested(target, now);
                    self.told.insert(write.cause.key.clone());
                }
            }
            Act::Delete { uid, .. } => self.await_leaving(target, uid, now),
            Act::Finalizers { .. } => self.await_version(target, live, now),
            Act::Status { .. } => self.await_version(target, live, now),
            Act::HandOver { .. } | Act::Event { .. } => {}
        }
    }

    /// Remembers what the server made of it: the same wish in other words is no difference.
    fn settle(&mut self, target: &ObjectReference, object: &Value, live: &Value) {
        let Some(uid) = live.pointer("/metadata/uid").and_then(Value::as_str) else { return };
        let settled = Settled {
            uid: uid.to_owned(),
            mark: mark_text(object).unwrap_or_default().to_owned(),
            seen: hash(&compare::view(target.kind, object, live)),
        };
        self.settled.insert(target.clone(), settled);
    }

    /// Whether the live object's view of a desired one is what the server made of it.
    pub(super) fn is_settled(&self, target: &ObjectReference, uid: &str, mark: &Mark, seen: &Value) -> bool {
        let wanted = Settled { uid: uid.to_owned(), mark: mark.to_string(), seen: hash(seen) };
        self.settled.get(target) == Some(&wanted)
    }

    fn contested(&mut self, target: &ObjectReference, now: Timestamp) {
        let contest = self.contests.entry(target.clone()).or_insert(Contest {
            times: 0,
            last: now,
            field: String::new(),
        });
        contest.times += 1;
        contest.last = now;
    }

    /// Rivals that have changed nothing for long are none any more.
    pub(super) fn make_peace(&mut self, dpv: &Key, now: Timestamp) {
        let owned: Vec<ObjectReference> = self.index.owned_by(dpv).cloned().collect();
        for target in owned {
            let Some(contest) = self.contests.get(&target) else { continue };
            let over = contest.last.checked_add(PEACE).unwrap_or(now);
            if over > now {
                self.alarm(dpv, over);
            } else {
                self.contests.remove(&target);
                self.told.insert(dpv.clone());
            }
        }
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

    fn await_version(&mut self, target: &ObjectReference, live: &Value, now: Timestamp) {
        if let Some(version) = live.pointer("/metadata/resourceVersion").and_then(Value::as_str) {
            self.await_echo(target, Echo::Version(version.to_owned()), now);
        }
    }

    fn await_leaving(&mut self, target: &ObjectReference, uid: &str, now: Timestamp) {
        self.await_echo(target, Echo::Leaving(uid.to_owned()), now);
    }

    fn await_echo(&mut self, target: &ObjectReference, what: Echo, now: Timestamp) {
        let until = now.checked_add(WATCH_LAG).unwrap_or(now);
        self.awaited.insert(target.clone(), Awaited { what, until });
    }

    /// Until when the watch is behind what was written to an object; `None` where it is not.
    pub(super) fn is_behind(
        &mut self,
        target: &ObjectReference,
        live: Option<&Meta>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let awaited = self.awaited.get(target)?;
        let seen = match (&awaited.what, live) {
            (Echo::Version(version), Some(live)) => {
                live.resource_version.as_deref().is_none_or(|seen| is_as_late(seen, version))
            }
            (Echo::Version(_), None) => false,
            (Echo::Leaving(_), None) => true,
            (Echo::Leaving(uid), Some(live)) => live.deleting || live.uid.as_ref() != Some(uid),
        };
        if seen || awaited.until <= now {
            self.awaited.remove(target);
            return None;
        }
        Some(awaited.until)
    }

    fn relieve(&mut self, lane: &Lane, target: &ObjectReference) {
        let Some(troubles) = self.troubles.get_mut(lane) else { return };
        let told = troubles.remove(target).is_some_and(|trouble| trouble.finding.is_some());
        if troubles.is_empty() {
            self.troubles.remove(lane);
        }
        if let (true, Lane::Clone(dpv)) = (told, lane) {
            self.told.insert(dpv.clone());
        }
    }

    fn trouble(
        &mut self,
        lane: &Lane,
        write: &Write,
        finding: Option<Finding>,
        pauses: (SignedDuration, SignedDuration),
        at_least: Option<SignedDuration>,
        now: Timestamp,
    ) {
        let tried = tried(&write.act);
        let troubles = self.troubles.entry(lane.clone()).or_default();
        let before = troubles.get(&write.target).filter(|trouble| trouble.tried == tried);
        let attempts = before.map_or(0, |trouble| trouble.attempts).saturating_add(1);
        let pause = growing(pauses, attempts).max(at_least.unwrap_or_default());
        // Those that were refused together do not come again together.
        let spread = pause.as_millis().try_into().unwrap_or(i64::MAX) / 8 * spread_of(lane) / 8;
        let again = now.checked_add(pause).and_then(|at| at.checked_add(SignedDuration::from_millis(spread)));
        let known = before.and_then(|trouble| trouble.finding.clone());
        let soon = finding.as_ref().is_some_and(|finding| finding.reason == "WriteFailed");
        let finding = finding.filter(|_| !soon || attempts >= TOLD_AFTER);
        let told = known != finding;
        let again = again.unwrap_or(now);
        troubles.insert(write.target.clone(), Trouble { attempts, again, tried, finding });
        if let (true, Lane::Clone(dpv)) = (told, lane) {
            self.told.insert(dpv.clone());
        }
    }

    /// From when on a write may be tried: now, or when its pause ends. Another wish than the one that failed
    /// is tried at once.
    pub(super) fn may_try(&self, write: &Write, now: Timestamp) -> Timestamp {
        let trouble = self.troubles.get(&write.lane()).and_then(|troubles| troubles.get(&write.target));
        match trouble {
            Some(trouble) if trouble.tried == tried(&write.act) => trouble.again.max(now),
            Some(_) | None => now,
        }
    }

    /// Troubles with objects that nobody wants any more are no troubles.
    pub(super) fn keep_troubles(&mut self, dpv: &Key, of: impl Fn(&ObjectReference) -> bool) {
        let lane = Lane::Clone(dpv.clone());
        let stale: Vec<ObjectReference> = match self.troubles.get(&lane) {
            Some(troubles) => troubles.keys().filter(|target| !of(target)).cloned().collect(),
            None => return,
        };
        for target in stale {
            self.relieve(&lane, &target);
        }
    }

    /// Whether writes of a lane are on their way.
    #[must_use]
    pub fn is_busy(&self, lane: &Lane) -> bool {
        self.busy.contains(lane)
    }

    /// Has a DeploymentVersion looked at again at a time, or before.
    pub(super) fn alarm(&mut self, dpv: &Key, at: Timestamp) {
        let alarm = self.alarms.entry(dpv.clone()).or_insert(at);
        *alarm = at.min(*alarm);
    }

    /// Takes the DeploymentVersions whose time has come.
    pub(super) fn due(&mut self, now: Timestamp) -> BTreeSet<Key> {
        let due: BTreeSet<Key> =
            self.alarms.iter().filter(|(_, at)| **at <= now).map(|(dpv, _)| dpv.clone()).collect();
        self.alarms.retain(|_, at| *at > now);
        due
    }

    /// When to decide again although nothing has changed; `None`: never.
    #[must_use]
    pub fn again(&self) -> Option<Timestamp> {
        self.alarms.values().copied().chain(self.statuses.again()).min()
    }

    /// What a DeploymentVersion waits for.
    pub(super) fn tell(&mut self, dpv: &Key, pending: Option<Pending>) {
        let before = match pending {
            Some(pending) => self.pending.insert(dpv.clone(), pending),
            None => self.pending.remove(dpv),
        };
        if before != pending {
            self.told.insert(dpv.clone());
        }
    }

    /// Whether it was told that a DeploymentVersion waits for something.
    pub(super) fn is_pending(&self, dpv: &Key) -> bool {
        self.pending.contains_key(dpv)
    }

    /// Takes the DeploymentVersions of which [`Memory::report`] tells something else than before.
    pub fn take_told(&mut self) -> BTreeSet<Key> {
        std::mem::take(&mut self.told)
    }

    /// What is to be told of a DeploymentVersion beside what its plan says.
    #[must_use]
    pub fn report(&self, dpv: &Key, planned: &CloneReport) -> CloneReport {
        let mut report = planned.clone();
        report.pending = self.pending.get(dpv).copied();
        if let Some(troubles) = self.troubles.get(&Lane::Clone(dpv.clone())) {
            report.findings.extend(troubles.values().filter_map(|trouble| trouble.finding.clone()));
        }
        let cause = ObjectReference { kind: Kind::DeploymentVersion, key: dpv.clone() };
        for target in self.index.owned_by(dpv) {
            let rival = self.contests.get(target).filter(|contest| contest.times >= RIVAL_AFTER);
            report.findings.extend(rival.map(|rival| words::contested(&cause, target, &rival.field)));
        }
        report.findings.sort();
        report
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

fn uid_of(act: &Act) -> Option<&str> {
    match act {
        Act::Update { uid, .. }
        | Act::HandOver { uid, .. }
        | Act::Delete { uid, .. }
        | Act::Finalizers { uid, .. }
        | Act::Status { uid, .. } => Some(uid),
        Act::Create { .. } | Act::Event { .. } => None,
    }
}

/// The mark that an object bears.
#[must_use]
pub fn mark_text(object: &Value) -> Option<&str> {
    object.pointer("/metadata/annotations")?.get(names::ANNOTATION_APPLIED)?.as_str()
}

/// Versions of objects are numbers that grow (Kubernetes 1.35, KEP-5504); what is none is compared as it is.
fn is_as_late(seen: &str, written: &str) -> bool {
    match (seen.parse::<u128>(), written.parse::<u128>()) {
        (Ok(seen), Ok(written)) => seen >= written,
        (Ok(_) | Err(_), Ok(_) | Err(_)) => seen == written,
    }
}

/// The pause before the attempt after `times` that failed: doubled each time, up to the longest.
fn growing((first, longest): (SignedDuration, SignedDuration), times: u32) -> SignedDuration {
    let factor = 1_i32.checked_shl(times.saturating_sub(1).min(20)).unwrap_or(i32::MAX);
    first.checked_mul(factor).unwrap_or(longest).min(longest)
}

/// 0 to 7, by the lane.
fn spread_of(lane: &Lane) -> i64 {
    let text = format!("{lane:?}");
    i64::from(text.bytes().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)) % 8)
}
