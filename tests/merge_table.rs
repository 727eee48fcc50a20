//! Makes `src/plan/merge/table.json` from Kubernetes' OpenAPI document, and fails where the two differ.
//!
//! The document is large and not ours, so it isn't in the repository. It comes with the Go module proxy:
//!
//! ```text
//! go mod download k8s.io/kubernetes@v1.37.2
//! export SYNKRONIC_KUBERNETES_OPENAPI=$(go env GOMODCACHE)/k8s.io/kubernetes@v1.37.2/api/openapi-spec/swagger.json
//! cargo test --test merge_table                              # compares
//! SYNKRONIC_WRITE_MERGE_TABLE=1 cargo test --test merge_table   # writes it anew
//! ```
//!
//! Without the variable nothing is compared, and the test says so; with it, a document that cannot be read is
//! a failure, never a pass.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

const DOCUMENT: &str = "SYNKRONIC_KUBERNETES_OPENAPI";
const WRITE: &str = "SYNKRONIC_WRITE_MERGE_TABLE";
/// What an overlay may reach: a Deployment's spec and a Service's.
const ROOTS: [&str; 2] = ["io.k8s.api.apps.v1.DeploymentSpec", "io.k8s.api.core.v1.ServiceSpec"];

#[test]
fn the_table_is_what_the_openapi_document_says() {
    let Some(document) = std::env::var_os(DOCUMENT) else {
        eprintln!("{DOCUMENT} is not set: the merge table was not compared with Kubernetes' OpenAPI");
        return;
    };
    let text = std::fs::read_to_string(&document)
        .unwrap_or_else(|error| panic!("{DOCUMENT} names {}: {error}", Path::new(&document).display()));
    let document: Value = serde_json::from_str(&text).expect("the OpenAPI document is JSON");
    let made = print(&table(&document));

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plan/merge/table.json");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &made).expect("the table can be written");
    }
    let kept = std::fs::read_to_string(&path).expect("src/plan/merge/table.json is in the repository");
    assert!(kept == made, "the table differs from the document; {WRITE}=1 writes it anew");
}

/// Every type that the roots reach, by its short name.
fn table(document: &Value) -> BTreeMap<String, Value> {
    let mut types = BTreeMap::new();
    let mut open: Vec<String> = ROOTS.iter().map(|&root| root.to_owned()).collect();
    while let Some(name) = open.pop() {
        let definition = &document["definitions"][&name];
        if types.contains_key(short(&name)) {
            continue;
        }
        let properties =
            definition["properties"].as_object().unwrap_or_else(|| panic!("{name} has no fields"));
        let mut fields = Map::new();
        for (field, property) in properties {
            fields.insert(field.clone(), shape(document, property, &mut open));
        }
        let mut entry = json!({ "fields": fields });
        if let Some(required) = definition.get("required") {
            entry["required"] = required.clone();
        }
        types.insert(short(&name).to_owned(), entry);
    }
    types
}

/// One field: the name of a scalar or a type, or an object where it's a list, a map or bears a mark.
fn shape(document: &Value, property: &Value, open: &mut Vec<String>) -> Value {
    let strategy = property.get("x-kubernetes-patch-strategy");
    let mut shape = Map::new();
    if let Some(items) = property.get("items") {
        shape.insert("list".into(), kind(document, items, open));
    } else if let Some(values) = property.get("additionalProperties") {
        shape.insert("map".into(), kind(document, values, open));
    } else {
        let kind = kind(document, property, open);
        if strategy.is_none() {
            return kind;
        }
        shape.insert("type".into(), kind);
    }
    for (mark, name) in [
        ("x-kubernetes-patch-strategy", "strategy"),
        ("x-kubernetes-patch-merge-key", "key"),
        ("x-kubernetes-list-map-keys", "keys"),
    ] {
        if let Some(value) = property.get(mark) {
            shape.insert(name.into(), value.clone());
        }
    }
    Value::Object(shape)
}

fn kind(document: &Value, property: &Value, open: &mut Vec<String>) -> Value {
    if let Some(reference) = property.get("$ref").and_then(Value::as_str) {
        let name = reference.trim_start_matches("#/definitions/");
        let definition = &document["definitions"][name];
        if definition.get("properties").is_some() {
            open.push(name.to_owned());
            return short(name).into();
        }
        return match short(name) {
            "api.resource.Quantity" => "quantity".into(),
            "util.intstr.IntOrString" => "int-or-string".into(),
            _ => scalar(name, definition),
        };
    }
    scalar("a field", property)
}

fn scalar(name: &str, definition: &Value) -> Value {
    match (definition["type"].as_str(), definition["format"].as_str()) {
        (Some("string"), None) => "string",
        (Some("string"), Some("date-time")) => "time",
        (Some("integer"), Some("int32")) => "int32",
        (Some("integer"), Some("int64")) => "int64",
        (Some("boolean"), None) => "boolean",
        (Some("object"), None) => "any",
        other => panic!("{name}: the table knows no {other:?}"),
    }
    .into()
}

/// `io.k8s.api.core.v1.Container` is `core.v1.Container`.
fn short(name: &str) -> &str {
    name.trim_start_matches("io.k8s.api.").trim_start_matches("io.k8s.apimachinery.pkg.")
}

/// One type a line, so that a new Kubernetes release reads as a diff.
fn print(types: &BTreeMap<String, Value>) -> String {
    let lines: Vec<String> = types.iter().map(|(name, entry)| format!("{}: {entry}", json!(name))).collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}
