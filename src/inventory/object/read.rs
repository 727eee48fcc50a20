//! A JSON document to an object of its kind.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::core::v1::{ContainerStatus, PodStatus};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::super::document::Document;
use super::super::key::{Key, Kind};
use super::{
    AutoscalerFacts, ConfigFacts, ContainerTrouble, DeploymentFacts, DeploymentState, DisruptionFacts, Ended,
    Meta, NetworkPolicyFacts, PodFacts, RouterFacts, ServiceFacts, ServicePort, SliceEndpoint, SliceFacts,
    SlicePort, VersionFacts, VersionStatus,
};
use crate::api::{DeploymentVersionSpec, DeploymentVersionStatus, names};

/// One object of a kind that an inventory holds.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each member is the Kubernetes kind of that name")]
pub enum Object {
    Deployment(DeploymentFacts),
    Service(ServiceFacts),
    EndpointSlice(SliceFacts),
    Pod(PodFacts),
    DeploymentVersion(VersionFacts),
    Router(RouterFacts),
    PodDisruptionBudget(DisruptionFacts),
    HorizontalPodAutoscaler(AutoscalerFacts),
    NetworkPolicy(NetworkPolicyFacts),
    ConfigMap(ConfigFacts),
    Secret(ConfigFacts),
}

/// Why a JSON document is no object of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct ObjectError {
    /// The kind it says it is.
    pub kind: Kind,
    /// What does not fit, in one sentence.
    pub message: String,
}

impl Object {
    /// Reads an object of one of the kinds that an inventory holds; `None` for any other kind.
    ///
    /// # Errors
    /// Where the document does not have the shape of its kind.
    pub fn read(mut value: Value) -> Result<Option<Self>, ObjectError> {
        let Some(kind) = kind_of(&value) else { return Ok(None) };
        let failed = |message: String| ObjectError { kind, message };
        let metadata: ObjectMeta = part(&value, "/metadata").map_err(failed)?.unwrap_or_default();
        if metadata.name.as_deref().unwrap_or_default().is_empty() {
            return Err(failed("`metadata.name` is missing: give the object a name".to_owned()));
        }
        // It is in what was read; in the text of an object it would differ where nothing else does.
        if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
            metadata.remove("resourceVersion");
        }
        Self::read_kind(kind, Meta::read(metadata), value).map(Some).map_err(failed)
    }

    fn read_kind(kind: Kind, meta: Meta, value: Value) -> Result<Self, String> {
        Ok(match kind {
            Kind::Deployment => Self::Deployment(DeploymentFacts {
                selector: part(&value, "/spec/selector")?.unwrap_or_default(),
                pod_labels: part(&value, "/spec/template/metadata/labels")?.unwrap_or_default(),
                image: text(&value, "/spec/template/spec/containers/0/image").map(str::to_owned),
                state: state_of(&value),
                object: Document::of(&value),
                meta,
            }),
            Kind::Service => Self::Service(ServiceFacts {
                selector: part(&value, "/spec/selector")?,
                ports: service_ports(&value)?,
                type_: part(&value, "/spec/type")?.unwrap_or_default(),
                object: Document::of(&value),
                meta,
            }),
            Kind::EndpointSlice => Self::EndpointSlice(read_slice(meta, whole(value)?)),
            Kind::Pod => Self::Pod(read_pod(meta, part(&value, "/status")?.unwrap_or_default())),
            Kind::DeploymentVersion => Self::DeploymentVersion(read_version(
                meta,
                part(&value, "/spec")?.unwrap_or_default(),
                &part(&value, "/status")?.unwrap_or_default(),
            )),
            Kind::Router => Self::Router(RouterFacts {
                meta,
                spec: part(&value, "/spec")?.ok_or("`spec` is missing")?,
                status: part(&value, "/status")?.unwrap_or_default(),
            }),
            Kind::PodDisruptionBudget => Self::PodDisruptionBudget(DisruptionFacts {
                meta,
                selector: part(&value, "/spec/selector")?,
                object: Document::of(&value),
            }),
            Kind::HorizontalPodAutoscaler => Self::HorizontalPodAutoscaler(AutoscalerFacts {
                meta,
                deployment: (text(&value, "/spec/scaleTargetRef/kind") == Some("Deployment"))
                    .then(|| text(&value, "/spec/scaleTargetRef/name").unwrap_or_default().to_owned()),
            }),
            Kind::NetworkPolicy => Self::NetworkPolicy(NetworkPolicyFacts {
                meta,
                pod_selector: part(&value, "/spec/podSelector")?.unwrap_or_default(),
                object: Document::of(&value),
            }),
            Kind::ConfigMap => Self::ConfigMap(ConfigFacts { meta, object: Arc::new(value) }),
            Kind::Secret => Self::Secret(ConfigFacts { meta, object: Arc::new(value) }),
        })
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Deployment(_) => Kind::Deployment,
            Self::Service(_) => Kind::Service,
            Self::EndpointSlice(_) => Kind::EndpointSlice,
            Self::Pod(_) => Kind::Pod,
            Self::DeploymentVersion(_) => Kind::DeploymentVersion,
            Self::Router(_) => Kind::Router,
            Self::PodDisruptionBudget(_) => Kind::PodDisruptionBudget,
            Self::HorizontalPodAutoscaler(_) => Kind::HorizontalPodAutoscaler,
            Self::NetworkPolicy(_) => Kind::NetworkPolicy,
            Self::ConfigMap(_) => Kind::ConfigMap,
            Self::Secret(_) => Kind::Secret,
        }
    }

    /// Its metadata.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        match self {
            Self::Deployment(o) => &o.meta,
            Self::Service(o) => &o.meta,
            Self::EndpointSlice(o) => &o.meta,
            Self::Pod(o) => &o.meta,
            Self::DeploymentVersion(o) => &o.meta,
            Self::Router(o) => &o.meta,
            Self::PodDisruptionBudget(o) => &o.meta,
            Self::HorizontalPodAutoscaler(o) => &o.meta,
            Self::NetworkPolicy(o) => &o.meta,
            Self::ConfigMap(o) | Self::Secret(o) => &o.meta,
        }
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.meta().key
    }
}

/// The kind of a document, by group and kind; any version of the group is taken.
fn kind_of(value: &Value) -> Option<Kind> {
    let kind = text(value, "/kind")?;
    let api_version = text(value, "/apiVersion")?;
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    Kind::ALL.into_iter().find(|known| known.as_str() == kind && known.group() == group)
}

fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// Reads one part of a document; absent and null are `None`.
fn part<T: DeserializeOwned>(value: &Value, pointer: &str) -> Result<Option<T>, String> {
    match value.pointer(pointer) {
        None | Some(Value::Null) => Ok(None),
        Some(found) => T::deserialize(found)
            .map(Some)
            .map_err(|error| format!("`{}`: {error}", pointer.trim_start_matches('/').replace('/', "."))),
    }
}

fn whole<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

fn service_ports(value: &Value) -> Result<Box<[ServicePort]>, String> {
    let ports: Vec<k8s_openapi::api::core::v1::ServicePort> = part(value, "/spec/ports")?.unwrap_or_default();
    ports
        .into_iter()
        .map(|port| {
            Ok(ServicePort {
                name: port.name.unwrap_or_default(),
                port: u16::try_from(port.port).map_err(|_| {
                    format!("`spec.ports`: {} is no port, ports run from 1 to 65535", port.port)
                })?,
                app_protocol: port.app_protocol,
                target_port: port.target_port.map(|target| match target {
                    k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::Int(number) => {
                        number.to_string()
                    }
                    k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::String(name) => name,
                }),
                protocol: port.protocol.unwrap_or_else(|| "TCP".to_owned()),
            })
        })
        .collect()
}

/// Whether it is a pod of the slice's own namespace: no slice leads to another tenant's (CVE-2021-25740).
fn is_own_pod(target: &ObjectReference, slice: &Key) -> bool {
    let own = target.namespace.as_deref().is_none_or(|namespace| *namespace == *slice.namespace);
    own && target.kind.as_deref() == Some("Pod")
}

fn state_of(deployment: &Value) -> DeploymentState {
    let number = |pointer: &str| deployment.pointer(pointer).and_then(Value::as_i64);
    let count = |pointer: &str| number(pointer).and_then(|number| i32::try_from(number).ok());
    let condition = |type_: &str, status: &str| {
        let conditions = deployment.pointer("/status/conditions").and_then(Value::as_array)?;
        conditions.iter().find(|it| text(it, "/type") == Some(type_) && text(it, "/status") == Some(status))
    };
    let refusal = condition("ReplicaFailure", "True");
    let progress = condition("Progressing", "False").and_then(|it| text(it, "/reason"));
    DeploymentState {
        wanted: count("/spec/replicas").unwrap_or(1),
        total: count("/status/replicas").unwrap_or(0),
        updated: count("/status/updatedReplicas").unwrap_or(0),
        ready: count("/status/readyReplicas").unwrap_or(0),
        observed: number("/status/observedGeneration"),
        refusal: refusal.map(|it| text(it, "/message").unwrap_or_default().to_owned()),
        given_up: progress == Some("ProgressDeadlineExceeded"),
    }
}

/// The overlays, of any shape, are text until clones are made from them.
fn read_version(
    meta: Meta,
    mut spec: DeploymentVersionSpec,
    status: &DeploymentVersionStatus,
) -> VersionFacts {
    let text = |overlay: Map<String, Value>| Document::of(&Value::Object(overlay));
    let deployment_overlay = spec.deployment_spec.take().map(text);
    let service_overlay = spec.service_spec.take().map(text);
    VersionFacts { meta, spec, deployment_overlay, service_overlay, status: VersionStatus::of(status) }
}

/// A pod that serves comes to little more than its name: there may be tens of thousands.
fn read_pod(mut meta: Meta, status: PodStatus) -> PodFacts {
    meta.labels.retain(|key, _| key == names::LABEL_DPV);
    (meta.annotations, meta.controller, meta.finalizers) = Default::default();
    let unscheduled = status.conditions.iter().flatten().find(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    });
    let unscheduled = unscheduled
        .map(|condition| condition.message.clone().unwrap_or_else(|| "no node takes the pod".to_owned()));
    let first = status.init_container_statuses.unwrap_or_default();
    let containers = first.into_iter().chain(status.container_statuses.unwrap_or_default());
    PodFacts { meta, troubles: containers.filter_map(container_trouble).collect(), unscheduled }
}

fn container_trouble(container: ContainerStatus) -> Option<ContainerTrouble> {
    let state = container.state.unwrap_or_default();
    let waits = state.waiting.filter(|_| !container.ready);
    let ended = state.terminated.or(container.last_state.unwrap_or_default().terminated);
    let ended = ended.filter(|_| !container.ready);
    if waits.is_none() && ended.is_none() {
        return None;
    }
    let waits = waits.unwrap_or_default();
    Some(ContainerTrouble {
        name: container.name,
        image: container.image,
        restarts: container.restart_count,
        is_up: state.running.is_some(),
        waits_for: (waits.reason.unwrap_or_default(), waits.message.unwrap_or_default()),
        ended: ended.map(|it| Ended { code: it.exit_code, reason: it.reason, message: it.message }),
    })
}

fn read_slice(mut meta: Meta, slice: EndpointSlice) -> SliceFacts {
    let ports = slice.ports.unwrap_or_default().into_iter().filter_map(|port| {
        Some(SlicePort { name: port.name.unwrap_or_default(), port: u16::try_from(port.port?).ok()? })
    });
    let endpoints = slice.endpoints.unwrap_or_default().into_iter().filter_map(|endpoint| {
        let conditions = endpoint.conditions.unwrap_or_default();
        let ready = conditions.ready.unwrap_or(true);
        Some(SliceEndpoint {
            address: endpoint.addresses.first()?.parse().ok()?,
            ready,
            serving: conditions.serving.unwrap_or(ready),
            terminating: conditions.terminating.unwrap_or(false),
            pod_uid: endpoint
                .target_ref
                .filter(|target| is_own_pod(target, &meta.key))
                .and_then(|target| target.uid),
        })
    });
    let service = meta.labels.get(names::LABEL_SERVICE_NAME).map(|name| meta.key.sibling(name));
    (meta.labels, meta.annotations, meta.controller) = Default::default();
    SliceFacts { service, ports: ports.collect(), endpoints: endpoints.collect(), meta }
}
