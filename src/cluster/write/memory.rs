//! What came of earlier writes, as far as the next ones depend on it.
//!
//! What the watch has not shown yet is in [`super::echoes`], what was refused and when it is tried again in
//! [`super::troubles`], who changes things back in [`super::contests`]; here is what they have in common, and
//! what came of a write for each.
//!
//! None of it has to outlive the process: with an empty memory the same end is reached, at the cost of at most
//! one apply for each object that the API server words differently than it was asked.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::contests::Contests;
use super::decide::Situation;
use super::echoes::Echoes;
use super::endings::Endings;
use super::in_use::Leaving;
use super::index::Index;
use super::outcome::Outcome;
use super::prepare::{Mark, Prepared, hash, mark_text, prepare};
use super::rolling::{Group, Progress};
use super::status::StatusMemory;
use super::troubles::{Pauses, Troubles};
use super::{Act, Because, Lane, Write, compare, words};
use crate::cluster::clock::Now;
use crate::inventory::report::{CloneReport, Pending};
use crate::inventory::{Changes, Document, Finding, Inventory, Key, Kind, ObjectReference};
use crate::plan::Desired;

/// What came of earlier writes.
#[derive(Debug, Default)]
pub struct Memory {
    pub(super) index: Index,
    /// Lanes whose writes are on their way.
    busy: BTreeSet<Lane>,
    pub(super) echoes: Echoes,
    settled: BTreeMap<ObjectReference, Settled>,
    pub(super) contests: Contests,
    pub(super) troubles: Troubles,
    pub(super) endings: Endings,
    /// What of each DeploymentVersion its Deployment was last written for.
    pub(super) authors: BTreeMap<Key, String>,
    /// Deployments whose pod template was written, and when.
    pub(super) started: BTreeMap<Key, (Group, Timestamp)>,
    /// How far Deployments have come whose roll-outs counted.
    progress: BTreeMap<Key, Progress>,
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

/// What the API server made of what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Settled {
    uid: String,
    mark: String,
    seen: String,
}

impl Memory {
    /// Takes in what changed; returns the DeploymentVersions to look at, beside those whose plan differs.
    pub fn saw(&mut self, changes: &Changes, inventory: &Inventory) -> BTreeSet<Key> {
        let mut look = self.index.saw(changes, inventory);
        for (kind, key) in &changes.objects {
            let reference = ObjectReference { kind: *kind, key: key.clone() };
            let live = super::index::live(inventory, &reference);
            let uid = live.and_then(|live| live.meta.uid.as_deref());
            if let (Kind::DeploymentVersion, Some(uid)) = (kind, uid) {
                // One of the name that was not there before has no rivals yet.
                if self.endings.saw(key, uid) {
                    self.contests.forget(key);
                }
            }
            if live.is_none() {
                self.settled.remove(&reference);
                self.marks.remove(&reference);
                if *kind == Kind::Deployment {
                    self.started.remove(key);
                    self.progress.remove(key);
                }
            }
            match kind {
                Kind::DeploymentVersion if live.is_none() => self.forget(key),
                Kind::Router if live.is_none() => self.statuses.forget(&reference),
                _ => look.extend(self.troubles.encourage(&reference)),
            }
        }
        look
    }

    /// A desired object as it is sent; its hashes are worked out once. An autoscaler leaves a Deployment of 0
    /// replicas alone, and so would never bring a suspended one there: its count is ours as long. `left` says
    /// that its count was left to an autoscaler, where nobody knows whether there still is one.
    pub(super) fn prepare(&mut self, desired: &Desired, suspended: bool, left: bool) -> Prepared {
        let target = &desired.reference;
        let scaled = || left || self.index.is_scaled(&target.key);
        let autoscaled = target.kind == Kind::Deployment && !suspended && scaled();
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

    /// A DeploymentVersion is gone; what belongs to it, the cluster clears away.
    fn forget(&mut self, dpv: &Key) {
        self.troubles.forget(&Lane::Clone(dpv.clone()));
        self.endings.forget(dpv);
        self.contests.forget(dpv);
        self.authors.remove(dpv);
        self.leaving.remove(dpv);
        self.alarms.remove(dpv);
        self.tell(dpv, None);
        self.waiting.retain(|_, members| {
            members.remove(dpv);
            !members.is_empty()
        });
        let reference = ObjectReference { kind: Kind::DeploymentVersion, key: dpv.clone() };
        self.echoes.forget(&reference);
        self.troubles.forget(&Lane::Itself(reference.clone()));
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
                self.echoes.version(&write.target, &live, now);
            }
            Outcome::Gone => {
                if let Some(uid) = uid_of(&write.act) {
                    self.echoes.leaving(&write.target, uid, now);
                }
                self.started.remove(&write.target.key);
                self.trouble(write, None, Pauses::UNAVAILABLE, now);
            }
            Outcome::Taken => {
                let finding = words::taken(write);
                self.trouble(write, Some(finding), Pauses::REFUSED, now);
            }
            Outcome::Conflict => self.trouble(write, None, Pauses::UNAVAILABLE, now),
            Outcome::Refused(reason, said) => {
                self.started.remove(&write.target.key);
                let finding =
                    Finding::rejected(write.cause.clone(), reason, "", words::refused(write, &said));
                self.trouble(write, Some(finding), Pauses::REFUSED, now);
            }
            Outcome::Ending => self.ends(write, now),
            Outcome::Later(after, said) => {
                let finding =
                    Finding::rejected(write.cause.clone(), "WriteFailed", "", words::failed(write, &said));
                let after = after.and_then(|after| SignedDuration::try_from(after).ok());
                self.trouble(write, Some(finding), Pauses::UNAVAILABLE.at_least(after), now);
            }
            Outcome::Skipped => {
                self.started.remove(&write.target.key);
            }
        }
    }

    /// The namespace of a write is being deleted: nobody waits there for traffic to leave.
    fn ends(&mut self, write: &Write, now: Timestamp) {
        let place = &write.target.key;
        if self.endings.refused(&place.namespace, now) {
            let held: Vec<Key> = self.index.held_in(place).collect();
            held.iter().for_each(|dpv| self.alarm(dpv, now));
        }
        if !matches!(write.act, Act::Event { .. }) {
            self.started.remove(place);
            self.spare(write, now);
        }
    }

    /// Where the namespace of a write is being deleted, it waits, as if it had been refused.
    pub(super) fn spare(&mut self, write: &Write, now: Timestamp) {
        if let Some(until) = self.endings.until(&write.target.key.namespace, now)
            && self.troubles.may_try(write, now) <= now
        {
            let pauses = Pauses::exactly(until.duration_since(now));
            self.trouble(write, Some(words::ending(write)), pauses, now);
        }
    }

    fn done(&mut self, write: &Write, live: &Value, now: Timestamp) {
        let (target, dpv) = (&write.target, &write.cause.key);
        match &write.act {
            Act::Create { object, .. } => {
                self.settle(target, object, live);
                self.echoes.version(target, live, now);
                if self.contests.made(dpv, target, now) {
                    self.told.insert(dpv.clone());
                }
            }
            Act::Update { object, because, .. } => {
                self.settle(target, object, live);
                self.echoes.version(target, live, now);
                if *because == Because::Drift {
                    self.contests.set_back(dpv, target, now);
                    self.told.insert(dpv.clone());
                }
            }
            Act::Delete { uid, .. } => {
                self.echoes.leaving(target, uid, now);
                self.contests.let_go(dpv, target);
            }
            Act::Finalizers { .. } => self.echoes.version(target, live, now),
            Act::Status { resource_version, patch, .. } => {
                self.echoes.version(target, live, now);
                self.statuses.patched(target, patch, resource_version.as_deref(), live);
            }
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

    /// Whether what was applied last to the object of this uid is what is wanted, whatever mark it bears.
    pub(super) fn has_applied(&self, target: &ObjectReference, uid: &str, mark: &Mark) -> bool {
        let known = self.settled.get(target);
        known.is_some_and(|known| known.uid == uid && known.mark == mark.to_string())
    }

    /// Whether the live object's view of a desired one is what the server made of it.
    pub(super) fn is_settled(&self, target: &ObjectReference, uid: &str, mark: &Mark, seen: &Value) -> bool {
        let wanted = Settled { uid: uid.to_owned(), mark: mark.to_string(), seen: hash(seen) };
        self.settled.get(target) == Some(&wanted)
    }

    /// How far the roll-out of a Deployment has come.
    pub(super) fn progressed(
        &mut self,
        deployment: &Key,
        object: Option<&Value>,
        situation: &Situation<'_>,
    ) -> Option<Progress> {
        let now = Now { steady: situation.now, wall: situation.wall };
        let progress = Progress::see(self.progress.remove(deployment), object?, now)?;
        self.progress.insert(deployment.clone(), progress);
        Some(progress)
    }

    /// Rivals that have done nothing for long are none any more.
    pub(super) fn make_peace(&mut self, dpv: &Key, now: Timestamp) {
        let peace = self.contests.make_peace(dpv, now);
        if peace.made {
            self.told.insert(dpv.clone());
        }
        if let Some(next) = peace.next {
            self.alarm(dpv, next);
        }
    }

    /// Nothing stands in the way of an object any more.
    pub(super) fn relieve(&mut self, lane: &Lane, target: &ObjectReference) {
        let told = self.troubles.relieve(lane, target);
        self.tell_anew(lane, told);
    }

    fn trouble(&mut self, write: &Write, finding: Option<Finding>, pauses: Pauses, now: Timestamp) {
        // An event is told once, or not at all: there is nothing to remember.
        if matches!(write.act, Act::Event { .. }) {
            return;
        }
        let told = self.troubles.add(write, finding, pauses, now);
        self.tell_anew(&write.lane(), told);
    }

    /// Troubles with objects that nobody wants any more are no troubles.
    pub(super) fn keep_troubles(&mut self, dpv: &Key, of: impl Fn(&ObjectReference) -> bool) {
        let lane = Lane::Clone(dpv.clone());
        let told = self.troubles.keep(&lane, of);
        self.tell_anew(&lane, told);
    }

    fn tell_anew(&mut self, lane: &Lane, told: bool) {
        if let (true, Lane::Clone(dpv)) = (told, lane) {
            self.told.insert(dpv.clone());
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
        report.findings.extend(self.troubles.findings(&Lane::Clone(dpv.clone())).cloned());
        let cause = ObjectReference { kind: Kind::DeploymentVersion, key: dpv.clone() };
        for (target, deed) in self.contests.rivals(dpv) {
            let there = self.index.owned_by(dpv).any(|owned| owned == target);
            report.findings.push(words::contested(&cause, target, deed, there));
        }
        report.findings.sort();
        report
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
