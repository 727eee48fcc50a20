//! Objects as the rooms need them: parsed once when they come in.
//!
//! Deployments, Services, policies and budgets keep their whole JSON besides, so that a clone loses no field
//! that this build does not know; as text, for there may be thousands. Of a pod only what may be wrong with it
//! is kept.

mod facts;
mod read;
mod status;

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::key::{Key, Kind};
use super::selector::Labels;

pub use facts::{
    AutoscalerFacts, ConfigFacts, ContainerTrouble, DeploymentFacts, DeploymentState, DisruptionFacts, Ended,
    NetworkPolicyFacts, PodFacts, RouterFacts, ServiceFacts, ServicePort, SliceEndpoint, SliceFacts,
    SlicePort, VersionFacts,
};
pub use read::{Object, ObjectError};
pub use status::VersionStatus;

/// An object with metadata.
pub trait Keyed {
    /// Its metadata.
    fn meta(&self) -> &Meta;

    /// Its metadata, to change.
    fn meta_mut(&mut self) -> &mut Meta;

    /// Whether it is of a kind that people write and Synkronic too: DeploymentVersions and Routers.
    const IS_SHARED: bool;

    /// Its key.
    fn key(&self) -> &Key {
        &self.meta().key
    }

    /// Whether Synkronic writes to it: whoever does waits to see the version that a write made.
    fn is_written(&self) -> bool {
        Self::IS_SHARED || self.meta().is_clone()
    }
}

/// The metadata that the rooms ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct Meta {
    /// Namespace and name.
    pub key: Key,
    /// The uid; absent for an object that is only a file.
    pub uid: Option<String>,
    /// The version of the whole object, for preconditions; absent where the source keeps none.
    pub resource_version: Option<String>,
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
    /// The DeploymentVersion that controls it, if one does: it is a clone then, whatever its labels say.
    pub controller: Option<Box<Owner>>,
    /// What its deletion waits for.
    pub finalizers: Vec<String>,
}

/// The DeploymentVersion that controls an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its name.
    pub name: Arc<str>,
    /// Its uid; empty where it has none yet.
    pub uid: Box<str>,
}

impl Owner {
    fn read(owner: OwnerReference, owned: &Key) -> Self {
        // The clone of a Service has the name of its DeploymentVersion, more often than not: one text for both.
        let name = if owner.name == *owned.name { owned.name.clone() } else { owner.name.into() };
        Self { name, uid: owner.uid.into() }
    }
}

/// Whether an owner is a DeploymentVersion that controls what it owns. An object has one controller at most.
fn controls(owner: &OwnerReference) -> bool {
    let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
    let kind = Kind::DeploymentVersion;
    owner.controller == Some(true) && owner.kind == kind.as_str() && group == kind.group()
}

impl Meta {
    fn read(metadata: ObjectMeta) -> Self {
        let key = Key::new(
            metadata.namespace.unwrap_or_else(|| "default".to_owned()),
            metadata.name.unwrap_or_default(),
        );
        let owners = metadata.owner_references.unwrap_or_default();
        Self {
            controller: owners.into_iter().find(controls).map(|owner| Box::new(Owner::read(owner, &key))),
            key,
            uid: metadata.uid,
            resource_version: metadata.resource_version,
            generation: metadata.generation,
            created: metadata.creation_timestamp.map(|time| time.0),
            deleting: metadata.deletion_timestamp.is_some(),
            labels: metadata.labels.unwrap_or_default().into(),
            annotations: metadata.annotations.unwrap_or_default().into(),
            finalizers: metadata.finalizers.unwrap_or_default(),
        }
    }

    /// Whether the object is a clone of ours. A label that somebody took away makes it no less one.
    #[must_use]
    pub fn is_clone(&self) -> bool {
        self.controller.is_some()
    }

    /// The DeploymentVersion that controls the object, if one does.
    #[must_use]
    pub fn version(&self) -> Option<Key> {
        self.controller.as_ref().map(|owner| self.key.sibling(owner.name.clone()))
    }

    /// Whether this DeploymentVersion controls the object. Its name says so: where another uid bore the name before,
    /// garbage collection takes what that one controlled.
    #[must_use]
    pub fn is_clone_of(&self, dpv: &Key) -> bool {
        let owner = self.controller.as_ref();
        owner.is_some_and(|owner| owner.name == dpv.name) && self.key.namespace == dpv.namespace
    }

    /// The order of claims: the older first, then by key; one without a creation time is the newest.
    #[must_use]
    pub fn age(&self) -> (Timestamp, &Key) {
        (self.created.unwrap_or(Timestamp::MAX), &self.key)
    }
}
