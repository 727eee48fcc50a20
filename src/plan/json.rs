//! Steps through JSON objects. A step that leads nowhere is nothing, never a panic.

use serde_json::{Map, Value};

/// The map at `path` below `value`, made where it lacks.
pub(super) fn map_at<'v>(value: &'v mut Value, path: &[&str]) -> &'v mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let map = value.as_object_mut().expect("it is a map: it was made one above");
    match path.split_first() {
        None => map,
        Some((step, rest)) => map_at(map.entry(*step).or_insert(Value::Null), rest),
    }
}

/// The elements of the list at a pointer.
pub(super) fn list<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// The elements of the list at a pointer, to change.
pub(super) fn list_mut<'v>(
    value: &'v mut Value,
    pointer: &str,
) -> impl Iterator<Item = &'v mut Value> + use<'v> {
    value.pointer_mut(pointer).and_then(Value::as_array_mut).into_iter().flatten()
}

/// The text at a pointer.
pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// Whether there is `true` at a pointer.
pub(super) fn is_true(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer) == Some(&Value::Bool(true))
}

/// Takes nulls out of maps: an API server takes them for absent, and a comparison must too.
pub(super) fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The containers of a Deployment's spec: the init containers, then the others.
pub(super) fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    list(spec, "/template/spec/initContainers").chain(list(spec, "/template/spec/containers"))
}
