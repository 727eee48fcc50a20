//! Which live objects belong to which DeploymentVersion, which of them are rolling, and which
//! DeploymentVersions a change concerns. Kept up by changes, so that nothing is searched for among thousands.

use std::collections::{BTreeMap, BTreeSet};

use super::in_use;
use super::rolling::{self, Group};
use crate::api::names;
use crate::inventory::object::Meta;
use crate::inventory::{Changes, Document, Inventory, Key, Kind, ObjectReference};

/// The kinds that clones have.
pub const CLONED: [Kind; 4] =
    [Kind::NetworkPolicy, Kind::Service, Kind::PodDisruptionBudget, Kind::Deployment];

/// An object as it is in the cluster.
#[derive(Debug, Clone, Copy)]
pub struct Live<'i> {
    /// Its metadata.
    pub meta: &'i Meta,
    /// The whole of it, where the inventory keeps it.
    pub object: Option<&'i Document>,
}

/// What is live, by who owns it.
#[derive(Debug, Default)]
pub struct Index {
    owned: BTreeMap<Key, BTreeSet<ObjectReference>>,
    owner: BTreeMap<ObjectReference, Key>,
    /// Deployments that have not come to the end of a roll-out.
    rolling: BTreeMap<Group, BTreeSet<Key>>,
    group: BTreeMap<Key, Group>,
    /// DeploymentVersions that bear our finalizer.
    held: BTreeSet<Key>,
    /// The Deployments that autoscalers scale.
    scaled: BTreeMap<Key, Key>,
}

/// An object of a kind that clones have.
#[must_use]
pub fn live<'i>(inventory: &'i Inventory, reference: &ObjectReference) -> Option<Live<'i>> {
    let key = &reference.key;
    match reference.kind {
        Kind::Deployment => {
            inventory.deployments.get(key).map(|it| Live { meta: &it.meta, object: Some(&it.object) })
        }
        Kind::Service => {
            inventory.services.get(key).map(|it| Live { meta: &it.meta, object: Some(&it.object) })
        }
        Kind::NetworkPolicy => {
            inventory.network_policies.get(key).map(|it| Live { meta: &it.meta, object: Some(&it.object) })
        }
        Kind::PodDisruptionBudget => {
            inventory.disruption_budgets.get(key).map(|it| Live { meta: &it.meta, object: Some(&it.object) })
        }
        Kind::DeploymentVersion => inventory.dpvs.get(key).map(|it| Live { meta: &it.meta, object: None }),
        Kind::Router => inventory.routers.get(key).map(|it| Live { meta: &it.meta, object: None }),
        Kind::EndpointSlice | Kind::Pod | Kind::HorizontalPodAutoscaler | Kind::ConfigMap | Kind::Secret => {
            None
        }
    }
}

impl Index {
    /// Takes in what changed; returns the DeploymentVersions to look at, beside those whose plan differs.
    pub fn saw(&mut self, changes: &Changes, inventory: &Inventory) -> BTreeSet<Key> {
        let mut look = BTreeSet::new();
        for (kind, key) in &changes.objects {
            match kind {
                Kind::Deployment | Kind::Service | Kind::PodDisruptionBudget | Kind::NetworkPolicy => {
                    let reference = ObjectReference { kind: *kind, key: key.clone() };
                    self.saw_clone(&reference, inventory, &mut look);
                }
                Kind::DeploymentVersion => {
                    look.insert(key.clone());
                    let dpv = inventory.dpvs.get(key);
                    if dpv.is_some_and(|dpv| in_use::is_held(&dpv.meta)) {
                        self.held.insert(key.clone());
                    } else {
                        self.held.remove(key);
                    }
                }
                Kind::Router => {
                    look.extend(in_use::named_by(inventory, key));
                    look.extend(self.held_in(key));
                }
                Kind::HorizontalPodAutoscaler => self.saw_autoscaler(key, inventory, &mut look),
                Kind::EndpointSlice | Kind::Pod | Kind::ConfigMap | Kind::Secret => {}
            }
        }
        // A base that came, went or was renamed makes ids mean other DeploymentVersions.
        for base in &changes.bases {
            look.extend(self.held_in(base));
            look.extend(inventory.routers_of(base).flat_map(|it| in_use::named_by(inventory, &it.meta.key)));
        }
        look
    }

    fn saw_clone(&mut self, reference: &ObjectReference, inventory: &Inventory, look: &mut BTreeSet<Key>) {
        let live = live(inventory, reference);
        let owner = live.and_then(|live| live.meta.version());
        let before = match &owner {
            Some(owner) => self.owner.insert(reference.clone(), owner.clone()),
            None => self.owner.remove(reference),
        };
        if before != owner
            && let Some(before) = &before
            && let Some(owned) = self.owned.get_mut(before)
        {
            owned.remove(reference);
            if owned.is_empty() {
                self.owned.remove(before);
            }
        }
        if let Some(owner) = &owner {
            self.owned.entry(owner.clone()).or_default().insert(reference.clone());
        }
        if reference.kind == Kind::Deployment {
            self.saw_roll(&reference.key, live.filter(|_| owner.is_some()));
        }
        look.extend(before);
        look.extend(owner);
    }

    fn saw_roll(&mut self, deployment: &Key, live: Option<Live<'_>>) {
        let rolling = live.filter(|live| live.object.is_some_and(|it| rolling::is_unfinished(&it.value())));
        let group = rolling.map(|live| group_of(live.meta));
        let before = match &group {
            Some(group) => self.group.insert(deployment.clone(), group.clone()),
            None => self.group.remove(deployment),
        };
        if before != group
            && let Some(before) = before
            && let Some(members) = self.rolling.get_mut(&before)
        {
            members.remove(deployment);
            if members.is_empty() {
                self.rolling.remove(&before);
            }
        }
        if let Some(group) = group {
            self.rolling.entry(group).or_default().insert(deployment.clone());
        }
    }

    fn saw_autoscaler(&mut self, key: &Key, inventory: &Inventory, look: &mut BTreeSet<Key>) {
        let scaled = inventory.autoscalers.get(key).and_then(|it| it.deployment.as_deref());
        let scaled = scaled.map(|name| key.sibling(name));
        let before = match &scaled {
            Some(scaled) => self.scaled.insert(key.clone(), scaled.clone()),
            None => self.scaled.remove(key),
        };
        for deployment in before.into_iter().chain(scaled) {
            let reference = ObjectReference { kind: Kind::Deployment, key: deployment.clone() };
            look.extend(self.owner.get(&reference).cloned());
        }
    }

    /// The objects that a DeploymentVersion of this name controls or controlled, in order.
    pub fn owned_by(&self, dpv: &Key) -> impl Iterator<Item = &ObjectReference> {
        self.owned.get(dpv).into_iter().flatten()
    }

    /// The Deployments of a base's versions that have not come to the end of a roll-out.
    pub fn rolling(&self, group: &Group) -> impl Iterator<Item = &Key> {
        self.rolling.get(group).into_iter().flatten()
    }

    /// Whether an autoscaler scales this Deployment.
    #[must_use]
    pub fn is_scaled(&self, deployment: &Key) -> bool {
        self.scaled.values().any(|scaled| scaled == deployment)
    }

    /// The DeploymentVersions of a namespace that bear our finalizer.
    pub(super) fn held_in<'s>(&'s self, place: &'s Key) -> impl Iterator<Item = Key> + 's {
        self.held.iter().filter(|key| key.namespace == place.namespace).cloned()
    }
}

/// The base that a clone was made from, by its label.
#[must_use]
pub fn group_of(meta: &Meta) -> Group {
    meta.key.sibling(meta.labels.get(names::LABEL_BASE).unwrap_or_default())
}
