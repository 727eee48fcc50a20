//! Who changes or deletes what is made, and what looks like it: it is set back, named, and never fought at full speed.

use serde_json::json;

use super::World;
use super::world::{image, image_of, set_image, version};
use crate::api::names;
use crate::cluster::trouble::{Failure, Trouble};
use crate::cluster::watch::News;
use crate::inventory::Kind;

const SERVICE: Kind = Kind::Service;
const DEPLOYMENT: Kind = Kind::Deployment;
const DPV: Kind = Kind::DeploymentVersion;

#[test]
fn a_rival_is_named_and_there_is_no_hot_loop() {
    let mut world = World::shop(&["v1"]);
    world.rest();
    let writes = world.server.writes.len();
    // Half an hour of somebody who changes it back at once.
    let end = world.now + jiff::SignedDuration::from_mins(30);
    while world.now < end {
        set_image(&mut world, "shop-v1", "evil:1");
        world.hear(usize::MAX);
        world.turn();
        world.pass(250);
    }
    let updates = world.writes_since(writes).len();
    assert!((8..40).contains(&updates), "{updates} updates in half an hour");
    world.turn();
    let (_, reason, words) = world.condition("shop-v1", "Cloned");
    assert_eq!(reason, "ClonedWithWarnings");
    assert!(words.contains("spec.template.spec.containers[0].image"), "{words}");
    world.rest();
    assert_eq!(image_of(&world, "shop-v1"), "shop:1");
    assert_eq!(world.condition("shop-v1", "Cloned").1, "Cloned", "peace is made");
}

#[test]
fn a_rival_that_rewrites_the_mark_is_a_rival_too() {
    let mut world = World::shop(&["v1"]);
    world.rest();
    let writes = world.server.writes.len();
    // As another installation does that makes the same versions.
    world.live(1_800, |world| {
        world.edit(DEPLOYMENT, "shop-v1", |it| {
            it["metadata"]["annotations"][names::ANNOTATION_APPLIED] =
                json!("0123456789abcdef-0123456789abcdef");
        });
    });
    let updates = world.writes_since(writes).len();
    assert!((8..40).contains(&updates), "{updates} updates in half an hour");
    let (_, reason, words) = world.condition("shop-v1", "Cloned");
    assert_eq!(reason, "ClonedWithWarnings");
    assert!(words.contains("`metadata.annotations.kyaninus.com/applied`"), "{words}");
    // A wish of its author's is none of theirs.
    world.edit(DPV, "shop-v1", |it| it["spec"]["deploymentSpec"] = image("shop:2"));
    world.hear(usize::MAX);
    world.turn();
    assert_eq!(image_of(&world, "shop-v1"), "shop:2");
}

#[test]
fn a_server_that_strips_the_mark_is_written_to_once_for_each_wish() {
    let mut world = World::shop(&[]);
    world.server.strips_marks = true;
    world.put(DPV, version("v1", image("shop:2")));
    world.rest();
    assert_eq!(world.writes_since(0), ["create Service n/shop-v1", "create Deployment n/shop-v1"]);
    world.pass(3_600_000);
    assert_eq!(world.rest(), 0);
    set_image(&mut world, "shop-v1", "evil:1");
    world.rest();
    assert_eq!(image_of(&world, "shop-v1"), "shop:2");
    world.edit(DPV, "shop-v1", |it| it["spec"]["deploymentSpec"] = image("shop:3"));
    world.rest();
    assert_eq!(image_of(&world, "shop-v1"), "shop:3");
    let (writes, before) = (world.server.writes.len(), world.get(DEPLOYMENT, "shop-v1").cloned());
    world.begin();
    world.rest();
    assert_eq!(world.writes_since(writes).len(), 2, "one for each object");
    assert_eq!(world.get(DEPLOYMENT, "shop-v1").cloned(), before, "and it changes nothing");
}

fn creations(world: &World, since: usize, of: &str) -> usize {
    world.server.writes[since..].iter().filter(|it| **it == format!("create {of}")).count()
}

#[test]
fn a_clone_that_goes_again_and_again_is_made_anew_with_growing_pauses() {
    let mut world = World::shop(&["v1"]);
    world.rest();
    // Once is an accident.
    world.delete(DEPLOYMENT, "shop-v1");
    world.hear(usize::MAX);
    world.turn();
    assert!(world.has(DEPLOYMENT, "shop-v1"));
    world.rest();
    let writes = world.server.writes.len();
    world.live(1_800, |world| world.delete(DEPLOYMENT, "shop-v1"));
    let made = creations(&world, writes, "Deployment n/shop-v1");
    assert!((8..40).contains(&made), "{made} creations in half an hour");
    let (_, _, words) = world.condition("shop-v1", "Cloned");
    assert!(words.contains("keeps deleting the Deployment `shop-v1`"), "{words}");
    world.rest();
    assert_eq!(world.condition("shop-v1", "Cloned").1, "Cloned", "peace is made");
}

#[test]
fn a_version_whose_end_is_not_heard_starts_no_pods_for_ever() {
    let mut world = World::shop(&["v1"]);
    world.rest();
    world.deaf.insert(DPV);
    world.delete(DPV, "shop-v1");
    let writes = world.server.writes.len();
    world.live(1_800, |_| {});
    let made = creations(&world, writes, "Deployment n/shop-v1");
    assert!((1..40).contains(&made), "{made} creations in half an hour");
    world.deaf.clear();
    world.begin();
    world.rest();
    assert!(!world.has(DEPLOYMENT, "shop-v1") && !world.has(SERVICE, "shop-v1"));
}

#[test]
fn nothing_is_made_while_nobody_knows_which_versions_are_there() {
    let mut world = World::shop(&["v1"]);
    world.rest();
    world.tell(DPV, News::Failing(Failure::new(Trouble::Forbidden, "no")));
    let writes = world.server.writes.len();
    world.live(60, |world| world.delete(DEPLOYMENT, "shop-v1"));
    assert_eq!(creations(&world, writes, "Deployment n/shop-v1"), 0);
    // What is there is set back all the same.
    let selects = |world: &World| world.get(SERVICE, "shop-v1").unwrap()["spec"]["selector"].clone();
    let before = selects(&world);
    world.edit(SERVICE, "shop-v1", |it| it["spec"]["selector"][names::LABEL_DPV] = json!("x"));
    world.live(2, |_| {});
    assert_eq!(selects(&world), before);
    world.tell(DPV, News::Answering);
    world.live(2, |_| {});
    assert!(world.has(DEPLOYMENT, "shop-v1"));
}
