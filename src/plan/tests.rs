//! Objects in, plans out.

use proptest::prelude::*;
use serde_json::{Value, json};

use std::collections::BTreeSet;

use super::*;
use crate::inventory::settings::OverlayRight;
use crate::inventory::{Edit, Kind, Object, Severity};

fn inventory(values: impl IntoIterator<Item = Value>) -> Inventory {
    let mut inventory = Inventory::default();
    apply(&mut inventory, values);
    inventory
}

fn apply(inventory: &mut Inventory, values: impl IntoIterator<Item = Value>) {
    inventory
        .update(values.into_iter().map(|value| Edit::Apply(Box::new(Object::read(value).unwrap().unwrap()))));
}

fn planned(values: impl IntoIterator<Item = Value>) -> Plan {
    plan(&inventory(values), &Settings::default())
}

fn object(api_version: &str, kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "n"}, "spec": spec})
}

fn base(name: &str) -> Value {
    let labels = json!({"app": name});
    let pod = json!({"containers": [{"name": "web", "image": "a:1"}]});
    let spec = json!({"replicas": 5, "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod}});
    object("apps/v1", "Deployment", name, spec)
}

fn service(name: &str, app: &str) -> Value {
    object("v1", "Service", name, json!({"selector": {"app": app}, "ports": [{"port": 80}]}))
}

fn dpv(name: &str, spec: Value) -> Value {
    object("kyaninus.com/v1", "DeploymentVersion", name, spec)
}

fn overlay(name: &str, deployment: Value) -> Value {
    dpv(name, json!({ "deploymentSpec": deployment }))
}

fn names(plan: &Plan) -> Vec<String> {
    plan.objects.iter().map(|desired| desired.reference.to_string()).collect()
}

fn reasons(plan: &Plan, name: &str) -> Vec<(Severity, &'static str)> {
    let report = &plan.reports[&Key::new("n", name)];
    report.findings.iter().map(|finding| (finding.severity, finding.reason)).collect()
}

fn refused(plan: &Plan, name: &str) -> Vec<&'static str> {
    assert!(plan.kept.contains(&Key::new("n", name)), "{name} is kept as it was");
    reasons(plan, name).into_iter().map(|(_, reason)| reason).collect()
}

/// Something of the clone's Deployment.
fn at(plan: &Plan, name: &str, pointer: &str) -> Option<Value> {
    part(plan, Kind::Deployment, name, pointer)
}

/// Something of an object that is planned.
fn part(plan: &Plan, kind: Kind, name: &str, pointer: &str) -> Option<Value> {
    let is = |desired: &&Desired| desired.reference.kind == kind && &*desired.reference.key.name == name;
    plan.objects
        .iter()
        .find(is)
        .unwrap_or_else(|| panic!("no {name}"))
        .object
        .value()
        .pointer(pointer)
        .cloned()
}

#[test]
fn services_come_before_the_deployment_and_are_reported() {
    let plan =
        planned([base("shop"), service("shop", "shop"), service("a", "shop"), dpv("shop-v2", json!({}))]);
    assert_eq!(names(&plan), ["Service n/a-v2", "Service n/shop-v2", "Deployment n/shop-v2"]);
    let report = &plan.reports[&Key::new("n", "shop-v2")];
    assert_eq!(report.deployment.as_deref(), Some("shop-v2"));
    assert_eq!(report.services, ["a-v2", "shop-v2"]);
    assert_eq!(report.findings, []);
    assert_eq!(at(&plan, "shop-v2", "/spec/replicas"), Some(json!(1)), "not the base's live count");
}

#[test]
fn the_same_plan_comes_out_with_the_clones_there() {
    let objects =
        [base("shop"), service("shop", "shop"), dpv("shop-v2", json!({})), dpv("shop-v3", json!({}))];
    let mut inventory = inventory(objects);
    let first = plan(&inventory, &Settings::default());
    apply(&mut inventory, first.objects.iter().map(|desired| desired.object.value()));
    assert_eq!(plan(&inventory, &Settings::default()), first);
}

fn confined() -> Vec<Value> {
    let shop = json!({"matchLabels": {"app": "shop"}});
    let cache = json!({"podSelector": {"matchLabels": {"app": "cache"}},
        "ingress": [{"from": [{"podSelector": shop}]}]});
    vec![
        base("shop"),
        service("shop", "shop"),
        object("networking.k8s.io/v1", "NetworkPolicy", "shop", json!({ "podSelector": shop })),
        object("networking.k8s.io/v1", "NetworkPolicy", "cache", cache),
        object("policy/v1", "PodDisruptionBudget", "shop", json!({"maxUnavailable": 1, "selector": shop})),
    ]
}

#[test]
fn what_confines_comes_first_and_catches_nobody_itself() {
    let mut inventory = inventory(confined().into_iter().chain([dpv("shop-v2", json!({}))]));
    let first = plan(&inventory, &Settings::default());
    assert_eq!(
        names(&first),
        [
            "NetworkPolicy n/cache-v2.peers",
            "NetworkPolicy n/shop-v2",
            "PodDisruptionBudget n/shop-v2",
            "Service n/shop-v2",
            "Deployment n/shop-v2"
        ]
    );
    let report = &first.reports[&Key::new("n", "shop-v2")];
    assert_eq!((report.policies.len(), report.budgets.len(), report.findings.len()), (2, 1, 0));
    for desired in &first.objects {
        let object = desired.object.value();
        let owner = object.pointer("/metadata/ownerReferences/0/name");
        assert_eq!(owner, Some(&json!("shop-v2")), "{}", desired.reference);
    }
    apply(&mut inventory, first.objects.iter().map(|desired| desired.object.value()));
    assert_eq!(plan(&inventory, &Settings::default()), first);
    // The copies of one version are nothing that another has to do with.
    apply(&mut inventory, [dpv("shop-v3", json!({}))]);
    assert_eq!(names(&plan(&inventory, &Settings::default())).len(), 10);
}

#[test]
fn what_confined_the_base_and_does_no_more_is_wanted_no_more() {
    let mut inventory = inventory(confined().into_iter().chain([dpv("shop-v2", json!({}))]));
    let settings = Settings::default();
    let mut planner = Planner::default();
    planner.update(&inventory, &settings, &Changes::default());
    apply(&mut inventory, planner.whole().objects.iter().map(|desired| desired.object.value()));
    let elsewhere = json!({"matchLabels": {"app": "other"}});
    for (edit, gone) in [
        (Edit::Remove(Kind::NetworkPolicy, Key::new("n", "shop")), "NetworkPolicy n/shop-v2"),
        (Edit::Remove(Kind::NetworkPolicy, Key::new("n", "cache")), "NetworkPolicy n/cache-v2.peers"),
        (
            Edit::Apply(Box::new(
                Object::read(object(
                    "policy/v1",
                    "PodDisruptionBudget",
                    "shop",
                    json!({"selector": elsewhere}),
                ))
                .unwrap()
                .unwrap(),
            )),
            "PodDisruptionBudget n/shop-v2",
        ),
    ] {
        assert!(names(&planner.whole()).iter().any(|name| name == gone), "{gone}");
        let changes = inventory.update([edit]);
        assert_eq!(
            planner.update(&inventory, &settings, &changes),
            BTreeSet::from([Key::new("n", "shop-v2")])
        );
        assert!(!names(&planner.whole()).iter().any(|name| name == gone), "{gone}");
        assert_eq!(planner.whole(), plan(&inventory, &settings));
        assert!(planner.whole().kept.is_empty());
    }
    assert_eq!(names(&planner.whole()), ["Service n/shop-v2", "Deployment n/shop-v2"]);
}

#[test]
fn a_strangers_policy_is_left_alone_too() {
    for (api_version, kind, name) in [
        ("networking.k8s.io/v1", "NetworkPolicy", "shop-v2"),
        ("networking.k8s.io/v1", "NetworkPolicy", "cache-v2.peers"),
        ("policy/v1", "PodDisruptionBudget", "shop-v2"),
    ] {
        let stranger = object(
            api_version,
            kind,
            name,
            json!({"selector": {"matchLabels": {"app": "x"}},
            "podSelector": {"matchLabels": {"app": "x"}}}),
        );
        let plan = planned(confined().into_iter().chain([dpv("shop-v2", json!({})), stranger]));
        assert_eq!(refused(&plan, "shop-v2"), ["NameTaken"]);
    }
}

#[test]
fn a_base_that_is_gone_changes_nothing() {
    let mut known = dpv("shop-v2", json!({}));
    known["status"] = json!({"base": {"name": "shop"}});
    let plan = planned([known]);
    assert_eq!(refused(&plan, "shop-v2"), ["BaseNotFound"]);
    assert_eq!(names(&plan), [""; 0]);
}

#[test]
fn suspended_versions_run_no_pods() {
    let plan =
        planned([base("shop"), dpv("shop-v2", json!({"suspend": true, "deploymentSpec": {"replicas": 3}}))]);
    assert_eq!(at(&plan, "shop-v2", "/spec/replicas"), Some(json!(0)));
    assert_eq!(reasons(&plan, "shop-v2"), [(Severity::Warning, "NoService")]);
}

#[test]
fn no_two_versions_come_to_one_name() {
    let aged = |name: &str, spec: Value, time: &str| {
        let mut object = dpv(name, spec);
        object["metadata"]["creationTimestamp"] = json!(time);
        object
    };
    let plan = planned([
        base("shop"),
        service("shop", "shop"),
        base("shop-api"),
        service("shop-api", "shop-api"),
        aged("a", json!({"name": "shop-api", "version": "v1"}), "2026-02-01T00:00:00Z"),
        aged("b", json!({"name": "shop", "version": "api-v1"}), "2026-01-01T00:00:00Z"),
    ]);
    assert_eq!(refused(&plan, "a"), ["NameTaken"], "the older has the Service `shop-api-v1`");
    assert_eq!(names(&plan), ["Service n/shop-api-v1", "Deployment n/b"]);

    let long = |end: &str| format!("shop-{}{end}", "x".repeat(80));
    let spec = |id: &str| json!({"name": "shop", "version": id});
    let plan = planned([base("shop"), dpv(&long("1"), spec("v1")), dpv(&long("2"), spec("v2"))]);
    let names = names(&plan);
    assert_eq!(names.len(), 2);
    assert_ne!(names[0], names[1]);
}

#[test]
fn two_names_of_one_hash_do_not_share_their_pods() {
    // Found by trying; their SHA-256 begin alike.
    let (one, other) = ("shop-42391", "shop-68519");
    let label = crate::inventory::names::dpv_label;
    assert_eq!(label(one), label(other));
    let plan = planned([base("shop"), dpv(one, json!({})), dpv(other, json!({}))]);
    assert_eq!(plan.kept.len(), 1);
    let kept = plan.kept.first().unwrap();
    assert_eq!(refused(&plan, &kept.name), ["NameTaken"]);
}

#[test]
fn a_strangers_object_is_left_alone() {
    let plan = planned([base("shop"), base("shop-v2"), dpv("shop-v2", json!({"name": "shop"}))]);
    assert_eq!(refused(&plan, "shop-v2"), ["NameTaken"]);
    // A clone of a DeploymentVersion of the same name that was deleted meanwhile is a stranger's too.
    let mut old = dpv("shop-v3", json!({}));
    old["metadata"]["uid"] = json!("1");
    let clone = planned([base("shop"), old.clone()]).objects[0].object.value();
    old["metadata"]["uid"] = json!("2");
    let plan = planned([base("shop"), clone, old]);
    assert_eq!(refused(&plan, "shop-v3"), ["NameTaken"]);
}

#[test]
fn a_selector_that_came_later_is_told_of_until_the_pods_have_rolled() {
    let mut inventory = inventory([base("shop"), service("shop", "shop"), dpv("shop-v2", json!({}))]);
    let before = plan(&inventory, &Settings::default());
    apply(&mut inventory, before.objects.iter().map(|desired| desired.object.value()));
    apply(&mut inventory, [service("late", "shop-v2")]);
    let after = plan(&inventory, &Settings::default());
    assert_eq!(reasons(&after, "shop-v2"), [(Severity::Warning, "PodsCaught")]);
    let label = at(&after, "shop-v2", "/spec/template/metadata/labels/app").unwrap();
    let label = label.as_str().unwrap();
    assert!(label.starts_with("shop-v2-"), "{label}");
    let selector = part(&after, Kind::Service, "shop-v2", "/spec/selector").unwrap();
    let runs = part(&before, Kind::Deployment, "shop-v2", "/spec/template/metadata/labels").unwrap();
    let selector = selector.as_object().unwrap();
    assert!(selector.iter().all(|(key, value)| runs[key] == *value), "{selector:?} leaves the pods that run");
    assert_eq!(part(&before, Kind::Service, "shop-v2", "/spec/selector"), Some(json!(selector)));
    apply(&mut inventory, after.objects.iter().map(|desired| desired.object.value()));
    assert_eq!(reasons(&plan(&inventory, &Settings::default()), "shop-v2"), []);
}

#[test]
fn what_selects_versions_on_purpose_has_them() {
    let by = |key: &str, value: &str| json!({ key: value });
    let scrape = |name: &str, selector: Value| object("v1", "Service", name, json!({ "selector": selector }));
    let budget = |name: &str, selector: Value| {
        let spec = json!({"maxUnavailable": 1, "selector": {"matchLabels": selector}});
        object("policy/v1", "PodDisruptionBudget", name, spec)
    };
    let all = by("kyaninus.com/base", "shop");
    let mut inventory = inventory([
        base("shop"),
        service("shop", "shop"),
        scrape("all", all.clone()),
        scrape("two", by("kyaninus.com/version", "v2")),
        budget("all", all),
        dpv("shop-v2", json!({})),
    ]);
    let first = plan(&inventory, &Settings::default());
    assert_eq!(reasons(&first, "shop-v2"), []);
    apply(&mut inventory, first.objects.iter().map(|desired| desired.object.value()));
    assert_eq!(plan(&inventory, &Settings::default()), first, "nor are the pods caught that run");
    apply(&mut inventory, [budget("shop", by("app", "shop"))]);
    let told = plan(&inventory, &Settings::default());
    assert_eq!(reasons(&told, "shop-v2"), [(Severity::Warning, "BudgetCatchesVersion")]);
    let message = &told.reports[&Key::new("n", "shop-v2")].findings[0].message;
    assert!(message.contains("n/all") && message.contains("n/shop"), "{message}");
}

#[test]
fn a_selector_that_nothing_escapes_refuses_the_version() {
    let selector = json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["db"]}]});
    let budget = object("policy/v1", "PodDisruptionBudget", "most", json!({ "selector": selector }));
    let plan = planned([base("shop"), budget, dpv("shop-v2", json!({}))]);
    assert_eq!(refused(&plan, "shop-v2"), ["UnsafeSelector"]);
    let message = &plan.reports[&Key::new("n", "shop-v2")].findings[0].message;
    assert!(message.contains("PodDisruptionBudget n/most") && message.contains("app=shop"), "{message}");
}

#[test]
fn an_overlays_label_that_would_be_caught_gives_way() {
    let labels = json!({"template": {"metadata": {"labels": {"app": "other"}}}});
    let plan = planned([
        base("shop"),
        service("shop", "shop"),
        service("other", "other"),
        overlay("shop-v2", labels),
    ]);
    assert_eq!(reasons(&plan, "shop-v2"), [(Severity::Warning, "OverlayLabelReplaced")]);
    assert_eq!(at(&plan, "shop-v2", "/spec/template/metadata/labels/app"), Some(json!("other-v2")));
}

#[test]
fn rights_are_the_bases_or_the_administrators_to_give() {
    let objects = [base("shop"), overlay("shop-v2", json!({"template": {"spec": {"hostNetwork": true}}}))];
    assert_eq!(refused(&planned(objects.clone()), "shop-v2"), ["OverlayNotAllowed"]);
    let allowed = BTreeSet::from([OverlayRight::HostNamespace]);
    let settings = Settings { allowed_overlays: allowed, ..Settings::default() };
    let plan = plan(&inventory(objects), &settings);
    assert_eq!(at(&plan, "shop-v2", "/spec/template/spec/hostNetwork"), Some(json!(true)));
}

#[test]
fn a_clones_service_gets_no_address_outside_but_by_the_base_or_the_administrator() {
    let with = |own: &str, asked: Value| {
        let mut service = service("shop", "shop");
        service["spec"]["type"] = own.into();
        [base("shop"), service, dpv("shop-v2", json!({ "serviceSpec": asked }))]
    };
    for asked in [
        json!({"type": "LoadBalancer"}),
        json!({"type": "ExternalName", "externalName": "x"}),
        json!({"externalIPs": ["1.2.3.4"]}),
        json!({"ports": [{"port": 80, "nodePort": 30000}]}),
    ] {
        let objects = with("ClusterIP", asked.clone());
        assert_eq!(refused(&planned(objects.clone()), "shop-v2"), ["OverlayNotAllowed"], "{asked}");
        let allowed = BTreeSet::from([OverlayRight::ExternalService]);
        let settings = Settings { allowed_overlays: allowed, ..Settings::default() };
        assert_eq!(reasons(&plan(&inventory(objects), &settings), "shop-v2"), [], "{asked}");
    }
    let as_the_base = planned(with("NodePort", json!({"type": "NodePort"})));
    assert_eq!(reasons(&as_the_base, "shop-v2"), []);
    // Whom the base's balancer lets in is not cloned.
    let balancer = planned(with("LoadBalancer", json!({"type": "LoadBalancer"})));
    assert_eq!(refused(&balancer, "shop-v2"), ["OverlayNotAllowed"]);
    let message = &balancer.reports[&Key::new("n", "shop-v2")].findings[0].message;
    assert!(!message.contains("give it to the base"), "it has one: {message}");
    assert_eq!(reasons(&planned(with("LoadBalancer", json!({}))), "shop-v2"), []);
}

#[test]
fn a_port_that_the_overlay_renames_is_missed() {
    let mut shop = base("shop");
    shop["spec"]["template"]["spec"]["containers"][0]["ports"] =
        json!([{"name": "http", "containerPort": 80}]);
    let mut named = service("shop", "shop");
    named["spec"]["ports"] = json!([{"port": 80, "targetPort": "http"}]);
    let renamed = json!([{"name": "web", "ports": [{"name": "web", "containerPort": 80}]}]);
    let renamed = overlay("shop-v2", json!({"template": {"spec": {"containers": renamed}}}));
    let plan = planned([shop, named, renamed, dpv("shop-v3", json!({}))]);
    assert_eq!(reasons(&plan, "shop-v2"), [(Severity::Warning, "PortLost")]);
    assert_eq!(reasons(&plan, "shop-v3"), []);
}

#[test]
fn a_base_that_has_something_twice_is_cloned_and_told_of() {
    let mut shop = base("shop");
    let pod = &mut shop["spec"]["template"]["spec"];
    pod["containers"][0]["env"] =
        json!([{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)"}, {"name": "A", "value": "2"}]);
    pod["containers"][0]["ports"] =
        json!([{"name": "http", "containerPort": 80}, {"name": "admin", "containerPort": 80}]);
    let mut named = service("shop", "shop");
    named["spec"]["ports"] = json!([{"name": "a", "port": 1, "targetPort": "http"}, {"name": "b", "port": 2, "targetPort": "admin"}]);
    let env = |value: &str| json!([{"name": "web", "env": [{"name": "A", "value": value}]}]);
    let changed = overlay("shop-v3", json!({"template": {"spec": {"containers": env("3")}}}));
    let plan = planned([shop, named, dpv("shop-v2", json!({})), changed]);
    let twice = (Severity::Warning, "DuplicateInBase");
    for (name, value) in [("shop-v2", "2"), ("shop-v3", "3")] {
        assert_eq!(reasons(&plan, name), [twice, twice]);
        let env = at(&plan, name, "/spec/template/spec/containers/0/env").unwrap();
        let of = |name: &str| {
            let found = env.as_array().unwrap().iter().filter(|it| it["name"] == name);
            found.map(|it| it["value"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!((of("A"), of("B")), (vec![value.to_owned()], vec!["1".to_owned()]));
        assert_eq!(part(&plan, Kind::Service, name, "/spec/ports/0/targetPort"), Some(json!("http")));
        assert_eq!(part(&plan, Kind::Service, name, "/spec/ports/1/targetPort"), Some(json!(80)));
    }
    let message = &plan.reports[&Key::new("n", "shop-v2")].findings[0].message;
    assert!(
        message.starts_with("in the base `shop`, template.spec.containers[web].env[A]: is there"),
        "{message}"
    );
}

#[test]
fn both_names_of_the_account_stay_one() {
    let mut live = base("shop");
    live["spec"]["template"]["spec"]["serviceAccountName"] = json!("a");
    live["spec"]["template"]["spec"]["serviceAccount"] = json!("a");
    let settings =
        Settings { allowed_overlays: BTreeSet::from([OverlayRight::ServiceAccount]), ..Settings::default() };
    for field in ["serviceAccountName", "serviceAccount"] {
        let overlay = overlay("shop-v2", json!({"template": {"spec": {field: "b"}}}));
        let plan = plan(&inventory([live.clone(), overlay]), &settings);
        let pod = at(&plan, "shop-v2", "/spec/template/spec").unwrap();
        let names: Vec<&Value> =
            ["serviceAccountName", "serviceAccount"].iter().filter_map(|field| pod.get(field)).collect();
        assert_eq!(names, ["b"]);
    }
}

#[test]
fn a_shared_claim_needs_a_word() {
    let mut writer = base("shop");
    let volumes = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}]);
    writer["spec"]["template"]["spec"]["volumes"] = volumes;
    assert_eq!(refused(&planned([writer.clone(), dpv("shop-v2", json!({}))]), "shop-v2"), ["SharedVolume"]);
    let mut shares = dpv("shop-v2", json!({}));
    shares["metadata"]["annotations"] = json!({"kyaninus.com/share-volumes": "true"});
    let other = json!({"template": {"spec": {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "d"}}]}}});
    let renamed = json!({"template": {"spec": {"volumes": [
        {"name": "data", "emptyDir": {}}, {"name": "again", "persistentVolumeClaim": {"claimName": "c"}}]}}});
    assert!(planned([writer.clone(), shares]).kept.is_empty());
    assert!(planned([writer.clone(), overlay("shop-v2", other)]).kept.is_empty());
    assert_eq!(refused(&planned([writer, overlay("shop-v2", renamed)]), "shop-v2"), ["SharedVolume"]);
}

#[test]
fn every_part_of_an_overlay_is_judged() {
    for (spec, field) in [
        (json!({"deploymentSpec": {"replicas": "2"}}), "spec.deploymentSpec.replicas"),
        (json!({"serviceSpec": {"prots": []}}), "spec.serviceSpec.prots"),
        (json!({"remove": ["replicas", "x"]}), "spec.remove[1]"),
        (
            json!({"deploymentSpec": {"template": {"spec": {"containers": [{"name": "web", "$patch": "delete"}]}}}}),
            "spec.deploymentSpec",
        ),
    ] {
        let plan = planned([base("shop"), service("shop", "shop"), dpv("shop-v2", spec)]);
        assert_eq!(refused(&plan, "shop-v2"), ["InvalidOverlay"]);
        assert_eq!(plan.reports[&Key::new("n", "shop-v2")].findings[0].field, field);
    }
    let mut empty = base("shop");
    empty["spec"]["template"]["spec"]["containers"] = json!([]);
    assert_eq!(refused(&planned([empty, dpv("shop-v2", json!({}))]), "shop-v2"), ["BaseInvalid"]);
}

/// Very many containers, each looked up in the overlay again.
#[test]
fn an_overlay_of_very_many_containers_is_planned() {
    let one = |number: usize| json!({"name": format!("c{number}"), "image": "a:2"});
    let containers: Vec<Value> = (0..8_000).map(one).collect();
    let many = json!({"template": {"spec": {"containers": containers}}});
    let plan = planned([base("shop"), service("shop", "shop"), overlay("shop-v2", many)]);
    assert_eq!(reasons(&plan, "shop-v2"), []);
    assert_eq!(at(&plan, "shop-v2", "/spec/template/spec/containers/8000/name"), Some(json!("c7999")));
}

#[test]
fn services_named_must_be_the_bases() {
    for (named, reason) in
        [("nowhere", "ServiceNotFound"), ("other", "ServiceNotOfBase"), ("shop-v1", "ServiceIsClone")]
    {
        let objects =
            [base("shop"), service("shop", "shop"), service("other", "other"), dpv("shop-v1", json!({}))];
        let clones = planned(objects.clone()).objects.iter().map(|it| it.object.value()).collect::<Vec<_>>();
        let chosen = dpv("shop-v2", json!({"services": [named]}));
        let plan = planned(objects.into_iter().chain(clones).chain([chosen]));
        assert_eq!(refused(&plan, "shop-v2"), [reason]);
    }
    let plan = planned([
        base("shop"),
        service("a", "shop"),
        service("b", "shop"),
        dpv("shop-v2", json!({"services": ["b"]})),
    ]);
    assert_eq!(names(&plan), ["Service n/b-v2", "Deployment n/shop-v2"]);
}

fn crowd() -> Vec<Value> {
    let router =
        object("kyaninus.com/v1", "Router", "shop", json!({"base": "shop", "hosts": ["shop.localhost"]}));
    vec![
        base("shop"),
        service("shop", "shop"),
        service("other", "other"),
        router,
        dpv("shop-v1", json!({"deploymentSpec": {"replicas": 2}})),
        dpv("shop-v2", json!({})),
        overlay("shop-v3", json!({"template": {"metadata": {"labels": {"app": "other"}}}})),
        dpv("lost-v1", json!({})),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_in_which_objects_came_does_not_matter(objects in Just(crowd()).prop_shuffle()) {
        let print = |plan: &Plan| format!("{plan:?}");
        prop_assert_eq!(print(&planned(objects)), print(&planned(crowd())));
    }
}
