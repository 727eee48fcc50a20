//! What `local` adds so that something is to be seen: a Router, and where need be a Service, for a base
//! that no Router names; and the host `localhost` for the first Router with path mode. Pure.

use serde_json::{Value, json};

use crate::api::names;
use crate::inventory::object::{DeploymentFacts, RouterFacts};
use crate::inventory::{Inventory, Key, Kind};

/// The host under which the first Router with path mode answers too, for those whose resolver does not
/// know that `*.localhost` is this machine.
pub const PLAIN_HOST: &str = "localhost";

/// The Routers and Services to add: for every base with versions, and where the manifests hold neither a
/// Router nor a DeploymentVersion, for every Deployment that a Service selects.
#[must_use]
pub fn defaults(inventory: &Inventory, is_default: impl Fn(Kind, &Key) -> bool) -> Vec<Value> {
    let written = inventory.routers.iter().any(|router| !is_default(Kind::Router, &router.meta.key));
    let bare = inventory.dpvs.is_empty() && !written;
    let mut added = Vec::new();
    for base in inventory.deployments.iter().filter(|deployment| !deployment.is_clone()) {
        let key = &base.meta.key;
        let routed = inventory.routers_of(key).any(|router| !is_default(Kind::Router, &router.meta.key));
        let versions = inventory
            .versions_of(key)
            .map_or(0, |versions| versions.values().filter(|version| version.dpv.is_some()).count());
        let services: Vec<&str> = inventory
            .services_of(base)
            .filter(|service| !is_default(Kind::Service, &service.meta.key))
            .map(|service| &*service.meta.key.name)
            .collect();
        if routed || (versions == 0 && (!bare || services.is_empty())) {
            continue;
        }
        let service = services.first().copied();
        if service.is_none() {
            added.push(default_service(base));
        }
        added.push(default_router(inventory, base, service.unwrap_or(&key.name)));
    }
    added
}

/// A Service in front of a base that has none: port 80, to what `PORT` names.
fn default_service(base: &DeploymentFacts) -> Value {
    let key = &base.meta.key;
    let target = base.object.pointer("/spec/template/spec/containers/0/ports/0/containerPort");
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": &*key.name, "namespace": &*key.namespace},
        "spec": {
            "selector": base.pod_labels,
            "ports": [{"port": 80, "targetPort": target.and_then(Value::as_i64).unwrap_or(8080)}],
        },
    })
}

/// Path mode needs patterns with a literal beginning; here they are the ids themselves.
fn default_router(inventory: &Inventory, base: &DeploymentFacts, service: &str) -> Value {
    let key = &base.meta.key;
    let versions = inventory.versions_of(key).into_iter().flat_map(|versions| versions.values());
    let ids: Vec<&str> =
        versions.filter(|version| version.dpv.is_some()).map(|version| version.id.as_str()).collect();
    let mut spec = json!({
        "base": &*key.name,
        "service": service,
        "hosts": [format!("{}.localhost", key.name.replace('.', "-"))],
    });
    if let (Some(fields), false) = (spec.as_object_mut(), ids.is_empty()) {
        fields.insert("versions".to_owned(), ids.into());
        fields.insert("path".to_owned(), "/{version}".into());
    }
    json!({
        "apiVersion": names::API_VERSION, "kind": "Router",
        "metadata": {"name": &*key.name, "namespace": &*key.namespace},
        "spec": spec,
    })
}

/// The Router that is to answer at [`PLAIN_HOST`] too: the first with path mode, where no Router has the
/// host already and the Router has room for one more.
#[must_use]
pub fn plain_host_router(routers: &[&RouterFacts]) -> Option<Key> {
    let has_it = |router: &&&RouterFacts| router.spec.hosts.iter().any(|host| host == PLAIN_HOST);
    if routers.iter().any(|router| has_it(&router)) {
        return None;
    }
    let first = routers.iter().find(|router| router.spec.path.is_some() && router.spec.hosts.len() < 16)?;
    Some(first.meta.key.clone())
}

/// A Router's manifest with [`PLAIN_HOST`] among its hosts.
#[must_use]
pub fn with_plain_host(mut router: Value) -> Value {
    if let Some(hosts) = router.pointer_mut("/spec/hosts").and_then(Value::as_array_mut) {
        hosts.push(PLAIN_HOST.into());
    }
    router
}

#[cfg(test)]
#[path = "defaults_tests.rs"]
mod tests;
