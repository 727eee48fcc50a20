//! The objects known at one instant, and the questions that several rooms ask of them.
//!
//! An [`Inventory`] is filled by a source (a cluster's watches, a folder of manifests, a test) through
//! [`Inventory::update`] and read by the pure rooms. It answers what `plan`, `standing` and `routes` must
//! agree on: which base a DeploymentVersion belongs to ([`versions`]), who holds a host ([`claims`]), which
//! version is active ([`active`]), where a version's pods are ([`endpoints`]), what a clone is called
//! ([`names`]). It decides nothing about traffic and makes no object.

pub mod active;
pub mod claims;
pub mod endpoints;
pub mod finding;
pub mod key;
pub mod names;
pub mod object;
pub mod offer;
pub mod report;
pub mod selector;
pub mod service;
pub mod settings;
mod store;
pub mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
use versions::{Resolution, Versions};

/// One change of the inventory.
#[derive(Debug, Clone)]
pub enum Edit {
    /// The object is there, as given.
    Apply(Box<Object>),
    /// The object is gone.
    Remove(Kind, Key),
}

/// What an update changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The objects that came, went or differ.
    pub objects: BTreeSet<(Kind, Key)>,
    /// The bases whose set of versions differs.
    pub bases: BTreeSet<Key>,
    /// The Services whose endpoints differ.
    pub services: BTreeSet<Key>,
}

impl Changes {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.bases.is_empty() && self.services.is_empty()
    }

    /// Takes in the changes of a later update.
    pub fn extend(&mut self, later: Self) {
        self.objects.extend(later.objects);
        self.bases.extend(later.bases);
        self.services.extend(later.services);
    }
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

    slices_of_service: BTreeMap<Key, BTreeSet<Key>>,
    /// The Services of a namespace that are no clones: few, where clones may be thousands.
    own_services: BTreeMap<Arc<str>, BTreeSet<Key>>,
    routers_of_base: BTreeMap<Key, BTreeSet<Key>>,
    wanted_hosts: BTreeMap<Host, BTreeSet<Key>>,
    resolutions: BTreeMap<Key, Resolution>,
    versions: BTreeMap<Key, Versions>,
}

impl Inventory {
    /// Takes in a batch of edits, renews the indexes they touch, and tells what differs.
    pub fn update(&mut self, edits: impl IntoIterator<Item = Edit>) -> Changes {
        let mut changes = Changes::default();
        let mut namespaces = BTreeSet::new();
        for edit in edits {
            let (kind, key) = match &edit {
                Edit::Apply(object) => (object.kind(), object.key().clone()),
                Edit::Remove(kind, key) => (*kind, key.clone()),
            };
            let service_before = self.service_of_slice(kind, &key);
            let differs = match edit {
                Edit::Apply(object) => self.apply(*object),
                Edit::Remove(kind, key) => self.remove(kind, &key),
            };
            if !differs {
                continue;
            }
            changes.services.extend(service_before);
            changes.services.extend(self.service_of_slice(kind, &key));
            if matches!(kind, Kind::Deployment | Kind::DeploymentVersion) {
                namespaces.insert(key.namespace.clone());
            }
            changes.objects.insert((kind, key));
        }
        for namespace in namespaces {
            changes.bases.extend(self.resolve_namespace(&namespace));
        }
        changes
    }

    fn apply(&mut self, object: Object) -> bool {
        match object {
            Object::Deployment(o) => self.deployments.insert(o),
            Object::Service(o) => {
                self.index_service(&o);
                self.services.insert(o)
            }
            Object::EndpointSlice(o) => {
                self.unindex_slice(&o.meta.key);
                if let Some(service) = &o.service {
                    self.slices_of_service.entry(service.clone()).or_default().insert(o.meta.key.clone());
                }
                self.slices.insert(o)
            }
            Object::Pod(o) => self.pods.insert(o),
            Object::DeploymentVersion(o) => self.dpvs.insert(o),
            Object::Router(o) => {
                self.unindex_router(&o.meta.key);
                self.index_router(&o);
                self.routers.insert(o)
            }
            Object::PodDisruptionBudget(o) => self.disruption_budgets.insert(o),
            Object::HorizontalPodAutoscaler(o) => self.autoscalers.insert(o),
            Object::NetworkPolicy(o) => self.network_policies.insert(o),
            Object::ConfigMap(o) => self.config_maps.insert(o),
            Object::Secret(o) => self.secrets.insert(o),
        }
    }

    fn remove(&mut self, kind: Kind, key: &Key) -> bool {
        match kind {
            Kind::Deployment => self.deployments.remove(key),
            Kind::Service => {
                take_from(&mut self.own_services, &key.namespace, key);
                self.services.remove(key)
            }
            Kind::EndpointSlice => {
                self.unindex_slice(key);
                self.slices.remove(key)
            }
            Kind::Pod => self.pods.remove(key),
            Kind::DeploymentVersion => self.dpvs.remove(key),
            Kind::Router => {
                self.unindex_router(key);
                self.routers.remove(key)
            }
            Kind::PodDisruptionBudget => self.disruption_budgets.remove(key),
            Kind::HorizontalPodAutoscaler => self.autoscalers.remove(key),
            Kind::NetworkPolicy => self.network_policies.remove(key),
            Kind::ConfigMap => self.config_maps.remove(key),
            Kind::Secret => self.secrets.remove(key),
        }
    }

    fn service_of_slice(&self, kind: Kind, key: &Key) -> Option<Key> {
        if kind == Kind::EndpointSlice { self.slices.get(key)?.service.clone() } else { None }
    }

    fn unindex_slice(&mut self, key: &Key) {
        let Some(service) = self.slices.get(key).and_then(|old| old.service.clone()) else { return };
        take_from(&mut self.slices_of_service, &service, key);
    }

    fn index_service(&mut self, service: &ServiceFacts) {
        let key = &service.meta.key;
        if service.is_clone() {
            take_from(&mut self.own_services, &key.namespace, key);
        } else {
            self.own_services.entry(key.namespace.clone()).or_default().insert(key.clone());
        }
    }

    fn index_router(&mut self, router: &RouterFacts) {
        let key = &router.meta.key;
        self.routers_of_base.entry(router.base()).or_default().insert(key.clone());
        for host in router.hosts() {
            self.wanted_hosts.entry(host).or_default().insert(key.clone());
        }
    }

    fn unindex_router(&mut self, key: &Key) {
        let Some(old) = self.routers.get(key).cloned() else { return };
        take_from(&mut self.routers_of_base, &old.base(), key);
        for host in old.hosts() {
            take_from(&mut self.wanted_hosts, &host, key);
        }
    }

    /// The Routers of a base, in order of their keys.
    pub fn routers_of(&self, base: &Key) -> impl Iterator<Item = &RouterFacts> {
        self.routers_of_base.get(base).into_iter().flatten().filter_map(|key| self.routers.get(key))
    }

    /// The EndpointSlices of a Service, in order of their keys.
    pub fn slices_of(&self, service: &Key) -> impl Iterator<Item = &SliceFacts> {
        self.slices_of_service.get(service).into_iter().flatten().filter_map(|key| self.slices.get(key))
    }
}

/// Takes `member` out of the set at `key`, and the set with it where that empties it.
fn take_from<K: Ord>(index: &mut BTreeMap<K, BTreeSet<Key>>, key: &K, member: &Key) {
    if let Some(set) = index.get_mut(key) {
        set.remove(member);
        if set.is_empty() {
            index.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
