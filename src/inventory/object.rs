//! Objects as the rooms need them: parsed once when they come in.
//!
//! Deployments and Services keep their whole JSON besides, so that a clone loses no field that this build
//! does not know.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::key::{Key, Kind, ObjectReference};
use super::selector::{Labels, Selector};
use crate::api::{DeploymentVersionSpec, DeploymentVersionStatus, Host, RouterSpec, RouterStatus, names};

/// Something with a key.
pub trait Keyed {
    /// Its key.
    fn key(&self) -> &Key;
}

/// The metadata that the rooms ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct Meta {
    /// Namespace and name.
    pub key: Key,
    /// The uid; absent for an object that is only a file.
    pub uid: Option<String>,
    /// The generation of its spec.
    pub generation: Option<i64>,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Whether its deletion has begun.
    pub deleting: bool,
    /// Its labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// Its controlling owner, if it has one.
    pub controller: Option<Owner>,
}

/// A controlling owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The owner's kind.
    pub kind: String,
    /// The owner's name.
    pub name: String,
    /// The owner's uid.
    pub uid: String,
}

impl Meta {
    fn read(metadata: ObjectMeta) -> Self {
        let controller = metadata.owner_references.unwrap_or_default().into_iter().find_map(|owner| {
            (owner.controller == Some(true)).then_some(Owner {
                kind: owner.kind,
                name: owner.name,
                uid: owner.uid,
            })
        });
        Self {
            key: Key::new(
                metadata.namespace.unwrap_or_else(|| "default".to_owned()),
                metadata.name.unwrap_or_default(),
            ),
            uid: metadata.uid,
            generation: metadata.generation,
            created: metadata.creation_timestamp.map(|time| time.0),
            deleting: metadata.deletion_timestamp.is_some(),
            labels: metadata.labels.unwrap_or_default(),
            annotations: metadata.annotations.unwrap_or_default(),
            controller,
        }
    }

    /// The order of claims: the older first, then by key; one without a creation time is the newest.
    #[must_use]
    pub fn age(&self) -> (Timestamp, &Key) {
        (self.created.unwrap_or(Timestamp::MAX), &self.key)
    }
}

/// A Deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct DeploymentFacts {
    /// Its metadata.
    pub meta: Meta,
    /// What it selects.
    pub selector: Selector,
    /// The labels of its pods.
    pub pod_labels: Labels,
    /// The whole object.
    pub object: Arc<Value>,
}

impl DeploymentFacts {
    /// Whether it is a clone of ours.
    #[must_use]
    pub fn is_clone(&self) -> bool {
        self.meta.labels.contains_key(names::LABEL_DPV)
            && self.meta.controller.as_ref().is_some_and(|owner| owner.kind == "DeploymentVersion")
    }

    /// Its `spec`, as JSON.
    #[must_use]
    pub fn spec(&self) -> &Value {
        self.object.get("spec").unwrap_or(&Value::Null)
    }
}

/// A Service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceFacts {
    /// Its metadata.
    pub meta: Meta,
    /// What it selects; `None` where it has no selector.
    pub selector: Option<Labels>,
    /// Its ports, in order.
    pub ports: Vec<ServicePort>,
    /// Its type; empty means `ClusterIP`.
    pub type_: String,
    /// The whole object.
    pub object: Arc<Value>,
}

/// A port of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name; empty where it has none.
    pub name: String,
    /// Its number.
    pub port: u16,
    /// The application protocol, as `kubernetes.io/h2c`.
    pub app_protocol: Option<String>,
    /// The pods' port: a number or a name, as written; absent means the same number.
    pub target_port: Option<String>,
    /// `TCP` unless written.
    pub protocol: String,
}

impl ServiceFacts {
    /// Whether it selects pods with these labels; one without a selector selects none.
    #[must_use]
    pub fn selects(&self, labels: &Labels) -> bool {
        self.selector.as_ref().is_some_and(|selector| {
            !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
        })
    }

    /// Whether it is a clone of ours.
    #[must_use]
    pub fn is_clone(&self) -> bool {
        self.meta.labels.contains_key(names::LABEL_DPV)
            && self.meta.controller.as_ref().is_some_and(|owner| owner.kind == "DeploymentVersion")
    }
}

/// An EndpointSlice.
#[derive(Debug, Clone, PartialEq)]
pub struct SliceFacts {
    /// Its metadata.
    pub meta: Meta,
    /// The Service it belongs to.
    pub service: Option<Key>,
    /// Its ports.
    pub ports: Vec<SlicePort>,
    /// Its endpoints.
    pub endpoints: Vec<SliceEndpoint>,
}

/// A port of an EndpointSlice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlicePort {
    /// The Service port's name; empty where it has none.
    pub name: String,
    /// The number to connect to.
    pub port: u16,
}

/// An endpoint of an EndpointSlice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceEndpoint {
    /// Its address.
    pub address: IpAddr,
    /// Whether it should get new requests. Absent in the object means yes.
    pub ready: bool,
    /// Whether it still serves while it terminates.
    pub serving: bool,
    /// Whether its pod is ending.
    pub terminating: bool,
    /// The pod's uid, where one stands behind it.
    pub pod_uid: Option<String>,
}

/// A Pod.
#[derive(Debug, Clone, PartialEq)]
pub struct PodFacts {
    /// Its metadata.
    pub meta: Meta,
    /// The whole pod, as far as the source keeps it.
    pub pod: Arc<Pod>,
}

/// A DeploymentVersion.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionFacts {
    /// Its metadata.
    pub meta: Meta,
    /// Its spec.
    pub spec: DeploymentVersionSpec,
    /// Its status, the memory of earlier decisions.
    pub status: DeploymentVersionStatus,
}

/// A Router.
#[derive(Debug, Clone, PartialEq)]
pub struct RouterFacts {
    /// Its metadata.
    pub meta: Meta,
    /// Its spec.
    pub spec: RouterSpec,
    /// Its status, the memory of earlier decisions.
    pub status: RouterStatus,
}

impl VersionFacts {
    /// This object, named.
    #[must_use]
    pub fn reference(&self) -> ObjectReference {
        ObjectReference { kind: Kind::DeploymentVersion, key: self.meta.key.clone() }
    }
}

impl RouterFacts {
    /// This object, named.
    #[must_use]
    pub fn reference(&self) -> ObjectReference {
        ObjectReference { kind: Kind::Router, key: self.meta.key.clone() }
    }

    /// The key of its base.
    #[must_use]
    pub fn base(&self) -> Key {
        self.meta.key.sibling(self.spec.base.as_str())
    }

    /// Its well-formed hosts, in order, each once.
    #[must_use]
    pub fn hosts(&self) -> Vec<Host> {
        let mut hosts: Vec<Host> = Vec::with_capacity(self.spec.hosts.len());
        for host in self.spec.hosts.iter().filter_map(|text| Host::parse(text).ok()) {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        hosts
    }
}

/// A PodDisruptionBudget.
#[derive(Debug, Clone, PartialEq)]
pub struct DisruptionFacts {
    /// Its metadata.
    pub meta: Meta,
    /// What it selects; `None` selects nothing.
    pub selector: Option<Selector>,
}

/// A HorizontalPodAutoscaler.
#[derive(Debug, Clone, PartialEq)]
pub struct AutoscalerFacts {
    /// Its metadata.
    pub meta: Meta,
    /// The Deployment it scales, where it scales one.
    pub deployment: Option<String>,
}

/// A NetworkPolicy.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkPolicyFacts {
    /// Its metadata.
    pub meta: Meta,
    /// The pods it confines.
    pub pod_selector: Selector,
    /// The whole object.
    pub object: Arc<Value>,
}

/// A ConfigMap or a Secret.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigFacts {
    /// Its metadata.
    pub meta: Meta,
    /// The whole object.
    pub object: Arc<Value>,
}

macro_rules! keyed {
    ($($name:ident),*) => {
        $(impl Keyed for $name {
            fn key(&self) -> &Key {
                &self.meta.key
            }
        })*
    };
}
keyed!(
    DeploymentFacts,
    ServiceFacts,
    SliceFacts,
    PodFacts,
    VersionFacts,
    RouterFacts,
    DisruptionFacts,
    AutoscalerFacts,
    NetworkPolicyFacts,
    ConfigFacts
);

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
    pub fn read(value: Value) -> Result<Option<Self>, ObjectError> {
        let Some(kind) = kind_of(&value) else { return Ok(None) };
        let failed = |message: String| ObjectError { kind, message };
        let metadata: ObjectMeta = part(&value, "/metadata").map_err(failed)?.unwrap_or_default();
        if metadata.name.as_deref().unwrap_or_default().is_empty() {
            return Err(failed("`metadata.name` is missing: give the object a name".to_owned()));
        }
        Self::read_kind(kind, Meta::read(metadata), value).map(Some).map_err(failed)
    }

    fn read_kind(kind: Kind, meta: Meta, value: Value) -> Result<Self, String> {
        Ok(match kind {
            Kind::Deployment => Self::Deployment(DeploymentFacts {
                selector: part(&value, "/spec/selector")?.unwrap_or_default(),
                pod_labels: part(&value, "/spec/template/metadata/labels")?.unwrap_or_default(),
                object: Arc::new(value),
                meta,
            }),
            Kind::Service => Self::Service(ServiceFacts {
                selector: part(&value, "/spec/selector")?,
                ports: service_ports(&value)?,
                type_: part(&value, "/spec/type")?.unwrap_or_default(),
                object: Arc::new(value),
                meta,
            }),
            Kind::EndpointSlice => Self::EndpointSlice(read_slice(meta, whole(value)?)),
            Kind::Pod => Self::Pod(PodFacts { meta, pod: Arc::new(whole(value)?) }),
            Kind::DeploymentVersion => Self::DeploymentVersion(VersionFacts {
                meta,
                spec: part(&value, "/spec")?.unwrap_or_default(),
                status: part(&value, "/status")?.unwrap_or_default(),
            }),
            Kind::Router => Self::Router(RouterFacts {
                meta,
                spec: part(&value, "/spec")?.ok_or("`spec` is missing")?,
                status: part(&value, "/status")?.unwrap_or_default(),
            }),
            Kind::PodDisruptionBudget => {
                Self::PodDisruptionBudget(DisruptionFacts { meta, selector: part(&value, "/spec/selector")? })
            }
            Kind::HorizontalPodAutoscaler => Self::HorizontalPodAutoscaler(AutoscalerFacts {
                meta,
                deployment: (text(&value, "/spec/scaleTargetRef/kind") == Some("Deployment"))
                    .then(|| text(&value, "/spec/scaleTargetRef/name").unwrap_or_default().to_owned()),
            }),
            Kind::NetworkPolicy => Self::NetworkPolicy(NetworkPolicyFacts {
                meta,
                pod_selector: part(&value, "/spec/podSelector")?.unwrap_or_default(),
                object: Arc::new(value),
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

fn service_ports(value: &Value) -> Result<Vec<ServicePort>, String> {
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

fn read_slice(meta: Meta, slice: EndpointSlice) -> SliceFacts {
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
            pod_uid: endpoint.target_ref.and_then(|target| target.uid),
        })
    });
    SliceFacts {
        service: meta.labels.get(names::LABEL_SERVICE_NAME).map(|name| meta.key.sibling(name.as_str())),
        ports: ports.collect(),
        endpoints: endpoints.collect(),
        meta,
    }
}
