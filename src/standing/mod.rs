//! Inventory and the time to statuses: where every DeploymentVersion and Router stands. Pure.
//!
//! Some facts are in no spec: the active version so far, the first claim of a host, the base once
//! resolved, ids that were on offer. [`decide`] computes them beside the conditions; they are written into
//! the objects' statuses by whoever may write, and read from there by `routes`, so that every replica
//! agrees and a restart forgets nothing. Feeding its own answer back changes nothing. It routes nothing
//! and makes no object.

mod affected;
mod conditions;
mod pods;
mod progress;
mod router;
mod unread;
mod version;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api::{DeploymentVersionStatus, RouterStatus};
use crate::inventory::report::Reports;
use crate::inventory::{Inventory, Key, Settings};
pub use affected::{Affected, affected};

/// The status of every DeploymentVersion and Router.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statuses {
    /// By DeploymentVersion.
    pub dpvs: BTreeMap<Key, DeploymentVersionStatus>,
    /// By Router.
    pub routers: BTreeMap<Key, RouterStatus>,
}

impl Statuses {
    /// Only those that differ from what the inventory has: what is worth a write.
    #[must_use]
    pub fn differing(mut self, inventory: &Inventory) -> Self {
        self.dpvs
            .retain(|key, status| inventory.dpvs.get(key).is_some_and(|dpv| dpv.status.read() != *status));
        self.routers
            .retain(|key, status| inventory.routers.get(key).is_some_and(|router| router.status != *status));
        self
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dpvs.is_empty() && self.routers.is_empty()
    }
}

/// Where everything stands at `now`. `reports` are the newest of `plan` and `routes`; what they do not
/// speak of is not known yet.
#[must_use]
pub fn decide(inventory: &Inventory, reports: &Reports, settings: &Settings, now: Timestamp) -> Statuses {
    decide_for(inventory, &Affected::all(inventory), reports, settings, now)
}

/// Where these objects stand at `now`; of those that are gone, nothing is said.
#[must_use]
pub fn decide_for(
    inventory: &Inventory,
    affected: &Affected,
    reports: &Reports,
    settings: &Settings,
    now: Timestamp,
) -> Statuses {
    let now = whole_second(now);
    let dpvs = affected.dpvs.iter().filter_map(|key| {
        let dpv = inventory.dpvs.get(key)?;
        Some((key.clone(), version::status(inventory, dpv, reports, settings, now)))
    });
    let routers = affected.routers.iter().filter_map(|key| {
        let router = inventory.routers.get(key)?;
        Some((key.clone(), router::status(inventory, router, reports, settings, now)))
    });
    Statuses { dpvs: dpvs.collect(), routers: routers.collect() }
}

/// Kubernetes writes times in whole seconds (`metav1.Time`); a finer one would differ once it is read back.
fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
