//! What an edge last knew, as bytes: so that it starts from them where the API server does not answer.
//!
//! JSON lines: a header that names the format, one object a line in the form of a manifest, and a last line with
//! the SHA-256 of all before it. Only what routing reads is in it: no pod, no ConfigMap, and never a Secret. It
//! knows no file: `cluster` has that. What does not hold together is refused as a whole, for half of what was
//! known may lead requests astray.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::key::Kind;
use super::object::{DeploymentFacts, Meta, Object, RouterFacts, ServiceFacts, SliceFacts, VersionFacts};
use super::{Edit, Inventory};
use crate::api::names;

/// The form of this build's snapshots; another one is not read.
const FORMAT: u64 = 2;

/// What a snapshot holds.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// When it was written.
    pub written: Timestamp,
    /// What fills an inventory with it.
    pub edits: Vec<Edit>,
}

/// Why bytes are no snapshot that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// It does not begin as one.
    #[error("it is no snapshot of Synkronic")]
    Foreign,
    /// Another build wrote it.
    #[error("it has format {0}, and this build reads format {FORMAT}: another version of Synkronic wrote it")]
    Format(u64),
    /// Its last line is not there.
    #[error("it is cut off: its last line, the checksum, is missing")]
    CutOff,
    /// Its bytes are not those that were written.
    #[error("its checksum does not match: it was changed or damaged")]
    Damaged,
    /// An object in it cannot be read.
    #[error("line {line}: {message}")]
    Object {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Header {
    synkronic: String,
    format: u64,
    written: Timestamp,
}

/// The first word of a header, so that a foreign JSON is not mistaken for one.
const WORD: &str = "snapshot";
/// How the last line begins; the digest in hexadecimal follows, then `"}`.
const SUM: &str = "{\"sha256\":\"";

/// What routing reads of the inventory, as bytes.
#[must_use]
pub fn encode(inventory: &Inventory, written: Timestamp) -> Vec<u8> {
    let header = json!(Header { synkronic: WORD.to_owned(), format: FORMAT, written });
    let mut text = line(&header);
    let deployments = inventory.deployments.iter().filter(|it| !it.is_clone()).map(deployment);
    let objects = deployments
        .chain(inventory.services.iter().map(service))
        .chain(inventory.slices.iter().map(slice))
        .chain(inventory.dpvs.iter().map(version))
        .chain(inventory.routers.iter().map(router));
    for object in objects {
        text.push_str(&line(&object));
    }
    let sum = digest(text.as_bytes());
    text.push_str(&format!("{SUM}{sum}\"}}\n"));
    text.into_bytes()
}

/// Reads a snapshot.
///
/// # Errors
/// Where it is none, is of another format, cut off or damaged.
pub fn decode(bytes: &[u8]) -> Result<Snapshot, SnapshotError> {
    let head = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    // The format first: what another version wrote may end in another way.
    let value: Value = serde_json::from_slice(head).map_err(|_| SnapshotError::Foreign)?;
    if value.get("synkronic").and_then(Value::as_str) != Some(WORD) {
        return Err(SnapshotError::Foreign);
    }
    match value.get("format").and_then(Value::as_u64) {
        Some(FORMAT) => {}
        Some(other) => return Err(SnapshotError::Format(other)),
        None => return Err(SnapshotError::Foreign),
    }
    let header: Header = serde_json::from_value(value).map_err(|_| SnapshotError::Damaged)?;
    let whole = bytes.strip_suffix(b"\"}\n").ok_or(SnapshotError::CutOff)?;
    let last = whole.iter().rposition(|byte| *byte == b'\n').ok_or(SnapshotError::CutOff)? + 1;
    let (body, last) = whole.split_at_checked(last).ok_or(SnapshotError::CutOff)?;
    let sum = last.strip_prefix(SUM.as_bytes()).ok_or(SnapshotError::CutOff)?;
    if digest(body).as_bytes() != sum {
        return Err(SnapshotError::Damaged);
    }
    let lines = body.split(|byte| *byte == b'\n').enumerate().skip(1).filter(|(_, text)| !text.is_empty());
    let edits = lines.map(|(at, text)| {
        let wrong = |message: String| SnapshotError::Object { line: at + 1, message };
        let value = serde_json::from_slice(text).map_err(|error| wrong(error.to_string()))?;
        match Object::read(value) {
            Ok(Some(object)) => Ok(Edit::Apply(Box::new(object))),
            Ok(None) => Err(wrong("no kind that is known".to_owned())),
            Err(error) => Err(wrong(error.to_string())),
        }
    });
    Ok(Snapshot { written: header.written, edits: edits.collect::<Result<_, _>>()? })
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

/// The frame of a manifest.
fn manifest(kind: Kind, meta: &Meta) -> Map<String, Value> {
    let version = match kind.group() {
        "" => "v1".to_owned(),
        group => format!("{group}/v1"),
    };
    let mut object = Map::new();
    object.insert("apiVersion".to_owned(), version.into());
    object.insert("kind".to_owned(), kind.as_str().into());
    object.insert("metadata".to_owned(), metadata(meta));
    object
}

fn metadata(meta: &Meta) -> Value {
    let mut told = json!({"namespace": &*meta.key.namespace, "name": &*meta.key.name});
    let mut tell = |name: &str, value: Option<Value>| {
        if let (Some(value), Some(fields)) = (value, told.as_object_mut()) {
            fields.insert(name.to_owned(), value);
        }
    };
    tell("uid", meta.uid.as_deref().map(Value::from));
    tell("generation", meta.generation.map(Value::from));
    tell("creationTimestamp", meta.created.map(|time| time.to_string().into()));
    // That it is being deleted is what counts, not since when.
    tell("deletionTimestamp", meta.deleting.then(|| Timestamp::UNIX_EPOCH.to_string().into()));
    tell("labels", (!meta.labels.is_empty()).then(|| json!(meta.labels)));
    tell(
        "ownerReferences",
        meta.controller.as_ref().map(|owner| {
            json!([{"apiVersion": names::API_VERSION, "kind": Kind::DeploymentVersion.as_str(),
                "name": &*owner.name, "uid": &*owner.uid, "controller": true}])
        }),
    );
    told
}

fn with(kind: Kind, meta: &Meta, parts: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let mut object = manifest(kind, meta);
    object.extend(parts.into_iter().map(|(name, value)| (name.to_owned(), value)));
    Value::Object(object)
}

fn deployment(facts: &DeploymentFacts) -> Value {
    let spec = json!({"selector": facts.selector, "template": {"metadata": {"labels": facts.pod_labels}}});
    with(Kind::Deployment, &facts.meta, [("spec", spec)])
}

fn service(facts: &ServiceFacts) -> Value {
    let ports = facts.ports.iter().map(|port| {
        let target = port.target_port.as_ref().map(|target| match target.parse::<u16>() {
            Ok(number) => number.into(),
            Err(_) => Value::from(target.as_str()),
        });
        json!({"name": port.name, "port": port.port, "appProtocol": port.app_protocol, "targetPort": target,
            "protocol": port.protocol})
    });
    let spec = json!({"selector": facts.selector, "type": facts.type_, "ports": ports.collect::<Vec<_>>()});
    with(Kind::Service, &facts.meta, [("spec", spec)])
}

fn slice(facts: &SliceFacts) -> Value {
    let endpoints = facts.endpoints.iter().map(|endpoint| {
        let target = endpoint.pod_uid.as_ref().map(|uid| json!({"kind": "Pod", "uid": uid}));
        json!({"addresses": [endpoint.address.to_string()], "targetRef": target,
            "conditions": {"ready": endpoint.ready, "serving": endpoint.serving, "terminating": endpoint.terminating}})
    });
    let ports = facts.ports.iter().map(|port| json!({"name": port.name, "port": port.port}));
    let parts = [
        (
            "addressType",
            Value::from(if facts.endpoints.iter().any(|it| it.address.is_ipv6()) { "IPv6" } else { "IPv4" }),
        ),
        ("endpoints", Value::Array(endpoints.collect())),
        ("ports", Value::Array(ports.collect())),
    ];
    let mut object = with(Kind::EndpointSlice, &facts.meta, parts);
    // Where labels are not kept the Service is known all the same.
    if let (Some(service), Some(metadata)) =
        (&facts.service, object.get_mut("metadata").and_then(Value::as_object_mut))
    {
        let labels = metadata.entry("labels").or_insert_with(|| json!({}));
        if let Some(labels) = labels.as_object_mut() {
            labels.insert(names::LABEL_SERVICE_NAME.to_owned(), Value::from(&*service.name));
        }
    }
    object
}

fn version(facts: &VersionFacts) -> Value {
    // Without the overlays: what clones are made from is the controllers' matter.
    with(
        Kind::DeploymentVersion,
        &facts.meta,
        [("spec", json!(facts.spec)), ("status", json!(facts.status.read()))],
    )
}

fn router(facts: &RouterFacts) -> Value {
    with(Kind::Router, &facts.meta, [("spec", json!(facts.spec)), ("status", json!(facts.status))])
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
