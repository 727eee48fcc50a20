//! A desired object as it is sent: with hashes of itself in an annotation, without what an autoscaler owns.

use std::fmt;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::api::names;
use crate::inventory::Kind;
use crate::plan::Desired;

/// What stands in the annotation [`names::ANNOTATION_APPLIED`] of an object that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The hash of the whole desired object, so that a field that is no longer wanted is noticed.
    pub whole: String,
    /// Of a Deployment: the hash of its pod template, whose change starts new pods.
    pub template: Option<String>,
    /// Whether `spec.replicas` was left to an autoscaler.
    pub autoscaled: bool,
}

/// The word in a mark that says so.
const AUTOSCALED: &str = "autoscaled";

impl Mark {
    /// Reads the annotation; a text of another form is no mark.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let whole = parts.next().filter(|part| part.len() == HASH && part.is_ascii())?.to_owned();
        let mut mark = Self { whole, template: None, autoscaled: false };
        for part in parts {
            match part {
                AUTOSCALED => mark.autoscaled = true,
                hash => mark.template = Some(hash.to_owned()),
            }
        }
        Some(mark)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.whole)?;
        if let Some(template) = &self.template {
            write!(f, "-{template}")?;
        }
        if self.autoscaled { write!(f, "-{AUTOSCALED}") } else { Ok(()) }
    }
}

/// A desired object as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// The whole of it, with its mark, without preconditions.
    pub object: Value,
    /// Its mark.
    pub mark: Mark,
    /// Of a Deployment: how many replicas the plan asks for, also where they are left to an autoscaler.
    pub replicas: Option<i64>,
}

impl Mark {
    /// The mark of a desired object.
    #[must_use]
    pub fn of(desired: &Desired, autoscaled: bool) -> Self {
        let autoscaled = autoscaled && desired.reference.kind == Kind::Deployment;
        let object = desired.object.value();
        let template = object.pointer("/spec/template");
        let template = template.filter(|_| desired.reference.kind == Kind::Deployment).map(hash);
        let whole = if autoscaled { hash(&without_replicas(object)) } else { hash(&object) };
        Self { whole, template, autoscaled }
    }
}

/// Makes a desired object ready to be sent.
#[must_use]
pub fn prepare(desired: &Desired, mark: Mark) -> Prepared {
    let mut object = desired.object.value();
    let replicas = object.pointer("/spec/replicas").and_then(Value::as_i64);
    if mark.autoscaled {
        object = without_replicas(object);
    }
    annotate(&mut object, mark.to_string());
    Prepared { object, mark, replicas }
}

fn without_replicas(mut object: Value) -> Value {
    if let Some(Value::Object(spec)) = object.get_mut("spec") {
        spec.remove("replicas");
    }
    object
}

fn annotate(object: &mut Value, mark: String) {
    let Some(Value::Object(metadata)) = object.get_mut("metadata") else { return };
    let annotations = metadata.entry("annotations").or_insert_with(|| Value::Object(Default::default()));
    if let Value::Object(annotations) = annotations {
        annotations.insert(names::ANNOTATION_APPLIED.to_owned(), mark.into());
    }
}

/// The mark that an object bears.
#[must_use]
pub fn mark_text(object: &Value) -> Option<&str> {
    object.pointer("/metadata/annotations")?.get(names::ANNOTATION_APPLIED)?.as_str()
}

/// The length of a hash in hex digits: 64 bits, so that a change that is not noticed takes longer than anyone
/// waits.
const HASH: usize = 16;

/// A short hash of a JSON value; the order of keys does not matter.
#[must_use]
pub fn hash(value: &Value) -> String {
    let mut hasher = Sha256::new();
    feed(&mut hasher, value);
    hasher.finalize().iter().take(HASH / 2).map(|byte| format!("{byte:02x}")).collect()
}

fn feed(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            hasher.update([b'{']);
            for key in keys {
                text(hasher, key);
                feed(hasher, map.get(key).unwrap_or(&Value::Null));
            }
            hasher.update([b'}']);
        }
        Value::Array(items) => {
            hasher.update([b'[']);
            for item in items {
                feed(hasher, item);
            }
            hasher.update([b']']);
        }
        Value::String(string) => text(hasher, string),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            hasher.update([b'=']);
            text(hasher, &value.to_string());
        }
    }
}

/// With its length before it, so that no two sequences of texts read alike.
fn text(hasher: &mut Sha256, text: &str) {
    hasher.update(text.len().to_le_bytes());
    hasher.update(text.as_bytes());
}

#[cfg(test)]
mod tests {

    use serde_json::json;

    use super::*;
    use crate::inventory::{Key, ObjectReference};

    fn desired(object: Value) -> Desired {
        Desired {
            reference: ObjectReference { kind: Kind::Deployment, key: Key::new("n", "a") },
            version: Key::new("n", "a"),
            object: crate::inventory::Document::of(&object),
        }
    }

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let object = json!({"metadata": {"name": "a"}, "spec": {"replicas": 2, "template": {"x": 1}}});
        for autoscaled in [false, true] {
            let desired = desired(object.clone());
            let prepared = prepare(&desired, Mark::of(&desired, autoscaled));
            let text = prepared.object.pointer("/metadata/annotations/kyaninus.com~1applied").unwrap();
            assert_eq!(Mark::parse(text.as_str().unwrap()), Some(prepared.mark.clone()));
            assert_eq!(prepared.object["spec"].get("replicas").is_none(), autoscaled);
            assert_eq!(prepared.mark.autoscaled, autoscaled);
        }
        assert_eq!(Mark::parse(""), None);
        assert_eq!(Mark::parse("yes"), None);
    }

    #[test]
    fn the_hash_sees_every_change_and_no_order() {
        assert_eq!(hash(&json!({"a": 1, "b": [1, 2]})), hash(&json!({"b": [1, 2], "a": 1})));
        let all = [
            json!({"a": 1}),
            json!({"a": "1"}),
            json!({"a": null}),
            json!({}),
            json!([]),
            json!(["a", "b"]),
            json!(["ab"]),
            json!(["b", "a"]),
            json!([["a"], "b"]),
        ];
        let hashes: std::collections::BTreeSet<String> = all.iter().map(hash).collect();
        assert_eq!(hashes.len(), all.len());
    }

    #[test]
    fn the_template_is_told_apart() {
        let mark = |object| Mark::of(&desired(object), false);
        let one = mark(json!({"metadata": {}, "spec": {"template": {"x": 1}, "replicas": 1}}));
        let two = mark(json!({"metadata": {}, "spec": {"template": {"x": 1}, "replicas": 2}}));
        assert_ne!(one.whole, two.whole);
        assert_eq!(one.template, two.template);
    }
}
