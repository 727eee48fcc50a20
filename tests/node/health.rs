//! Argo CD's health check, run by a Lua of this machine on objects as they are in the cluster, and on those that
//! no cluster shows for long.

use std::process::Command;

use serde_json::{Value, json};
use synkronic::inventory::report::{CloneReport, Pending, Programmed, Reports, RouteReport};
use synkronic::inventory::{Edit, Finding, Inventory, Key, Object, Settings};
use synkronic::standing::{Statuses, decide};

use crate::world::World;

/// What Argo CD would call the health of an object, and its message.
pub fn of(world: &World, object: &Value) -> (String, String) {
    let rendered = world.kubectl(&["create", "--dry-run=client", "-o", "json", "-k", "manifests/argocd"]);
    let settings: Value = serde_json::from_str(&rendered).unwrap();
    let kind = object["kind"].as_str().unwrap();
    let script = &settings["data"][format!("resource.customizations.health.kyaninus.com_{kind}")];
    judged(script.as_str().expect("the kind has a health check"), object)
}

fn judged(script: &str, object: &Value) -> (String, String) {
    let lua = format!(
        "obj = {}\nlocal function health()\n{script}\nend\nlocal it = health()\nio.write(it.status, '\\n', it.message)",
        literal(object)
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lua).unwrap();
    let output =
        Command::new("lua5.3").arg(file.path()).output().expect("lua5.3 is installed (Debian: lua5.3)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (status, message) = text.split_once('\n').expect("status and message");
    (status.to_owned(), message.to_owned())
}

/// A value as Lua writes it.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "nil".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("{{{}}}", items.iter().map(literal).collect::<Vec<_>>().join(",")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("[{}]={}", quoted(key), literal(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
    }
}

/// Bytes as decimal escapes: nothing in them means anything to Lua.
fn quoted(text: &str) -> String {
    let escaped: String = text.bytes().map(|byte| format!("\\{byte:03}")).collect();
    format!("\"{escaped}\"")
}

const DPV: &str = "shop-version-1";

/// A base, a version with its clone, and a Router; each of generation 2.
fn shop(spec: &Value, clone: &Value) -> Vec<Value> {
    let meta = |name: &str| json!({"namespace": "n", "name": name, "generation": 2, "uid": name});
    let clone_meta = json!({"namespace": "n", "name": DPV, "labels": {"kyaninus.com/dpv": DPV},
        "ownerReferences": [{"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion", "name": DPV, "uid": DPV,
            "controller": true}]});
    vec![
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("shop"), "spec": {
            "selector": {"matchLabels": {"app": "shop"}}, "template": {"metadata": {"labels": {"app": "shop"}}}}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": meta("shop"), "spec": {
            "selector": {"app": "shop"}, "ports": [{"port": 80}]}}),
        json!({"apiVersion": "kyaninus.com/v1", "kind": "Router", "metadata": meta("shop"),
            "spec": {"base": "shop", "hosts": ["shop.test"]}}),
        json!({"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion", "metadata": meta(DPV), "spec": spec}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": clone_meta, "spec": {"replicas": 1},
            "status": clone}),
    ]
}

/// Statuses of the shop, as its controller would write them.
fn statuses(objects: &[Value], reports: &Reports) -> Statuses {
    let mut inventory = Inventory::default();
    let objects = objects.iter().cloned().map(|object| Object::read(object).unwrap().unwrap());
    inventory.update(objects.map(|object| Edit::Apply(Box::new(object))));
    decide(&inventory, reports, &Settings::default(), "2026-06-01T12:00:00Z".parse().unwrap())
}

/// An object of the shop with a status, as Argo CD is shown it; what it calls that.
fn health(objects: &[Value], kind: &str, status: &Value) -> String {
    let mut object = objects.iter().find(|object| object["kind"] == kind).unwrap().clone();
    object["status"] = status.clone();
    judged(include_str!("../../manifests/argocd/health.lua"), &object).0
}

fn refused(objects: &[Value], kind: &str, reason: &'static str) -> Finding {
    let object = objects.iter().find(|object| object["kind"] == kind).unwrap().clone();
    let object = match Object::read(object).unwrap().unwrap() {
        Object::DeploymentVersion(dpv) => dpv.reference(),
        Object::Router(router) => router.reference(),
        other => panic!("{other:?}"),
    };
    Finding::rejected(object, reason, "spec", "no")
}

#[test]
#[ignore = "needs lua5.3: tests/run installs it"]
fn a_version_that_waits_is_progressing_and_one_that_needs_an_edit_is_degraded() {
    let up = json!({"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1});
    let quota = json!({"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
        "message": "exceeded quota: pods"}]});
    let late = json!({"replicas": 1, "updatedReplicas": 1, "conditions": [{"type": "Progressing", "status": "False",
        "reason": "ProgressDeadlineExceeded", "message": "late"}]});
    let none = json!({});
    let plain = shop(&none, &up);
    let report = || CloneReport { deployment: Some(DPV.to_owned()), ..CloneReport::default() };
    let pending = |pending| CloneReport { pending: Some(pending), ..report() };
    let refusal =
        |reason| CloneReport { findings: vec![refused(&plain, "DeploymentVersion", reason)], ..report() };
    for (spec, clone, report, reason, wanted) in [
        (&none, &up, Some(report()), "Ready", "Healthy"),
        (&none, &up, None, "Pending", "Progressing"),
        (&none, &up, Some(pending(Pending::Write)), "Applying", "Progressing"),
        (&none, &up, Some(pending(Pending::Turn)), "WaitingForTurn", "Progressing"),
        (&none, &none, Some(report()), "RollingOut", "Progressing"),
        (&none, &late, Some(report()), "ProgressDeadlineExceeded", "Degraded"),
        (&none, &quota, Some(report()), "QuotaExceeded", "Degraded"),
        (&none, &up, Some(refusal("WriteFailed")), "WriteFailed", "Progressing"),
        (&none, &up, Some(refusal("NameTaken")), "NameTaken", "Degraded"),
        (&none, &up, Some(refusal("InvalidOverlay")), "InvalidOverlay", "Degraded"),
        (&json!({"name": "other"}), &up, None, "BaseNotFound", "Degraded"),
        (&json!({"suspend": true}), &up, Some(report()), "Suspending", "Suspended"),
        (&json!({"suspend": true}), &none, Some(report()), "Suspended", "Suspended"),
    ] {
        let objects = shop(spec, clone);
        let key = Key::new("n", DPV);
        let clones = report.map(|report| (key.clone(), report)).into_iter().collect();
        let status = &statuses(&objects, &Reports { clones, ..Reports::default() }).dpvs[&key];
        assert_eq!(status.conditions[0].reason, reason);
        let status = serde_json::to_value(status).unwrap();
        assert_eq!(health(&objects, "DeploymentVersion", &status), wanted, "{reason}");
    }
}

#[test]
#[ignore = "needs lua5.3: tests/run installs it"]
fn a_router_that_waits_is_progressing_and_one_that_needs_an_edit_is_degraded() {
    let objects = shop(&json!({}), &json!({}));
    let key = Key::new("n", "shop");
    let edges = |running, behind: bool| {
        Some(Programmed { running, behind: behind.then(|| key.clone()).into_iter().collect() })
    };
    let served = |findings| Some(RouteReport { served: true, findings });
    let unserved = |finding| Some(RouteReport { served: false, findings: vec![finding] });
    for (report, programmed, reason, wanted) in [
        (None, edges(true, false), "Pending", "Progressing"),
        (served(Vec::new()), edges(true, true), "OnItsWay", "Progressing"),
        (served(Vec::new()), edges(false, false), "NoEdge", "Progressing"),
        (served(Vec::new()), edges(true, false), "Ready", "Healthy"),
        (served(Vec::new()), None, "Ready", "Healthy"),
        (served(vec![refused(&objects, "Router", "HostTaken")]), edges(true, true), "HostTaken", "Degraded"),
        (
            unserved(refused(&objects, "Router", "BaseNotFound")),
            edges(true, true),
            "BaseNotFound",
            "Degraded",
        ),
    ] {
        let routers = report.map(|report| (key.clone(), report)).into_iter().collect();
        let reports = Reports { routers, programmed, ..Reports::default() };
        let status = &statuses(&objects, &reports).routers[&key];
        assert_eq!(status.conditions[0].reason, reason);
        let mut status = serde_json::to_value(status).unwrap();
        assert_eq!(health(&objects, "Router", &status), wanted, "{reason}");
        // What was said of the generation before says nothing of this one.
        status["observedGeneration"] = json!(1);
        assert_eq!(health(&objects, "Router", &status), "Progressing", "{reason}, before an edit is seen");
    }
    assert_eq!(health(&objects, "Router", &Value::Null), "Progressing", "without a status");
}
