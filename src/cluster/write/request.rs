//! A write as an HTTP request.

use http::{Method, Request};
use serde_json::{Value, json};

use super::{Act, Write, address};
use crate::api::names;

/// How long the API server may take over one write, in seconds.
pub const SERVER_TIMEOUT: u64 = 10;
/// The field manager that holds `spec.replicas` for an autoscaler until it writes it itself.
const HOLDER: &str = "synkronic-autoscaled";

const APPLY: &str = "application/apply-patch+yaml";
const MERGE: &str = "application/merge-patch+json";
const JSON: &str = "application/json";

/// The request of a write.
///
/// # Errors
/// Where names of objects make no address, which an API server would not have let in.
pub fn request(write: &Write) -> Result<Request<Vec<u8>>, http::Error> {
    let path = address::path(&write.target);
    let apply = |manager: &str| format!("{path}?fieldManager={manager}&force=true&timeout={SERVER_TIMEOUT}s");
    let patch = |path: &str| format!("{path}?fieldManager={}&timeout={SERVER_TIMEOUT}s", names::MANAGER);
    match &write.act {
        Act::Create { object, .. } => {
            // To an apply this version means: create, or fail (tried on 1.37).
            let body = with_metadata(object, &[("resourceVersion", Some("1"))]);
            build(Method::PATCH, &apply(names::MANAGER), APPLY, &body)
        }
        Act::Update { object, uid, .. } => {
            let body = with_metadata(object, &[("uid", Some(uid))]);
            build(Method::PATCH, &apply(names::MANAGER), APPLY, &body)
        }
        Act::HandOver { uid, replicas } => {
            let (api_version, _) = address::resource(write.target.kind);
            let body = json!({
                "apiVersion": api_version,
                "kind": write.target.kind.as_str(),
                "metadata": {"name": &*write.target.key.name, "namespace": &*write.target.key.namespace,
                    "uid": uid},
                "spec": {"replicas": replicas},
            });
            build(Method::PATCH, &apply(HOLDER), APPLY, &body)
        }
        Act::Delete { uid, resource_version } => {
            let mut preconditions = json!({"uid": uid});
            if let (Some(version), Value::Object(map)) = (resource_version, &mut preconditions) {
                map.insert("resourceVersion".to_owned(), version.as_str().into());
            }
            let body = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions,
                "propagationPolicy": "Background"});
            build(Method::DELETE, &format!("{path}?timeout={SERVER_TIMEOUT}s"), JSON, &body)
        }
        Act::Finalizers { uid, resource_version, finalizers } => {
            let body = json!({"metadata": {"finalizers": finalizers}});
            let body = with_metadata(&body, &precondition(uid, resource_version.as_deref()));
            build(Method::PATCH, &patch(&path), MERGE, &body)
        }
        Act::Status { uid, resource_version, patch: status } => {
            let body = json!({"metadata": {}, "status": status});
            let body = with_metadata(&body, &precondition(uid, resource_version.as_deref()));
            build(Method::PATCH, &patch(&format!("{path}/status")), MERGE, &body)
        }
        Act::Event { object } => {
            let namespace = &write.cause.key.namespace;
            let path = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events");
            build(Method::POST, &patch(&path), JSON, object)
        }
    }
}

/// The request that reads the object which a write is about.
///
/// # Errors
/// As [`request`].
pub fn read(write: &Write) -> Result<Request<Vec<u8>>, http::Error> {
    Request::get(address::path(&write.target)).body(Vec::new())
}

fn precondition<'p>(uid: &'p str, version: Option<&'p str>) -> [(&'static str, Option<&'p str>); 2] {
    [("uid", Some(uid)), ("resourceVersion", version)]
}

fn with_metadata(object: &Value, fields: &[(&str, Option<&str>)]) -> Value {
    let mut object = object.clone();
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        for (field, value) in fields.iter().filter_map(|(field, value)| Some((field, (*value)?))) {
            metadata.insert((*field).to_owned(), value.into());
        }
    }
    object
}

fn build(method: Method, uri: &str, type_: &str, body: &Value) -> Result<Request<Vec<u8>>, http::Error> {
    Request::builder()
        .method(method)
        .uri(uri)
        .header(http::header::CONTENT_TYPE, type_)
        .header(http::header::ACCEPT, JSON)
        .body(body.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Key, Kind, ObjectReference};

    fn sent(act: Act) -> (String, String, Value) {
        let target = ObjectReference { kind: Kind::Service, key: Key::new("n", "shop-2") };
        let request = request(&Write { cause: target.clone(), target, act }).unwrap();
        let body = serde_json::from_slice(request.body()).unwrap();
        (request.method().to_string(), request.uri().to_string(), body)
    }

    #[test]
    fn every_write_says_which_object_it_means() {
        let object = json!({"metadata": {"name": "shop-2"}});
        let (method, uri, body) = sent(Act::Create { object: object.clone(), owner: "o".into() });
        assert_eq!(method, "PATCH");
        assert_eq!(uri, "/api/v1/namespaces/n/services/shop-2?fieldManager=synkronic&force=true&timeout=10s");
        assert_eq!(body["metadata"]["resourceVersion"], "1");
        let (_, _, body) = sent(Act::Update { object, uid: "u".into(), because: Because::Wanted });
        assert_eq!(body["metadata"]["uid"], "u");
        assert_eq!(body["metadata"].get("resourceVersion"), None);
        let (method, _, body) = sent(Act::Delete { uid: "u".into(), resource_version: Some("7".into()) });
        assert_eq!(method, "DELETE");
        assert_eq!(body["preconditions"], json!({"uid": "u", "resourceVersion": "7"}));
        let status =
            Act::Status { uid: "u".into(), resource_version: Some("7".into()), patch: json!({"a": null}) };
        let (_, uri, body) = sent(status);
        assert!(uri.starts_with("/api/v1/namespaces/n/services/shop-2/status?"));
        assert_eq!(body, json!({"metadata": {"uid": "u", "resourceVersion": "7"}, "status": {"a": null}}));
    }

    use super::super::Because;
}
