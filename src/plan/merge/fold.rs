//! What a base's list has twice. The API server takes such an object from whoever creates it, with a warning at most;
//! an apply with it, as every clone's is, it refuses ("duplicate entries for key").
//!
//! Elements are alike where the API server's own keys are (`x-kubernetes-list-map-keys`). What is left means what
//! the base means to its pods, as far as can be: see `fold::env` for variables; of other elements the first stays, and
//! takes from the others what it lacks. What is lost by that is told; what says the same twice is no loss.

mod env;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::change::{identity, key_text};
use super::path::Path;
use super::table::{KeyRule, Kind, ListMerge, Shape, Type, TypeId, table};
use super::{Fault, Root, TOLD};

/// What became of a `spec` whose lists had elements twice.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Folded {
    /// What got lost.
    pub notes: Vec<Fault>,
    /// Names of containers' ports that are there no longer, and the number that each stood for.
    pub ports: BTreeMap<String, Value>,
}

/// Leaves one element of each key in every list that an apply may not have it twice in.
pub fn fold(root: Root, spec: &mut Value) -> Folded {
    let mut folding = Folding { folded: Folded::default(), room: env::ROOM };
    if let Some(of) = table().find(root.type_name()) {
        folding.object(&Path::root(), spec, of);
    }
    folding.folded.notes.sort();
    folding.folded
}

struct Folding {
    folded: Folded,
    /// So many bytes may still be written into variables.
    room: usize,
}

impl Folding {
    fn note(&mut self, path: &Path<'_>, message: impl FnOnce() -> String) {
        if self.folded.notes.len() < TOLD {
            self.folded.notes.push(Fault { path: path.to_string(), message: message() });
        }
    }

    fn object(&mut self, path: &Path<'_>, value: &mut Value, of: TypeId) {
        let ty = table().get(of);
        let Some(map) = value.as_object_mut() else { return };
        for (name, value) in map.iter_mut() {
            let here = path.field(name);
            match ty.fields.get(name) {
                Some(Shape::One(Kind::Object(of))) => self.object(&here, value, *of),
                Some(Shape::Map(Kind::Object(of))) => {
                    for (key, value) in value.as_object_mut().into_iter().flatten() {
                        self.object(&here.field(key), value, *of);
                    }
                }
                Some(Shape::List(kind, merge)) => self.list(&here, value, *kind, merge),
                Some(Shape::One(Kind::Scalar(_)) | Shape::Map(Kind::Scalar(_))) | None => {}
            }
        }
        if ty.name == "core.v1.Container" {
            self.ports(path, map);
        }
    }

    fn list(&mut self, path: &Path<'_>, value: &mut Value, kind: Kind, merge: &ListMerge) {
        let Some(elements) = value.as_array_mut() else { return };
        let of = match (kind, merge) {
            (Kind::Object(of), _) => of,
            (Kind::Scalar(_), ListMerge::Set) => return keep_first(elements),
            (Kind::Scalar(_), ListMerge::Atomic | ListMerge::Keyed(_)) => return,
        };
        let ty = table().get(of);
        for (index, element) in elements.iter_mut().enumerate() {
            let named = match merge {
                ListMerge::Keyed(rule) => element.get(&rule.key).map(key_text),
                ListMerge::Atomic | ListMerge::Set => None,
            };
            match &named {
                Some(name) => self.object(&path.element(name), element, of),
                None => self.object(&path.index(index), element, of),
            }
        }
        match merge {
            ListMerge::Keyed(rule) if is_one_twice(rule, elements) => match ty.name.as_str() {
                "core.v1.EnvVar" => self.env(path, elements),
                // Folded where the container's probes are at hand.
                "core.v1.ContainerPort" => {}
                _ => self.elements(path, rule, elements, ty),
            },
            ListMerge::Keyed(_) | ListMerge::Atomic | ListMerge::Set => {}
        }
    }

    fn env(&mut self, path: &Path<'_>, variables: &mut Vec<Value>) {
        let folded = env::fold(std::mem::take(variables), &mut self.room);
        *variables = folded.variables;
        for (name, lost) in folded.lost {
            self.note(&path.element(&name), || lost.to_string());
        }
    }

    /// The first of each key stays, and gets what it lacks; what else the others say is lost, and returned.
    fn elements(&mut self, path: &Path<'_>, rule: &KeyRule, elements: &mut Vec<Value>, ty: &Type) {
        let mut kept: Vec<Value> = Vec::new();
        let mut places: HashMap<Vec<Value>, usize> = HashMap::new();
        for element in std::mem::take(elements) {
            let key = element.as_object().map(|map| identity(rule, map)).unwrap_or_default();
            let first =
                places.get(&key).and_then(|&place| kept.get_mut(place)).and_then(Value::as_object_mut);
            match (first, element) {
                (Some(first), Value::Object(further)) => {
                    let name = further.get(&rule.key).map(key_text).unwrap_or_default();
                    for field in complete(first, further, &ty.name) {
                        self.note(&path.element(&name), || {
                            format!("is there more than once; the first counts, another's `{field}` is lost")
                        });
                    }
                }
                (_, element) => {
                    places.insert(key, kept.len());
                    kept.push(element);
                }
            }
        }
        *elements = kept;
    }

    /// The first name of a port stays. What means the port by another name means it by its number then.
    fn ports(&mut self, path: &Path<'_>, container: &mut Map<String, Value>) {
        let names = |container: &Map<String, Value>| -> BTreeMap<String, Value> {
            let ports = container.get("ports").and_then(Value::as_array).into_iter().flatten();
            let named = |port: &Value| {
                Some((port.get("name")?.as_str()?.to_owned(), port.get("containerPort")?.clone()))
            };
            ports.filter_map(named).collect()
        };
        let ty = table().find("core.v1.Container").map(|of| table().get(of));
        let Some(Shape::List(Kind::Object(of), ListMerge::Keyed(rule))) =
            ty.and_then(|ty| ty.fields.get("ports"))
        else {
            return;
        };
        let before = names(container);
        match container.get_mut("ports").and_then(Value::as_array_mut) {
            Some(ports) if is_one_twice(rule, ports) => {
                self.elements(&path.field("ports"), rule, ports, table().get(*of));
            }
            _ => return,
        }
        let left = names(container);
        let lost: BTreeMap<String, Value> =
            before.into_iter().filter(|(name, _)| !left.contains_key(name)).collect();
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
            if let Some(probe) = container.get_mut(probe) {
                by_number(probe, &lost);
            }
        }
        for moment in ["postStart", "preStop"] {
            if let Some(handler) = container.get_mut("lifecycle").and_then(|it| it.get_mut(moment)) {
                by_number(handler, &lost);
            }
        }
        self.folded.ports.extend(lost);
    }
}

/// Gives the first of several elements what it lacks of a further one; the fields in which they differ.
fn complete(first: &mut Map<String, Value>, further: Map<String, Value>, of: &str) -> BTreeSet<String> {
    let mut lost = BTreeSet::new();
    for (field, value) in further {
        match first.get_mut(&field) {
            None => {
                first.insert(field, value);
            }
            // A pod's hosts file has a line for each: the address has all their names.
            Some(Value::Array(names)) if of == "core.v1.HostAlias" && field == "hostnames" => {
                names.extend(value.as_array().cloned().unwrap_or_default());
                keep_first(names);
            }
            Some(known) if *known == value => {}
            Some(_) => {
                lost.insert(field);
            }
        }
    }
    lost
}

fn by_number(handler: &mut Value, lost: &BTreeMap<String, Value>) {
    for way in ["httpGet", "tcpSocket"] {
        let port = handler.get_mut(way).and_then(|way| way.get_mut("port"));
        if let Some(port) = port
            && let Some(number) = port.as_str().and_then(|name| lost.get(name))
        {
            *port = number.clone();
        }
    }
}

fn keep_first(values: &mut Vec<Value>) {
    let mut seen = std::collections::HashSet::new();
    values.retain(|value| seen.insert(value.clone()));
}

/// Whether two elements are alike to the API server. A list that it tells no elements of apart has none.
fn is_one_twice(rule: &KeyRule, elements: &[Value]) -> bool {
    let mut seen = std::collections::HashSet::new();
    let keys = elements.iter().filter_map(Value::as_object).map(|map| identity(rule, map));
    !rule.all.is_empty() && !{ keys }.all(|key| seen.insert(key))
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
