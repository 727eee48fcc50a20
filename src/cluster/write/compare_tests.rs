//! Pairs of desired and live objects.

use serde_json::json;

use super::*;

fn holds(kind: Kind, desired: &Value, live: &Value) -> bool {
    view(kind, desired, live) == *desired
}

#[test]
fn defaults_and_what_others_added_are_no_difference() {
    let desired = json!({"spec": {"template": {"spec": {
        "containers": [{"name": "web", "image": "a:1", "env": [{"name": "A", "value": "1"}],
            "ports": [{"containerPort": 80}], "resources": {}}],
        "volumes": [{"name": "v", "emptyDir": {}}]}}}});
    let live = json!({"metadata": {"uid": "1"}, "spec": {"replicas": 1, "template": {"spec": {
        "restartPolicy": "Always",
        "containers": [
            {"name": "sidecar", "image": "proxy"},
            {"name": "web", "image": "a:1", "imagePullPolicy": "Always",
             "env": [{"name": "INJECTED", "value": "x"}, {"name": "A", "value": "1"}],
             "ports": [{"containerPort": 80, "protocol": "TCP"}]}],
        "volumes": [{"name": "v", "emptyDir": {}}, {"name": "token", "projected": {}}]}}}});
    assert!(holds(Kind::Deployment, &desired, &live));
}

#[test]
fn each_hand_edit_of_ours_is_a_difference() {
    let desired = json!({"spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {
        "containers": [{"name": "web", "image": "a:1", "args": ["x"], "env": [{"name": "A", "value": "1"}],
            "ports": [{"containerPort": 80}]}],
        "tolerations": [{"key": "k", "operator": "Exists"}]}}}});
    assert!(holds(Kind::Deployment, &desired, &desired));
    for (pointer, value, path) in [
        ("/spec/replicas", json!(3), "spec.replicas"),
        ("/spec/selector/matchLabels/more", json!("x"), "spec.selector.matchLabels.more"),
        ("/spec/template/spec/containers/0/image", json!("a:2"), "spec.template.spec.containers[0].image"),
        ("/spec/template/spec/containers/0/args", json!(["x", "y"]), "spec.template.spec.containers[0].args"),
        ("/spec/template/spec/containers/0/args", json!([]), "spec.template.spec.containers[0].args"),
        ("/spec/template/spec/containers/0/env", json!([]), "spec.template.spec.containers[0].env[0]"),
        (
            "/spec/template/spec/containers/0/env/0/value",
            json!("2"),
            "spec.template.spec.containers[0].env[0].value",
        ),
        ("/spec/template/spec/containers/0/ports", Value::Null, "spec.template.spec.containers[0].ports"),
        ("/spec/template/spec/containers", json!([]), "spec.template.spec.containers[0]"),
        ("/spec/template/spec/tolerations", json!([]), "spec.template.spec.tolerations"),
        (
            "/spec/template/spec/tolerations/0/operator",
            json!("Equal"),
            "spec.template.spec.tolerations[0].operator",
        ),
    ] {
        let mut live = desired.clone();
        match live.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                live.pointer_mut(parent).unwrap()[key] = value;
            }
        }
        let seen = view(Kind::Deployment, &desired, &live);
        assert_eq!(first_difference(&desired, &seen).as_deref(), Some(path), "{pointer}");
    }
}

#[test]
fn a_services_selector_and_a_policys_rules_are_ours_as_a_whole() {
    let service = json!({"spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}});
    let mut live = service.clone();
    live["spec"]["ports"][0] = json!({"port": 80, "protocol": "TCP", "targetPort": 80});
    assert!(holds(Kind::Service, &service, &live));
    live["spec"]["selector"]["c"] = json!("d");
    assert!(!holds(Kind::Service, &service, &live));

    let policy = json!({"spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}});
    let mut live = policy.clone();
    live["spec"]["ingress"][0]["ports"] = json!([{"port": 80, "protocol": "TCP"}]);
    assert!(holds(Kind::NetworkPolicy, &policy, &live));
    live["spec"]["ingress"][0]["ports"] = json!([{"port": 80, "protocol": "TCP"}, {"port": 22}]);
    assert!(!holds(Kind::NetworkPolicy, &policy, &live));
    live["spec"]["ingress"] = json!([{"ports": [{"port": 80}]}, {}]);
    assert!(!holds(Kind::NetworkPolicy, &policy, &live));
}

#[test]
fn one_port_with_two_protocols_is_two_ports() {
    let desired =
        json!({"spec": {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}});
    assert!(holds(Kind::Service, &desired, &desired));
    let live = json!({"spec": {"ports": [{"port": 53, "protocol": "TCP"}]}});
    assert!(!holds(Kind::Service, &desired, &live));
}

#[test]
fn quantities_are_read_and_other_words_have_a_view_of_their_own() {
    let desired = json!({"spec": {"resources": {"limits": {"cpu": "1000m"}, "requests": {"cpu": 1}},
        "env": [{"name": "CPU", "value": "1000m"}]}});
    let mut live = json!({"spec": {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}, "more": 1,
        "env": [{"name": "CPU", "value": "1000m"}]}});
    assert!(holds(Kind::Deployment, &desired, &live));
    live["spec"]["resources"]["limits"]["cpu"] = json!("2");
    live["spec"]["env"][0]["value"] = json!("1");
    let seen = view(Kind::Deployment, &desired, &live);
    assert_eq!(first_difference(&desired, &seen).as_deref(), Some("spec.env[0].value"));
    live["spec"]["env"][0]["value"] = json!("1000m");
    let seen = view(Kind::Deployment, &desired, &live);
    assert_eq!(first_difference(&desired, &seen).as_deref(), Some("spec.resources.limits.cpu"));
}
