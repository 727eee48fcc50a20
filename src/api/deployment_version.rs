//! `DeploymentVersion`: one version to run beside its base.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::schema::{FreeForm, LABEL, OBJECT_NAME, VERSION_IS_NOT_BASE, or_null, validations};

/// One version of an application: a clone of its base Deployment and Services, with an overlay.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kyaninus.com",
    version = "v1",
    kind = "DeploymentVersion",
    shortname = "dpv",
    category = "synkronic",
    namespaced,
    status = "DeploymentVersionStatus",
    derive = "PartialEq",
    doc = "One version of an application: a clone of its base Deployment and Services, with an overlay.",
    printcolumn = r#"{"name": "Base", "type": "string", "jsonPath": ".status.base.name", "description": "The Deployment it is a version of."}"#,
    printcolumn = r#"{"name": "Version", "type": "string", "jsonPath": ".status.version", "description": "The version id that routes use."}"#,
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.ready", "description": "Pods ready of those wanted."}"#,
    printcolumn = r#"{"name": "Status", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].reason", "description": "Why it is ready, or not."}"#,
    printcolumn = r#"{"name": "URL", "type": "string", "jsonPath": ".status.url", "description": "The first address that leads to it."}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp", "description": "Since when it exists."}"#,
    printcolumn = r#"{"name": "Image", "type": "string", "jsonPath": ".status.image", "priority": 1, "description": "The first container's image."}"#,
    printcolumn = r#"{"name": "Build", "type": "string", "jsonPath": ".status.build", "priority": 1, "description": "The build, as its annotation says."}"#
)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentVersionSpec {
    /// The base Deployment. Absent, or the object's own name: the object's name reads
    /// `<base>-<version id>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME))]
    pub name: Option<String>,
    /// The base's namespace: the object's own, another is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub namespace: Option<String>,
    /// The version id, a DNS label; `base` is reserved. Of several that ask for the same the one that has it keeps
    /// it, else the oldest gets it. Default: the object's name without `<base>-`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL), extend("x-kubernetes-validations" = validations(&[VERSION_IS_NOT_BASE])))]
    pub version: Option<String>,
    /// The base's Services to clone. Default: every Service of the namespace that selects the base's pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 63), regex(pattern = LABEL)), extend("x-kubernetes-list-type" = "set"))]
    pub services: Option<Vec<String>>,
    /// What changes in the base Deployment's `spec`: a strategic merge patch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "FreeForm")]
    pub deployment_spec: Option<Map<String, Value>>,
    /// What changes in each cloned Service's `spec`: a strategic merge patch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "FreeForm")]
    pub service_spec: Option<Map<String, Value>>,
    /// Paths of the base's `spec` to leave out, as `template.spec.containers[web].livenessProbe`.
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 1024)), extend("x-kubernetes-list-type" = "set"))]
    pub remove: Vec<String>,
    /// Keep the objects, run no pods.
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
}

/// What became of a DeploymentVersion.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentVersionStatus {
    /// The generation of the object that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` (the summary), `BaseResolved`, `Cloned`, `Available`, `Routed`, `Reconciling`, `Stalled`.
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The base as it was first resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseReference>,
    /// The clone's Deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// The clone's Services.
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub services: Vec<String>,
    /// Pods wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Pods ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,
    /// Ready of wanted, as `1/1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
    /// The version id in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The first address that leads here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Every address that leads here.
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub urls: Vec<String>,
    /// The first container's image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The build, from the annotation `kyaninus.com/build`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
}

/// A base Deployment, as it was when it was resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BaseReference {
    /// The Deployment's name.
    pub name: String,
    /// Its uid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Its generation when the clones last followed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
}
