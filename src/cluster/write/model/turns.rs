//! A base that changes is followed by its versions: how many at a time, and who does not wait.

use serde_json::json;

use super::World;
use super::world::{image, image_of, set_image};
use crate::inventory::Kind;

const DPV: Kind = Kind::DeploymentVersion;

#[test]
fn a_base_that_changes_is_followed_five_at_a_time_and_by_the_active_version_last() {
    let names: Vec<String> = (1..=12).map(|n| format!("v{n:02}")).collect();
    let mut world = World::shop(&names.iter().map(String::as_str).collect::<Vec<_>>());
    world.edit(Kind::Router, "shop", |it| it["spec"]["active"] = json!("v03"));
    world.rest();
    set_image(&mut world, "shop", "shop:2");
    let followed = |world: &World| {
        let names = names.iter().filter(|name| image_of(world, &format!("shop-{name}")) == "shop:2");
        names.cloned().collect::<Vec<String>>()
    };
    world.hear(usize::MAX);
    for _ in 0..5 {
        world.turn();
        world.hear(usize::MAX);
        world.pass(200);
    }
    // None of them has come up: the others wait.
    assert_eq!(followed(&world), ["v01", "v02", "v04", "v05", "v06"]);
    world.pass(2_000);
    world.turn();
    assert_eq!(world.condition("shop-v07", "Ready").1, "WaitingForTurn");
    assert_eq!(world.condition("shop-v07", "Available").0, "True");
    let mut most = 0;
    while followed(&world).len() < 12 {
        let before = followed(&world).len();
        world.server.tick(world.now);
        world.hear(usize::MAX);
        world.turn();
        most = most.max(followed(&world).len() - before);
        if followed(&world).contains(&"v03".to_owned()) {
            assert_eq!(followed(&world).len(), 12, "the active one is the last");
        }
        world.pass(200);
    }
    assert!(most <= 5);
    world.rest();
    assert_eq!(world.condition("shop-v03", "Ready").0, "True");
}

#[test]
fn broken_versions_keep_nobody_from_following_for_long() {
    let mut world = World::shop(&["v1", "v2", "v3"]);
    world.max_rolling = 1;
    world.begin();
    world.rest();
    set_image(&mut world, "shop", "shop:2");
    // No Deployment ever comes up again.
    for _ in 0..2_000 {
        world.hear(usize::MAX);
        world.turn();
        world.pass(200);
    }
    for name in ["shop-v1", "shop-v2", "shop-v3"] {
        assert_eq!(image_of(&world, name), "shop:2");
    }
}

#[test]
fn an_authors_own_change_does_not_wait_for_its_turn() {
    let mut world = World::shop(&["v1", "v2", "v3"]);
    world.max_rolling = 1;
    world.begin();
    world.rest();
    set_image(&mut world, "shop", "shop:2");
    world.hear(usize::MAX);
    world.turn();
    world.edit(DPV, "shop-v3", |it| it["spec"]["deploymentSpec"] = image("mine:1"));
    world.hear(usize::MAX);
    world.turn();
    assert_eq!(image_of(&world, "shop-v3"), "mine:1");
    assert_eq!(image_of(&world, "shop-v2"), "shop:1");
}
