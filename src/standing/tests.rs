//! Objects and reports in, statuses out.

use serde_json::{Value, json};

use super::*;
use crate::inventory::report::{CloneReport, Pending, Programmed, RouteReport, Unread};
use crate::inventory::{Edit, Finding, Kind, Object, names};

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const NOON: &str = "2026-06-01T12:00:00Z";

pub(super) fn apply(inventory: &mut Inventory, values: impl IntoIterator<Item = Value>) {
    let edits: Vec<Edit> = values
        .into_iter()
        .map(|value| Edit::Apply(Box::new(Object::read(value).unwrap().unwrap())))
        .collect();
    inventory.update(edits);
}

/// A base, its Service, and a version `version-2` with its clones.
fn shop(spec: Value, clone_status: Value) -> Inventory {
    let labels = |app: &str| json!({"app": app});
    let owner = json!([{"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion", "name": "shop-version-2",
        "uid": "u", "controller": true}]);
    let ours = json!({"kyaninus.com/dpv": names::dpv_label("shop-version-2")});
    let mut inventory = Inventory::default();
    apply(
        &mut inventory,
        [
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "shop", "namespace": "n", "uid": "base-uid", "generation": 4},
                "spec": {"template": {"metadata": {"labels": labels("shop")}}}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop", "namespace": "n"},
                "spec": {"selector": labels("shop"), "ports": [{"port": 80}]}}),
            json!({"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion",
                "metadata": {"name": "shop-version-2", "namespace": "n", "generation": 3}, "spec": spec}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "shop-version-2", "namespace": "n", "labels": ours,
                    "ownerReferences": owner},
                "spec": {"replicas": 2, "template": {"metadata": {"labels": labels("shop-version-2")},
                    "spec": {"containers": [{"name": "web", "image": "shop:2"}]}}},
                "status": clone_status}),
            json!({"apiVersion": "v1", "kind": "Service",
                "metadata": {"name": "shop-version-2", "namespace": "n", "labels": ours,
                    "ownerReferences": owner},
                "spec": {"selector": labels("shop-version-2"), "ports": [{"port": 80}]}}),
        ],
    );
    inventory
}

fn planned() -> Reports {
    let report = CloneReport {
        deployment: Some("shop-version-2".into()),
        services: vec!["shop-version-2".into()],
        ..CloneReport::default()
    };
    Reports { clones: [(Key::new("n", "shop-version-2"), report)].into(), ..Reports::default() }
}

#[test]
fn what_may_not_be_read_is_a_warning_where_it_matters() {
    let inventory = shop(json!({}), up());
    let cloned = |unread: &[(Kind, Option<&str>)]| {
        let of = |(kind, namespace): &(Kind, Option<&str>)| Unread {
            kind: *kind,
            namespace: namespace.map(str::to_owned),
        };
        let reports = Reports { unread: unread.iter().map(of).collect(), ..planned() };
        let status = status(&inventory, &reports);
        assert_eq!(condition(&status, "Ready").0, "True");
        let (_, reason, words) = condition(&status, "Cloned");
        (reason.to_owned(), words.to_owned())
    };
    assert_eq!(cloned(&[]).0, "Cloned");
    assert_eq!(cloned(&[(Kind::NetworkPolicy, Some("other")), (Kind::Pod, None)]).0, "Cloned");
    for (kind, resource) in [
        (Kind::NetworkPolicy, "`networkpolicies` (networking.k8s.io)"),
        (Kind::PodDisruptionBudget, "`poddisruptionbudgets` (policy)"),
        (Kind::HorizontalPodAutoscaler, "`horizontalpodautoscalers` (autoscaling)"),
    ] {
        for namespace in [None, Some("n")] {
            let (reason, words) = cloned(&[(kind, namespace)]);
            assert_eq!(reason, "ClonedWithWarnings");
            assert!(words.contains(resource), "{words}");
        }
    }
}

fn status(inventory: &Inventory, reports: &Reports) -> DeploymentVersionStatus {
    let statuses = decide(inventory, reports, &Settings::default(), at(NOON));
    statuses.dpvs[&Key::new("n", "shop-version-2")].clone()
}

fn condition<'s>(status: &'s DeploymentVersionStatus, type_: &str) -> (&'s str, &'s str, &'s str) {
    let found = status.conditions.iter().find(|condition| condition.type_ == type_).unwrap();
    (&found.status, &found.reason, &found.message)
}

fn pod(container: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "namespace": "n",
            "labels": {"kyaninus.com/dpv": names::dpv_label("shop-version-2")}},
        "status": {"containerStatuses": [container]}})
}

fn up() -> Value {
    json!({"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2})
}

#[test]
fn a_version_that_is_up() {
    let status = status(&shop(json!({}), up()), &planned());
    assert_eq!(condition(&status, "Ready").0, "True");
    assert_eq!(condition(&status, "Routed").1, "NoRouter");
    assert_eq!(status.ready.as_deref(), Some("2/2"));
    assert_eq!(status.image.as_deref(), Some("shop:2"));
    assert_eq!(status.observed_generation, Some(3));
    let base = status.base.unwrap();
    assert_eq!(
        (base.name.as_str(), base.uid.as_deref(), base.generation),
        ("shop", Some("base-uid"), Some(4))
    );
}

#[test]
fn pods_of_an_older_template_keep_it_from_being_ready() {
    let status = status(
        &shop(json!({}), json!({"replicas": 3, "updatedReplicas": 2, "readyReplicas": 2})),
        &planned(),
    );
    assert_eq!(condition(&status, "Ready").1, "RollingOut");
    assert_eq!(condition(&status, "Reconciling").0, "True");
}

#[test]
fn a_crash_loop_in_its_own_words() {
    let mut inventory = shop(json!({}), json!({}));
    apply(
        &mut inventory,
        [pod(json!({"name": "web", "image": "shop:2", "imageID": "", "ready": false, "restartCount": 7,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "message": "DATABASE_URL is not set\n"}}}))],
    );
    let status = status(&inventory, &planned());
    assert_eq!(
        condition(&status, "Ready"),
        ("False", "CrashLooping", "web exited 1, 7 restarts: \"DATABASE_URL is not set\"")
    );
    assert_eq!(condition(&status, "Stalled").1, "CrashLooping");
}

#[test]
fn an_image_that_is_not_there() {
    let mut inventory = shop(json!({}), json!({}));
    apply(
        &mut inventory,
        [pod(json!({"name": "web", "image": "shop:nope", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}))],
    );
    let status = status(&inventory, &planned());
    let (_, reason, message) = condition(&status, "Available");
    assert_eq!(reason, "ImagePullFailed");
    assert!(message.contains("shop:nope") && message.contains("not found"), "{message}");
}

#[test]
fn a_single_restart_is_no_loop() {
    let exit = json!({"terminated": {"exitCode": 137}});
    let mut web = json!({"name": "web", "image": "a", "imageID": "", "ready": false, "restartCount": 0,
        "state": exit, "lastState": {}});
    let status_with = |web: &Value| {
        let mut inventory = shop(json!({}), json!({"replicas": 2, "updatedReplicas": 2, "readyReplicas": 1}));
        apply(&mut inventory, [pod(web.clone())]);
        status(&inventory, &planned())
    };
    let once = |status: &DeploymentVersionStatus| {
        assert_eq!(condition(status, "Ready"), ("False", "Restarting", "web exited 137, restarting"));
        assert_eq!(condition(status, "Reconciling").0, "True");
    };
    once(&status_with(&web));
    web["restartCount"] = json!(1);
    web["lastState"] = web["state"].take();
    web["state"] = json!({"running": {}});
    once(&status_with(&web));
    web["state"] = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    assert_eq!(condition(&status_with(&web), "Ready").2, "web exited 137, 1 restart");
    assert_eq!(condition(&status_with(&web), "Stalled").1, "CrashLooping");
}

#[test]
fn ready_only_once_every_serving_pod_is_of_the_newest_template() {
    let ready = |clone_status: Value| {
        let status = status(&shop(json!({}), clone_status), &planned());
        let (held, reason, _) = condition(&status, "Ready");
        (held.to_owned(), reason.to_owned())
    };
    let rolling = ("False".to_owned(), "RollingOut".to_owned());
    // A new pod is not ready yet, an old one still serves, and the new ones are fewer than wanted.
    assert_eq!(ready(json!({"replicas": 3, "updatedReplicas": 1, "readyReplicas": 2})), rolling);
    assert_eq!(ready(json!({"replicas": 3, "updatedReplicas": 2, "readyReplicas": 3})), rolling);
    assert_eq!(ready(json!({"replicas": 1, "updatedReplicas": 1, "readyReplicas": 2})), rolling);
    assert_eq!(ready(up()), ("True".to_owned(), "Ready".to_owned()));
    let stuck = json!({"replicas": 3, "updatedReplicas": 1, "readyReplicas": 2, "conditions": [
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]});
    assert_eq!(ready(stuck), ("False".to_owned(), "ProgressDeadlineExceeded".to_owned()));
}

#[test]
fn a_pod_that_is_leaving_and_still_gets_requests_keeps_it_from_being_ready() {
    let mut inventory = shop(json!({}), up());
    let mut old = pod(json!({"name": "web", "image": "a", "imageID": "", "ready": true, "restartCount": 0}));
    old["metadata"]["uid"] = json!("old");
    old["metadata"]["deletionTimestamp"] = json!("2026-06-01T11:59:59Z");
    let slice = |conditions: Value| {
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "s", "namespace": "n", "labels": {"kubernetes.io/service-name": "shop-version-2"}},
            "ports": [{"name": "", "port": 80}], "endpoints": [{"addresses": ["10.0.0.1"],
                "conditions": conditions, "targetRef": {"kind": "Pod", "name": "p", "uid": "old"}}]})
    };
    apply(&mut inventory, [old, slice(json!({"ready": true}))]);
    assert_eq!(condition(&status(&inventory, &planned()), "Ready").1, "RollingOut");
    let leaving = slice(json!({"ready": false, "serving": true, "terminating": true}));
    apply(&mut inventory, [leaving]);
    assert_eq!(condition(&status(&inventory, &planned()), "Ready").0, "True");
}

#[test]
fn what_is_not_written_yet_keeps_it_from_being_ready() {
    let inventory = shop(json!({}), up());
    let mut reports = planned();
    let key = Key::new("n", "shop-version-2");
    for (pending, reason) in [(Pending::Write, "Applying"), (Pending::Turn, "WaitingForTurn")] {
        reports.clones.get_mut(&key).unwrap().pending = Some(pending);
        let status = status(&inventory, &reports);
        let (held, found, _) = condition(&status, "Ready");
        assert_eq!((held, found), ("False", reason));
        assert_eq!(condition(&status, "Available").0, "True");
        assert_eq!(condition(&status, "Reconciling").0, "True");
    }
}

#[test]
fn quota_and_suspension() {
    let refused = json!({"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
        "message": "pods \"x\" is forbidden: exceeded quota: q"}]});
    assert_eq!(condition(&status(&shop(json!({}), refused), &planned()), "Ready").1, "QuotaExceeded");
    let suspended = status(&shop(json!({"suspend": true}), json!({})), &planned());
    assert_eq!(condition(&suspended, "Ready").1, "Suspended");
    assert!(suspended.conditions.iter().all(|it| it.type_ != "Stalled" && it.type_ != "Reconciling"));
}

#[test]
fn a_version_is_suspended_once_its_last_pod_is_gone() {
    let mut inventory = shop(json!({"suspend": true}), json!({"replicas": 2, "readyReplicas": 2}));
    let told = |inventory: &Inventory| {
        let status = status(inventory, &planned());
        let (held, reason, message) = condition(&status, "Ready");
        let reconciles = status.conditions.iter().any(|it| it.type_ == "Reconciling");
        (held.to_owned(), reason.to_owned(), message.to_owned(), reconciles)
    };
    let (held, reason, message, reconciles) = told(&inventory);
    assert_eq!((held.as_str(), reason.as_str(), reconciles), ("False", "Suspending", true));
    assert!(message.contains("2 pods still run"), "{message}");
    // The Deployment no longer counts a pod whose deletion has begun.
    inventory = shop(json!({"suspend": true}), json!({}));
    let mut old = pod(json!({"name": "web", "image": "a", "imageID": "", "ready": true, "restartCount": 0}));
    old["metadata"]["deletionTimestamp"] = json!("2026-06-01T11:59:59Z");
    apply(&mut inventory, [old]);
    assert!(told(&inventory).2.contains("1 pod still runs"));
    inventory.update([Edit::Remove(Kind::Pod, Key::new("n", "p"))]);
    assert_eq!(told(&inventory).1, "Suspended");
}

#[test]
fn a_refused_overlay_is_named_with_its_field() {
    let inventory = shop(json!({}), up());
    let mut reports = planned();
    let key = Key::new("n", "shop-version-2");
    let dpv = inventory.dpvs.get(&key).unwrap().reference();
    reports.clones.get_mut(&key).unwrap().findings =
        vec![Finding::rejected(dpv, "InvalidOverlay", "spec.deploymentSpec.replcas", "no such field")];
    assert_eq!(
        condition(&status(&inventory, &reports), "Cloned"),
        ("False", "InvalidOverlay", "spec.deploymentSpec.replcas: no such field")
    );
}

#[test]
fn a_base_that_is_gone_is_missed_and_remembered() {
    let mut inventory = shop(json!({}), up());
    let key = Key::new("n", "shop-version-2");
    feed_back(&mut inventory, &planned(), NOON);
    inventory.update([Edit::Remove(crate::inventory::Kind::Deployment, Key::new("n", "shop"))]);
    let status = status(&inventory, &planned());
    assert_eq!(condition(&status, "BaseResolved").1, "BaseMissing");
    assert_eq!(status.base, inventory.dpvs.get(&key).unwrap().status.read().base);
}

/// Writes the statuses back as an API server would; tells whether any differed.
pub(super) fn feed_back(inventory: &mut Inventory, reports: &Reports, now: &str) -> bool {
    let statuses = decide(inventory, reports, &Settings::default(), at(now)).differing(inventory);
    let differed = !statuses.is_empty();
    let dpvs = statuses.dpvs.into_iter().map(|(key, status)| {
        let mut dpv = inventory.dpvs.get(&key).unwrap().clone();
        dpv.status = crate::inventory::object::VersionStatus::of(&status);
        Edit::Apply(Box::new(Object::DeploymentVersion(dpv)))
    });
    let routers = statuses.routers.into_iter().map(|(key, status)| {
        let mut router = inventory.routers.get(&key).unwrap().clone();
        router.status = serde_json::from_value(serde_json::to_value(status).unwrap()).unwrap();
        Edit::Apply(Box::new(Object::Router(router)))
    });
    let edits: Vec<Edit> = dpvs.chain(routers).collect();
    inventory.update(edits);
    differed
}

fn router(active: &str) -> Value {
    json!({"apiVersion": "kyaninus.com/v1", "kind": "Router", "metadata": {"name": "r", "namespace": "n"},
        "spec": {"base": "shop", "hosts": ["shop.example.com"], "path": "/{version}",
            "versions": ["version-*"], "active": active}})
}

fn ready_slice(service: &str) -> Value {
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": service, "namespace": "n", "labels": {"kubernetes.io/service-name": service}},
        "ports": [{"name": "", "port": 80}], "endpoints": [{"addresses": ["10.0.0.1"]}]})
}

#[test]
fn its_own_answer_fed_back_changes_nothing() {
    let mut inventory = shop(json!({}), up());
    apply(&mut inventory, [router("version-2"), ready_slice("shop-version-2")]);
    let mut reports = planned();
    reports.routers.insert(Key::new("n", "r"), RouteReport { served: true, findings: Vec::new() });
    assert!(feed_back(&mut inventory, &reports, NOON));
    assert!(!feed_back(&mut inventory, &reports, "2026-06-01T13:00:00Z"));
}

#[test]
fn activations_claims_and_ids_once_offered() {
    let mut inventory = shop(json!({}), up());
    let mut reports = planned();
    reports.routers.insert(Key::new("n", "r"), RouteReport { served: true, findings: Vec::new() });
    apply(&mut inventory, [router("version-2")]);
    feed_back(&mut inventory, &reports, NOON);
    let key = Key::new("n", "r");
    let status = |inventory: &Inventory| inventory.routers.get(&key).unwrap().status.clone();
    assert_eq!(status(&inventory).active.as_deref(), Some("base"), "version-2 has no endpoint yet");
    assert_eq!(status(&inventory).conditions[0].reason, "ActiveNotReady");

    apply(&mut inventory, [ready_slice("shop-version-2")]);
    feed_back(&mut inventory, &reports, "2026-06-01T12:01:00Z");
    let now = status(&inventory);
    assert_eq!(now.active.as_deref(), Some("version-2"));
    let history: Vec<(&str, &str)> =
        now.history.iter().map(|it| (it.version.as_str(), it.time.as_str())).collect();
    assert_eq!(history, [("version-2", "2026-06-01T12:01:00Z"), ("base", "2026-06-01T12:00:00Z")]);
    assert_eq!(now.hosts[0].since, "2026-06-01T12:00:00Z");
    let listed = now.versions.iter().find(|it| it.id == "version-2").unwrap();
    assert_eq!(listed.url.as_deref(), Some("http://version-2.shop.example.com/"));
    assert_eq!(listed.path_url.as_deref(), Some("http://shop.example.com/version-2/"));

    // It stays active while its endpoints fail: nobody is moved silently.
    inventory.update([Edit::Remove(crate::inventory::Kind::EndpointSlice, Key::new("n", "shop-version-2"))]);
    feed_back(&mut inventory, &reports, "2026-06-01T12:02:00Z");
    assert_eq!(status(&inventory).active.as_deref(), Some("version-2"));

    inventory
        .update([Edit::Remove(crate::inventory::Kind::DeploymentVersion, Key::new("n", "shop-version-2"))]);
    feed_back(&mut inventory, &reports, "2026-06-01T12:03:00Z");
    assert_eq!(status(&inventory).active.as_deref(), Some("base"));
    assert_eq!(status(&inventory).offered[0].id, "version-2");
    feed_back(&mut inventory, &reports, "2026-07-02T12:03:00Z");
    assert!(status(&inventory).offered.is_empty(), "after 30 days the path is the application's");
}

#[test]
fn why_a_version_has_no_address() {
    let why = |version: Value, router: Value| {
        let mut inventory = shop(version, up());
        let mut spec = json!({"base": "shop", "hosts": ["shop.example.com"]});
        spec.as_object_mut().unwrap().extend(router.as_object().unwrap().clone());
        let object = json!({"apiVersion": "kyaninus.com/v1", "kind": "Router",
            "metadata": {"name": "r", "namespace": "n"}, "spec": spec});
        apply(&mut inventory, [object]);
        let status = status(&inventory, &planned());
        let (held, reason, message) = condition(&status, "Routed");
        assert_eq!(held == "True", status.url.is_some(), "{message}");
        let statuses = decide(&inventory, &planned(), &Settings::default(), at(NOON));
        let listed = &statuses.routers[&Key::new("n", "r")].versions;
        let listed = listed
            .iter()
            .find(|it| it.id != "base")
            .is_some_and(|it| it.url.is_some() || it.path_url.is_some());
        assert_eq!(held == "True", listed, "{message}");
        (reason.to_owned(), message.to_owned())
    };
    let long = "a".repeat(63);
    for (version, router, reason, words) in [
        (json!({}), json!({}), "Routed", "http://version-2.shop.example.com"),
        (json!({"services": ["shop"]}), json!({}), "Routed", "http"),
        (json!({"services": ["shop"]}), json!({"service": "shop"}), "Routed", "http"),
        (json!({"services": []}), json!({}), "NoService", "name the base's in it"),
        (
            json!({"services": ["b"]}),
            json!({"service": "shop"}),
            "NoService",
            "add `shop` to `spec.services`",
        ),
        (
            json!({"services": []}),
            json!({"versions": ["pr-*"]}),
            "NoRouter",
            "no Router of base `shop` offers",
        ),
        (
            json!({"version": long}),
            json!({"subdomain": "{version}-{host}"}),
            "HostTooLong",
            "choose a shorter `spec.version`",
        ),
        (json!({}), json!({"subdomain": ""}), "NoAddress", "`spec.subdomain` is off"),
        (json!({}), json!({"subdomain": "", "path": ""}), "NoAddress", "`spec.subdomain` is off"),
        (json!({}), json!({"subdomain": "", "path": "/{version}"}), "NoAddress", "`spec.path` is refused"),
        (
            json!({}),
            json!({"subdomain": "", "path": "/{version}", "versions": ["*-2"]}),
            "NoAddress",
            "`spec.path` is refused",
        ),
        (
            json!({}),
            json!({"subdomain": "", "path": "/v/{version}", "versions": ["version-*"]}),
            "Routed",
            "http://shop.example.com/v/version-2/",
        ),
        (json!({}), json!({"subdomain": "x"}), "NoAddress", "`spec.subdomain` is refused"),
        (json!({}), json!({"hosts": ["*.example.com"]}), "NoAddress", "wildcards"),
    ] {
        let (found, message) = why(version.clone(), router.clone());
        assert_eq!(found, reason, "{version} {router}: {message}");
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_router_that_is_on_its_way_reconciles_and_one_that_is_refused_is_stalled() {
    let mut inventory = shop(json!({}), up());
    apply(&mut inventory, [router("base")]);
    let key = Key::new("n", "r");
    let refusal = Finding::rejected(
        inventory.routers.get(&key).unwrap().reference(),
        "HostTaken",
        "spec.hosts[0]",
        "it is another's",
    );
    let edges = |running, behind: &[&Key]| {
        Some(Programmed { running, behind: behind.iter().map(|key| (*key).clone()).collect() })
    };
    let served = |findings| Some(RouteReport { served: true, findings });
    for (report, programmed, reason, type_) in [
        (None, edges(true, &[]), "Pending", Some("Reconciling")),
        (served(Vec::new()), edges(true, &[&key]), "OnItsWay", Some("Reconciling")),
        (served(Vec::new()), edges(false, &[]), "NoEdge", Some("Reconciling")),
        (served(vec![refusal]), edges(true, &[&key]), "HostTaken", Some("Stalled")),
        (served(Vec::new()), edges(true, &[]), "Ready", None),
    ] {
        let routers = report.map(|report| (key.clone(), report)).into_iter().collect();
        let reports = Reports { routers, programmed, ..planned() };
        let status = &decide(&inventory, &reports, &Settings::default(), at(NOON)).routers[&key];
        assert_eq!(status.conditions[0].reason, reason);
        let progress =
            status.conditions.iter().filter(|it| ["Reconciling", "Stalled"].contains(&it.type_.as_str()));
        let said: Vec<_> =
            progress.map(|it| (it.type_.as_str(), it.status.as_str(), it.reason.as_str())).collect();
        assert_eq!(said, Vec::from_iter(type_.map(|type_| (type_, "True", reason))));
    }
}
