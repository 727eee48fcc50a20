//! What a change of the inventory can change in the table; too much is slow, too little is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Memory;
use crate::api::Host;
use crate::inventory::object::RouterFacts;
use crate::inventory::versions::Resolution;
use crate::inventory::{Changes, Inventory, Key, Kind};

/// How much of a Router is looked at again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scope {
    /// Its spec and status, its set of versions, its Service; not the endpoints of versions that stay.
    pub whole: bool,
    /// Its hosts.
    pub hosts: bool,
    /// The versions whose endpoints are looked at.
    pub versions: BTreeSet<Arc<str>>,
}

/// The Routers to look at, and how much of each.
pub(super) type Affected = BTreeMap<Key, Scope>;

/// Every Router, whole.
pub(super) fn all(inventory: &Inventory, memory: &Memory) -> Affected {
    let keys = inventory.routers.iter().map(|router| &router.meta.key).chain(memory.routers.keys());
    let whole = Scope { whole: true, hosts: true, versions: BTreeSet::new() };
    keys.map(|key| (key.clone(), whole.clone())).collect()
}

/// What these changes can change.
pub(super) fn by(changes: &Changes, inventory: &Inventory, memory: &Memory) -> Affected {
    let mut affected = Affected::new();
    let mut hosts = BTreeSet::new();
    for (kind, key) in &changes.objects {
        match kind {
            Kind::Router => {
                affected.entry(key.clone()).or_default().whole = true;
                hosts.extend(hosts_in_play(key, inventory, memory));
            }
            Kind::Service => {
                endpoints(&mut affected, key, memory);
                services(&mut affected, key, inventory, memory);
            }
            Kind::Deployment => whole_of_base(&mut affected, key, inventory),
            Kind::DeploymentVersion => absence(&mut affected, key, inventory),
            Kind::EndpointSlice
            | Kind::Pod
            | Kind::PodDisruptionBudget
            | Kind::HorizontalPodAutoscaler
            | Kind::NetworkPolicy
            | Kind::ConfigMap
            | Kind::Secret => {}
        }
    }
    // An id that passed to another is served through that one's clones alone.
    for dpv in &changes.resolutions {
        absence(&mut affected, dpv, inventory);
    }
    for base in &changes.bases {
        whole_of_base(&mut affected, base, inventory);
    }
    for service in &changes.services {
        endpoints(&mut affected, service, memory);
    }
    if !hosts.is_empty() {
        for host in inventory.hosts_touched_by(&hosts) {
            for router in inventory.wanting(host) {
                affected.entry(router.clone()).or_default().hosts = true;
            }
        }
        for router in changes.objects.iter().filter(|(kind, _)| *kind == Kind::Router) {
            affected.entry(router.1.clone()).or_default().hosts = true;
        }
    }
    affected
}

/// The hosts whose holder may differ because this Router came, went or changed.
fn hosts_in_play(key: &Key, inventory: &Inventory, memory: &Memory) -> Vec<Host> {
    let new = inventory.routers.get(key);
    let old = memory.routers.get(key).map(|state| &*state.facts);
    let claims = |router: &RouterFacts| {
        let RouterFacts { meta, spec, status } = router.clone();
        (meta.created, spec.hosts, spec.subdomain, status.hosts)
    };
    if let (Some(new), Some(old)) = (new, old)
        && claims(new) == claims(old)
    {
        return Vec::new();
    }
    let hosts = [new, old].into_iter().flatten().flat_map(RouterFacts::hosts);
    hosts.collect()
}

fn whole_of_base(affected: &mut Affected, base: &Key, inventory: &Inventory) {
    for router in inventory.routers_of(base) {
        affected.entry(router.meta.key.clone()).or_default().whole = true;
    }
}

/// The versions served through a Service.
fn endpoints(affected: &mut Affected, service: &Key, memory: &Memory) {
    for (router, version) in memory.backends.users_of(service) {
        affected.entry(router.clone()).or_default().versions.insert(version.clone());
    }
}

/// The Routers whose base's Service this is, was, or may now be.
fn services(affected: &mut Affected, service: &Key, inventory: &Inventory, memory: &Memory) {
    let now = inventory.services.get(service).filter(|service| !service.is_clone());
    for router in inventory.routers.of_namespace(&service.namespace) {
        let selected = || {
            let base = inventory.deployments.get(&router.base());
            base.zip(now).is_some_and(|(base, now)| now.selects(&base.pod_labels))
        };
        let Some(state) = memory.routers.get(&router.meta.key) else { continue };
        let concerned = match &state.service {
            Ok(known) if known == service => true,
            Ok(_) => router.spec.service.is_none() && selected(),
            // Of two that are too many, either may have gone or changed what it selects.
            Err(finding) if finding.reason == "ServiceAmbiguous" => true,
            Err(_) => match router.spec.service.as_deref() {
                Some(named) => *named == *service.name,
                None => selected(),
            },
        };
        if concerned {
            affected.entry(router.meta.key.clone()).or_default().whole = true;
        }
    }
}

/// What a DeploymentVersion says of itself is told where the version has no endpoint.
fn absence(affected: &mut Affected, dpv: &Key, inventory: &Inventory) {
    let Some(Resolution::Resolved(resolved)) = inventory.resolution(dpv) else { return };
    for router in inventory.routers_of(&resolved.base) {
        let scope = affected.entry(router.meta.key.clone()).or_default();
        scope.versions.insert(resolved.version.as_str().into());
    }
}
