//! What the rooms know of an object of each kind.

use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use super::super::key::{Key, Kind, ObjectReference};
use super::super::selector::{Labels, Selector};
use super::{Keyed, Meta};
use crate::api::{DeploymentVersionSpec, DeploymentVersionStatus, Host, RouterSpec, RouterStatus};

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
        self.meta.is_clone()
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
        self.meta.is_clone()
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
    /// The whole object.
    pub object: Arc<Value>,
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
