//! Which kinds are watched, and what of their objects is kept.
//!
//! An edge keeps what routing needs and no JSON: of ten thousand versions it would be most of its memory. It
//! does not even see the clones' Deployments, of which it needs nothing. A controller keeps whole what clones
//! are made from.

use serde_json::Value;

use super::edges::Report;
use crate::api::names;
use crate::inventory::object::Meta;
use crate::inventory::selector::Labels;
use crate::inventory::{Document, Key, Kind, Object};

/// What this process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// Makes clones and statuses.
    pub controller: bool,
    /// Serves requests.
    pub edge: bool,
}

/// What a watch is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Objects of a kind that the inventory holds.
    Objects(Kind),
    /// The Leases by which edges report.
    Edges,
}

impl Subject {
    /// The kind's name as manifests spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Objects(kind) => kind.as_str(),
            Self::Edges => "Lease",
        }
    }

    /// The API group, empty for the core group.
    #[must_use]
    pub fn group(self) -> &'static str {
        match self {
            Self::Objects(kind) => kind.group(),
            Self::Edges => "coordination.k8s.io",
        }
    }
}

/// A kind as it is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watched {
    /// The kind.
    pub subject: Subject,
    /// The version of its group that is asked for.
    pub version: &'static str,
    /// Its name in addresses.
    pub plural: &'static str,
    /// Which objects, by their labels; empty for all.
    pub labels: &'static str,
    /// Whether nothing can be done before the first complete list.
    pub required: bool,
}

/// The kinds that these roles watch. What is not required is asked for all the same, and done without.
#[must_use]
pub fn watched(roles: Roles) -> Vec<Watched> {
    let kind = |kind, version, plural| {
        let subject = Subject::Objects(kind);
        Watched { subject, version, plural, labels: "", required: true }
    };
    let optional = |of, version, plural| Watched { required: false, ..kind(of, version, plural) };
    let mut all = vec![
        kind(Kind::DeploymentVersion, "v1", "deploymentversions"),
        kind(Kind::Router, "v1", "routers"),
        kind(Kind::Service, "v1", "services"),
        kind(Kind::EndpointSlice, "v1", "endpointslices"),
    ];
    if roles.controller {
        all.extend([
            kind(Kind::Deployment, "v1", "deployments"),
            Watched { labels: names::LABEL_DPV, ..optional(Kind::Pod, "v1", "pods") },
            optional(Kind::PodDisruptionBudget, "v1", "poddisruptionbudgets"),
            optional(Kind::HorizontalPodAutoscaler, "v2", "horizontalpodautoscalers"),
            optional(Kind::NetworkPolicy, "v1", "networkpolicies"),
        ]);
    } else {
        let bases = Watched { labels: NO_CLONES, ..kind(Kind::Deployment, "v1", "deployments") };
        all.push(bases);
    }
    all
}

/// Selects what does not bear [`names::LABEL_DPV`].
const NO_CLONES: &str = "!kyaninus.com/dpv";

/// The Leases of edges; they lie in the namespace that this process belongs to.
pub const EDGES: Watched = Watched {
    subject: Subject::Edges,
    version: "v1",
    plural: "leases",
    labels: names::LABEL_EDGE,
    required: false,
};

impl Watched {
    /// `apiVersion` as manifests spell it.
    #[must_use]
    pub fn api_version(&self) -> String {
        match self.subject.group() {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// What is followed, in words.
    #[must_use]
    pub fn title(&self) -> String {
        match self.subject {
            Subject::Objects(Kind::NetworkPolicy) => "NetworkPolicies".to_owned(),
            Subject::Objects(kind) => format!("{kind}s"),
            Subject::Edges => "Leases of edges".to_owned(),
        }
    }

    /// The address of the collection, of one namespace or of all.
    #[must_use]
    pub fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.subject.group().is_empty() { "/api" } else { "/apis" };
        let namespace = namespace.map_or_else(String::new, |name| format!("namespaces/{name}/"));
        format!("{root}/{}/{namespace}{}", self.api_version(), self.plural)
    }
}

/// What an object comes to.
#[derive(Debug)]
pub enum Read {
    /// An object for the inventory, and its version; zero where that is no number.
    Object(Box<Object>, u64),
    /// An edge's report.
    Edge(Key, Report),
}

impl Read {
    /// The object's key.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Object(object, _) => object.key(),
            Self::Edge(key, _) => key,
        }
    }
}

/// An object as the API server sent it, read and lightened.
///
/// # Errors
/// Its key, and a sentence, where it does not have the shape of its kind.
pub fn read(watched: &Watched, roles: Roles, mut value: Value) -> Result<Read, (Key, String)> {
    let key = key_of(&value);
    let kind = match watched.subject {
        Subject::Objects(kind) => kind,
        Subject::Edges => return Ok(Read::Edge(key, Report::read(&value))),
    };
    // Items of a list do not say what they are.
    if let Value::Object(fields) = &mut value {
        fields.entry("apiVersion").or_insert_with(|| watched.api_version().into());
        fields.entry("kind").or_insert_with(|| kind.as_str().into());
    }
    strip(kind, &mut value);
    let version = version_of(&value).and_then(|version| version.parse().ok()).unwrap_or(0);
    match Object::read(value) {
        Ok(Some(mut object)) => {
            if !roles.controller {
                lighten(&mut object);
            }
            Ok(Read::Object(Box::new(object), version))
        }
        Ok(None) => Err((key, format!("it is no {kind} of {}", watched.api_version()))),
        Err(error) => Err((key, error.message)),
    }
}

/// Namespace and name, of whatever it is.
#[must_use]
pub fn key_of(value: &Value) -> Key {
    let text = |field: &str| value.pointer(field).and_then(Value::as_str).unwrap_or_default();
    Key::new(text("/metadata/namespace"), text("/metadata/name"))
}

/// Its version.
#[must_use]
pub fn version_of(value: &Value) -> Option<&str> {
    value.pointer("/metadata/resourceVersion").and_then(Value::as_str)
}

/// Leaves out what no role reads, before anything is made of it.
fn strip(kind: Kind, value: &mut Value) {
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    // Of a pod only its status is read; of a budget and an autoscaler only the specification.
    let unread = match kind {
        Kind::Pod => "spec",
        Kind::PodDisruptionBudget | Kind::HorizontalPodAutoscaler | Kind::NetworkPolicy | Kind::Service => {
            "status"
        }
        Kind::Deployment
        | Kind::EndpointSlice
        | Kind::DeploymentVersion
        | Kind::Router
        | Kind::ConfigMap
        | Kind::Secret => return,
    };
    if let Value::Object(fields) = value {
        fields.remove(unread);
    }
}

/// Leaves out what only a controller reads.
fn lighten(object: &mut Object) {
    match object {
        Object::Deployment(it) => {
            lighten_meta(&mut it.meta);
            (it.selector, it.state, it.image) = Default::default();
            it.object = Document::default();
        }
        Object::Service(it) => {
            if it.is_clone() {
                it.selector = None;
            }
            lighten_meta(&mut it.meta);
            it.object = Document::default();
        }
        Object::EndpointSlice(it) => {
            lighten_meta(&mut it.meta);
        }
        Object::DeploymentVersion(it) => {
            lighten_meta(&mut it.meta);
            (it.deployment_overlay, it.service_overlay) = (None, None);
            it.spec.remove = Vec::new();
            it.status.lighten();
        }
        Object::Router(it) => lighten_meta(&mut it.meta),
        Object::Pod(_)
        | Object::PodDisruptionBudget(_)
        | Object::HorizontalPodAutoscaler(_)
        | Object::NetworkPolicy(_)
        | Object::ConfigMap(_)
        | Object::Secret(_) => {}
    }
}

fn lighten_meta(meta: &mut Meta) {
    (meta.labels, meta.annotations) = (Labels::new(), Labels::new());
    meta.finalizers = Vec::new();
    // A change of what nobody here reads must not look like one.
    (meta.uid, meta.resource_version) = (None, None);
    // Whose clone it is, is asked by name.
    if let Some(owner) = &mut meta.controller {
        owner.uid = Box::default();
    }
}

#[cfg(test)]
#[path = "kinds_tests.rs"]
mod tests;
