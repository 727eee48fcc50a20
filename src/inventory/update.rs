//! Taking in edits: the stores and their indexes follow, and what differs is told.

use std::collections::{BTreeMap, BTreeSet};

use super::changes::Changes;
use super::document::Document;
use super::key::{Key, Kind};
use super::names;
use super::object::{
    DeploymentFacts, DisruptionFacts, Meta, NetworkPolicyFacts, Object, PodFacts, RouterFacts, ServiceFacts,
    SliceFacts, VersionFacts,
};
use super::store::Turn;
use super::{Edit, Inventory, own};
use crate::api::Host;
use crate::api::names::{LABEL_BASE, LABEL_DPV};

/// What a batch of edits comes to while it is taken in.
#[derive(Default)]
pub(super) struct News {
    pub changes: Changes,
    /// DeploymentVersions to resolve.
    pub unresolved: BTreeSet<Key>,
    /// Deployments that came or went as bases or as clones.
    pub deployments: BTreeSet<Key>,
    /// DeploymentVersions whose deletion has begun.
    pub leaving: BTreeSet<Key>,
    /// DeploymentVersions that clone other Services than before.
    pub rewired: BTreeSet<Key>,
    /// Hosts whose holder may differ.
    hosts: BTreeSet<Host>,
}

impl Inventory {
    /// Takes in a batch of edits, renews the indexes they touch, and tells what differs.
    pub fn update(&mut self, edits: impl IntoIterator<Item = Edit>) -> Changes {
        let mut news = News::default();
        for edit in edits {
            let (kind, key) = match &edit {
                Edit::Apply(object) => (object.kind(), object.key().clone()),
                Edit::Remove(kind, key) => (*kind, key.clone()),
            };
            let differs = match edit {
                Edit::Apply(object) => self.apply(*object, &key, &mut news),
                Edit::Remove(kind, key) => self.remove(kind, &key, &mut news),
            };
            if differs {
                news.changes.objects.insert((kind, key));
            }
        }
        self.resolve_anew(&mut news);
        self.follow_hosts(&mut news);
        news.changes
    }

    fn apply(&mut self, object: Object, key: &Key, news: &mut News) -> bool {
        match object {
            Object::Deployment(o) => self.set_deployment(key, Some(o), news),
            Object::Service(o) => self.set_service(key, Some(o), news),
            Object::EndpointSlice(o) => self.set_slice(key, Some(o), news),
            Object::Pod(o) => self.set_pod(key, Some(o), news),
            Object::DeploymentVersion(o) => self.set_version(key, Some(o), news),
            Object::Router(o) => self.set_router(key, Some(o), news),
            Object::PodDisruptionBudget(o) => self.set_budget(key, Some(o), news),
            Object::NetworkPolicy(o) => self.set_policy(key, Some(o), news),
            Object::HorizontalPodAutoscaler(o) => self.autoscalers.set(key, Some(o)).is_some(),
            Object::ConfigMap(o) => self.config_maps.set(key, Some(o)).is_some(),
            Object::Secret(o) => self.secrets.set(key, Some(o)).is_some(),
        }
    }

    fn remove(&mut self, kind: Kind, key: &Key, news: &mut News) -> bool {
        match kind {
            Kind::Deployment => self.set_deployment(key, None, news),
            Kind::Service => self.set_service(key, None, news),
            Kind::EndpointSlice => self.set_slice(key, None, news),
            Kind::Pod => self.set_pod(key, None, news),
            Kind::DeploymentVersion => self.set_version(key, None, news),
            Kind::Router => self.set_router(key, None, news),
            Kind::PodDisruptionBudget => self.set_budget(key, None, news),
            Kind::NetworkPolicy => self.set_policy(key, None, news),
            Kind::HorizontalPodAutoscaler => self.autoscalers.set(key, None).is_some(),
            Kind::ConfigMap => self.config_maps.set(key, None).is_some(),
            Kind::Secret => self.secrets.set(key, None).is_some(),
        }
    }

    fn set_deployment(&mut self, key: &Key, mut object: Option<DeploymentFacts>, news: &mut News) -> bool {
        if let Some(object) = &mut object {
            self.condense(Kind::Deployment, &object.meta, &mut object.object);
        }
        let Some(turn) = self.deployments.set(key, object) else { return false };
        own::index(&mut self.own, Kind::Deployment, key, &self.deployments, |it| !it.is_clone());
        if turn.differs(|before, after| before.is_clone() == after.is_clone()) {
            news.deployments.insert(key.clone());
        }
        if turn.differs(|before, after| {
            (&before.meta.uid, before.meta.generation) == (&after.meta.uid, after.meta.generation)
        }) {
            news.changes.generations.insert(key.clone());
        }
        news.changes.running.extend(self.dpvs_of_deployment(key));
        news.changes.running.extend(turn.both().filter_map(|it| it.meta.version()));
        true
    }

    fn set_service(&mut self, key: &Key, mut object: Option<ServiceFacts>, news: &mut News) -> bool {
        if let Some(object) = &mut object {
            self.condense(Kind::Service, &object.meta, &mut object.object);
        }
        let Some(turn) = self.services.set(key, object) else { return false };
        own::index(&mut self.own, Kind::Service, key, &self.services, |it| !it.is_clone());
        let selects_alike = |before: &ServiceFacts, after: &ServiceFacts| {
            before.is_clone() == after.is_clone()
                && (&before.selector, &before.ports) == (&after.selector, &after.ports)
        };
        if turn.both().any(|it| !it.is_clone()) && turn.differs(selects_alike) {
            news.changes.selections.insert(key.namespace.clone());
        }
        news.changes.running.extend(turn.both().filter_map(|it| it.meta.version()));
        true
    }

    fn set_budget(&mut self, key: &Key, mut object: Option<DisruptionFacts>, news: &mut News) -> bool {
        if let Some(object) = &mut object {
            self.condense(Kind::PodDisruptionBudget, &object.meta, &mut object.object);
        }
        let Some(turn) = self.disruption_budgets.set(key, object) else { return false };
        let store = &self.disruption_budgets;
        own::index(&mut self.own, Kind::PodDisruptionBudget, key, store, |it| !it.meta.is_clone());
        news.changes.running.extend(turn.both().filter_map(|it| it.meta.version()));
        true
    }

    fn set_policy(&mut self, key: &Key, mut object: Option<NetworkPolicyFacts>, news: &mut News) -> bool {
        if let Some(object) = &mut object {
            self.condense(Kind::NetworkPolicy, &object.meta, &mut object.object);
        }
        let Some(turn) = self.network_policies.set(key, object) else { return false };
        let store = &self.network_policies;
        own::index(&mut self.own, Kind::NetworkPolicy, key, store, |it| !it.meta.is_clone());
        news.changes.running.extend(turn.both().filter_map(|it| it.meta.version()));
        true
    }

    /// Has the document of a clone kept as its difference from another's.
    fn condense(&mut self, kind: Kind, meta: &Meta, document: &mut Document) {
        if let (true, Some(base)) = (meta.is_clone(), meta.labels.get(LABEL_BASE)) {
            let base = meta.key.sibling(base);
            *document = self.exemplars.keep(kind, base, std::mem::take(document));
        }
    }

    fn set_slice(&mut self, key: &Key, object: Option<SliceFacts>, news: &mut News) -> bool {
        let Some(Turn { before, after }) = self.slices.set(key, object) else { return false };
        if let Some(service) = before.as_ref().and_then(|slice| slice.service.as_ref()) {
            self.slices_of_service.remove(&(service.clone(), key.clone()));
            news.changes.services.insert(service.clone());
        }
        if let Some(service) = after.as_ref().and_then(|slice| slice.service.as_ref()) {
            self.slices_of_service.insert((service.clone(), key.clone()));
            news.changes.services.insert(service.clone());
        }
        true
    }

    fn set_pod(&mut self, key: &Key, object: Option<PodFacts>, news: &mut News) -> bool {
        let Some(Turn { before, after }) = self.pods.set(key, object) else { return false };
        let label = |pod: &PodFacts| pod.meta.labels.get(LABEL_DPV).map(|label| key.sibling(label));
        if let Some(label) = before.as_deref().and_then(label) {
            news.changes.running.extend(self.dpvs_of_label(&label));
            self.pods_by_label.remove(&(label, key.name.clone()));
        }
        if let Some(label) = after.as_deref().and_then(label) {
            news.changes.running.extend(self.dpvs_of_label(&label));
            self.pods_by_label.insert((label, key.name.clone()));
        }
        true
    }

    fn set_version(&mut self, key: &Key, mut object: Option<VersionFacts>, news: &mut News) -> bool {
        if let Some(status) = object.as_mut().map(|it| &mut it.status)
            && let Some(base) = status.base().map(|name| key.sibling(name))
        {
            let text = status.text_mut();
            *text = self.exemplars.keep(Kind::DeploymentVersion, base, std::mem::take(text));
        }
        let Some(Turn { before, after }) = self.dpvs.set(key, object) else { return false };
        news.unresolved.insert(key.clone());
        if let (Some(before), Some(after)) = (&before, &after)
            && before.meta.deleting != after.meta.deleting
        {
            news.leaving.insert(key.clone());
        }
        if before.as_ref().map(|it| &it.spec.services) != after.as_ref().map(|it| &it.spec.services) {
            news.rewired.insert(key.clone());
            for named in before.iter().flat_map(|it| it.named_services()) {
                self.dpvs_by_service.remove(&(named, key.name.clone()));
            }
            let named = after.iter().flat_map(|it| it.named_services());
            self.dpvs_by_service.extend(named.map(|named| (named, key.name.clone())));
        }
        if let Some(base) = before.as_deref().and_then(VersionFacts::named_base) {
            self.ids.unname(&base, key);
        }
        if let Some(base) = after.as_deref().and_then(VersionFacts::named_base) {
            self.ids.name(base, key);
        }
        if before.is_some() != after.is_some() {
            let deployment = names::deployment(&key.name);
            let cut = (deployment != *key.name).then(|| (key.sibling(deployment), key.name.clone()));
            let label = (key.sibling(names::dpv_label(&key.name)), key.name.clone());
            if after.is_some() {
                self.dpvs_by_label.insert(label);
                self.dpvs_by_cut_name.extend(cut);
            } else {
                self.dpvs_by_label.remove(&label);
                cut.map(|cut| self.dpvs_by_cut_name.remove(&cut));
            }
        }
        true
    }

    fn set_router(&mut self, key: &Key, object: Option<RouterFacts>, news: &mut News) -> bool {
        let Some(turn) = self.routers.set(key, object) else { return false };
        if let Some(before) = &turn.before {
            take_from(&mut self.routers_of_base, &before.base(), key);
            for host in before.hosts() {
                take_from(&mut self.wanted_hosts, &host, key);
            }
        }
        if let Some(after) = &turn.after {
            self.routers_of_base.entry(after.base()).or_default().insert(key.clone());
            for host in after.hosts() {
                self.wanted_hosts.entry(host).or_default().insert(key.clone());
            }
        }
        let claims_alike = |before: &RouterFacts, after: &RouterFacts| {
            (before.meta.created, &before.spec.hosts, &before.spec.subdomain, &before.status.hosts)
                == (after.meta.created, &after.spec.hosts, &after.spec.subdomain, &after.status.hosts)
        };
        if turn.differs(claims_alike) {
            news.hosts.extend(turn.both().flat_map(RouterFacts::hosts));
        }
        let addresses_alike = |before: &RouterFacts, after: &RouterFacts| {
            claims_alike(before, after)
                && (&before.spec.base, &before.spec.path, &before.spec.versions, &before.spec.service)
                    == (&after.spec.base, &after.spec.path, &after.spec.versions, &after.spec.service)
        };
        if turn.differs(addresses_alike) {
            news.changes.addresses.extend(turn.both().map(RouterFacts::base));
        }
        true
    }

    /// The Routers, and the bases they route, that the fate of a host concerns.
    fn follow_hosts(&self, news: &mut News) {
        if news.hosts.is_empty() {
            return;
        }
        for key in self.hosts_touched_by(&news.hosts).flat_map(|host| self.wanting(host)) {
            news.changes.claims.insert(key.clone());
            news.changes.addresses.extend(self.routers.get(key).map(RouterFacts::base));
        }
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
