//! Whether what is wanted is there: every desired field is looked for in the live object.
//!
//! The live object has more than was asked for (defaults, what others added), and sometimes the same in other
//! words. So what is compared is the live object's [`view`] of the desired fields; where
//! the words differ (but for quantities, which are read), it is the memory's work to know what the server made of them.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::quantity;
use crate::inventory::Kind;

/// Lists whose elements belong to whoever wrote them, by the fields that tell them apart
/// (`x-kubernetes-list-map-keys`). Every other list is somebody's as a whole.
fn keys_of(kind: Kind, field: &str) -> &'static [&'static str] {
    // A NetworkPolicy's and a budget's lists are atomic throughout.
    match (kind, field) {
        (_, "ownerReferences") => &["uid"],
        (Kind::NetworkPolicy | Kind::PodDisruptionBudget, _) => &[],
        (Kind::Service, "ports") => &["port", "protocol"],
        (_, "ports") => &["containerPort", "protocol"],
        (_, "containers" | "initContainers" | "env" | "volumes" | "imagePullSecrets") => &["name"],
        (_, "resourceClaims" | "claims" | "schedulingGates") => &["name"],
        (_, "volumeMounts") => &["mountPath"],
        (_, "volumeDevices") => &["devicePath"],
        (_, "hostAliases") => &["ip"],
        (_, "topologySpreadConstraints") => &["topologyKey", "whenUnsatisfiable"],
        _ => &[],
    }
}

/// Maps that belong to one owner as a whole (`x-kubernetes-map-type: atomic`): a key that somebody added is a
/// change of ours.
fn is_atomic(field: &str) -> bool {
    matches!(field, "selector" | "matchLabels" | "nodeSelector" | "podSelector" | "namespaceSelector")
}

/// What the live object says where the desired one says something: equal to the desired one exactly where
/// every desired field is there as written.
#[must_use]
pub fn view(kind: Kind, desired: &Value, live: &Value) -> Value {
    Looking { kind }.value("", desired, live)
}

/// Whether a Service is to be headless and is not, or the other way round: no apply changes that, for an address
/// is given once, when a Service is made.
#[must_use]
pub fn turns_headless_or_back(kind: Kind, desired: &Value, live: &Value) -> bool {
    let headless = |it: &Value| it.pointer("/spec/clusterIP").and_then(Value::as_str) == Some("None");
    kind == Kind::Service && headless(desired) != headless(live)
}

struct Looking {
    kind: Kind,
}

impl Looking {
    fn value(&self, field: &str, desired: &Value, live: &Value) -> Value {
        match (desired, live) {
            (Value::Object(desired), Value::Object(live)) => Value::Object(self.map(field, desired, live)),
            (Value::Array(desired), Value::Array(live)) => Value::Array(self.list(field, desired, live)),
            // The API server keeps no empty map or list and no null where it knows no difference.
            (desired, Value::Null) if is_empty(desired) => desired.clone(),
            (desired, live) if quantity::is_expected(field) && quantity::same(desired, live) => {
                desired.clone()
            }
            (_, live) => live.clone(),
        }
    }

    fn map(
        &self,
        field: &str,
        desired: &Map<String, Value>,
        live: &Map<String, Value>,
    ) -> Map<String, Value> {
        let wanted = desired.iter().map(|(key, value)| {
            // The members of such a map are what the map is said to be.
            let field = if quantity::is_expected(field) { field } else { key };
            (key.clone(), self.value(field, value, live.get(key).unwrap_or(&Value::Null)))
        });
        let mut seen: Map<String, Value> = wanted.collect();
        if is_atomic(field) {
            let more = live.iter().filter(|(key, _)| !desired.contains_key(*key));
            seen.extend(more.map(|(key, value)| (key.clone(), value.clone())));
        }
        seen
    }

    fn list(&self, field: &str, desired: &[Value], live: &[Value]) -> Vec<Value> {
        let keys = keys_of(self.kind, field);
        if !keys.is_empty() && desired.iter().all(Value::is_object) {
            // Of two alike the first is meant, which is taken last.
            let live: HashMap<Vec<Value>, &Value> =
                live.iter().rev().map(|found| (key_of(keys, found), found)).collect();
            return desired
                .iter()
                .map(|wanted| (wanted, live.get(&key_of(keys, wanted))))
                .map(|(wanted, found)| found.map_or(Value::Null, |found| self.value("", wanted, found)))
                .collect();
        }
        live.iter()
            .enumerate()
            .map(|(at, found)| {
                desired.get(at).map_or_else(|| found.clone(), |wanted| self.value("", wanted, found))
            })
            .collect()
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// What tells an element apart. An unwritten protocol is TCP (`core/v1`).
fn key_of(keys: &[&str], element: &Value) -> Vec<Value> {
    let field = |key: &&str| match element.get(*key) {
        None | Some(Value::Null) if *key == "protocol" => Value::from("TCP"),
        other => other.cloned().unwrap_or_default(),
    };
    keys.iter().map(field).collect()
}

/// The path of the first field in which the live object's view differs from what is wanted, as
/// `spec.template.spec.containers[0].image`; `None` where nothing does.
#[must_use]
pub fn first_difference(desired: &Value, seen: &Value) -> Option<String> {
    match (desired, seen) {
        (Value::Object(desired), Value::Object(seen)) => {
            let keys = desired.keys().chain(seen.keys().filter(|key| !desired.contains_key(*key)));
            let mut below = keys.filter_map(|key| {
                let of = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                first_difference(&of(desired), &of(seen)).map(|rest| join(key, &rest))
            });
            below.next()
        }
        (Value::Array(desired), Value::Array(seen)) if desired.len() == seen.len() => {
            let mut below = desired.iter().zip(seen).enumerate().filter_map(|(at, (desired, seen))| {
                first_difference(desired, seen).map(|rest| join(&format!("[{at}]"), &rest))
            });
            below.next()
        }
        (desired, seen) => (desired != seen).then(String::new),
    }
}

fn join(head: &str, rest: &str) -> String {
    if rest.is_empty() || rest.starts_with('[') { format!("{head}{rest}") } else { format!("{head}.{rest}") }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
