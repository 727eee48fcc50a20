//! The clones of a base's Services.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::clone::{Subject, add_metadata};
use super::json::{containers, list, list_mut, map_at, text};
use super::merge::Overlay;
use super::strip;
use crate::api::names;
use crate::inventory::object::ServiceFacts;
use crate::inventory::selector::Labels;
use crate::inventory::{Finding, Inventory};

/// The base's Services that a DeploymentVersion clones, by name; `of_base` are all that select its pods.
///
/// # Errors
/// Where one that it names is not there, selects nothing, or does not select the base's pods.
pub(super) fn wanted(
    inventory: &Inventory,
    subject: &Subject<'_>,
    of_base: &[Arc<ServiceFacts>],
) -> Result<Vec<Arc<ServiceFacts>>, Vec<Finding>> {
    let base = subject.base;
    let Some(named) = &subject.dpv.spec.services else { return Ok(of_base.to_vec()) };
    let mut services = Vec::new();
    let mut findings = Vec::new();
    for (index, name) in named.iter().enumerate() {
        let field = format!("spec.services[{index}]");
        let mut refuse = |reason, message| findings.push(subject.rejected(reason, field.clone(), message));
        match inventory.services.shared(&base.meta.key.sibling(name.as_str())) {
            None => refuse(
                "ServiceNotFound",
                format!(
                    "there is no Service `{name}` in namespace `{}`; create it, or take it out",
                    base.meta.key.namespace
                ),
            ),
            Some(service) if service.is_clone() => {
                refuse("ServiceIsClone", format!("the Service `{name}` is itself a clone; name the base's"));
            }
            Some(service) if !service.selects(&base.pod_labels) => refuse(
                "ServiceNotOfBase",
                format!(
                    "the Service `{name}` doesn't select the pods of the base `{}`, so its clone would select \
                     none of the version's; take it out, or correct the Service's selector",
                    base.meta.key.name
                ),
            ),
            Some(service) => services.push(service),
        }
    }
    services.sort_by(|a, b| a.meta.key.cmp(&b.meta.key));
    services.dedup_by(|a, b| a.meta.key == b.meta.key);
    if findings.is_empty() { Ok(services) } else { Err(findings) }
}

/// An address outside of the cluster that an overlay gives a clone.
pub(super) struct Exposure {
    /// Where in the Service's spec.
    pub path: String,
    /// What it would be, in a few words.
    pub what: String,
    /// Whether it would be the version's to have if the base's Service had it.
    pub is_inherited: bool,
}

/// What an overlay gives a clone that its Service does not have.
///
/// A balancer is never inherited: what keeps the base's from the world (`loadBalancerSourceRanges`, the annotation
/// by which a cloud makes it an internal one) is not cloned, so that the version's would be open to it.
pub(super) fn exposure(service: &ServiceFacts, spec: &Value) -> Vec<Exposure> {
    let written = text(spec, "/type").unwrap_or("ClusterIP");
    let own = if service.type_.is_empty() { "ClusterIP" } else { &service.type_ };
    let has_node_ports = ["NodePort", "LoadBalancer"].contains(&own);
    let is_inherited = written != "LoadBalancer";
    let mut found = Vec::new();
    if written != "ClusterIP" && !(written == own && is_inherited) {
        let what = format!("a Service of type `{written}`");
        found.push(Exposure { path: "type".to_owned(), what, is_inherited });
    }
    if list(spec, "/externalIPs").next().is_some() {
        let what = "`externalIPs`".to_owned();
        found.push(Exposure { path: "externalIPs".to_owned(), what, is_inherited: true });
    }
    for port in list(spec, "/ports") {
        if let (Some(node), false) = (port.get("nodePort"), has_node_ports) {
            let number = port.get("port").unwrap_or(&Value::Null);
            let path = format!("ports[{number}].nodePort");
            found.push(Exposure { path, what: format!("the node's port {node}"), is_inherited: true });
        }
    }
    found
}

/// The names of the ports of all containers.
pub(super) fn port_names(spec: &Value) -> BTreeSet<&str> {
    let ports = containers(spec).flat_map(|container| list(container, "/ports"));
    ports.filter_map(|port| text(port, "/name")).collect()
}

/// Where a Service's ports lead to.
pub(super) struct Ports<'p> {
    /// The names of the version's.
    pub of_version: BTreeSet<&'p str>,
    /// Names of the base's that no version has by itself, with the numbers that they stand for.
    pub lost: &'p BTreeMap<String, Value>,
}

impl Ports<'_> {
    /// What was meant by a name that is lost is meant by its number.
    fn by_number(&self, service: &mut Value) {
        for port in list_mut(service, "/ports") {
            let target = text(port, "/targetPort").filter(|name| !self.of_version.contains(name));
            if let Some(number) = target.and_then(|name| self.lost.get(name)).cloned() {
                map_at(port, &[]).insert("targetPort".to_owned(), number);
            }
        }
    }
}

/// Ports of a cloned Service that lead to a name which a port of the base's pods has, and none of the version's.
pub(super) fn lost_ports(subject: &Subject<'_>, clone: &Value, spec: &Value) -> Vec<Finding> {
    let (of_base, of_version) = (port_names(subject.spec), port_names(spec));
    list(clone, "/spec/ports")
        .filter_map(|port| text(port, "/targetPort"))
        .filter(|name| of_base.contains(name) && !of_version.contains(name))
        .map(|name| {
            let message = format!(
                "the Service leads to the port `{name}`, which no container of the version has, so it reaches \
                 nothing; name a port so, or change `targetPort` in `spec.serviceSpec`"
            );
            subject.warning("PortLost", "spec.deploymentSpec.template.spec.containers", message)
        })
        .collect()
}

/// The clone of one Service.
///
/// It selects by the one label that all of the version's pods have for as long as there are any, the Deployment's
/// way. By more of them (the base's keys, with the version's values) pods that run would leave it as soon as another
/// value is chosen, long before there are new ones. Nothing is lost: only what selects the base's pods by what their
/// template says is cloned.
///
/// # Errors
/// Where the overlay doesn't fit it.
pub(super) fn clone(
    subject: &Subject<'_>,
    service: &ServiceFacts,
    name: &str,
    overlay: Option<&Overlay>,
    ports: &Ports<'_>,
    warnings: &mut Vec<Finding>,
) -> Result<Value, Vec<Finding>> {
    let mut spec = strip::service_spec(service.object.field("spec"));
    ports.by_number(&mut spec);
    if let Some(overlay) = overlay {
        let applied = overlay.apply(spec).map_err(|faults| subject.faults("spec.serviceSpec", faults))?;
        warnings.extend(subject.notes("spec.serviceSpec", applied.notes));
        spec = applied.spec;
    }
    if let Some(spec) = spec.as_object_mut() {
        spec.insert("selector".to_owned(), json!({names::LABEL_DPV: subject.hash}));
    }
    let mut object = json!({"apiVersion": "v1", "kind": "Service", "spec": spec});
    add_metadata(&mut object, subject, name, Labels::new(), Labels::new());
    Ok(object)
}
