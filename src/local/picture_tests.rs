use serde_json::{Value, json};

use super::*;
use crate::inventory::{Edit, Object};

fn inventory() -> Inventory {
    let deployment = |name: &str, status: Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "n"},
            "spec": {"replicas": 2}, "status": status})
    };
    let dpv = |name: &str, conditions: Value| {
        json!({"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion",
            "metadata": {"name": name, "namespace": "n"}, "spec": {}, "status": {"conditions": conditions}})
    };
    let condition = |name: &str, status: &str, reason: &str| {
        json!({"type": name, "status": status, "reason": reason, "message": "do this",
            "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    let objects = [
        deployment("shop", json!({"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2})),
        dpv("shop-v2", json!([condition("Ready", "True", "Ready")])),
        dpv(
            "shop-v10",
            json!([
                condition("Ready", "False", "InvalidOverlay"),
                condition("Stalled", "True", "InvalidOverlay")
            ]),
        ),
        json!({"apiVersion": "kyaninus.com/v1", "kind": "Router", "metadata": {"name": "shop", "namespace": "n"},
            "spec": {"base": "shop", "hosts": ["shop.localhost"], "rules": [{"name": "qa",
                "match": [{"headers": [{"name": "X-Team", "exact": "blue"}], "methods": ["GET"]}], "send": "v2"}]}}),
    ];
    let mut inventory = Inventory::default();
    inventory.update(objects.map(|value| Edit::Apply(Box::new(Object::read(value).unwrap().unwrap()))));
    inventory
}

#[test]
fn every_version_with_its_status_link_and_consumers() {
    let settings = Settings { port: Some(8080), ..Settings::default() };
    let scene = Scene {
        inventory: &inventory(),
        settings: &settings,
        reports: &Reports::default(),
        troubles: &BTreeMap::from([(Key::new("n", "worker"), "no command".to_owned())]),
        remarks: &[],
        added: &BTreeMap::new(),
    };
    let picture = picture(&scene);
    let rows: Vec<(&str, Light, &str, &str, &str)> = picture.groups[0]
        .rows
        .iter()
        .map(|row| {
            (row.version.as_str(), row.light, row.status.as_str(), row.link.as_str(), row.who.as_str())
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("base", Light::Green, "Ready 2/2", "http://shop.localhost:8080/", "everyone else"),
            (
                "v2",
                Light::Green,
                "Ready",
                "http://v2.shop.localhost:8080/",
                "qa (X-Team: blue and GET), who opens the link"
            ),
            ("v10", Light::Red, "InvalidOverlay", "http://v10.shop.localhost:8080/", "who opens the link"),
        ]
    );
    assert_eq!(picture.notes, ["shop-v10: do this", "worker: no command"]);
}

#[test]
fn what_still_serves_is_told_from_what_is_wanted() {
    let status = |refused: bool, status: Value| {
        let value = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "shop", "namespace": "n"}, "status": status});
        let mut inventory = inventory();
        inventory.update([Edit::Apply(Box::new(Object::read(value).unwrap().unwrap()))]);
        let settings = Settings::default();
        let scene = Scene {
            inventory: &inventory,
            settings: &settings,
            reports: &Reports::default(),
            troubles: &BTreeMap::new(),
            remarks: &[],
            added: &BTreeMap::new(),
        };
        (
            old_serves(&scene, &Key::new("n", "shop"), refused),
            picture(&scene).groups[0].rows[0].status.clone(),
        )
    };
    let rolling = json!({"replicas": 2, "updatedReplicas": 1, "readyReplicas": 1});
    assert_eq!(status(false, rolling), (" (old serves)", "RollingOut (old serves)".to_owned()));
    let stands = json!({"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1});
    assert_eq!(status(false, stands.clone()), ("", "Ready".to_owned()));
    assert_eq!(status(true, stands).0, " (old serves)");
    let gone = json!({"replicas": 2, "updatedReplicas": 1, "readyReplicas": 0});
    assert_eq!(status(true, gone), ("", "Starting".to_owned()));
}
