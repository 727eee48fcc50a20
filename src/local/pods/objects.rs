//! Pods as a cluster shows them: Pod and EndpointSlice objects, and a Deployment's status. Pure.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};

use super::life::{Exit, Phase};
use super::recipe::Ports;
use crate::api::names;
use crate::inventory::object::ServiceFacts;
use crate::inventory::selector::Labels;
use crate::inventory::{Key, names as fitted_names};
use k8s_openapi::api::core::v1::Container;

/// Where a pod stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It cannot be started, for this reason.
    Blocked(String),
    /// It lives.
    Living(Phase),
}

impl State {
    /// The address at which it serves, where it does.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Living(Phase::Ready(address)) => Some(*address),
            Self::Living(Phase::Starting | Phase::Unready(_) | Phase::Down(_) | Phase::Gone)
            | Self::Blocked(_) => None,
        }
    }
}

/// A pod as it is shown.
#[derive(Debug, Clone)]
pub struct Shown<'p> {
    /// Namespace and name.
    pub key: &'p Key,
    /// Its uid.
    pub uid: &'p str,
    /// Its Deployment's name.
    pub deployment: &'p str,
    /// Its labels.
    pub labels: &'p Labels,
    /// Its container, where its recipe could be read.
    pub container: Option<&'p Container>,
    /// Its ports.
    pub ports: &'p Ports,
    /// Where it stands.
    pub state: &'p State,
    /// How often its process was started again.
    pub restarts: u32,
    /// How its process ended last.
    pub last: Option<&'p Exit>,
    /// The address at which it served last; it keeps serving there while it ends.
    pub address: Option<IpAddr>,
    /// Whether it is ending.
    pub ending: bool,
    /// When it was started (RFC 3339).
    pub created: &'p str,
}

/// The Pod object.
#[must_use]
pub fn pod(shown: &Shown<'_>) -> Value {
    let ready = shown.state.address().is_some() && !shown.ending;
    let phase = if matches!(shown.state, State::Blocked(_)) { "Pending" } else { "Running" };
    let message = match shown.state {
        State::Living(Phase::Unready(reason)) => reason.as_str(),
        State::Living(_) | State::Blocked(_) => "",
    };
    let ready_word = if ready { "True" } else { "False" };
    let mut metadata = json!({
        "name": &*shown.key.name, "namespace": &*shown.key.namespace, "uid": shown.uid,
        "labels": shown.labels, "creationTimestamp": shown.created,
    });
    if let (true, Some(fields)) = (shown.ending, metadata.as_object_mut()) {
        fields.insert("deletionTimestamp".to_owned(), shown.created.into());
    }
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": metadata,
        "spec": {"nodeName": "local", "containers": shown.container.map(bare)},
        "status": {
            "phase": phase,
            "podIP": shown.address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)).to_string(),
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": ready_word, "message": message},
            ],
            "containerStatuses": [container_status(shown, ready)],
        },
    })
}

/// Its name and image: what is shown of a container.
fn bare(container: &Container) -> Value {
    json!([{"name": container.name, "image": container.image}])
}

fn container_status(shown: &Shown<'_>, ready: bool) -> Value {
    let name = shown.container.map_or(shown.deployment, |container| container.name.as_str());
    let image = shown.container.and_then(|container| container.image.as_deref()).unwrap_or_default();
    let state = match shown.state {
        State::Blocked(message) => json!({"waiting": {"reason": "CreateContainerError", "message": message}}),
        State::Living(Phase::Down(_)) => json!({"waiting": {"reason": "CrashLoopBackOff"}}),
        State::Living(Phase::Gone) => json!({"terminated": {"exitCode": 0}}),
        State::Living(Phase::Starting | Phase::Ready(_) | Phase::Unready(_)) => json!({"running": {}}),
    };
    let last_state = match shown.last {
        Some(exit) => {
            let reason = if exit.code == 0 { "Completed" } else { "Error" };
            json!({"terminated": {"exitCode": exit.code, "reason": reason, "message": exit.message}})
        }
        None => json!({}),
    };
    json!({
        "name": name, "image": image, "imageID": "", "ready": ready,
        "restartCount": shown.restarts, "state": state, "lastState": last_state,
    })
}

/// The EndpointSlice through which a Service reaches a pod; none where it does not select the pod or the
/// pod has no address yet. One slice a pod: on one machine each has ports of its own.
#[must_use]
pub fn slice(shown: &Shown<'_>, service: &ServiceFacts) -> Option<Value> {
    if !service.selects(shown.labels) {
        return None;
    }
    let address = shown.address?;
    let container = shown.container?;
    let ports: Vec<Value> = service
        .ports
        .iter()
        .filter_map(|port| {
            let number = port.port.to_string();
            let target = port.target_port.as_deref().unwrap_or(&number);
            let here = shown.ports.target(container, target)?;
            Some(
                json!({"name": port.name, "port": here, "protocol": "TCP", "appProtocol": port.app_protocol}),
            )
        })
        .collect();
    let serving = shown.state.address().is_some();
    let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    Some(json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": slice_name(&service.meta.key.name, &shown.key.name),
            "namespace": &*shown.key.namespace,
            "labels": {names::LABEL_SERVICE_NAME: &*service.meta.key.name},
        },
        "addressType": family,
        "ports": ports,
        "endpoints": [{
            "addresses": [address.to_string()],
            "conditions": {"ready": serving && !shown.ending, "serving": serving, "terminating": shown.ending},
            "targetRef": {"kind": "Pod", "name": &*shown.key.name, "namespace": &*shown.key.namespace,
                "uid": shown.uid},
        }],
    }))
}

fn slice_name(service: &str, pod: &str) -> String {
    fitted_names::fitted(&format!("{service}-{pod}"))
}

/// How many of a Deployment's pods there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Living ones.
    pub all: usize,
    /// Of the newest template.
    pub updated: usize,
    /// Serving.
    pub ready: usize,
}

/// The Deployment's status.
#[must_use]
pub fn deployment_status(generation: Option<i64>, wanted: usize, counts: Counts) -> Value {
    json!({
        "observedGeneration": generation,
        "replicas": counts.all,
        "updatedReplicas": counts.updated,
        "readyReplicas": counts.ready,
        "availableReplicas": counts.ready,
        "unavailableReplicas": wanted.saturating_sub(counts.ready),
    })
}
