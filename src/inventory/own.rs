//! What of a namespace is no clone, and what belongs to one DeploymentVersion: small sets out of large ones.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Inventory;
use super::key::{Key, Kind};
use super::names;
use super::object::{DeploymentFacts, DisruptionFacts, NetworkPolicyFacts, PodFacts, ServiceFacts};
use super::store::Store;

impl Inventory {
    /// The Deployments of a namespace that are no clones, in order of their names.
    pub fn own_deployments(&self, namespace: &Arc<str>) -> impl Iterator<Item = &DeploymentFacts> {
        self.own_keys(Kind::Deployment, namespace).filter_map(|key| self.deployments.get(key))
    }

    /// The Services of a namespace that are no clones, in order of their names.
    pub fn own_services(&self, namespace: &Arc<str>) -> impl Iterator<Item = &ServiceFacts> {
        self.own_keys(Kind::Service, namespace).filter_map(|key| self.services.get(key))
    }

    /// The PodDisruptionBudgets of a namespace that are no clones, in order of their names.
    pub fn own_budgets(&self, namespace: &Arc<str>) -> impl Iterator<Item = &DisruptionFacts> {
        self.own_keys(Kind::PodDisruptionBudget, namespace).filter_map(|key| self.disruption_budgets.get(key))
    }

    /// The NetworkPolicies of a namespace that are no clones, in order of their names.
    pub fn own_policies(&self, namespace: &Arc<str>) -> impl Iterator<Item = &NetworkPolicyFacts> {
        self.own_keys(Kind::NetworkPolicy, namespace).filter_map(|key| self.network_policies.get(key))
    }

    fn own_keys(&self, kind: Kind, namespace: &Arc<str>) -> impl Iterator<Item = &Key> {
        self.own.get(&(namespace.clone(), kind)).into_iter().flatten()
    }

    /// The pods of a DeploymentVersion, by the label that its Deployment selects by; in order of their names.
    pub fn pods_of(&self, dpv: &Key) -> impl Iterator<Item = &PodFacts> {
        let label = dpv.sibling(names::dpv_label(&dpv.name));
        of_first(&self.pods_by_label, &label).filter_map(|pod| self.pods.get(&pod))
    }

    /// The DeploymentVersions that name this Service among those that they clone, whether it is there or not.
    pub fn dpvs_naming(&self, service: &Key) -> impl Iterator<Item = Key> {
        of_first(&self.dpvs_by_service, service)
    }

    /// The DeploymentVersions whose pods bear this value of the label `kyaninus.com/dpv`.
    pub(super) fn dpvs_of_label(&self, label: &Key) -> impl Iterator<Item = Key> {
        of_first(&self.dpvs_by_label, label)
    }

    /// The DeploymentVersions whose clone's Deployment has this name.
    pub(super) fn dpvs_of_deployment(&self, deployment: &Key) -> impl Iterator<Item = Key> {
        let same = Some(deployment).filter(|key| self.dpvs.get(key).is_some()).cloned();
        same.into_iter().chain(of_first(&self.dpvs_by_cut_name, deployment))
    }
}

/// The siblings of `first` that stand behind it in a set of pairs.
fn of_first(pairs: &BTreeSet<(Key, Arc<str>)>, first: &Key) -> impl Iterator<Item = Key> + use<> {
    pairs
        .range((first.clone(), Arc::from(""))..)
        .take_while(move |(key, _)| key == first)
        .map(|(key, name)| key.sibling(name.clone()))
        .collect::<Vec<_>>()
        .into_iter()
}

/// Which of two objects of one key is no clone, told to the index.
pub(super) fn index<T>(
    own: &mut std::collections::BTreeMap<(Arc<str>, Kind), BTreeSet<Key>>,
    kind: Kind,
    key: &Key,
    store: &Store<T>,
    is_own: impl FnOnce(&T) -> bool,
) where
    T: super::object::Keyed + PartialEq,
{
    let place = (key.namespace.clone(), kind);
    if store.get(key).is_some_and(is_own) {
        own.entry(place).or_default().insert(key.clone());
    } else if let Some(keys) = own.get_mut(&place) {
        keys.remove(key);
        if keys.is_empty() {
            own.remove(&place);
        }
    }
}
