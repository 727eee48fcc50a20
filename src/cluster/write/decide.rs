//! What is to be written next: from what is live, what is wanted, and what came of earlier writes.
//!
//! Pure but for the memory that it is handed. Of one DeploymentVersion nothing is decided while something is on
//! its way, or while the watch has not shown what was written: so a write is never made twice, and never on
//! an old view.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::contests::Deed;
use super::difference::{difference, mark};
use super::in_use::{self, Leaving, Use, Verdict};
use super::index::{Live, group_of, live};
use super::memory::Memory;
use super::outcome::Outcome;
use super::prepare::Prepared;
use super::sight::Sight;
use super::turns::call;
use super::{Act, Because, Lane, Write, address, compare, rolling, status};
use crate::api::names;
use crate::inventory::object::VersionFacts;
use crate::inventory::report::Pending;
use crate::inventory::{Document, Inventory, Key, Kind, ObjectReference};
use crate::plan::Desired;

/// While nobody tells which versions are there, whether that has changed is asked so often.
const UNSURE: SignedDuration = SignedDuration::from_secs(1);

/// What is wanted for one DeploymentVersion.
#[derive(Debug, Clone, Copy)]
pub struct Planned<'p> {
    /// The objects.
    pub objects: &'p [Desired],
    /// Whether what was made for it before stays as it is.
    pub kept: bool,
}

/// What is decided upon.
pub struct Situation<'s> {
    /// What is live.
    pub inventory: &'s Inventory,
    /// What is wanted; `None` for a DeploymentVersion that is not planned yet.
    pub planned: &'s dyn Fn(&Key) -> Option<Planned<'s>>,
    /// So many versions of a base follow its change at a time.
    pub max_rolling: usize,
    /// How far what is live can be believed.
    pub sight: &'s Sight,
    /// The time, on the steady clock.
    pub now: Timestamp,
    /// The time that is written.
    pub wall: Timestamp,
}

/// The next writes, those of a lane together and in order. `look` are the DeploymentVersions of which
/// something may differ; those that waited for a time are looked at besides.
pub fn decide(situation: &Situation<'_>, look: &BTreeSet<Key>, memory: &mut Memory) -> Vec<Write> {
    let mut look = look.clone();
    look.extend(memory.due(situation.now));
    let mut writes = Vec::new();
    for key in &look {
        let Some(dpv) = situation.inventory.dpvs.get(key) else { continue };
        writes.extend(finalizer(situation, dpv, memory));
        writes.extend(clone(situation, dpv, Turn::Waits, memory));
    }
    memory.sent(&writes);
    let called = call(situation, memory);
    memory.sent(&called);
    writes.extend(called);
    let statuses = status::decide(situation, memory);
    memory.sent(&statuses);
    writes.extend(statuses);
    writes
}

/// The finalizer of a DeploymentVersion, where it is to change.
fn finalizer(situation: &Situation<'_>, dpv: &VersionFacts, memory: &mut Memory) -> Option<Write> {
    let (key, now) = (&dpv.meta.key, situation.now);
    let used = match memory.endings.ends(&key.namespace, now) {
        true => Use::None,
        false => in_use::usage(situation.inventory, dpv),
    };
    let leaving = if dpv.meta.deleting {
        let leaving = memory.leaving.entry(key.clone()).or_insert(Leaving { since: now, moved: None });
        leaving.moved = (used != Use::Active).then(|| leaving.moved.unwrap_or(now));
        *leaving
    } else {
        Leaving { since: now, moved: None }
    };
    let held = match in_use::judge(dpv, used, leaving, now) {
        Verdict::Stays => return None,
        Verdict::Until(end) => {
            memory.alarm(key, end);
            return None;
        }
        Verdict::Add => true,
        Verdict::Remove => false,
    };
    let target = dpv.reference();
    let act = Act::Finalizers {
        uid: dpv.meta.uid.clone()?,
        resource_version: dpv.meta.resource_version.clone(),
        finalizers: in_use::finalizers(&dpv.meta, held),
    };
    let write = Write { cause: target.clone(), target, act };
    if memory.is_busy(&write.lane()) {
        return None;
    }
    let behind = memory.echoes.is_behind(&write.target, Some(&dpv.meta), now);
    let at = behind.unwrap_or_else(|| memory.troubles.may_try(&write, now));
    if at > now {
        memory.alarm(key, at);
        return None;
    }
    Some(write)
}

/// Whether a version may follow its base now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It waits until it is called.
    Waits,
    /// It is its turn.
    Called,
}

/// The clone of one DeploymentVersion.
pub(super) fn clone(
    situation: &Situation<'_>,
    dpv: &VersionFacts,
    turn: Turn,
    memory: &mut Memory,
) -> Vec<Write> {
    let key = &dpv.meta.key;
    let wanted = (situation.planned)(key).filter(|planned| !planned.kept && !dpv.meta.deleting);
    let (Some(planned), Some(uid)) = (wanted, &dpv.meta.uid) else {
        // Nothing new is wanted for it; what there is stays, or goes with it.
        leave_queue(memory, key);
        memory.keep_troubles(key, |_| false);
        memory.tell(key, None);
        return Vec::new();
    };
    if memory.is_busy(&Lane::Clone(key.clone())) {
        return Vec::new();
    }
    let mut known: BTreeSet<ObjectReference> = memory.index.owned_by(key).cloned().collect();
    known.extend(planned.objects.iter().map(|desired| desired.reference.clone()));
    memory.keep_troubles(key, |target| known.contains(target));
    memory.make_peace(key, situation.now);
    let mut survey = Survey::default();
    let mut desired: Vec<&Desired> = planned.objects.iter().collect();
    desired.sort_by_key(|desired| address::stage(desired.reference.kind));
    for desired in desired {
        survey.look_at(situation, dpv, uid, desired, memory);
    }
    let waits = survey.rolls.is_some() && turn == Turn::Waits && !is_authors_own(memory, dpv);
    leave_queue(memory, key);
    if let Some(group) = survey.rolls.clone() {
        if waits {
            memory.waiting.entry(group).or_default().insert(key.clone());
            survey.writes.retain(|write| matches!(write.act, Act::Create { .. }));
        } else {
            let deployment = survey.writes.iter().find(|write| write.target.kind == Kind::Deployment);
            if let Some(write) = deployment {
                memory.started.insert(write.target.key.clone(), (group, situation.now));
            }
        }
    }
    let settled = survey.writes.is_empty() && !survey.unsettled && !waits;
    if settled {
        memory.authors.insert(key.clone(), author(dpv));
        survey.writes = unwanted(situation, dpv, uid, planned.objects, memory);
    }
    memory.tell(
        key,
        match (survey.pending, waits) {
            (false, _) => None,
            (true, true) => Some(Pending::Turn),
            (true, false) => Some(Pending::Write),
        },
    );
    survey.writes
}

fn leave_queue(memory: &mut Memory, dpv: &Key) {
    memory.waiting.retain(|_, members| {
        members.remove(dpv);
        !members.is_empty()
    });
}

/// What of a DeploymentVersion its own author changes.
fn author(dpv: &VersionFacts) -> String {
    let annotation = |name| dpv.meta.annotations.get(name);
    let (build, share) = (annotation(names::ANNOTATION_BUILD), annotation(names::ANNOTATION_SHARE_VOLUMES));
    format!("{:?} {build:?} {share:?}", dpv.meta.generation)
}

/// Whether its author changed it since it was last as it was wanted: nobody waits for their own change.
fn is_authors_own(memory: &Memory, dpv: &VersionFacts) -> bool {
    memory.authors.get(&dpv.meta.key).is_some_and(|known| *known != author(dpv))
}

/// What is to be done for one DeploymentVersion.
#[derive(Default)]
struct Survey {
    writes: Vec<Write>,
    /// Whether something is not as it is wanted although nothing is written now.
    unsettled: bool,
    /// Whether something that has to be there before its pods is not, and cannot be made now.
    obstructed: bool,
    /// Whether something new is wanted of it, or something is missing; not so where somebody changed what is
    /// there, which is set back, or where the server only words it differently.
    pending: bool,
    /// The base with whose versions it takes turns, where new pods would be started.
    rolls: Option<rolling::Group>,
}

impl Survey {
    fn look_at(
        &mut self,
        situation: &Situation<'_>,
        dpv: &VersionFacts,
        uid: &str,
        desired: &Desired,
        memory: &mut Memory,
    ) {
        let target = &desired.reference;
        let live = live(situation.inventory, target);
        if let Some(until) = memory.echoes.is_behind(target, live.map(|live| live.meta), situation.now) {
            memory.alarm(&dpv.meta.key, until);
            self.unsettled = true;
            self.pending |= memory.is_pending(&dpv.meta.key);
            return;
        }
        let left = situation.sight.is_unlisted(Kind::HorizontalPodAutoscaler, &target.key.namespace)
            && live.and_then(|live| mark(live.meta)).is_some_and(|mark| mark.autoscaled);
        let prepared = memory.prepare(desired, dpv.spec.suspend, left);
        let write = |act| Write { target: target.clone(), cause: dpv.reference(), act };
        let create = || write(Act::Create { object: prepared.object.clone(), owner: uid.to_owned() });
        match live {
            None => {
                self.pending = true;
                self.try_or_wait(create(), dpv, situation, memory);
            }
            Some(live) if !is_ours(&live, uid) => {
                let create = create();
                if memory.troubles.may_try(&create, situation.now) <= situation.now {
                    memory.learned(&create, Outcome::Taken, situation.now);
                }
                let again = memory.troubles.may_try(&create, situation.now);
                memory.alarm(&dpv.meta.key, again);
                (self.unsettled, self.obstructed, self.pending) = (true, true, true);
            }
            // Its name is free once it is gone.
            Some(live) if live.meta.deleting => {
                (self.unsettled, self.pending) = (true, true);
                self.obstructed |= address::precedes_pods(target.kind);
            }
            Some(live) => self.compare(&live, &prepared, &write, dpv, situation, memory),
        }
    }

    fn compare(
        &mut self,
        live: &Live<'_>,
        prepared: &Prepared,
        write: &dyn Fn(Act) -> Write,
        dpv: &VersionFacts,
        situation: &Situation<'_>,
        memory: &mut Memory,
    ) {
        let (Some(uid), target) = (&live.meta.uid, write(Act::Event { object: Value::Null }).target) else {
            return;
        };
        let Some(difference) = difference(&target, live, uid, prepared, memory) else {
            // It was made after all: only its answer was lost.
            memory.relieve(&Lane::Clone(dpv.meta.key.clone()), &target);
            return;
        };
        if difference.because == Because::Drift {
            let deed = Deed::Changes(difference.field);
            let at = memory.contests.may_set_back(&dpv.meta.key, &target, deed, situation.now);
            if at > situation.now {
                memory.alarm(&dpv.meta.key, at);
                return;
            }
        }
        self.pending |= difference.because == Because::Wanted;
        if difference.rolls {
            self.rolls = Some(group_of(live.meta));
        }
        let whole = live.object.map(Document::value);
        let replicas = whole.as_ref().and_then(|it| it.pointer("/spec/replicas")).and_then(Value::as_i64);
        // From 0, as after a suspension, no autoscaler would ever take it up.
        let replicas = if replicas == Some(0) { prepared.replicas } else { replicas };
        let was_ours = difference.before.is_some_and(|before| !before.autoscaled);
        if let (true, true, Some(replicas)) = (prepared.mark.autoscaled, was_ours, replicas) {
            self.try_or_wait(write(Act::HandOver { uid: uid.clone(), replicas }), dpv, situation, memory);
        }
        let because = difference.because;
        let is_another = because == Because::Wanted
            && whole
                .is_some_and(|live| compare::turns_headless_or_back(target.kind, &prepared.object, &live));
        let act = match is_another {
            // It is made anew once it is gone.
            true => Act::Delete { uid: uid.clone(), resource_version: live.meta.resource_version.clone() },
            false => Act::Update { object: prepared.object.clone(), uid: uid.clone(), because },
        };
        self.try_or_wait(write(act), dpv, situation, memory);
    }

    fn try_or_wait(
        &mut self,
        write: Write,
        dpv: &VersionFacts,
        situation: &Situation<'_>,
        memory: &mut Memory,
    ) {
        let now = situation.now;
        let creates = matches!(write.act, Act::Create { .. });
        if creates && self.obstructed && write.target.kind == Kind::Deployment {
            self.unsettled = true;
            return;
        }
        // What was said of one object there is true of all.
        if creates {
            memory.spare(&write, now);
        }
        let mut at = memory.troubles.may_try(&write, now);
        if creates {
            at = at.max(may_make(&write, situation, memory));
        }
        if at > now {
            memory.alarm(&dpv.meta.key, at);
            self.unsettled = true;
            self.obstructed |= creates && address::precedes_pods(write.target.kind);
            return;
        }
        self.writes.push(write);
    }
}

/// From when on an object may be made that is not there. What is made for a version that is gone, the cluster
/// clears away at once, pods and all; so it is not made while nobody tells which versions are there, and what
/// somebody deletes again and again is made anew with growing pauses.
fn may_make(write: &Write, situation: &Situation<'_>, memory: &mut Memory) -> Timestamp {
    let (dpv, now) = (&write.cause.key, situation.now);
    if situation.sight.is_failing(Kind::DeploymentVersion, &dpv.namespace) {
        return now.checked_add(UNSURE).unwrap_or(now);
    }
    memory.contests.may_set_back(dpv, &write.target, Deed::Deletes, now)
}

/// Whether the DeploymentVersion of this uid controls the object.
fn is_ours(live: &Live<'_>, uid: &str) -> bool {
    let owner = live.meta.controller.as_ref();
    owner.is_some_and(|owner| *owner.uid == *uid && !uid.is_empty())
}

/// What was made for a DeploymentVersion and is wanted no longer goes, once all that is wanted is there.
fn unwanted(
    situation: &Situation<'_>,
    dpv: &VersionFacts,
    uid: &str,
    wanted: &[Desired],
    memory: &mut Memory,
) -> Vec<Write> {
    let key = &dpv.meta.key;
    let owned: Vec<ObjectReference> = memory.index.owned_by(key).cloned().collect();
    let mut writes = Vec::new();
    for target in owned {
        let is_wanted = wanted.iter().any(|desired| desired.reference == target);
        let Some(live) = live(situation.inventory, &target).filter(|live| is_ours(live, uid)) else {
            continue;
        };
        let behind = memory.echoes.is_behind(&target, Some(live.meta), situation.now);
        if is_wanted || live.meta.deleting {
            continue;
        }
        let Some(uid) = live.meta.uid.clone() else { continue };
        let act = Act::Delete { uid, resource_version: live.meta.resource_version.clone() };
        let write = Write { target, cause: dpv.reference(), act };
        let at = behind.unwrap_or_else(|| memory.troubles.may_try(&write, situation.now));
        if at > situation.now {
            memory.alarm(key, at);
        } else {
            writes.push(write);
        }
    }
    writes
}
