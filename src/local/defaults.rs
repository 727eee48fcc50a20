//! What `local` adds so that something is to be seen: a Router, and where need be a Service, for a base
//! that no Router names; and `localhost` for the first Router with path mode. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::manifests::document;
use crate::api::names;
use crate::inventory::object::DeploymentFacts;
use crate::inventory::{Inventory, Key, Kind, names as fitted_names};

/// The hosts under which the first Router with path mode answers too, for those whose resolver does not
/// know that `*.localhost` is this machine.
pub const PLAIN_HOSTS: [&str; 2] = ["localhost", "127.0.0.1"];

/// The Routers and Services to add: for every base with versions, and where the manifests hold neither a
/// Router nor a DeploymentVersion, for every Deployment that a Service selects. `is_default` tells which
/// objects of the inventory were added before; `refused` are bases that a Router names which is not taken as it is:
/// whoever wrote it wants it mended, not another.
#[must_use]
pub fn defaults(
    inventory: &Inventory,
    is_default: impl Fn(Kind, &Key) -> bool,
    refused: &BTreeSet<Key>,
) -> Vec<Value> {
    let written = !refused.is_empty()
        || inventory.routers.iter().any(|router| !is_default(Kind::Router, &router.meta.key));
    let bare = inventory.dpvs.is_empty() && !written;
    let mut added = Vec::new();
    for base in inventory.deployments.iter().filter(|deployment| !deployment.is_clone()) {
        let key = &base.meta.key;
        let routed = refused.contains(key)
            || inventory.routers_of(key).any(|router| !is_default(Kind::Router, &router.meta.key));
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
    added.extend(plain_router(inventory, &added, is_default));
    added
}

/// A Service in front of a base that has none: port 80, to what `PORT` names.
fn default_service(base: &DeploymentFacts) -> Value {
    let key = &base.meta.key;
    let spec = base.spec();
    let target = spec.pointer("/template/spec/containers/0/ports/0/containerPort");
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
    router(key, &spec)
}

/// One more Router, for [`PLAIN_HOSTS`]: the first with path mode once more, by path alone. A Router of its
/// own, because `localhost` as a host among others would make every `*.localhost` one of its versions' names.
fn plain_router(
    inventory: &Inventory,
    added: &[Value],
    is_default: impl Fn(Kind, &Key) -> bool,
) -> Option<Value> {
    let written = inventory.routers.iter().filter(|router| !is_default(Kind::Router, &router.meta.key));
    let mut all: BTreeMap<Key, Value> = written
        .filter_map(|router| Some((router.meta.key.clone(), serde_json::to_value(&router.spec).ok()?)))
        .collect();
    for router in added.iter().filter(|value| value.get("kind").is_some_and(|kind| kind == "Router")) {
        let text = |pointer: &str| router.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let key = Key::new(text("/metadata/namespace"), text("/metadata/name"));
        all.insert(key, router.get("spec").cloned().unwrap_or_default());
    }
    let hosts = |spec: &Value| spec.get("hosts").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_plain = |host: &Value| host.as_str().is_some_and(|host| PLAIN_HOSTS.contains(&host));
    if all.values().any(|spec| hosts(spec).iter().any(is_plain)) {
        return None;
    }
    let (key, mut spec) = all.into_iter().find(|(_, spec)| spec.get("path").is_some_and(Value::is_string))?;
    let fields = spec.as_object_mut()?;
    fields.insert("hosts".to_owned(), json!(PLAIN_HOSTS));
    fields.insert("subdomain".to_owned(), "".into());
    Some(router(&key.sibling(fitted_names::fitted(&format!("{}-localhost", key.name))), &spec))
}

fn router(key: &Key, spec: &Value) -> Value {
    json!({
        "apiVersion": names::API_VERSION, "kind": "Router",
        "metadata": {"name": &*key.name, "namespace": &*key.namespace},
        "spec": spec,
    })
}

/// How to write an added object down, for a cluster.
#[must_use]
pub fn how_to_write(added: &Value) -> String {
    let base = added.pointer("/spec/base").and_then(Value::as_str).unwrap_or_default();
    let mut written = added.clone();
    if let Some(metadata) = written.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|field, value| field == "name" || (field == "namespace" && value != "default"));
    }
    if let Some(fields) = written.as_object_mut() {
        fields.remove("status");
    }
    let host = added.pointer("/spec/hosts/0").and_then(Value::as_str).unwrap_or_default();
    let yaml = document(&written).unwrap_or_else(|_| written.to_string());
    format!(
        "no Router names `{base}`, so one was added here, for {host}; for a cluster, write it down with a host of \
         yours:\n{yaml}"
    )
}

#[cfg(test)]
#[path = "defaults_tests.rs"]
mod tests;
