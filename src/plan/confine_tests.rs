use serde_json::json;

use super::*;
use crate::inventory::Object;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn policy(spec: &Value) -> NetworkPolicyFacts {
    let value = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "p", "namespace": "n"}, "spec": spec});
    match Object::read(value) {
        Ok(Some(Object::NetworkPolicy(policy))) => policy,
        other => panic!("{other:?}"),
    }
}

fn copied_to(spec: &Value, replicas: i64) -> Option<Map<String, Value>> {
    let selector: Option<Selector> =
        spec.get("selector").map(|selector| serde_json::from_value(selector.clone()).unwrap());
    with_pods(|pods| copied_budget(selector.as_ref(), spec, pods, replicas))
}

fn with_pods<T>(use_them: impl FnOnce(&Pods<'_>) -> T) -> T {
    let base = labels(&[("app", "shop"), ("tier", "web")]);
    let version = labels(&[("app", "shop-v2"), ("tier", "web"), ("kyaninus.com/dpv", "cafe")]);
    use_them(&Pods { namespace: "n", of_base: &base, of_version: &version, hash: "cafe" })
}

fn own() -> Value {
    json!({"matchLabels": {"kyaninus.com/dpv": "cafe"}})
}

fn copied(spec: Value) -> Value {
    with_pods(|pods| copied_policy(&policy(&spec).pod_selector, &spec, pods))
        .map_or(Value::Null, Value::Object)
}

fn twin(spec: Value) -> Value {
    with_pods(|pods| admitting_twin(&spec, pods)).map_or(Value::Null, Value::Object)
}

fn app(value: &str) -> Value {
    json!({"matchLabels": {"app": value}})
}

#[test]
fn what_confines_the_base_confines_the_version() {
    let rules = json!([{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 80}]}]);
    for selector in [
        app("shop"),
        json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["shop", "x"]}]}),
        json!({"matchExpressions": [{"key": "kyaninus.com/dpv", "operator": "DoesNotExist"}]}),
    ] {
        let found = copied(json!({"podSelector": selector, "policyTypes": ["Ingress"], "ingress": rules}));
        assert_eq!(found, json!({"podSelector": own(), "policyTypes": ["Ingress"], "ingress": rules}));
    }
    // One that denies everything has no rules at all.
    assert_eq!(copied(json!({"podSelector": app("shop")})), json!({"podSelector": own()}));
}

#[test]
fn what_selects_the_version_anyway_or_not_the_base_is_not_copied() {
    for selector in [
        json!({}),
        app("cache"),
        json!({"matchLabels": {"tier": "web"}}),
        json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["cache"]}]}),
    ] {
        assert_eq!(copied(json!({"podSelector": selector, "ingress": []})), Value::Null);
    }
}

#[test]
fn a_copy_admits_its_own_pods_where_the_base_admits_its_own() {
    let peers = json!([{"podSelector": app("shop")}, {"podSelector": app("cache")}]);
    let found = copied(json!({"podSelector": app("shop"), "ingress": [{"from": peers}, {"ports": []}]}));
    let wanted = json!([{"podSelector": app("shop")}, {"podSelector": app("cache")}, {"podSelector": own()}]);
    assert_eq!(found, json!({"podSelector": own(), "ingress": [{"from": wanted}, {"ports": []}]}));
}

#[test]
fn who_admits_the_base_admits_the_version_and_nobody_else() {
    let found = twin(json!({
        "podSelector": app("cache"),
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {"from": [{"podSelector": app("shop")}, {"podSelector": {"matchExpressions": [
                {"key": "app", "operator": "In", "values": ["shop"]}]}}, {"podSelector": app("other")}],
             "ports": [{"port": 6379}]},
            {"from": [{"podSelector": app("other")}]},
            {"ports": [{"port": 9000}]},
        ],
        "egress": [{"to": [{"podSelector": app("other")}]}],
    }));
    assert_eq!(
        found,
        json!({"podSelector": app("cache"), "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": own()}], "ports": [{"port": 6379}]}]})
    );
    let out = json!({"podSelector": {}, "egress": [{"to": [{"podSelector": app("shop")}]}]});
    assert_eq!(
        twin(out),
        json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": own()}]}]})
    );
}

#[test]
fn a_twin_isolates_nobody_and_repeats_nothing() {
    let peers = |peers: Value| json!({"podSelector": app("cache"), "ingress": [{"from": peers}]});
    let both = json!([{"podSelector": app("shop")}, {"podSelector": {}}]);
    for spec in [
        peers(both),
        peers(json!([{"podSelector": {"matchLabels": {"tier": "web"}}}])),
        peers(json!([{"namespaceSelector": {}}])),
        peers(json!([{"ipBlock": {"cidr": "0.0.0.0/0"}}])),
        json!({"podSelector": app("cache"), "policyTypes": ["Egress"],
            "ingress": [{"from": [{"podSelector": app("shop")}]}]}),
        json!({"podSelector": app("cache")}),
    ] {
        assert_eq!(twin(spec.clone()), Value::Null, "{spec}");
    }
}

#[test]
fn a_peer_that_is_elsewhere_perhaps_admits_nobody_here() {
    let team = json!({"namespaceSelector": {"matchLabels": {"team": "monitoring"}}});
    let from = json!([{"podSelector": app("shop")}, team]);
    assert_eq!(
        twin(json!({"podSelector": app("cart"), "ingress": [{"from": from}]})),
        json!({"podSelector": app("cart"), "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": own()}]}]})
    );
    let wanted = json!([{"podSelector": app("shop")}, team, {"podSelector": own()}]);
    assert_eq!(
        copied(json!({"podSelector": app("shop"), "ingress": [{"from": from}]})),
        json!({"podSelector": own(), "ingress": [{"from": wanted}]})
    );
    // Wherever it is, it admits the version's pods by the same word as the base's.
    assert_eq!(twin(json!({"podSelector": app("cart"), "ingress": [{"from": [team]}]})), Value::Null);
    for here in [json!({}), json!({"matchLabels": {"kubernetes.io/metadata.name": "n"}})] {
        let from = json!([{"podSelector": app("shop")}, {"namespaceSelector": here}]);
        assert_eq!(twin(json!({"podSelector": app("cart"), "ingress": [{"from": from}]})), Value::Null);
    }
}

#[test]
fn a_peers_namespaces_stay_what_they_are() {
    let peer = |namespaces: Value| {
        let from = json!([{"podSelector": app("shop"), "namespaceSelector": namespaces}]);
        let twin = twin(json!({"podSelector": app("cache"), "ingress": [{"from": from}]}));
        twin.pointer("/ingress/0/from/0").cloned().unwrap_or_default()
    };
    let named = |name: &str| json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
    for namespaces in [json!({}), named("n"), json!({"matchLabels": {"team": "a"}})] {
        assert_eq!(peer(namespaces.clone()), json!({"podSelector": own(), "namespaceSelector": namespaces}));
    }
    assert_eq!(peer(named("elsewhere")), Value::Null);
    let more = json!({"matchLabels": {"kubernetes.io/metadata.name": "elsewhere", "team": "a"}});
    assert_eq!(peer(more), Value::Null);
}

#[test]
fn a_budget_follows_and_holds_no_node_up_for_ever() {
    let spec = |more: Value, replicas: i64| {
        let mut spec = json!({"selector": app("shop"), "unhealthyPodEvictionPolicy": "AlwaysAllow"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let copied = copied_to(&spec, replicas).unwrap();
        assert_eq!(
            (&copied["selector"], &copied["unhealthyPodEvictionPolicy"]),
            (&own(), &"AlwaysAllow".into())
        );
        (copied.get("minAvailable").cloned(), copied.get("maxUnavailable").cloned())
    };
    let one = (None, Some(json!(1)));
    for (more, replicas, wanted) in [
        (json!({"minAvailable": 2}), 3, (Some(json!(2)), None)),
        (json!({"minAvailable": 2}), 2, one.clone()),
        (json!({"minAvailable": 1}), 1, one.clone()),
        (json!({"minAvailable": "50%"}), 1, one),
        (json!({"minAvailable": "50%"}), 2, (Some(json!("50%")), None)),
        (json!({"minAvailable": "100%"}), 2, (Some(json!("100%")), None)),
        (json!({"maxUnavailable": 0}), 1, (None, Some(json!(0)))),
        (json!({"maxUnavailable": "30%"}), 1, (None, Some(json!("30%")))),
        (json!({"minAvailable": 1}), 0, (Some(json!(1)), None)),
    ] {
        assert_eq!(spec(more.clone(), replicas), wanted, "{more} of {replicas}");
    }
    for selector in [json!({}), app("cache")] {
        assert_eq!(copied_to(&json!({"selector": selector}), 1), None);
    }
    assert_eq!(copied_to(&json!({"minAvailable": 1}), 1), None);
}
