//! Objects as the rooms need them: parsed once when they come in.
//!
//! Deployments, Services, policies and budgets keep their whole JSON besides, so that a clone loses no field
//! that this build does not know; as text, for there may be thousands. Of a pod only what may be wrong with it
//! is kept.

mod facts;
mod read;
mod status;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::key::Key;
use super::selector::Labels;
use crate::api::names;

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
    /// Its controlling owner, if it has one.
    pub controller: Option<Box<Owner>>,
    /// What its deletion waits for.
    pub finalizers: Vec<String>,
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
            let owner_of =
                |owner: OwnerReference| Owner { kind: owner.kind, name: owner.name, uid: owner.uid };
            (owner.controller == Some(true)).then(|| Box::new(owner_of(owner)))
        });
        Self {
            key: Key::new(
                metadata.namespace.unwrap_or_else(|| "default".to_owned()),
                metadata.name.unwrap_or_default(),
            ),
            uid: metadata.uid,
            resource_version: metadata.resource_version,
            generation: metadata.generation,
            created: metadata.creation_timestamp.map(|time| time.0),
            deleting: metadata.deletion_timestamp.is_some(),
            labels: metadata.labels.unwrap_or_default().into(),
            annotations: metadata.annotations.unwrap_or_default().into(),
            controller,
            finalizers: metadata.finalizers.unwrap_or_default(),
        }
    }

    /// Whether the object is a clone of ours.
    #[must_use]
    pub fn is_clone(&self) -> bool {
        self.labels.contains_key(names::LABEL_DPV) && self.version().is_some()
    }

    /// The DeploymentVersion that controls the object, if one does.
    #[must_use]
    pub fn version(&self) -> Option<Key> {
        let owner = self.controller.as_ref().filter(|owner| owner.kind == "DeploymentVersion")?;
        Some(self.key.sibling(owner.name.as_str()))
    }

    /// The order of claims: the older first, then by key; one without a creation time is the newest.
    #[must_use]
    pub fn age(&self) -> (Timestamp, &Key) {
        (self.created.unwrap_or(Timestamp::MAX), &self.key)
    }
}
