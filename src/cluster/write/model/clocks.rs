//! A wall clock that is set, forward or back, while the controller waits for something.

use jiff::SignedDuration;
use serde_json::json;

use super::World;
use super::world::{image_of, set_image, version};
use crate::inventory::Kind;

const DPV: Kind = Kind::DeploymentVersion;

/// The shop, whose v1 is active and whose v4 waits for a quota; then the clock is set.
fn set(hours: i64) -> World {
    let mut world = World::shop(&["v1", "v2", "v3"]);
    world.max_rolling = 1;
    world.begin();
    world.edit(Kind::Router, "shop", |it| it["spec"]["active"] = json!("v1"));
    world.rest();
    world.server.quota.insert(Kind::Service, "exceeded quota: q".to_owned());
    world.put(DPV, version("v4", json!({})));
    world.live(20, |_| {});
    world.wrong = SignedDuration::from_hours(hours);
    world
}

#[test]
fn what_waits_goes_on_waiting_as_long_as_it_would_have() {
    for hours in [-1, 1] {
        let mut world = set(hours);
        assert_eq!(world.condition("shop-v4", "Ready").1, "QuotaExceeded");
        world.server.quota.clear();
        world.live(30, |_| {});
        assert_eq!(world.condition("shop-v4", "Ready").0, "True", "{hours} h");
        // Its finalizer, and the status of the Router that has to move first.
        world.delete(DPV, "shop-v1");
        world.live(2, |_| {});
        assert!(world.has(DPV, "shop-v1"), "{hours} h");
        world.live(10, |_| {});
        assert!(!world.has(DPV, "shop-v1"), "{hours} h");
    }
}

#[test]
fn a_roll_out_without_progress_keeps_nobody_for_longer() {
    for hours in [-1, 1] {
        let mut world = set(0);
        set_image(&mut world, "shop", "shop:2");
        // No Deployment ever comes up again; some of a process that began after the roll-out.
        for turn in 0..2_400 {
            match turn {
                150 => world.wrong = SignedDuration::from_hours(hours),
                300 => world.begin(),
                _ => {}
            }
            world.hear(usize::MAX);
            world.turn();
            world.pass(200);
        }
        for name in ["shop-v1", "shop-v2", "shop-v3"] {
            assert_eq!(image_of(&world, name), "shop:2", "{hours} h");
        }
    }
}
