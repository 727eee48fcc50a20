//! What is deleted goes, and takes no longer than traffic needs to leave it.

use serde_json::{Value, json};

use super::super::in_use::DRAIN;
use super::world::{base, image, image_of, router, set_image, version};
use super::{Server, World, id};
use crate::api::names;
use crate::inventory::Kind;

const SERVICE: Kind = Kind::Service;
const DEPLOYMENT: Kind = Kind::Deployment;
const DPV: Kind = Kind::DeploymentVersion;

fn bears_finalizer(world: &World, name: &str) -> bool {
    let dpv = world.get(DPV, name).unwrap();
    dpv["metadata"]["finalizers"]
        .as_array()
        .is_some_and(|list| list.contains(&json!(names::FINALIZER_IN_USE)))
}

#[test]
fn a_version_in_use_bears_the_finalizer_until_traffic_has_left() {
    let mut world = World::shop(&["v1", "v2"]);
    world.edit(Kind::Router, "shop", |it| *it = merged(it, router("v1", &["v2"])));
    world.rest();
    assert!(bears_finalizer(&world, "shop-v1") && bears_finalizer(&world, "shop-v2"));
    world.edit(Kind::Router, "shop", |it| *it = merged(it, router("v2", &[])));
    world.rest();
    assert!(!bears_finalizer(&world, "shop-v1") && bears_finalizer(&world, "shop-v2"));
    world.delete(DPV, "shop-v2");
    let begun = world.now;
    let mut moved = None;
    while world.has(DPV, "shop-v2") {
        assert!(world.has(DEPLOYMENT, "shop-v2") && world.has(SERVICE, "shop-v2"));
        world.server.tick(world.now);
        world.hear(usize::MAX);
        world.turn();
        let active = &world.get(Kind::Router, "shop").unwrap()["status"]["active"];
        if active == "base" {
            moved.get_or_insert(world.now);
        }
        world.pass(250);
        assert!(world.now.duration_since(begun).as_secs() < 20, "it does not hang");
    }
    assert!(world.now.duration_since(moved.unwrap()) >= DRAIN);
    world.rest();
    assert!(!world.has(DEPLOYMENT, "shop-v2"));
}

fn merged(old: &Value, new: Value) -> Value {
    let mut merged = old.clone();
    merged["spec"] = new["spec"].clone();
    merged
}

#[test]
fn without_a_router_nothing_holds_a_deletion_up() {
    let mut world = World::shop(&["v1"]);
    world.edit(Kind::Router, "shop", |it| *it = merged(it, router("v1", &[])));
    world.rest();
    assert!(bears_finalizer(&world, "shop-v1"));
    // As a namespace's deletion does it, in some order.
    world.delete(DPV, "shop-v1");
    world.delete(Kind::Router, "shop");
    world.hear(usize::MAX);
    world.turn();
    assert!(!world.has(DPV, "shop-v1"));
}

#[test]
fn a_version_being_deleted_gets_nothing_new() {
    let mut world = World::shop(&["v1"]);
    world.edit(Kind::Router, "shop", |it| *it = merged(it, router("v1", &[])));
    world.rest();
    world.delete(DPV, "shop-v1");
    world.delete(SERVICE, "shop-v1");
    set_image(&mut world, "shop", "shop:2");
    world.hear(usize::MAX);
    for _ in 0..8 {
        world.turn();
        world.hear(usize::MAX);
        world.pass(250);
    }
    assert!(world.has(DPV, "shop-v1"));
    assert!(!world.has(SERVICE, "shop-v1"));
    assert_eq!(image_of(&world, "shop-v1"), "shop:1");
}

#[test]
fn one_that_is_deleted_and_made_anew_gets_a_clone_of_its_own() {
    let mut world = World::shop(&["v1"]);
    world.rest();
    world.delete(DPV, "shop-v1");
    world.put(DPV, version("v1", image("shop:9")));
    world.rest();
    assert_eq!(image_of(&world, "shop-v1"), "shop:9");
    let uid = world.get(DPV, "shop-v1").unwrap()["metadata"]["uid"].clone();
    assert_eq!(world.get(DEPLOYMENT, "shop-v1").unwrap()["metadata"]["ownerReferences"][0]["uid"], uid);
    assert_eq!(world.server.orphans(), Vec::new());
    assert_eq!(Server::reference(&id(DPV, "x")).to_string(), "DeploymentVersion n/x");
}

/// Lets so many seconds pass, two turns a second.
fn pass(world: &mut World, seconds: usize) {
    for _ in 0..seconds * 2 {
        world.server.tick(world.now);
        world.hear(usize::MAX);
        world.turn();
        world.pass(500);
    }
}

fn tries(world: &World, since: usize) -> Vec<&String> {
    let creates = |it: &&String| it.starts_with("create") || it.starts_with("event");
    world.server.writes[since..].iter().filter(creates).collect()
}

#[test]
fn a_namespace_that_is_being_deleted_is_asked_for_nothing_new() {
    let mut world = World::shop(&["v1", "v2", "v3"]);
    world.rest();
    let writes = world.server.writes.len();
    // As the namespace's deletion does it: one kind after the other.
    world.server.ending = true;
    for name in ["shop-v1", "shop-v2", "shop-v3"] {
        world.delete(SERVICE, name);
        pass(&mut world, 2);
    }
    for name in ["shop-v1", "shop-v2", "shop-v3"] {
        world.delete(DEPLOYMENT, name);
    }
    pass(&mut world, 540);
    let tried = tries(&world, writes);
    assert!((1..=2).contains(&tried.len()), "{tried:?}");
    for name in ["shop-v1", "shop-v3"] {
        let (status, reason, words) = world.condition(name, "Ready");
        assert_eq!((status.as_str(), reason.as_str()), ("False", "NamespaceTerminating"));
        assert!(words.contains("namespace `n` is being deleted"), "{words}");
    }
    // It looked so, and was not: it is tried again some time.
    world.server.ending = false;
    world.rest();
    assert_eq!(world.condition("shop-v2", "Ready").0, "True");
}

#[test]
fn a_namespace_that_is_being_deleted_does_not_wait_for_our_finalizer() {
    let mut world = World::shop(&["v1", "v2"]);
    world.edit(Kind::Router, "shop", |it| *it = merged(it, router("v1", &[])));
    world.rest();
    assert!(bears_finalizer(&world, "shop-v1"));
    world.server.ending = true;
    world.delete(SERVICE, "shop-v2");
    pass(&mut world, 2);
    // Its pods go with the namespace: there is nothing to wait for.
    world.delete(DPV, "shop-v1");
    pass(&mut world, 2);
    assert!(!world.has(DPV, "shop-v1"));
    world.delete(DPV, "shop-v2");
    world.delete(Kind::Router, "shop");
    world.delete(DEPLOYMENT, "shop");
    world.rest();
    assert!(!world.has(DPV, "shop-v2"));
    // A new namespace of the name.
    world.server.ending = false;
    let writes = world.server.writes.len();
    world.put(DEPLOYMENT, base("shop:1"));
    world.put(DPV, version("v1", json!({})));
    pass(&mut world, 5);
    assert_eq!(world.condition("shop-v1", "Ready").0, "True");
    assert!(tries(&world, writes).iter().all(|it| !it.ends_with("shop-v2")));
}
