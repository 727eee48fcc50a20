//! The one who writes, while this process holds the Lease: gathers what has to be looked at, asks for the next
//! writes, and tells what came of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::decide::{Planned, Situation, decide};
use super::sight::Sight;
use super::{Memory, Outcome, Write};
use crate::cluster::clock::Now;
use crate::inventory::object::Keyed;
use crate::inventory::report::CloneReport;
use crate::inventory::{Changes, Inventory, Key, Kind};
use crate::standing::Statuses;

/// Decides what is written.
#[derive(Debug)]
pub struct Writer {
    memory: Memory,
    look: BTreeSet<Key>,
    max_rolling: usize,
}

impl Writer {
    /// One who knows of no earlier write, and looks at everything.
    #[must_use]
    pub fn new(inventory: &Inventory, max_rolling: usize) -> Self {
        let mut writer = Self { memory: Memory::default(), look: BTreeSet::new(), max_rolling };
        writer.saw(&everything(inventory), inventory);
        writer
    }

    /// Takes in what changed.
    pub fn saw(&mut self, changes: &Changes, inventory: &Inventory) {
        let look = self.memory.saw(changes, inventory);
        self.look.extend(look);
    }

    /// Of these DeploymentVersions something else is wanted.
    pub fn planned(&mut self, keys: impl IntoIterator<Item = Key>) {
        self.look.extend(keys);
    }

    /// Takes in what statuses are to be.
    pub fn want(&mut self, statuses: &Statuses, inventory: &Inventory) {
        self.memory.want(statuses, inventory);
    }

    /// The next writes, to be sent lane by lane; each is answered by [`Writer::learned`].
    pub fn writes<'p>(
        &mut self,
        inventory: &'p Inventory,
        planned: &'p dyn Fn(&Key) -> Option<Planned<'p>>,
        sight: &'p Sight,
        now: Now,
    ) -> Vec<Write> {
        let max_rolling = self.max_rolling;
        let (wall, now) = (now.wall, now.steady);
        let situation = Situation { inventory, planned, max_rolling, sight, now, wall };
        let look = std::mem::take(&mut self.look);
        decide(&situation, &look, &mut self.memory)
    }

    /// Takes in what came of writes.
    pub fn learned(&mut self, done: Vec<(Write, Outcome)>, now: Timestamp) {
        for (write, outcome) in done {
            self.memory.learned(&write, outcome, now);
        }
    }

    /// When to ask for writes again although nothing has changed.
    #[must_use]
    pub fn again(&self) -> Option<Timestamp> {
        self.memory.again()
    }

    /// Renews the reports of those of which something else is to be told; returns whose.
    pub fn retell(
        &mut self,
        reports: &mut BTreeMap<Key, CloneReport>,
        planned: impl Fn(&Key) -> Option<CloneReport>,
    ) -> BTreeSet<Key> {
        let told = self.memory.take_told();
        for key in &told {
            if let Some(planned) = planned(key) {
                reports.insert(key.clone(), self.memory.report(key, &planned));
            }
        }
        told
    }

    /// What is to be told of a DeploymentVersion beside what its plan says.
    #[must_use]
    pub fn report(&self, key: &Key, planned: &CloneReport) -> CloneReport {
        self.memory.report(key, planned)
    }
}

/// Everything there is, as if it had just come.
fn everything(inventory: &Inventory) -> Changes {
    fn of<'i, T: Keyed + 'i>(
        kind: Kind,
        store: impl Iterator<Item = &'i T> + 'i,
    ) -> impl Iterator<Item = (Kind, Key)> + 'i {
        store.map(move |object| (kind, object.key().clone()))
    }
    let objects = of(Kind::Deployment, inventory.deployments.iter())
        .chain(of(Kind::Service, inventory.services.iter()))
        .chain(of(Kind::NetworkPolicy, inventory.network_policies.iter()))
        .chain(of(Kind::PodDisruptionBudget, inventory.disruption_budgets.iter()))
        .chain(of(Kind::HorizontalPodAutoscaler, inventory.autoscalers.iter()))
        .chain(of(Kind::DeploymentVersion, inventory.dpvs.iter()))
        .chain(of(Kind::Router, inventory.routers.iter()));
    Changes { objects: objects.collect(), ..Changes::default() }
}
