//! The objects known at one instant, and the questions that several rooms ask of them.
//!
//! An [`Inventory`] is filled by a source (a cluster's watches, a folder of manifests, a test) through
//! [`Inventory::update`] and read by the pure rooms. It answers what `plan`, `standing` and `routes` must
//! agree on: which base a DeploymentVersion belongs to ([`versions`]), who holds a host ([`claims`]), which
//! version is active ([`active`]), where a version's pods are ([`endpoints`]), what a clone is called
//! ([`names`]). It decides nothing about traffic and makes no object.

pub mod active;
mod changes;
pub mod claims;
mod document;
pub mod endpoints;
pub mod finding;
pub mod key;
mod labels;
pub mod names;
pub mod object;
pub mod offer;
mod own;
pub mod owners;
pub mod quantity;
pub mod report;
mod resolve;
pub mod selector;
pub mod service;
pub mod settings;
pub mod snapshot;
mod store;
mod unrouted;
mod update;
pub mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use changes::Changes;
pub use document::{Document, Exemplars};
pub use finding::{Finding, Severity};
pub use key::{Key, Kind, ObjectReference};
pub use object::Object;
pub use settings::Settings;
pub use store::Store;

use crate::api::Host;
use object::{
    AutoscalerFacts, ConfigFacts, DeploymentFacts, DisruptionFacts, NetworkPolicyFacts, PodFacts,
    RouterFacts, ServiceFacts, SliceFacts, VersionFacts,
};
use owners::HostOwners;
use versions::{Resolution, Versions};

/// One change of the inventory.
#[derive(Debug, Clone)]
pub enum Edit {
    /// The object is there, as given.
    Apply(Box<Object>),
    /// The object is gone.
    Remove(Kind, Key),
}

/// The objects known at one instant, with the indexes over them.
#[derive(Debug, Default, Clone)]
pub struct Inventory {
    /// Deployments: bases, clones and strangers.
    pub deployments: Store<DeploymentFacts>,
    /// Services.
    pub services: Store<ServiceFacts>,
    /// EndpointSlices.
    pub slices: Store<SliceFacts>,
    /// Pods of bases and clones.
    pub pods: Store<PodFacts>,
    /// DeploymentVersions.
    pub dpvs: Store<VersionFacts>,
    /// Routers.
    pub routers: Store<RouterFacts>,
    /// PodDisruptionBudgets.
    pub disruption_budgets: Store<DisruptionFacts>,
    /// HorizontalPodAutoscalers.
    pub autoscalers: Store<AutoscalerFacts>,
    /// NetworkPolicies.
    pub network_policies: Store<NetworkPolicyFacts>,
    /// ConfigMaps.
    pub config_maps: Store<ConfigFacts>,
    /// Secrets.
    pub secrets: Store<ConfigFacts>,
    host_owners: HostOwners,

    /// Services with their slices: one flat set, for most Services have one.
    slices_of_service: BTreeSet<(Key, Key)>,
    /// What is no clone, by namespace and kind: little, where clones may be thousands.
    own: BTreeMap<(Arc<str>, Kind), BTreeSet<Key>>,
    routers_of_base: BTreeMap<Key, BTreeSet<Key>>,
    wanted_hosts: BTreeMap<Host, BTreeSet<Key>>,
    resolutions: BTreeMap<Key, Resolution>,
    versions: BTreeMap<Key, Versions>,
    /// Who claims which version id of which base.
    ids: resolve::Ids,
    /// Pods by namespace and the label `kyaninus.com/dpv`.
    pods_by_label: BTreeSet<(Key, Arc<str>)>,
    /// DeploymentVersions by namespace and the value of that label for them.
    dpvs_by_label: BTreeSet<(Key, Arc<str>)>,
    /// DeploymentVersions by a Service that they name.
    dpvs_by_service: BTreeSet<(Key, Arc<str>)>,
    /// What the clones of a base are kept as differences from.
    exemplars: document::Exemplars,
    /// DeploymentVersions whose clone's name is not their own, because it would be too long; by that name.
    dpvs_by_cut_name: BTreeSet<(Key, Arc<str>)>,
}

impl Inventory {
    /// Nothing known yet, but that some hosts are kept for some namespaces.
    #[must_use]
    pub fn with(host_owners: HostOwners) -> Self {
        Self { host_owners, ..Self::default() }
    }

    /// The hosts that are kept for some namespaces.
    #[must_use]
    pub fn host_owners(&self) -> &HostOwners {
        &self.host_owners
    }

    /// The Routers of a base, in order of their keys.
    pub fn routers_of(&self, base: &Key) -> impl Iterator<Item = &RouterFacts> {
        self.routers_of_base.get(base).into_iter().flatten().filter_map(|key| self.routers.get(key))
    }

    /// The EndpointSlices of a Service, in order of their keys.
    pub fn slices_of(&self, service: &Key) -> impl Iterator<Item = &SliceFacts> {
        let first = (service.clone(), service.sibling(""));
        let slices = self.slices_of_service.range(first..).take_while(move |(of, _)| of == service);
        slices.filter_map(|(_, key)| self.slices.get(key))
    }
}

#[cfg(test)]
mod tests;
