//! What is in a namespace, without what differs from run to run.

use http::Method;
use serde_json::{Value, json};

use super::Picture;
use super::deeds::{Hand, collection};

const KINDS: [&str; 6] =
    ["deployments", "services", "networkpolicies", "poddisruptionbudgets", "deploymentversions", "routers"];

impl Hand {
    /// Everything that people, or the controller, made.
    pub async fn picture(&self) -> Picture {
        let mut objects = Vec::new();
        for plural in KINDS {
            let path = format!("{}/namespaces/{}/{plural}", collection(plural), self.namespace);
            let list = self.ask(Method::GET, &path, "application/json", &Value::Null).await.unwrap();
            let items = list["items"].as_array().unwrap().iter().cloned();
            objects.extend(items.map(|item| (plural, item)));
        }
        let names: Vec<(String, String)> =
            objects.iter().map(|(plural, it)| (uid(it), named(plural, it))).collect();
        let plain = objects.iter().map(|(plural, object)| {
            let mut text = simplified(plural, object.clone()).to_string();
            for (uid, name) in &names {
                text = text.replace(uid, name);
            }
            let text = text.replace(&self.namespace, "NAMESPACE");
            (named(plural, object), serde_json::from_str(&text).unwrap())
        });
        plain.collect()
    }
}

fn uid(object: &Value) -> String {
    object["metadata"]["uid"].as_str().unwrap().to_owned()
}

fn named(plural: &str, object: &Value) -> String {
    format!("{plural}/{}", object["metadata"]["name"].as_str().unwrap())
}

fn without(value: &mut Value, fields: &[&str]) {
    if let Some(map) = value.as_object_mut() {
        map.retain(|field, _| !fields.contains(&field.as_str()));
    }
}

fn simplified(plural: &str, mut object: Value) -> Value {
    let metadata = &mut object["metadata"];
    without(metadata, &["resourceVersion", "generation", "creationTimestamp", "managedFields", "uid"]);
    if let Some(annotations) = metadata.get_mut("annotations") {
        without(annotations, &["kyaninus.com/applied", "deployment.kubernetes.io/revision"]);
    }
    match plural {
        "deployments" | "networkpolicies" | "poddisruptionbudgets" => object["status"] = json!(null),
        "services" => without(&mut object["spec"], &["clusterIP", "clusterIPs"]),
        _ => {
            let status = &mut object["status"];
            without(status, &["observedGeneration", "history", "offered", "base"]);
            for list in ["conditions", "hosts"] {
                for item in status.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                    without(item, &["lastTransitionTime", "observedGeneration", "since"]);
                }
            }
        }
    }
    object
}

/// Whether what is wanted is there; where that is not known, whether nothing is on its way out.
pub fn is_there(picture: &Picture, wanted: Option<&Picture>) -> bool {
    match wanted {
        Some(wanted) => picture == wanted,
        None => !picture.values().any(|object| {
            let owner = object["metadata"]["ownerReferences"][0]["uid"].as_str();
            object["metadata"].get("deletionTimestamp").is_some()
                || owner.is_some_and(|owner| !picture.contains_key(owner))
        }),
    }
}
