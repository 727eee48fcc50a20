//! Inventory to routing table, and a verdict on every Router.
//!
//! [`compile`] is a pure function of the inventory and the settings: what a previous result adds is speed,
//! the identity of what stays (endpoints, counters in flight, whole parts of the table) and the table's
//! generation. A bad part of a Router is left out and named; it takes nothing else with it.

mod active;
mod affected;
mod backends;
mod endpoints;
mod findings;
mod hosts;
mod rule;
mod spec;
mod state;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::hosts::HostChange;
use super::route::Endpoint;
use super::router::RouterTable;
use super::table::Table;
use crate::inventory::report::RouteReport;
use crate::inventory::{Changes, Inventory, Key, Settings};
use affected::Affected;
use backends::Backends;
use state::RouterState;

/// A compiled inventory, with what the next compilation builds on.
#[derive(Debug)]
pub struct Compiled {
    /// The table; the same [`Arc`] as before where it does not differ.
    pub table: Arc<Table>,
    /// A verdict on every Router.
    pub reports: BTreeMap<Key, RouteReport>,
    /// The Routers whose verdicts this compilation made anew, and those that are gone.
    pub touched: BTreeSet<Key>,
    /// The endpoints that left the table. Set their [`retired`](Endpoint::retired) once the new table is in
    /// its place: until then requests are still sent to them.
    pub retired: Vec<Arc<Endpoint>>,
    memory: Memory,
}

/// What one compilation leaves to the next.
#[derive(Debug, Default)]
struct Memory {
    settings: Option<Settings>,
    routers: BTreeMap<Key, RouterState>,
    backends: Backends,
}

/// Compiles an inventory. `previous` is the result for the inventory as it was before `changes`; without
/// one, everything is made anew and `changes` mean nothing.
#[must_use]
pub fn compile(
    inventory: &Inventory,
    settings: &Settings,
    previous: Option<Compiled>,
    changes: &Changes,
) -> Compiled {
    let (mut compiled, affected) = match previous {
        Some(previous) if previous.memory.settings.as_ref() == Some(settings) => {
            let affected = affected::by(changes, inventory, &previous.memory);
            (previous, affected)
        }
        // Other settings may change anything; what they do not change keeps its identity all the same.
        Some(previous) => {
            let affected = affected::all(inventory, &previous.memory);
            (previous, affected)
        }
        None => {
            let empty = Compiled {
                table: Arc::default(),
                reports: BTreeMap::new(),
                touched: BTreeSet::new(),
                retired: Vec::new(),
                memory: Memory::default(),
            };
            let affected = affected::all(inventory, &empty.memory);
            (empty, affected)
        }
    };
    let changed_settings = compiled.memory.settings.as_ref() != Some(settings);
    compiled.memory.settings = Some(settings.clone());
    let changes = compiled.renew(inventory, settings, changed_settings, affected);
    compiled.retired = compiled.memory.backends.settle();
    if !changes.is_empty() || compiled.table.generation == 0 {
        compiled.table = Arc::new(Table {
            generation: compiled.table.generation + 1,
            hosts: compiled.table.hosts.with(changes),
        });
    }
    compiled
}

impl Compiled {
    /// Renews what is affected; returns how the hosts differ.
    fn renew(
        &mut self,
        inventory: &Inventory,
        settings: &Settings,
        all_endpoints: bool,
        affected: Affected,
    ) -> Vec<HostChange> {
        let (mut gone, mut come) = (BTreeMap::new(), BTreeMap::<Arc<str>, Arc<RouterTable>>::new());
        self.touched = affected.keys().cloned().collect();
        for (key, scope) in affected {
            let old = self.memory.routers.remove(&key);
            let Some(facts) = inventory.routers.shared(&key) else {
                if let Some(old) = old {
                    old.leave(inventory, &mut self.memory.backends);
                    gone.extend(old.held.iter().map(|host| (host.as_str().into(), None)));
                }
                self.reports.remove(&key);
                continue;
            };
            let before = old.as_ref().map(|old| (old.held.clone(), old.table.clone()));
            let around =
                state::Around { inventory, settings, all_endpoints, backends: &mut self.memory.backends };
            let state = RouterState::renew(around, facts, old, scope);
            self.reports.insert(key.clone(), state.report());
            let is_known = |host: &crate::api::Host| {
                before
                    .as_ref()
                    .is_some_and(|(held, table)| held.contains(host) && Arc::ptr_eq(table, &state.table))
            };
            for host in state.held.iter().filter(|host| !is_known(host)) {
                come.insert(host.as_str().into(), state.table.clone());
            }
            if let Some((held, _)) = before {
                gone.extend(held.difference(&state.held).map(|host| (Arc::from(host.as_str()), None)));
            }
            self.memory.routers.insert(key, state);
        }
        // A host that one Router loses and another gets has one change: the gain.
        gone.extend(come.into_iter().map(|(host, table)| (host, Some(table))));
        gone.into_iter().collect()
    }
}
