//! What becomes of a pod that is played by hand, and the status a kubelet would write for it. Pure.
//!
//! A pod's own spec says it: the tag of its first container's image, or a `nodeSelector` that no node meets.

use std::net::Ipv4Addr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use serde_json::{Value, json};

/// What a pod is in for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It serves after this long.
    Ready(Duration),
    /// It runs and never becomes ready: image tag `never-ready`.
    NeverReady,
    /// It ends with 1 again and again, and says why: image tag `crash`.
    Crash,
    /// Its image does not exist: image tag `absent`.
    Absent,
    /// No node takes it: a `nodeSelector`.
    Unschedulable,
}

/// What a crashing pod leaves as its last words.
pub const LAST_WORDS: &str = "DATABASE_URL is not set";
/// How often it has started when it has given up.
pub const RESTARTS: i32 = 7;

impl Fate {
    /// A pod's.
    pub fn of(pod: &Pod) -> Self {
        let spec = pod.spec.as_ref();
        if spec.and_then(|spec| spec.node_selector.as_ref()).is_some_and(|wanted| !wanted.is_empty()) {
            return Self::Unschedulable;
        }
        let image = spec.and_then(first).and_then(|container| container.image.as_deref()).unwrap_or_default();
        match image.rsplit(':').next().unwrap_or_default() {
            "never-ready" => Self::NeverReady,
            "crash" => Self::Crash,
            "absent" => Self::Absent,
            "slow" => Self::Ready(Duration::from_secs(2)),
            _ => Self::Ready(Duration::ZERO),
        }
    }
}

fn first(spec: &PodSpec) -> Option<&Container> {
    spec.containers.first()
}

/// Who a pod says it is: what Synkronic set for its first container, else the base.
pub fn version(pod: &Pod) -> String {
    let env = pod.spec.as_ref().and_then(first).and_then(|container| container.env.as_ref());
    let named = env.into_iter().flatten().find(|var| var.name == "SYNKRONIC_VERSION");
    named.and_then(|var| var.value.clone()).unwrap_or_else(|| "base".to_owned())
}

/// The image of the first container: what a pod of the newest template shows.
pub fn image(pod: &Pod) -> String {
    pod.spec.as_ref().and_then(first).and_then(|container| container.image.clone()).unwrap_or_default()
}

/// The ports that it serves on.
pub fn ports(pod: &Pod) -> Vec<u16> {
    let ports = pod.spec.as_ref().and_then(first).and_then(|container| container.ports.as_ref());
    let numbers = ports.into_iter().flatten().filter_map(|port| u16::try_from(port.container_port).ok());
    let mut numbers: Vec<u16> = numbers.collect();
    if numbers.is_empty() {
        numbers.push(80);
    }
    numbers
}

/// The status of a pod that no node takes.
pub fn unschedulable(now: &str) -> Value {
    let message = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
    json!({"phase": "Pending", "conditions": [
        condition("PodScheduled", false, now, Some(("Unschedulable", message))),
    ]})
}

/// The status of a pod whose container is not ready, or is.
pub fn running(pod: &Pod, address: Ipv4Addr, ready: bool, now: &str) -> Value {
    let state = json!({"running": {"startedAt": now}});
    placed(pod, "Running", Some(address), ready, now, |_| (state.clone(), json!({}), 0))
}

/// The status of a pod that crashed so many times.
pub fn crashed(pod: &Pod, address: Ipv4Addr, restarts: i32, now: &str) -> Value {
    let terminated = json!({"terminated": {
        "exitCode": 1, "reason": "Error", "message": LAST_WORDS, "startedAt": now, "finishedAt": now,
    }});
    placed(pod, "Running", Some(address), false, now, |container| {
        let name = &container.name;
        let message = format!("back-off 5m0s restarting failed container={name}");
        (json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}}), terminated.clone(), restarts)
    })
}

/// The status of a pod whose image isn't there.
pub fn absent(pod: &Pod, now: &str) -> Value {
    placed(pod, "Pending", None, false, now, |container| {
        let image = container.image.as_deref().unwrap_or_default();
        let message = format!("Back-off pulling image \"{image}\": ErrImagePull: {image}: not found");
        (json!({"waiting": {"reason": "ImagePullBackOff", "message": message}}), json!({}), 0)
    })
}

fn placed(
    pod: &Pod,
    phase: &str,
    address: Option<Ipv4Addr>,
    ready: bool,
    now: &str,
    state: impl Fn(&Container) -> (Value, Value, i32),
) -> Value {
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let statuses: Vec<Value> = containers
        .iter()
        .map(|container| {
            let (state, last, restarts) = state(container);
            json!({
                "name": container.name, "image": container.image, "imageID": "", "ready": ready,
                "started": ready, "restartCount": restarts, "state": state, "lastState": last,
            })
        })
        .collect();
    let names: Vec<&str> = containers.iter().map(|container| container.name.as_str()).collect();
    let message = format!("containers with unready status: [{}]", names.join(" "));
    let why = (!ready).then_some(("ContainersNotReady", message.as_str()));
    let mut status = json!({
        "phase": phase, "hostIP": "10.88.0.1", "startTime": now, "containerStatuses": statuses,
        "conditions": [
            condition("PodScheduled", true, now, None),
            condition("Initialized", true, now, None),
            condition("ContainersReady", ready, now, why),
            condition("Ready", ready, now, why),
        ],
    });
    if let Some(address) = address {
        status["podIP"] = json!(address);
        status["podIPs"] = json!([{"ip": address}]);
    }
    status
}

fn condition(kind: &str, holds: bool, now: &str, why: Option<(&str, &str)>) -> Value {
    let status = if holds { "True" } else { "False" };
    let (reason, message) = why.unwrap_or_default();
    json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": now})
}
