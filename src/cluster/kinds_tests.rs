//! Objects as the API server sends them, and what is kept.

use serde_json::json;

use super::*;
use crate::inventory::object::{DeploymentFacts, ServiceFacts, VersionFacts};

const CONTROLLER: Roles = Roles { controller: true, edge: true };
const EDGE: Roles = Roles { controller: false, edge: true };

fn of(kind: Kind, roles: Roles) -> Watched {
    watched(roles).into_iter().find(|it| it.subject == Subject::Objects(kind)).unwrap()
}

/// As an item of a list is: it does not say what it is.
fn item(name: &str, rest: Value) -> Value {
    let mut value = rest;
    let metadata = value["metadata"].as_object_mut().unwrap();
    metadata.extend([
        ("name".to_owned(), json!(name)),
        ("namespace".to_owned(), json!("n")),
        ("uid".to_owned(), json!("u")),
        ("resourceVersion".to_owned(), json!("77")),
        ("managedFields".to_owned(), json!([{"manager": "kubectl"}])),
        (
            "annotations".to_owned(),
            json!({"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "yes"}),
        ),
    ]);
    value
}

fn object(kind: Kind, roles: Roles, value: Value) -> Object {
    match read(&of(kind, roles), roles, value) {
        Ok(Read::Object(object, 77)) => *object,
        other => panic!("{other:?}"),
    }
}

fn clone_meta() -> Value {
    json!({"labels": {"kyaninus.com/dpv": "abc", "x": "y"},
        "ownerReferences": [{"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion", "name": "shop-2",
            "uid": "v", "controller": true}]})
}

#[test]
fn a_controller_keeps_what_clones_are_made_from() {
    let value = item(
        "shop",
        json!({"metadata": {}, "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}}}, "status": {"replicas": 2}}),
    );
    let Object::Deployment(DeploymentFacts { meta, object, pod_labels, .. }) =
        object(Kind::Deployment, CONTROLLER, value)
    else {
        panic!("no Deployment")
    };
    let object = object.value();
    assert_eq!(
        (object["kind"].as_str(), object["apiVersion"].as_str()),
        (Some("Deployment"), Some("apps/v1"))
    );
    assert_eq!((&object["spec"]["replicas"], &object["status"]["replicas"]), (&json!(2), &json!(2)));
    assert!(object["metadata"].get("managedFields").is_none());
    assert_eq!(meta.annotations.keys().collect::<Vec<_>>(), ["mine"]);
    assert_eq!((meta.resource_version.as_deref(), pod_labels.len()), (Some("77"), 1));
}

#[test]
fn an_edge_keeps_what_routing_needs() {
    let mut service = item(
        "shop-2",
        json!({"metadata": clone_meta(), "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}}),
    );
    service["metadata"]["labels"]["x"] = json!("y");
    let Object::Service(ServiceFacts { meta, selector, ports, object: json, .. }) =
        object(Kind::Service, EDGE, service.clone())
    else {
        panic!("no Service")
    };
    assert!(json.value().is_null() && selector.is_none());
    assert_eq!((ports.len(), meta.labels.len(), meta.annotations.len()), (1, 0, 0));
    // Whose clone it is, for a version is reached through its own alone.
    assert_eq!(meta.version(), Some(Key::new("n", "shop-2")));
    assert_eq!((meta.uid, meta.resource_version), (None, None));
    // It is still known for a clone; and the base's Service still selects.
    assert!(matches!(object(Kind::Service, EDGE, service), Object::Service(it) if it.is_clone()));
    let own =
        item("shop", json!({"metadata": {}, "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}}));
    assert!(matches!(object(Kind::Service, EDGE, own), Object::Service(it) if it.selector.is_some()));
    let dpv = item(
        "shop-2",
        json!({"metadata": {}, "spec": {"name": "shop", "suspend": true, "deploymentSpec": {"replicas": 3}},
            "status": {"base": {"name": "shop"}, "url": "http://x/", "conditions": [
                {"type": "Routed", "status": "False", "reason": "NoRouter", "message": "m",
                    "lastTransitionTime": "2026-01-01T00:00:00Z"},
                {"type": "Ready", "status": "False", "reason": "CrashLooping", "message": "secret",
                    "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}),
    );
    let Object::DeploymentVersion(version) = object(Kind::DeploymentVersion, EDGE, dpv) else {
        panic!("no DeploymentVersion")
    };
    assert_eq!((version.trouble(), version.status.read().conditions.len()), (Some("CrashLooping"), 1));
    let VersionFacts { spec, deployment_overlay, status, .. } = version;
    let status = status.read();
    assert!(status.conditions.iter().all(|condition| condition.message.is_empty()));
    assert!(spec.suspend && deployment_overlay.is_none());
    assert_eq!((status.base.map(|base| base.name), status.url), (Some("shop".to_owned()), None));
}

#[test]
fn what_an_edge_does_not_keep_changes_nothing_for_it() {
    let one = item(
        "shop",
        json!({"metadata": {"generation": 1}, "spec": {"base": "shop", "hosts": ["a.example"]}}),
    );
    let mut two = one.clone();
    two["metadata"]["annotations"]["mine"] = json!("no");
    assert_eq!(object(Kind::Router, EDGE, one), object(Kind::Router, EDGE, two));
}

#[test]
fn where_each_kind_is_asked_for() {
    let paths: Vec<String> = watched(CONTROLLER).iter().map(|it| it.path(None)).collect();
    assert!(paths.contains(&"/apis/kyaninus.com/v1/routers".to_owned()), "{paths:?}");
    assert!(paths.contains(&"/api/v1/services".to_owned()));
    let pods = of(Kind::Pod, CONTROLLER);
    assert_eq!(
        (pods.path(Some("n")).as_str(), pods.labels),
        ("/api/v1/namespaces/n/pods", "kyaninus.com/dpv")
    );
    // An edge sees no clone's Deployment, no pod, and nothing that only plans need.
    assert_eq!(of(Kind::Deployment, EDGE).labels, format!("!{}", names::LABEL_DPV));
    assert_eq!(watched(EDGE).len(), 5);
    assert!(watched(EDGE).iter().all(|it| it.required));
}

#[test]
fn what_cannot_be_read_is_named() {
    let router = item("shop", json!({"metadata": {}, "spec": {"base": 7}}));
    let Err((key, words)) = read(&of(Kind::Router, EDGE), EDGE, router) else { panic!("read") };
    assert_eq!(key, Key::new("n", "shop"));
    assert!(words.contains("spec"), "{words}");
}
