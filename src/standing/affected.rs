//! Whose status a change of the inventory can change; too much is slow, too little is wrong.

use std::collections::BTreeSet;

use crate::inventory::object::RouterFacts;
use crate::inventory::{Changes, Inventory, Key, Kind};

/// The objects whose status is decided anew.
///
/// What the inventory does not know is for the caller to add: the DeploymentVersions that
/// the planner returns, and the Routers whose report of `routes` differs.
/// Time alone makes old ids of a Router's `offered` go: whoever wants that decides on everything now and then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Affected {
    /// DeploymentVersions.
    pub dpvs: BTreeSet<Key>,
    /// Routers.
    pub routers: BTreeSet<Key>,
}

impl Affected {
    /// Every object.
    #[must_use]
    pub fn all(inventory: &Inventory) -> Self {
        Self {
            dpvs: inventory.dpvs.iter().map(|dpv| dpv.meta.key.clone()).collect(),
            routers: inventory.routers.iter().map(|router| router.meta.key.clone()).collect(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dpvs.is_empty() && self.routers.is_empty()
    }
}

/// What these changes can change. Some of the keys may be of objects that are gone.
#[must_use]
pub fn affected(inventory: &Inventory, changes: &Changes) -> Affected {
    let mut dpvs: BTreeSet<Key> = changes.resolutions.union(&changes.running).cloned().collect();
    let mut routers = changes.claims.clone();
    let through = |services: &Key| inventory.routers_through(services);
    let of_base = |base: &Key| inventory.routers_of(base).map(key_of).collect::<Vec<_>>();
    for (kind, key) in &changes.objects {
        match kind {
            Kind::DeploymentVersion => {
                dpvs.insert(key.clone());
            }
            Kind::Router => {
                routers.insert(key.clone());
            }
            Kind::Deployment => routers.extend(of_base(key)),
            Kind::Service => routers.extend(through(key)),
            Kind::EndpointSlice
            | Kind::Pod
            | Kind::PodDisruptionBudget
            | Kind::HorizontalPodAutoscaler
            | Kind::NetworkPolicy
            | Kind::ConfigMap
            | Kind::Secret => {}
        }
    }
    // A version waits until no endpoint is an old pod's.
    let owner = |service: &Key| inventory.services.get(service)?.meta.version();
    dpvs.extend(changes.services.iter().filter_map(owner));
    routers.extend(changes.services.iter().flat_map(through));
    routers.extend(changes.bases.iter().flat_map(of_base));
    for namespace in &changes.selections {
        routers.extend(inventory.routers.of_namespace(namespace).map(key_of));
    }
    for base in changes.addresses.union(&changes.generations) {
        let versions = inventory.versions_of(base).into_iter().flatten();
        dpvs.extend(versions.filter_map(|(_, version)| version.dpv.clone()));
    }
    routers.extend(changes.addresses.iter().flat_map(of_base));
    Affected { dpvs, routers }
}

fn key_of(router: &RouterFacts) -> Key {
    router.meta.key.clone()
}
