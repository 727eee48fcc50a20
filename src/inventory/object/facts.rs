//! What the rooms know of an object of each kind.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;

use super::super::document::Document;
use super::super::key::{Key, Kind, ObjectReference};
use super::super::selector::{Labels, Selector};
use super::{Keyed, Meta, VersionStatus};
use crate::api::{DeploymentVersionSpec, Host, RouterSpec, RouterStatus};

/// A Deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct DeploymentFacts {
    /// Its metadata.
    pub meta: Meta,
    /// What it selects.
    pub selector: Selector,
    /// The labels of its pods.
    pub pod_labels: Labels,
    /// The image of its first container.
    pub image: Option<String>,
    /// How many pods it has and wants.
    pub state: DeploymentState,
    /// The whole object.
    pub object: Document,
}

/// How many pods a Deployment has and wants, as its spec and status say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeploymentState {
    /// Pods that are wanted; one unless written.
    pub wanted: i32,
    /// Pods that are there. One whose deletion has begun is in none of these.
    pub total: i32,
    /// Those of the newest template.
    pub updated: i32,
    /// Those that are ready.
    pub ready: i32,
    /// The generation that the rest is about.
    pub observed: Option<i64>,
    /// Why pods cannot be made, in the words of its condition `ReplicaFailure`.
    pub refusal: Option<String>,
    /// Whether its roll-out took longer than `spec.progressDeadlineSeconds`.
    pub given_up: bool,
}

impl DeploymentFacts {
    /// Whether it is a clone of ours.
    #[must_use]
    pub fn is_clone(&self) -> bool {
        self.meta.is_clone()
    }

    /// Its `spec`, as JSON; parsed at each call.
    #[must_use]
    pub fn spec(&self) -> Value {
        self.object.field("spec")
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
    pub ports: Box<[ServicePort]>,
    /// Its type; empty means `ClusterIP`.
    pub type_: String,
    /// The whole object.
    pub object: Document,
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
    /// What it selects pods by; Kubernetes takes no notice of the selector of an `ExternalName`.
    #[must_use]
    pub fn selecting(&self) -> Option<&Labels> {
        self.selector.as_ref().filter(|_| self.type_ != "ExternalName")
    }

    /// Whether it selects pods with these labels; one without a selector selects none.
    #[must_use]
    pub fn selects(&self, labels: &Labels) -> bool {
        self.selecting().is_some_and(|selector| {
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
    pub ports: Box<[SlicePort]>,
    /// Its endpoints.
    pub endpoints: Box<[SliceEndpoint]>,
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
    /// Its metadata, of its labels only `kyaninus.com/dpv`.
    pub meta: Meta,
    /// What keeps containers from serving, the init containers first.
    pub troubles: Box<[ContainerTrouble]>,
    /// Why no node takes it, where none does.
    pub unscheduled: Option<String>,
}

/// What keeps a container from serving, as its status says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerTrouble {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// How often it was started again.
    pub restarts: i32,
    /// Whether it runs now.
    pub is_up: bool,
    /// What it waits for, as `ImagePullBackOff`, with the words for it; empty where it does not wait.
    pub waits_for: (String, String),
    /// How it ended, now or the last time.
    pub ended: Option<Ended>,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// The reason, as `OOMKilled`.
    pub reason: Option<String>,
    /// Its last words.
    pub message: Option<String>,
}

/// A DeploymentVersion.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionFacts {
    /// Its metadata.
    pub meta: Meta,
    /// Its spec, but for the two overlays.
    pub spec: DeploymentVersionSpec,
    /// `spec.deploymentSpec`, where it is written.
    pub deployment_overlay: Option<Document>,
    /// `spec.serviceSpec`, where it is written.
    pub service_overlay: Option<Document>,
    /// Its status, the memory of earlier decisions.
    pub status: VersionStatus,
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

    /// The Services that it names, where it names those that it clones.
    pub fn named_services(&self) -> impl Iterator<Item = Key> {
        self.spec.services.iter().flatten().map(|name| self.meta.key.sibling(name.as_str()))
    }

    /// Why it is not ready, in the one word of its condition; nothing where it is, or nobody has said.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.status.trouble()
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
    pub object: Document,
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
    pub object: Document,
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
    ($($name:ident: $is_shared:literal),*) => {
        $(impl Keyed for $name {
            const IS_SHARED: bool = $is_shared;

            fn meta(&self) -> &Meta {
                &self.meta
            }

            fn meta_mut(&mut self) -> &mut Meta {
                &mut self.meta
            }
        })*
    };
}
keyed!(
    DeploymentFacts: false,
    ServiceFacts: false,
    SliceFacts: false,
    PodFacts: false,
    VersionFacts: true,
    RouterFacts: true,
    DisruptionFacts: false,
    AutoscalerFacts: false,
    NetworkPolicyFacts: false,
    ConfigFacts: false
);
