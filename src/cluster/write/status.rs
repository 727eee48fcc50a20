//! Statuses of DeploymentVersions and Routers: written only where something differs, each at most as often as
//! a person can read, and only onto the version of the object that they were computed from.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::decide::Situation;
use super::events::{self, EventMemory};
use super::index::live;
use super::memory::Memory;
use super::{Act, Lane, Write};
use crate::cluster::clock::Now;
use crate::inventory::{Inventory, Kind, ObjectReference};
use crate::standing::Statuses;

/// A status is written at most so often.
const SPACING: SignedDuration = SignedDuration::from_secs(1);

/// What is to be written of statuses, and when it last was.
#[derive(Debug, Default)]
pub struct StatusMemory {
    /// What each status is to be, where it differs from what is live.
    due: BTreeMap<ObjectReference, Value>,
    last: BTreeMap<ObjectReference, Timestamp>,
    /// Patches that changed nothing, each with the version that it was made onto: the server does not keep what
    /// they say, as under an older definition.
    vain: BTreeMap<ObjectReference, (Value, Option<String>)>,
    again: Option<Timestamp>,
    pub(super) events: EventMemory,
}

impl StatusMemory {
    pub(super) fn forget(&mut self, target: &ObjectReference) {
        self.due.remove(target);
        self.last.remove(target);
        self.vain.remove(target);
        self.events.forget(target);
    }

    pub(super) fn again(&self) -> Option<Timestamp> {
        self.again
    }

    /// A patch was made onto this version of an object; `live` is what the server made of it.
    pub(super) fn patched(
        &mut self,
        target: &ObjectReference,
        patch: &Value,
        onto: Option<&str>,
        live: &Value,
    ) {
        let version = live.pointer("/metadata/resourceVersion").and_then(Value::as_str);
        if onto.is_some() && version == onto {
            self.vain.insert(target.clone(), (patch.clone(), onto.map(str::to_owned)));
        } else {
            self.vain.remove(target);
        }
    }

    fn is_vain(&self, target: &ObjectReference, patch: &Value, onto: Option<&String>) -> bool {
        self.vain.get(target).is_some_and(|(known, version)| version.as_ref() == onto && known == patch)
    }
}

impl Memory {
    /// Takes in what statuses are to be. What they were to be before, of the same objects, is forgotten.
    pub fn want(&mut self, statuses: &Statuses, inventory: &Inventory) {
        for (key, status) in &statuses.dpvs {
            let differs = inventory.dpvs.get(key).is_some_and(|dpv| dpv.status.read() != *status);
            let target = ObjectReference { kind: Kind::DeploymentVersion, key: key.clone() };
            self.want_one(target, differs.then(|| serde_json::to_value(status).unwrap_or_default()));
        }
        for (key, status) in &statuses.routers {
            let differs = inventory.routers.get(key).is_some_and(|router| router.status != *status);
            let target = ObjectReference { kind: Kind::Router, key: key.clone() };
            self.want_one(target, differs.then(|| serde_json::to_value(status).unwrap_or_default()));
        }
    }

    fn want_one(&mut self, target: ObjectReference, status: Option<Value>) {
        match status {
            Some(status) => self.statuses.due.insert(target, status),
            None => self.statuses.due.remove(&target),
        };
    }
}

/// The statuses whose time has come, with the events that go with them.
///
/// What it is not the time for is put back unread: of a thousand versions that come up, most wait at each look.
pub(super) fn decide(situation: &Situation<'_>, memory: &mut Memory) -> Vec<Write> {
    let due = std::mem::take(&mut memory.statuses.due);
    let now = situation.now;
    let both = Now { steady: now, wall: situation.wall };
    let mut writes = Vec::new();
    memory.statuses.again = None;
    for (target, wanted) in due {
        let Some(live) = live(situation.inventory, &target).map(|live| live.meta) else { continue };
        // Looked at again when it is heard what came of it.
        let busy = memory.is_busy(&Lane::Itself(target.clone()));
        let spaced = memory.statuses.last.get(&target).and_then(|last| last.checked_add(SPACING).ok());
        let behind = memory.echoes.is_behind(&target, Some(live), now);
        let mut at = spaced.max(behind).filter(|at| *at > now);
        if !busy && at.is_none() {
            let Some((uid, before)) = known(situation.inventory, &target) else { continue };
            let Some(patch) = merge_patch(&before, &wanted) else { continue };
            if memory.statuses.is_vain(&target, &patch, live.resource_version.as_ref()) {
                memory.statuses.due.insert(target, wanted);
                continue;
            }
            let act = Act::Status { uid, resource_version: live.resource_version.clone(), patch };
            let write = Write { cause: target.clone(), target: target.clone(), act };
            at = Some(memory.troubles.may_try(&write, now)).filter(|at| *at > now);
            if at.is_none() {
                memory.statuses.last.insert(target.clone(), now);
                writes.push(write);
                if !memory.endings.ends(&target.key.namespace, now) {
                    let events = &mut memory.statuses.events;
                    writes.extend(events::tell(&target, Some(live), &before, &wanted, both, events));
                }
            }
        }
        if let Some(at) = at.filter(|_| !busy) {
            memory.statuses.again = Some(memory.statuses.again.map_or(at, |known| known.min(at)));
        }
        memory.statuses.due.insert(target, wanted);
    }
    writes
}

/// The uid and the live status of an object.
fn known(inventory: &Inventory, target: &ObjectReference) -> Option<(String, Value)> {
    match target.kind {
        Kind::DeploymentVersion => {
            let dpv = inventory.dpvs.get(&target.key)?;
            Some((dpv.meta.uid.clone()?, serde_json::to_value(dpv.status.read()).ok()?))
        }
        Kind::Router => {
            let router = inventory.routers.get(&target.key)?;
            Some((router.meta.uid.clone()?, serde_json::to_value(&router.status).ok()?))
        }
        Kind::Deployment
        | Kind::Service
        | Kind::EndpointSlice
        | Kind::Pod
        | Kind::PodDisruptionBudget
        | Kind::HorizontalPodAutoscaler
        | Kind::NetworkPolicy
        | Kind::ConfigMap
        | Kind::Secret => None,
    }
}

/// The merge patch (RFC 7386) that makes one of the other; `None` where they are the same.
#[must_use]
pub fn merge_patch(from: &Value, to: &Value) -> Option<Value> {
    match (from, to) {
        (Value::Object(from), Value::Object(to)) => {
            let gone = from.keys().filter(|key| !to.contains_key(*key));
            let mut patch: Map<String, Value> = gone.map(|key| (key.clone(), Value::Null)).collect();
            for (key, value) in to {
                let differs = match from.get(key) {
                    Some(known) => merge_patch(known, value),
                    None => Some(value.clone()),
                };
                patch.extend(differs.map(|value| (key.clone(), value)));
            }
            (!patch.is_empty()).then_some(Value::Object(patch))
        }
        (from, to) => (from != to).then(|| to.clone()),
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
