use serde_json::json;

use super::*;
use crate::inventory::{Edit, Object};

#[test]
fn references_expand_as_kubernetes_expands_them() {
    let known = [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "$(A)".to_owned())];
    for (text, expanded) in [
        ("$(A)", "1"),
        ("x$(A)y$(A)", "x1y1"),
        ("$(B)", "$(A)"),
        ("$(C)", "$(C)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A} $", "$A ${A} $"),
        ("$(A", "$(A"),
        ("ü$(A)ü", "ü1ü"),
    ] {
        assert_eq!(expand(text, &known), expanded, "{text}");
    }
    assert_eq!(expand_in_shell("serve -p $(A) $$ $(date) $X", &known), "serve -p 1 $$ $(date) $X");
}

fn inventory() -> Inventory {
    let mut inventory = Inventory::default();
    let objects = [
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"},
            "data": {"a": "1", "b": "2"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"},
            "data": {"word": "aHVzaA=="}, "stringData": {"plain": "open"}}),
    ];
    let edits = objects.map(|object| Edit::Apply(Box::new(Object::read(object).unwrap().unwrap())));
    inventory.update(edits);
    inventory
}

fn read(container: serde_json::Value, set: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
    let container: Container = serde_json::from_value(container).unwrap();
    let set: Vec<_> = set.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let labels = Labels::from([("app".to_owned(), "shop".to_owned())]);
    let around = Surroundings {
        inventory: &inventory(),
        pod: &Key::new("n", "shop-1"),
        uid: "u",
        labels: &labels,
        annotations: &Labels::new(),
        service_account: "default",
        capacity: Capacity { cores: 8, memory: Some(1 << 30) },
    };
    environment(&container, &set, &around)
}

#[test]
fn every_source_of_a_variable() {
    let container = json!({"name": "web",
        "envFrom": [
            {"configMapRef": {"name": "c"}, "prefix": "C_"},
            {"secretRef": {"name": "gone", "optional": true}}],
        "env": [
            {"name": "C_b", "value": "over"},
            {"name": "PORT", "value": "80"},
            {"name": "LISTEN", "value": "127.0.0.1:$(PORT)"},
            {"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "word"}}},
            {"name": "PLAIN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "plain"}}},
            {"name": "MAYBE", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "z", "optional": true}}},
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}],
        "resources": {"limits": {"cpu": "2"}}});
    let found = read(container, &[("PORT", "4000")]).unwrap();
    let found: Vec<(&str, &str)> = found.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        found,
        [
            ("PORT", "4000"),
            ("C_a", "1"),
            ("C_b", "over"),
            ("LISTEN", "127.0.0.1:4000"),
            ("WORD", "hush"),
            ("PLAIN", "open"),
            ("POD", "shop-1"),
            ("APP", "shop"),
            ("CPU", "2"),
        ]
    );
}

#[test]
fn what_is_missing_is_named() {
    let of = |source: serde_json::Value| {
        read(json!({"name": "web", "env": [{"name": "X", "valueFrom": source}]}), &[]).unwrap_err()
    };
    assert_eq!(
        of(json!({"configMapKeyRef": {"name": "c", "key": "z"}})),
        "the ConfigMap `c` of namespace `n` has no key `z`"
    );
    assert_eq!(
        of(json!({"secretKeyRef": {"name": "gone", "key": "z"}})),
        "there is no Secret `gone` in namespace `n`"
    );
    assert!(of(json!({"fieldRef": {"fieldPath": "spec.volumes"}})).contains("`X`"));
    let from = json!({"name": "web", "envFrom": [{"configMapRef": {"name": "gone"}}]});
    assert_eq!(read(from, &[]).unwrap_err(), "there is no ConfigMap `gone` in namespace `n`");
}
