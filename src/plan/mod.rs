//! What each DeploymentVersion comes to: inventory in, the objects to create and what became of it out.
//!
//! Pure: the same inventory and settings give the same plan, to the byte. It writes nothing and asks nothing;
//! whoever applies a plan compares it with what is there. A DeploymentVersion that is refused has no desired
//! objects and stands in [`Plan::kept`]: whatever was made for it before stays as it is.

mod clone;
mod concern;
mod confine;
mod follow;
mod json;
mod labels;
pub mod merge;
mod namespaces;
mod place;
mod planner;
mod pods;
mod rights;
mod selection;
mod service;
mod strip;
#[cfg(test)]
mod tests;
mod wanted_names;

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::report::CloneReport;
use crate::inventory::{Changes, Document, Inventory, Key, ObjectReference, Settings};

pub use planner::Planner;

/// One object that is to be there.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// Its kind and key.
    pub reference: ObjectReference,
    /// The DeploymentVersion it belongs to.
    pub version: Key,
    /// The whole of it.
    pub object: Document,
}

/// What is to be there for all DeploymentVersions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The objects, by DeploymentVersion in order of their keys; of one, in the order of creation: what confines
    /// its pods, then the Services by name, then the Deployment.
    pub objects: Vec<Desired>,
    /// What became of each DeploymentVersion.
    pub reports: BTreeMap<Key, CloneReport>,
    /// DeploymentVersions that are refused, or whose base is gone for now: nothing is wanted for them anew,
    /// and nothing that was made for them goes.
    pub kept: BTreeSet<Key>,
}

/// What is to be there for one DeploymentVersion.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Planned {
    /// The objects, in the order of creation.
    pub objects: Vec<Desired>,
    /// What became of it.
    pub report: CloneReport,
    /// Whether it is refused, or its base is gone for now: nothing is wanted for it anew, and nothing that was
    /// made for it goes.
    pub kept: bool,
}

/// Works out every clone.
#[must_use]
pub fn plan(inventory: &Inventory, settings: &Settings) -> Plan {
    let mut planner = Planner::default();
    planner.update(inventory, settings, &Changes::default());
    planner.whole()
}

impl Planner {
    /// Everything that is planned, as one.
    #[must_use]
    pub fn whole(&self) -> Plan {
        let mut plan = Plan::default();
        for (key, planned) in self.planned() {
            plan.objects.extend(planned.objects.iter().cloned());
            plan.reports.insert(key.clone(), planned.report.clone());
            if planned.kept {
                plan.kept.insert(key.clone());
            }
        }
        plan
    }
}
