//! What becomes of a clone's objects: every rule of "Applying", each on a world of its own. Who takes turns is
//! in `turns`, what goes and how in `leaving`.

use serde_json::json;

use super::world::{base, image, image_of, service, set_image, version};
use super::{Fault, World};
use crate::api::names;
use crate::inventory::Kind;

const SERVICE: Kind = Kind::Service;
const DEPLOYMENT: Kind = Kind::Deployment;
const DPV: Kind = Kind::DeploymentVersion;

#[test]
fn a_version_is_made_services_first_and_then_nothing_is_written() {
    let mut world = World::shop(&["v1"]);
    world.rest();
    assert_eq!(world.writes_since(0), ["create Service n/shop-v1", "create Deployment n/shop-v1"]);
    let clone = world.get(DEPLOYMENT, "shop-v1").unwrap();
    let owner = &clone["metadata"]["ownerReferences"][0];
    assert_eq!(owner["uid"], world.get(DPV, "shop-v1").unwrap()["metadata"]["uid"]);
    assert_eq!((&owner["controller"], &owner["blockOwnerDeletion"]), (&json!(true), &json!(true)));
    assert_eq!(world.condition("shop-v1", "Ready").0, "True");
    let writes = world.server.writes.len();
    world.pass(3_600_000);
    assert_eq!(world.rest(), 0);
    world.begin();
    assert_eq!(world.rest(), 0, "{:?}", &world.server.writes[writes..]);
}

#[test]
fn what_the_server_words_differently_costs_one_apply_after_a_restart() {
    let mut world = World::shop(&[]);
    let mut overlay = image("shop:2");
    overlay["template"]["spec"]["containers"][0]["workingDir"] = json!("/app/");
    world.put(DPV, version("v1", overlay));
    world.rest();
    let writes = world.server.writes.len();
    world.pass(3_600_000);
    assert_eq!(world.rest(), 0);
    let changed = world.server.changed;
    world.begin();
    world.rest();
    let events: Vec<_> = world.server.events.iter().map(|it| it["reason"].to_string()).collect();
    assert_eq!(world.server.writes[writes..], ["update Deployment n/shop-v1"], "and no status: {events:?}");
    assert_eq!(world.server.changed, changed, "and it changes nothing");
    world.edit(DEPLOYMENT, "shop-v1", |it| {
        it["spec"]["template"]["spec"]["containers"][0]["workingDir"] = json!("/evil");
    });
    world.rest();
    assert_eq!(
        world.get(DEPLOYMENT, "shop-v1").unwrap()["spec"]["template"]["spec"]["containers"][0]["workingDir"],
        "/app"
    );
}

#[test]
fn a_strangers_objects_are_left_alone() {
    let strange = |kind: &str, api: &str| {
        json!({"apiVersion": api, "kind": kind, "metadata": {"name": "shop-v1", "labels": {"a": "b"}},
            "spec": {"selector": {"matchLabels": {"x": "y"}}, "template": {"metadata": {"labels": {"x": "y"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]}}}})
    };
    let mut world = World::shop(&[]);
    world.put(DEPLOYMENT, strange("Deployment", "apps/v1"));
    world.put(SERVICE, service("shop-v1", json!({"x": "y"})));
    world.rest();
    let kept = |world: &World| {
        let mut kept = world.server.objects.clone();
        kept.retain(|(kind, key), _| {
            &*key.name == "shop-v1" && matches!(kind, Kind::Deployment | Kind::Service)
        });
        kept
    };
    let before = kept(&world);
    world.put(DPV, version("v1", image("shop:2")));
    world.rest();
    assert_eq!(world.condition("shop-v1", "Cloned").1, "NameTaken");
    assert_eq!(kept(&world), before);
    world.delete(DPV, "shop-v1");
    world.rest();
    assert_eq!(kept(&world), before);
    assert_eq!(world.writes_since(0), Vec::<&str>::new());
}

#[test]
fn a_stranger_that_the_watch_has_not_shown_is_left_alone_too() {
    let mut world = World::shop(&[]);
    world.rest();
    world.put(DPV, version("v1", image("shop:2")));
    world.hear(usize::MAX);
    world.put(SERVICE, service("shop-v1", json!({"x": "y"})));
    let stranger = world.get(SERVICE, "shop-v1").cloned();
    // The controller writes before it hears of it.
    assert!(world.turn() > 0);
    assert_eq!(world.get(SERVICE, "shop-v1").cloned(), stranger);
    world.pass(1_000);
    world.turn();
    assert_eq!(world.get(SERVICE, "shop-v1").cloned(), stranger);
    world.rest();
    assert_eq!(world.condition("shop-v1", "Cloned").1, "NameTaken");
    assert!(!world.has(DEPLOYMENT, "shop-v1"), "no pods that nothing leads to");
    world.delete(SERVICE, "shop-v1");
    world.rest();
    assert_eq!(world.condition("shop-v1", "Ready").0, "True");
}

#[test]
fn hand_edits_are_set_back_and_what_others_added_stays() {
    let mut world = World::shop(&["v1"]);
    world.rest();
    set_image(&mut world, "shop-v1", "evil:1");
    world.edit(DEPLOYMENT, "shop-v1", |it| it["metadata"]["labels"]["team"] = json!("qa"));
    world.edit(SERVICE, "shop-v1", |it| it["spec"]["selector"]["more"] = json!("x"));
    world.rest();
    assert_eq!(image_of(&world, "shop-v1"), "shop:1");
    assert_eq!(world.get(DEPLOYMENT, "shop-v1").unwrap()["metadata"]["labels"]["team"], "qa");
    world.edit(DEPLOYMENT, "shop-v1", |it| it["spec"]["replicas"] = json!(4));
    world.delete(SERVICE, "shop-v1");
    world.rest();
    assert_eq!(world.get(DEPLOYMENT, "shop-v1").unwrap()["spec"]["replicas"], 1);
    assert!(world.has(SERVICE, "shop-v1"));
}

#[test]
fn a_clone_without_its_labels_gets_them_back() {
    let mut world = World::shop(&["v1"]);
    world.rest();
    for (kind, name) in [(DEPLOYMENT, "shop-v1"), (SERVICE, "shop-v1")] {
        let labels = world.get(kind, name).unwrap()["metadata"]["labels"].clone();
        assert!(labels.get("kyaninus.com/dpv").is_some(), "{labels}");
        world.edit(kind, name, |it| {
            it["metadata"].as_object_mut().unwrap().remove("labels");
        });
        world.rest();
        assert_eq!(world.get(kind, name).unwrap()["metadata"]["labels"], labels, "{kind:?}");
        assert_eq!(world.condition("shop-v1", "Ready").0, "True");
    }
    world.edit(DPV, "shop-v1", |it| it["spec"]["deploymentSpec"] = image("shop:2"));
    world.rest();
    assert_eq!(image_of(&world, "shop-v1"), "shop:2");
}

#[test]
fn a_field_that_is_no_longer_wanted_goes() {
    let mut world = World::shop(&[]);
    let mut overlay = image("shop:2");
    overlay["minReadySeconds"] = json!(7);
    world.put(DPV, version("v1", overlay));
    world.rest();
    assert_eq!(world.get(DEPLOYMENT, "shop-v1").unwrap()["spec"]["minReadySeconds"], 7);
    world.edit(DPV, "shop-v1", |it| it["spec"]["deploymentSpec"] = image("shop:2"));
    world.rest();
    assert_eq!(world.get(DEPLOYMENT, "shop-v1").unwrap()["spec"].get("minReadySeconds"), None);
}

#[test]
fn a_write_that_only_lost_its_answer_is_no_trouble() {
    let mut world = World::shop(&["v1"]);
    // Enough to be told of; the last one was made.
    world.faults.extend([Some(Fault::Before), Some(Fault::Before), Some(Fault::Lost)]);
    while !world.faults.is_empty() {
        world.hear(usize::MAX);
        world.turn();
        world.pass(10_000);
    }
    world.rest();
    assert_eq!(world.condition("shop-v1", "Cloned").1, "Cloned");
}

#[test]
fn labels_that_change_take_no_pod_away() {
    let mut world = World::shop(&["v1"]);
    world.rest();
    let serves = |world: &World| {
        let slice = world.get(Kind::EndpointSlice, "shop-v1").unwrap();
        slice["endpoints"].as_array().is_some_and(|endpoints| !endpoints.is_empty())
    };
    let labels = |world: &World| {
        world.get(DEPLOYMENT, "shop-v1").unwrap()["spec"]["template"]["metadata"]["labels"]["app"].clone()
    };
    assert!(serves(&world) && labels(&world) == "shop-v1");
    let mine = json!({"template": {"metadata": {"labels": {"app": "mine"}}}});
    world.edit(DPV, "shop-v1", |it| it["spec"]["deploymentSpec"] = mine);
    // The server refuses for a while, then all goes well.
    world.faults.extend([Some(Fault::Broken), None, Some(Fault::Busy), Some(Fault::Broken)]);
    for _ in 0..600 {
        world.hear(usize::MAX);
        world.turn();
        world.server.tick(world.now);
        assert!(serves(&world), "its pods are no longer selected");
        world.pass(100);
    }
    assert_eq!(labels(&world), "mine");
    assert_eq!(world.condition("shop-v1", "Ready").0, "True");
}

#[test]
fn an_autoscalers_replicas_are_its_own() {
    let mut world = World::shop(&["v1"]);
    world.rest();
    let scaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "x"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop-v1"}}});
    // It scaled before it was heard of.
    world.edit(DEPLOYMENT, "shop-v1", |it| it["spec"]["replicas"] = json!(4));
    world.put(Kind::HorizontalPodAutoscaler, scaler);
    world.rest();
    let replicas = |world: &World| world.get(DEPLOYMENT, "shop-v1").unwrap()["spec"]["replicas"].clone();
    assert_eq!(replicas(&world), 4, "it does not fall to the default on the way");
    world.edit(DEPLOYMENT, "shop-v1", |it| it["spec"]["replicas"] = json!(6));
    world.rest();
    assert_eq!(replicas(&world), 6);
    world.edit(DPV, "shop-v1", |it| it["spec"]["deploymentSpec"] = image("shop:3"));
    world.rest();
    assert_eq!((replicas(&world), image_of(&world, "shop-v1")), (json!(6), "shop:3".to_owned()));
    world.delete(Kind::HorizontalPodAutoscaler, "x");
    world.rest();
    assert_eq!(replicas(&world), 1);
}

#[test]
fn what_was_left_to_an_autoscaler_stays_so_where_nobody_knows_of_it() {
    let mut world = World::shop(&["v1"]);
    let scaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "x"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop-v1"}}});
    world.put(Kind::HorizontalPodAutoscaler, scaler);
    world.rest();
    world.edit(DEPLOYMENT, "shop-v1", |it| it["spec"]["replicas"] = json!(20));
    world.rest();
    let replicas = |world: &World| world.get(DEPLOYMENT, "shop-v1").unwrap()["spec"]["replicas"].clone();
    // Another process may not read autoscalers.
    world.deaf.insert(Kind::HorizontalPodAutoscaler);
    world.begin();
    world.edit(DPV, "shop-v1", |it| it["spec"]["deploymentSpec"] = image("shop:3"));
    world.rest();
    assert_eq!((replicas(&world), image_of(&world, "shop-v1")), (json!(20), "shop:3".to_owned()));
    // And one that may, and finds none, takes the count back.
    world.delete(Kind::HorizontalPodAutoscaler, "x");
    world.deaf.clear();
    world.begin();
    world.rest();
    assert_eq!(replicas(&world), 1);
}

#[test]
fn a_version_that_is_suspended_runs_no_pods_though_an_autoscaler_scales_it() {
    let scaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "x"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop-v1"}}});
    let replicas = |world: &World| world.get(DEPLOYMENT, "shop-v1").unwrap()["spec"]["replicas"].clone();
    let suspend = |world: &mut World, on: bool| {
        world.edit(DPV, "shop-v1", |it| it["spec"]["suspend"] = json!(on));
        world.rest();
    };
    for written in [None, Some(3)] {
        let mut world = World::shop(&["v1"]);
        if let Some(count) = written {
            world.edit(DPV, "shop-v1", |it| it["spec"]["deploymentSpec"]["replicas"] = json!(count));
        }
        world.put(Kind::HorizontalPodAutoscaler, scaler.clone());
        world.rest();
        world.edit(DEPLOYMENT, "shop-v1", |it| it["spec"]["replicas"] = json!(4));
        world.rest();
        assert_eq!(replicas(&world), 4);
        // An autoscaler leaves a Deployment of 0 alone: nobody else would bring it down, or up again.
        suspend(&mut world, true);
        assert_eq!(replicas(&world), 0);
        suspend(&mut world, false);
        assert_eq!(replicas(&world), written.unwrap_or(1));
        // It is the autoscaler's again.
        world.edit(DEPLOYMENT, "shop-v1", |it| it["spec"]["replicas"] = json!(6));
        world.rest();
        assert_eq!(replicas(&world), 6);
    }
}

#[test]
fn what_the_plan_no_longer_wants_goes_and_nothing_else() {
    let mut world = World::shop(&["v1"]);
    world.put(SERVICE, service("metrics", json!({"app": "shop"})));
    world.edit(Kind::Router, "shop", |it| it["spec"]["service"] = json!("shop"));
    world.rest();
    assert!(world.has(SERVICE, "metrics-v1"));
    world.delete(SERVICE, "metrics");
    world.rest();
    assert!(!world.has(SERVICE, "metrics-v1"));
    assert!(world.has(SERVICE, "shop-v1") && world.has(SERVICE, "shop") && world.has(DEPLOYMENT, "shop"));
    // Somebody took the other clone out of our hands.
    world.edit(SERVICE, "shop-v1", |it| {
        it["metadata"].as_object_mut().unwrap().remove("ownerReferences");
    });
    world.delete(SERVICE, "shop");
    world.rest();
    assert!(world.has(SERVICE, "shop-v1"));
}

#[test]
fn another_version_id_renames_the_services_the_new_ones_first() {
    let mut world = World::shop(&["v1"]);
    world.rest();
    let writes = world.server.writes.len();
    world.edit(DPV, "shop-v1", |it| it["spec"]["version"] = json!("blue"));
    world.rest();
    let names: Vec<&str> = world.writes_since(writes);
    let at =
        |what: &str| names.iter().position(|write| *write == what).unwrap_or_else(|| panic!("{names:?}"));
    assert!(at("create Service n/shop-blue") < at("delete Service n/shop-v1"));
    assert!(!world.has(SERVICE, "shop-v1"));
}

#[test]
fn an_older_version_that_moves_to_a_taken_id_takes_it_from_nobody() {
    let mut world = World::shop(&["v1"]);
    world.rest();
    world.pass(5_000);
    world.put(DPV, version("v2", image("shop:2")));
    world.rest();
    world.edit(DPV, "shop-v1", |it| it["spec"]["version"] = json!("v2"));
    world.rest();
    assert_eq!(world.condition("shop-v1", "Ready").1, "VersionTaken");
    assert_eq!(world.condition("shop-v2", "Ready").0, "True");
    assert!(world.has(SERVICE, "shop-v1") && world.has(DEPLOYMENT, "shop-v1"), "what runs stays");
    world.edit(DPV, "shop-v2", |it| it["spec"]["deploymentSpec"] = image("shop:3"));
    world.rest();
    assert_eq!(image_of(&world, "shop-v2"), "shop:3", "and is kept by nothing");
    world.edit(DPV, "shop-v2", |it| it["spec"]["version"] = json!("v3"));
    world.rest();
    for name in ["shop-v1", "shop-v2"] {
        assert_eq!(world.condition(name, "Ready").0, "True", "{name}");
    }
    let dpv = |name: &str| world.get(DPV, name).unwrap()["status"]["services"].clone();
    assert_eq!((dpv("shop-v1"), dpv("shop-v2")), (json!(["shop-v2"]), json!(["shop-v3"])));
}

#[test]
fn what_is_refused_keeps_its_objects_and_so_does_one_whose_base_is_gone() {
    let mut world = World::shop(&["v1"]);
    world.rest();
    world.edit(DPV, "shop-v1", |it| it["spec"]["deploymentSpec"] = json!({"replcas": 2}));
    world.rest();
    assert_eq!(world.condition("shop-v1", "Ready").1, "InvalidOverlay");
    assert!(world.has(DEPLOYMENT, "shop-v1") && world.has(SERVICE, "shop-v1"));
    world.edit(DPV, "shop-v1", |it| it["spec"]["deploymentSpec"] = image("shop:2"));
    world.delete(DEPLOYMENT, "shop");
    world.rest();
    assert!(world.has(DEPLOYMENT, "shop-v1") && world.has(SERVICE, "shop-v1"));
    assert_eq!(image_of(&world, "shop-v1"), "shop:1");
    world.put(DEPLOYMENT, base("shop:7"));
    world.rest();
    assert_eq!(image_of(&world, "shop-v1"), "shop:2");
}

#[test]
fn a_refusal_harms_nobody_else_and_ends_when_its_cause_does() {
    let mut world = World::shop(&["v1"]);
    world.rest();
    world.server.quota.insert(SERVICE, "services \"x\" is forbidden: exceeded quota: q".to_owned());
    world.put(DPV, version("v2", image("shop:2")));
    world.edit(DPV, "shop-v1", |it| it["spec"]["deploymentSpec"] = image("shop:3"));
    for _ in 0..400 {
        world.server.tick(world.now);
        world.hear(usize::MAX);
        world.turn();
        world.pass(500);
    }
    let (status, reason, words) = world.condition("shop-v2", "Ready");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "QuotaExceeded"));
    assert!(words.contains("exceeded quota: q"), "{words}");
    assert!(!world.has(DEPLOYMENT, "shop-v2"));
    assert_eq!(image_of(&world, "shop-v1"), "shop:3");
    assert_eq!(world.condition("shop-v1", "Ready").0, "True");
    let tries = world.server.writes.iter().filter(|write| *write == "create Service n/shop-v2").count();
    assert!((5..14).contains(&tries), "{tries} tries in 200 s");
    world.server.quota.clear();
    world.rest();
    assert_eq!(world.condition("shop-v2", "Ready").0, "True");
}

#[test]
fn a_status_is_written_once_a_second_at_most() {
    let mut world = World::shop(&["v1"]);
    world.rest();
    let writes = world.server.writes.len();
    for n in 0..40 {
        // Up and down four times a second.
        world.edit(DEPLOYMENT, "shop-v1", |it| {
            it["status"]["readyReplicas"] = json!(n % 2);
            it["status"]["availableReplicas"] = json!(n % 2);
        });
        world.hear(usize::MAX);
        world.turn();
        world.pass(250);
    }
    let of = |what: &str| world.server.writes[writes..].iter().filter(|it| it.as_str() == what).count();
    assert!(
        (5..=11).contains(&of("status DeploymentVersion n/shop-v1")),
        "{:?}",
        &world.server.writes[writes..]
    );
    assert!(of("event DeploymentVersion n/shop-v1") <= 2, "what flaps is told once");
}

#[test]
fn a_lost_answer_to_a_creation_is_no_stranger() {
    let mut world = World::shop(&["v1"]);
    world.faults = vec![Some(Fault::Lost); 3].into();
    world.hear(usize::MAX);
    for _ in 0..12 {
        // The watch is silent meanwhile.
        world.turn();
        world.pass(500);
    }
    world.rest();
    assert_eq!(world.condition("shop-v1", "Ready").0, "True");
    assert!(!world.server.events.iter().any(|event| event["reason"] == "NameTaken"));
}

#[test]
fn a_base_service_that_turns_headless_is_followed_and_back() {
    let mut world = World::shop(&["v1"]);
    world.rest();
    let address = |world: &World| world.get(SERVICE, "shop-v1").unwrap()["spec"]["clusterIP"].clone();
    let writes = world.server.writes.len();
    world.edit(SERVICE, "shop", |it| it["spec"]["clusterIP"] = json!("None"));
    world.rest();
    assert_eq!(address(&world), "None");
    // Its address cannot be changed: the clone's Service, and nothing else, is another one.
    assert_eq!(world.writes_since(writes), ["delete Service n/shop-v1", "create Service n/shop-v1"]);
    world.edit(SERVICE, "shop", |it| it["spec"]["clusterIP"] = json!("10.96.0.1"));
    world.rest();
    assert_ne!(address(&world), "None");
    assert_eq!(world.condition("shop-v1", "Ready").0, "True");
    world.pass(3_600_000);
    assert_eq!(world.rest(), 0);
}

#[test]
fn a_status_that_the_server_does_not_keep_is_not_written_for_ever() {
    let mut world = World::shop(&["v1"]);
    // An older definition, without the field.
    world.server.prunes = Some("image");
    world.live(30, |_| {});
    let writes = world.server.writes.len();
    world.live(600, |_| {});
    assert_eq!(world.server.writes[writes..], [""; 0]);
    // What it does keep is written, and what it did not once it would.
    world.edit(DPV, "shop-v1", |it| it["metadata"]["annotations"] = json!({names::ANNOTATION_BUILD: "4711"}));
    world.live(5, |_| {});
    assert_eq!(world.get(DPV, "shop-v1").unwrap()["status"]["build"], "4711");
    world.server.prunes = None;
    world.edit(DPV, "shop-v1", |it| it["metadata"]["labels"] = json!({"a": "b"}));
    world.live(5, |_| {});
    assert_eq!(world.get(DPV, "shop-v1").unwrap()["status"]["image"], "shop:1");
}
