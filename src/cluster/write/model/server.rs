//! An API server made of a map.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::names;
use crate::cluster::write::{Act, Write};
use crate::inventory::{Key, Kind, ObjectReference};

pub type Id = (Kind, Key);

/// An object of namespace `n`.
pub fn id(kind: Kind, name: &str) -> Id {
    (kind, Key::new("n", name))
}

#[derive(Default)]
pub struct Server {
    pub objects: BTreeMap<Id, Value>,
    /// What the field manager applied last, by object.
    applied: BTreeMap<Id, Value>,
    /// Fields held by the second field manager: whether `spec.replicas` is.
    held: BTreeSet<Id>,
    version: u64,
    /// What a watch tells, from the beginning.
    pub log: Vec<(Kind, Key, Option<Value>)>,
    /// Writes that reached the server, and those of them that changed something.
    pub writes: Vec<String>,
    pub changed: usize,
    pub events: Vec<Value>,
    /// Refuses creations of these kinds with these words.
    pub quota: BTreeMap<Kind, String>,
    /// Whether the namespace is being deleted: nothing new comes into it.
    pub ending: bool,
    /// Whether a policy strips the mark of what is applied.
    pub strips_marks: bool,
    /// A field of statuses that an older definition does not have.
    pub prunes: Option<&'static str>,
}

fn failure(code: u16, message: &str, field: Option<&str>) -> (StatusCode, Value) {
    let causes = field.map_or(json!([]), |field| json!([{"field": field}]));
    let body = json!({"kind": "Status", "message": message, "code": code, "details": {"causes": causes}});
    (StatusCode::from_u16(code).unwrap(), body)
}

/// The words of Kubernetes 1.37.
fn ending() -> (StatusCode, Value) {
    let words = "is forbidden: unable to create new content in namespace n because it is being terminated";
    let causes = json!([{"reason": "NamespaceTerminating", "message": "namespace n is being terminated",
        "field": "metadata.namespace"}]);
    let body = json!({"kind": "Status", "message": words, "reason": "Forbidden", "code": 403,
        "details": {"causes": causes}});
    (StatusCode::FORBIDDEN, body)
}

fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer).and_then(Value::as_str)
}

impl Server {
    /// Anything but the controller writes an object: its content, with identity kept.
    pub fn put(&mut self, kind: Kind, mut value: Value, now: Timestamp) {
        let key = Key::new("n", text(&value, "/metadata/name").unwrap());
        let id = (kind, key);
        let before = self.objects.get(&id).cloned();
        value["metadata"]["namespace"] = json!("n");
        match &before {
            Some(before) => {
                for field in ["uid", "creationTimestamp", "deletionTimestamp", "finalizers"] {
                    if let Some(kept) = before["metadata"].get(field) {
                        value["metadata"][field] = kept.clone();
                    }
                }
            }
            None => {
                value["metadata"]["uid"] = json!(format!("uid-{}", self.version + 1));
                value["metadata"]["creationTimestamp"] = json!(whole(now));
            }
        }
        self.store(id, value);
    }

    /// Changes an object by hand.
    pub fn edit(&mut self, id: &Id, edit: impl FnOnce(&mut Value)) {
        if let Some(mut value) = self.objects.get(id).cloned() {
            edit(&mut value);
            self.store(id.clone(), value);
        }
    }

    /// Stores what differs; returns whether something does.
    fn store(&mut self, id: Id, mut value: Value) -> bool {
        self.admit(&id, &mut value);
        normalise(id.0, &mut value);
        if value["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty) {
            value["metadata"].as_object_mut().unwrap().remove("finalizers");
        }
        let before = self.objects.get(&id);
        let generation = before.and_then(|before| before["metadata"]["generation"].as_i64()).unwrap_or(0);
        let moved = before.is_none_or(|before| before.get("spec") != value.get("spec"));
        value["metadata"]["generation"] = json!(generation + i64::from(moved));
        if let Some(before) = before {
            value["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"].clone();
            if *before == value {
                return false;
            }
        }
        self.version += 1;
        value["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.log.push((id.0, id.1.clone(), Some(value.clone())));
        self.objects.insert(id, value);
        true
    }

    /// What the server's policies and definitions leave out, and what it gives.
    fn admit(&self, id: &Id, value: &mut Value) {
        if let Some(Value::Object(annotations)) = value.pointer_mut("/metadata/annotations")
            && self.strips_marks
        {
            annotations.remove(names::ANNOTATION_APPLIED);
        }
        if let (Some(Value::Object(status)), Some(pruned)) = (value.get_mut("status"), self.prunes) {
            status.remove(pruned);
        }
        if id.0 == Kind::Service && text(value, "/spec/clusterIP").is_none() {
            let kept = self.objects.get(id).and_then(|before| before.pointer("/spec/clusterIP")).cloned();
            value["spec"]["clusterIP"] = kept.unwrap_or_else(|| json!(format!("10.96.0.{}", self.version)));
        }
    }

    pub fn delete(&mut self, id: &Id, now: Timestamp) {
        let Some(value) = self.objects.get(id) else { return };
        if value["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty()) {
            if value["metadata"].get("deletionTimestamp").is_none() {
                self.edit(id, |value| value["metadata"]["deletionTimestamp"] = json!(whole(now)));
            }
            return;
        }
        self.objects.remove(id);
        self.applied.remove(id);
        self.held.remove(id);
        self.version += 1;
        self.log.push((id.0, id.1.clone(), None));
    }

    /// The answer to a write of the controller.
    pub fn answer(&mut self, write: &Write, now: Timestamp) -> (StatusCode, Value) {
        self.writes.push(format!("{} {}", name_of(&write.act), write.target));
        let id = (write.target.kind, write.target.key.clone());
        let before = self.version;
        let answer = self.act(&id, &write.act, now);
        self.changed += usize::from(self.version != before);
        answer
    }

    fn act(&mut self, id: &Id, act: &Act, now: Timestamp) -> (StatusCode, Value) {
        let live = self.objects.get(id).cloned();
        let creates = matches!(act, Act::Event { .. }) || live.is_none() && matches!(act, Act::Create { .. });
        if creates && self.ending {
            return ending();
        }
        match (act, live) {
            (Act::Create { .. }, Some(_)) => failure(409, "the object has been modified", None),
            (Act::Create { object, .. }, None) => {
                if let Some(words) = self.quota.get(&id.0) {
                    return failure(403, words, None);
                }
                self.put(id.0, object.clone(), now);
                self.applied.insert(id.clone(), object.clone());
                (StatusCode::CREATED, self.objects[id].clone())
            }
            (Act::Update { .. } | Act::HandOver { .. }, None) => {
                failure(409, "uid mismatch: the provided object specified uid x, and no existing", None)
            }
            (Act::Update { uid, .. } | Act::HandOver { uid, .. }, Some(live))
                if text(&live, "/metadata/uid") != Some(uid) =>
            {
                failure(422, "metadata.uid: field is immutable", Some("metadata.uid"))
            }
            (Act::Update { object, .. }, Some(live)) if readdresses(object, &live) => failure(
                422,
                "spec.clusterIPs[0]: Invalid value: may not change once set",
                Some("spec.clusterIPs[0]"),
            ),
            (Act::Update { object, .. }, Some(mut live)) => {
                let address = live.pointer("/spec/clusterIP").cloned();
                if object.pointer("/spec/replicas").is_some() {
                    // Who applies another value by force takes the field from its holder.
                    self.held.remove(id);
                }
                let before = self.applied.insert(id.clone(), object.clone()).unwrap_or(Value::Null);
                take_away(&before, object, &mut live, self.held.contains(id));
                add(object, &mut live);
                // A Service keeps its address although nobody asks for it any more.
                if let Some(address) = address {
                    live["spec"]["clusterIP"] = address;
                }
                self.stored(id, live)
            }
            (Act::HandOver { replicas, .. }, Some(mut live)) => {
                live["spec"]["replicas"] = json!(replicas);
                self.held.insert(id.clone());
                self.stored(id, live)
            }
            (_, None) => failure(404, "not found", None),
            (act, Some(live)) => self.change(id, act, live, now),
        }
    }

    /// What asks for a certain object, and mostly a certain version of it.
    fn change(&mut self, id: &Id, act: &Act, mut live: Value, now: Timestamp) -> (StatusCode, Value) {
        match act {
            Act::Delete { uid, resource_version } => {
                if !is_meant(&live, uid, resource_version.as_deref()) {
                    return failure(409, "the precondition does not match", None);
                }
                self.delete(id, now);
                (StatusCode::OK, json!({"kind": "Status"}))
            }
            Act::Finalizers { uid, resource_version, finalizers } => {
                if !is_meant(&live, uid, resource_version.as_deref()) {
                    return failure(409, "the object has been modified", None);
                }
                live["metadata"]["finalizers"] = json!(finalizers);
                self.store(id.clone(), live.clone());
                if live["metadata"].get("deletionTimestamp").is_some() {
                    self.delete(id, now);
                }
                self.as_it_is(id)
            }
            Act::Status { uid, resource_version, patch } => {
                if !is_meant(&live, uid, resource_version.as_deref()) {
                    return failure(409, "the object has been modified", None);
                }
                if live.get("status").is_none() {
                    live["status"] = json!({});
                }
                merge(&mut live["status"], patch);
                self.stored(id, live)
            }
            Act::Event { object } => {
                self.events.push(object.clone());
                (StatusCode::CREATED, object.clone())
            }
            Act::Create { .. } | Act::Update { .. } | Act::HandOver { .. } => unreachable!("answered before"),
        }
    }

    fn stored(&mut self, id: &Id, value: Value) -> (StatusCode, Value) {
        self.store(id.clone(), value);
        self.as_it_is(id)
    }

    fn as_it_is(&self, id: &Id) -> (StatusCode, Value) {
        (StatusCode::OK, self.objects.get(id).cloned().unwrap_or(Value::Null))
    }

    /// Whether some object is owned by what is not there.
    pub fn orphans(&self) -> Vec<Id> {
        let uids: BTreeSet<&str> =
            self.objects.values().filter_map(|object| text(object, "/metadata/uid")).collect();
        let owner = |object: &Value| text(object, "/metadata/ownerReferences/0/uid").map(str::to_owned);
        let orphan = |(id, object): (&Id, &Value)| {
            owner(object).is_some_and(|uid| !uids.contains(uid.as_str())).then(|| id.clone())
        };
        self.objects.iter().filter_map(orphan).collect()
    }

    /// Lets the other controllers of a cluster do one step each.
    pub fn tick(&mut self, now: Timestamp) {
        for id in self.orphans() {
            self.delete(&id, now);
        }
        let deployments: Vec<Id> =
            self.objects.keys().filter(|(kind, _)| *kind == Kind::Deployment).cloned().collect();
        for id in deployments {
            self.edit(&id, |value| roll(value, now));
        }
        let services: Vec<Id> =
            self.objects.keys().filter(|(kind, _)| *kind == Kind::Service).cloned().collect();
        for (_, key) in &services {
            self.slice(key, now);
        }
        let slices: Vec<Id> =
            self.objects.keys().filter(|(kind, _)| *kind == Kind::EndpointSlice).cloned().collect();
        for slice in slices.iter().filter(|slice| !services.iter().any(|it| it.1 == slice.1)) {
            self.delete(slice, now);
        }
    }

    /// The EndpointSlice of a Service: one address where it selects pods that are up.
    fn slice(&mut self, service: &Key, now: Timestamp) {
        let selector = self.objects[&(Kind::Service, service.clone())]["spec"]["selector"].clone();
        let up = self.objects.iter().any(|((kind, _), object)| {
            let labels = &object["status"]["labels"];
            let selects =
                selector.as_object().is_some_and(|it| it.iter().all(|(key, value)| labels[key] == *value));
            *kind == Kind::Deployment && selects && object["status"]["readyReplicas"].as_i64() > Some(0)
        });
        let endpoints = if up {
            json!([{"addresses": ["10.244.0.9"], "conditions": {"ready": true}}])
        } else {
            json!([])
        };
        let slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": &*service.name, "labels": {names::LABEL_SERVICE_NAME: &*service.name}},
            "ports": [{"name": "http", "port": 8080}], "endpoints": endpoints});
        self.put(Kind::EndpointSlice, slice, now);
    }

    /// The end state without what differs from run to run.
    pub fn picture(&self) -> BTreeMap<String, Value> {
        let mut names: Vec<(String, String)> = Vec::new();
        for ((kind, key), object) in &self.objects {
            names.extend(
                text(object, "/metadata/uid")
                    .map(|uid| (format!("\"{uid}\""), format!("\"{kind}/{}\"", key.name))),
            );
        }
        let plain = |((kind, key), object): (&Id, &Value)| {
            let mut object = object.clone();
            for field in ["resourceVersion", "creationTimestamp", "generation"] {
                object["metadata"].as_object_mut().unwrap().remove(field);
            }
            if let Some(Value::Object(annotations)) = object.pointer_mut("/metadata/annotations") {
                annotations.remove(names::ANNOTATION_APPLIED);
            }
            if let Some(Value::Object(spec)) = object.get_mut("spec") {
                spec.retain(|field, value| field != "clusterIP" || *value == "None");
            }
            if let Some(Value::Object(status)) = object.get_mut("status") {
                for field in ["observedGeneration", "history", "offered", "base"] {
                    status.remove(field);
                }
                for list in ["conditions", "hosts"] {
                    for item in status.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                        for field in ["lastTransitionTime", "lastUpdateTime", "observedGeneration", "since"] {
                            item.as_object_mut().unwrap().remove(field);
                        }
                    }
                }
            }
            let mut text = object.to_string();
            for (uid, name) in &names {
                text = text.replace(uid, name);
            }
            (format!("{kind}/{}", key.name), serde_json::from_str(&text).unwrap())
        };
        self.objects.iter().map(plain).collect()
    }
}

fn whole(now: Timestamp) -> String {
    Timestamp::from_second(now.as_second()).unwrap().to_string()
}

pub fn name_of(act: &Act) -> &'static str {
    match act {
        Act::Create { .. } => "create",
        Act::Update { .. } => "update",
        Act::HandOver { .. } => "hand over",
        Act::Delete { .. } => "delete",
        Act::Finalizers { .. } => "finalizers",
        Act::Status { .. } => "status",
        Act::Event { .. } => "event",
    }
}

fn is_meant(live: &Value, uid: &str, version: Option<&str>) -> bool {
    text(live, "/metadata/uid") == Some(uid)
        && version.is_none_or(|version| text(live, "/metadata/resourceVersion") == Some(version))
}

/// Whether an apply asks for another address than the Service has.
fn readdresses(object: &Value, live: &Value) -> bool {
    let wanted = object.pointer("/spec/clusterIP");
    wanted.is_some_and(|wanted| Some(wanted) != live.pointer("/spec/clusterIP"))
}

/// Fields that were applied and are no longer go, unless somebody else holds them.
fn take_away(before: &Value, after: &Value, live: &mut Value, replicas_held: bool) {
    let (Value::Object(before), Value::Object(after), Value::Object(live)) = (before, after, live) else {
        return;
    };
    for (key, was) in before {
        match (after.get(key), live.get_mut(key)) {
            (None, Some(_)) if key == "replicas" && replicas_held => {}
            (None, Some(_)) => {
                live.remove(key);
            }
            (Some(is), Some(live)) => take_away(was, is, live, replicas_held),
            (_, None) => {}
        }
    }
}

fn add(wanted: &Value, live: &mut Value) {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => {
            for (key, value) in wanted {
                match live.get_mut(key) {
                    Some(known) => add(value, known),
                    None => {
                        live.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (wanted, live) => *live = wanted.clone(),
    }
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut target[key], value);
        }
    }
}

/// Defaults, and other words for the same.
fn normalise(kind: Kind, value: &mut Value) {
    match kind {
        Kind::Deployment => {
            if value["spec"].get("replicas").is_none() {
                value["spec"]["replicas"] = json!(1);
            }
            value["spec"]["progressDeadlineSeconds"] = json!(600);
            let containers =
                value.pointer_mut("/spec/template/spec/containers").and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten() {
                container["terminationMessagePath"] = json!("/dev/termination-log");
                if let Some(folder) = container.get_mut("workingDir") {
                    *folder = json!(folder.as_str().unwrap().trim_end_matches('/'));
                }
            }
        }
        Kind::Service => {
            value["spec"]["internalTrafficPolicy"] = json!("Cluster");
            for port in value["spec"]["ports"].as_array_mut().into_iter().flatten() {
                if port.get("protocol").is_none() {
                    port["protocol"] = json!("TCP");
                }
            }
        }
        _ => {}
    }
}

/// One step of a roll-out: seen, then new pods, then pods that are up. Those before serve until then, and the labels
/// of those that are up are noted.
fn roll(value: &mut Value, now: Timestamp) {
    let template = crate::cluster::write::prepare::hash(&value["spec"]["template"]);
    let replicas = value["spec"]["replicas"].as_i64().unwrap_or(1);
    let generation = value["metadata"]["generation"].clone();
    let status = &value["status"];
    let fresh = status["template"].as_str() != Some(&template);
    let count = |field: &str| status[field].as_i64().unwrap_or_default();
    let up = count("updatedReplicas") == replicas && count("availableReplicas") == replicas;
    let seen = status["observedGeneration"] == generation;
    if seen && !fresh && up {
        return;
    }
    let (updated, up, reason, labels) = if fresh {
        (0, count("readyReplicas").min(replicas), "ReplicaSetUpdated", status["labels"].clone())
    } else {
        let labels = value["spec"]["template"]["metadata"]["labels"].clone();
        (replicas, replicas, "NewReplicaSetAvailable", labels)
    };
    let condition =
        json!([{"type": "Progressing", "status": "True", "reason": reason, "lastUpdateTime": whole(now)}]);
    value["status"] = json!({"observedGeneration": generation, "template": template, "labels": labels,
        "replicas": replicas, "updatedReplicas": updated, "availableReplicas": up, "readyReplicas": up,
        "conditions": condition});
}

/// What a write is about, for the log of a test.
impl Server {
    pub fn reference(id: &Id) -> ObjectReference {
        ObjectReference { kind: id.0, key: id.1.clone() }
    }
}
