//! Objects in, answers out.

use serde_json::{Value, json};

use super::versions::Resolution;
use super::*;
use crate::api::VersionId;

fn apply(inventory: &mut Inventory, values: impl IntoIterator<Item = Value>) -> Changes {
    inventory
        .update(values.into_iter().map(|value| Edit::Apply(Box::new(Object::read(value).unwrap().unwrap()))))
}

fn deployment(name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "n"},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels": {"app": name}}}}})
}

fn dpv(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion",
        "metadata": {"name": name, "namespace": "n"}, "spec": spec})
}

fn resolved(inventory: &Inventory, name: &str) -> Result<(String, String), &'static str> {
    match inventory.resolution(&Key::new("n", name)).unwrap() {
        Resolution::Resolved(it) => Ok((it.base.name.to_string(), it.version.to_string())),
        Resolution::Refused(finding) => Err(finding.reason),
    }
}

#[test]
fn the_base_by_name_and_by_the_longest_prefix() {
    let mut inventory = Inventory::default();
    apply(
        &mut inventory,
        [
            deployment("my-app"),
            deployment("my-app-deploy"),
            dpv("my-app-deploy-version-1", json!({"name": "my-app-deploy-version-1", "namespace": "n"})),
            dpv("my-app-v1.2", json!({})),
            dpv("other", json!({"name": "my-app"})),
            dpv("lost-1", json!({})),
            dpv("far", json!({"name": "my-app", "namespace": "elsewhere"})),
            dpv("my-app-base", json!({})),
        ],
    );
    let ok = |base: &str, id: &str| Ok((base.to_owned(), id.to_owned()));
    assert_eq!(resolved(&inventory, "my-app-deploy-version-1"), ok("my-app-deploy", "version-1"));
    assert_eq!(resolved(&inventory, "my-app-v1.2"), ok("my-app", "v1-2"));
    assert_eq!(resolved(&inventory, "other"), ok("my-app", "other"));
    assert_eq!(resolved(&inventory, "lost-1"), Err("BaseNotFound"));
    assert_eq!(resolved(&inventory, "far"), Err("CrossNamespace"));
    assert_eq!(resolved(&inventory, "my-app-base"), Err("VersionReserved"));
}

#[test]
fn a_base_once_resolved_is_missed_not_swapped() {
    let mut inventory = Inventory::default();
    let mut object = dpv("my-app-deploy-version-1", json!({}));
    object["status"] = json!({"base": {"name": "my-app-deploy"}});
    apply(&mut inventory, [deployment("my-app"), deployment("my-app-deploy"), object]);
    let changes = inventory.update([Edit::Remove(Kind::Deployment, Key::new("n", "my-app-deploy"))]);
    assert_eq!(
        resolved(&inventory, "my-app-deploy-version-1"),
        Ok(("my-app-deploy".to_owned(), "version-1".to_owned()))
    );
    assert!(changes.bases.contains(&Key::new("n", "my-app-deploy")));
}

#[test]
fn the_older_holds_the_id() {
    let mut inventory = Inventory::default();
    let aged = |name: &str, time: &str| {
        let mut object = dpv(name, json!({"name": "shop", "version": "x"}));
        object["metadata"]["creationTimestamp"] = json!(time);
        object
    };
    apply(
        &mut inventory,
        [deployment("shop"), aged("a", "2026-02-01T00:00:00Z"), aged("b", "2026-01-01T00:00:00Z")],
    );
    assert_eq!(resolved(&inventory, "a"), Err("VersionTaken"));
    assert!(resolved(&inventory, "b").is_ok());
    let versions = inventory.versions_of(&Key::new("n", "shop")).unwrap();
    assert_eq!(versions.keys().map(VersionId::as_str).collect::<Vec<_>>(), ["base", "x"]);
}

#[test]
fn who_has_an_id_keeps_it_from_an_older_newcomer() {
    let shop = || vec![deployment("shop"), deployment("web")];
    let aged = |name: &str, day: u8, status: Value| {
        let mut object = dpv(name, json!({"name": "shop", "version": "x"}));
        object["metadata"]["creationTimestamp"] = json!(format!("2026-01-0{day}T00:00:00Z"));
        object["status"] = status;
        object
    };
    let was = |base: &str, id: &str| json!({"base": {"name": base}, "version": id});
    let none = || json!({});
    for (older, younger, holder) in [
        (none(), none(), "older"),
        (was("shop", "a"), was("shop", "x"), "younger"),
        (none(), was("shop", "x"), "younger"),
        (was("shop", "x"), was("shop", "x"), "older"),
        // Another id, or of another base: that says nothing of this one.
        (none(), was("shop", "a"), "older"),
        (none(), was("web", "x"), "older"),
    ] {
        let mut inventory = Inventory::default();
        let what = format!("{older} {younger}");
        let (older, younger) = (aged("older", 1, older), aged("younger", 2, younger));
        apply(&mut inventory, shop().into_iter().chain([older, younger]));
        let loser = if holder == "older" { "younger" } else { "older" };
        assert!(resolved(&inventory, holder).is_ok(), "{what}");
        assert_eq!(resolved(&inventory, loser), Err("VersionTaken"), "{what}");
        let versions = inventory.versions_of(&Key::new("n", "shop")).unwrap();
        assert_eq!(versions[&VersionId::parse("x").unwrap()].dpv, Some(Key::new("n", holder)));
        // It passes on when it is given up.
        inventory.update([Edit::Remove(Kind::DeploymentVersion, Key::new("n", holder))]);
        assert!(resolved(&inventory, loser).is_ok(), "{what}");
    }
}

#[test]
fn a_clone_is_what_one_of_our_deployment_versions_controls() {
    let owned = |by: &str, controls: bool, labels: Value| {
        let mut object = deployment("shop-1");
        object["metadata"]["labels"] = labels;
        object["metadata"]["ownerReferences"] = json!([{"apiVersion": by, "kind": "DeploymentVersion",
            "name": "shop-1", "uid": "u", "controller": controls}]);
        object
    };
    let (ours, label) = ("kyaninus.com/v1", json!({"kyaninus.com/dpv": "x"}));
    let mut labelled = deployment("shop-1");
    labelled["metadata"]["labels"] = label.clone();
    for (object, is_clone) in [
        (owned(ours, true, label.clone()), true),
        (owned(ours, true, json!({})), true),
        (owned("kyaninus.com/v2", true, json!({})), true),
        (owned(ours, false, label.clone()), false),
        (owned("elsewhere.example/v1", true, label), false),
        (labelled, false),
    ] {
        let mut inventory = Inventory::default();
        apply(&mut inventory, [object.clone()]);
        let found = inventory.deployments.get(&Key::new("n", "shop-1")).unwrap();
        assert_eq!(found.is_clone(), is_clone, "{object}");
        assert_eq!(inventory.own_deployments(&"n".into()).count(), usize::from(!is_clone));
    }
}

#[test]
fn the_same_object_again_changes_nothing() {
    let mut inventory = Inventory::default();
    assert!(!apply(&mut inventory, [deployment("shop")]).is_empty());
    assert!(apply(&mut inventory, [deployment("shop")]).is_empty());
}

fn router(namespace: &str, name: &str, created: &str, spec: Value, claims: &[&str]) -> Value {
    let claims: Vec<Value> =
        claims.iter().map(|host| json!({"host": host, "since": "2026-03-01T00:00:00Z"})).collect();
    json!({"apiVersion": "kyaninus.com/v1", "kind": "Router",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": created},
        "spec": spec, "status": {"hosts": claims}})
}

#[test]
fn an_older_router_that_adds_a_host_later_does_not_take_it() {
    let mut inventory = Inventory::default();
    let spec = json!({"base": "shop", "hosts": ["shop.example.com"]});
    apply(
        &mut inventory,
        [
            router("old", "r", "2026-01-01T00:00:00Z", spec.clone(), &[]),
            router("young", "r", "2026-02-01T00:00:00Z", spec, &["shop.example.com"]),
        ],
    );
    let host = Host::parse("shop.example.com").unwrap();
    assert_eq!(inventory.holder(&host).unwrap().meta.key, Key::new("young", "r"));
}

#[test]
fn version_names_belong_to_the_namespace_that_holds_the_host() {
    let mut inventory = Inventory::default();
    let theirs = json!({"base": "x", "hosts": ["version-2.shop.example.com", "other.example.com"]});
    apply(
        &mut inventory,
        [
            router(
                "a",
                "shop",
                "2026-01-01T00:00:00Z",
                json!({"base": "s", "hosts": ["shop.example.com"]}),
                &[],
            ),
            router("b", "thief", "2026-02-01T00:00:00Z", theirs, &[]),
        ],
    );
    let thief = inventory.routers.get(&Key::new("b", "thief")).unwrap();
    let held = |host: &str| inventory.holds(thief, &Host::parse(host).unwrap());
    assert!(!held("version-2.shop.example.com"));
    assert!(held("other.example.com"));
}

#[test]
fn a_host_that_is_kept_for_a_namespace_is_nobody_elses() {
    let owners = HostOwners::new(["b=shop.example.com".parse().unwrap()]);
    let mut inventory = Inventory::with(owners);
    let spec = json!({"base": "shop", "hosts": ["shop.example.com", "other.example.com"]});
    let claimed = ["shop.example.com", "other.example.com"];
    apply(
        &mut inventory,
        [
            router("a", "r", "2026-01-01T00:00:00Z", spec.clone(), &claimed),
            router("b", "r", "2026-02-01T00:00:00Z", spec, &[]),
        ],
    );
    let [a, b] = ["a", "b"].map(|namespace| inventory.routers.get(&Key::new(namespace, "r")).unwrap());
    let held = |router, host: &str| inventory.holds(router, &Host::parse(host).unwrap());
    assert_eq!((held(a, "shop.example.com"), held(b, "shop.example.com")), (false, true));
    assert_eq!((held(a, "other.example.com"), held(b, "other.example.com")), (true, false));
}

#[test]
fn patterns_of_ids() {
    let matches = |pattern: &str, id: &str| offer::IdPattern::new(pattern).matches(id);
    assert!(matches("version-*", "version-2") && matches("*", "x") && matches("pr-*-x", "pr-1-x"));
    assert!(!matches("version-*", "pr-1") && !matches("pr-1", "pr-10") && !matches("a*a", "a"));
}

#[test]
fn names_fit_and_stay_apart() {
    let long = |end: &str| format!("{}{end}", "a".repeat(80));
    assert_eq!(names::fitted("short"), "short");
    assert!(names::fitted(&long("x")).len() <= names::LONGEST);
    assert_ne!(names::fitted(&long("x")), names::fitted(&long("y")));
}

#[test]
fn a_version_whose_deletion_has_begun_is_active_no_longer() {
    let mut inventory = Inventory::default();
    let mut leaving = dpv("shop-2", json!({}));
    let mut shop = router("n", "r", "2026-01-01T00:00:00Z", json!({"base": "shop", "hosts": ["a.b"]}), &[]);
    shop["spec"]["active"] = json!("2");
    shop["status"] = json!({"active": "2"});
    apply(&mut inventory, [deployment("shop"), leaving.clone(), shop]);
    let active = |inventory: &Inventory| {
        inventory.effective_active(inventory.routers.get(&Key::new("n", "r")).unwrap()).to_string()
    };
    assert_eq!(active(&inventory), "2");
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:00Z");
    apply(&mut inventory, [leaving]);
    assert_eq!(active(&inventory), "base");
}

#[test]
fn a_version_alone_is_news_only_of_what_is_written_here() {
    let versioned = |mut object: Value, version: &str| {
        object["metadata"]["resourceVersion"] = json!(version);
        object
    };
    let of = |api_version: &str, kind: &str, spec: Value| json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "namespace": "n"}, "spec": spec});
    let mut clone = of("policy/v1", "PodDisruptionBudget", json!({}));
    clone["metadata"]["name"] = json!("clone");
    clone["metadata"]["labels"] = json!({"kyaninus.com/dpv": "x"});
    clone["metadata"]["ownerReferences"] = json!([{"apiVersion": "kyaninus.com/v1", "controller": true,
        "kind": "DeploymentVersion", "name": "a-1", "uid": "u"}]);
    let read = [
        of("autoscaling/v2", "HorizontalPodAutoscaler", json!({"maxReplicas": 3})),
        of("policy/v1", "PodDisruptionBudget", json!({"maxUnavailable": 1})),
        of("networking.k8s.io/v1", "NetworkPolicy", json!({})),
        of("v1", "Service", json!({"selector": {"app": "a"}})),
    ];
    let written =
        [of("kyaninus.com/v1", "Router", json!({"base": "a", "hosts": []})), dpv("a-1", json!({})), clone];
    let mut inventory = Inventory::default();
    let all = || read.iter().chain(&written).cloned();
    apply(&mut inventory, all().map(|it| versioned(it, "1")));
    assert!(apply(&mut inventory, all().map(|it| versioned(it, "1"))).is_empty());
    assert!(apply(&mut inventory, read.iter().map(|it| versioned(it.clone(), "2"))).is_empty());
    let seen = apply(&mut inventory, written.iter().map(|it| versioned(it.clone(), "2")));
    assert_eq!(seen.objects.len(), 3, "whoever wrote waits to see that: {seen:?}");
    let key = Key::new("n", "a");
    let versions = [
        &inventory.autoscalers.get(&key).unwrap().meta,
        &inventory.disruption_budgets.get(&key).unwrap().meta,
        &inventory.network_policies.get(&key).unwrap().meta,
        &inventory.services.get(&key).unwrap().meta,
        &inventory.routers.get(&key).unwrap().meta,
    ];
    assert!(versions.iter().all(|meta| meta.resource_version.as_deref() == Some("2")), "{versions:?}");
    let mut differs = versioned(read[1].clone(), "3");
    differs["spec"]["maxUnavailable"] = json!(2);
    assert_eq!(apply(&mut inventory, [differs]).objects.len(), 1);
}
