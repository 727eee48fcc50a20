//! Whose turn it is to follow a base that changed: so many at a time, the active version last.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::decide::{Situation, Turn, clone};
use super::in_use::{self, Use};
use super::index::live;
use super::memory::Memory;
use super::{Lane, Write, rolling};
use crate::inventory::object::VersionFacts;
use crate::inventory::{Document, Key, Kind, ObjectReference};

/// Calls those whose turn it is to follow their base.
pub(super) fn call(situation: &Situation<'_>, memory: &mut Memory) -> Vec<Write> {
    let groups: Vec<(rolling::Group, BTreeSet<Key>)> =
        memory.waiting.iter().map(|(group, members)| (group.clone(), members.clone())).collect();
    let mut writes = Vec::new();
    for (group, members) in groups {
        let rolling = still_rolling(situation, &group, memory);
        let mut places = situation.max_rolling.max(1).saturating_sub(rolling.len());
        let is_active = |dpv: &&VersionFacts| in_use::usage(situation.inventory, dpv) == Use::Active;
        let waiting = || members.iter().filter_map(|key| situation.inventory.dpvs.get(key));
        let mut others = waiting().filter(|dpv| !is_active(dpv)).peekable();
        let none_else = others.peek().is_none() && rolling.is_empty();
        let last = waiting().filter(is_active).filter(|_| none_else);
        for dpv in others.chain(last) {
            if places == 0 {
                break;
            }
            let called = clone(situation, dpv, Turn::Called, memory);
            if !called.is_empty() {
                places -= 1;
                writes.extend(called);
            }
        }
        // Where nothing is heard of those that roll, their time runs out.
        if let (Some(next), Some(first)) = (rolling.iter().min(), members.first()) {
            memory.alarm(first, *next);
        }
    }
    writes
}

/// Until when each of a base's versions counts that roll out now.
fn still_rolling(situation: &Situation<'_>, group: &rolling::Group, memory: &mut Memory) -> Vec<Timestamp> {
    let started = memory.started.iter().filter(|(_, (of, _))| of == group).map(|(key, _)| key);
    let deployments: BTreeSet<Key> = memory.index.rolling(group).chain(started).cloned().collect();
    let mut until = Vec::new();
    for key in deployments {
        let reference = ObjectReference { kind: Kind::Deployment, key };
        let live = live(situation.inventory, &reference);
        let since = memory.started.get(&reference.key).map(|(_, since)| *since);
        let owner = live.and_then(|live| live.meta.version());
        let busy = owner.is_some_and(|owner| memory.is_busy(&Lane::Clone(owner)));
        let behind = memory.echoes.is_behind(&reference, live.map(|live| live.meta), situation.now).is_some();
        let object = live.and_then(|live| live.object).map(Document::value);
        let object = object.as_ref();
        if !busy && !behind && !object.is_some_and(rolling::is_unfinished) {
            memory.started.remove(&reference.key);
            continue;
        }
        let progress = memory.progressed(&reference.key, object, situation);
        until.extend(rolling::counts_until(progress, since).filter(|until| *until > situation.now));
    }
    until
}
