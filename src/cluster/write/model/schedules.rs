//! Seeded schedules of what people do, what goes wrong, and in which order things are heard: the end is always
//! the same, and no stranger is touched on the way.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::server::Id;
use super::world::{base, image, router, service, version};
use super::{Dice, Fault, World, id};
use crate::inventory::Kind;

/// What people do, in this order.
type Deed = Box<dyn Fn(&mut World)>;

fn deeds() -> Vec<Deed> {
    let mut deeds: Vec<Deed> = Vec::new();
    let mut deed = |it: fn(&mut World)| deeds.push(Box::new(it));
    deed(|w| w.put(Kind::DeploymentVersion, version("v1", image("shop:v1"))));
    deed(|w| w.put(Kind::DeploymentVersion, version("v2", json!({"replicas": 2}))));
    deed(|w| w.put(Kind::DeploymentVersion, version("v3", json!({}))));
    deed(|w| w.put(Kind::DeploymentVersion, version("taken", json!({}))));
    deed(|w| {
        w.put(
            Kind::DeploymentVersion,
            version(
                "odd",
                json!({"template": {"spec": {"containers": [
        {"name": "web", "image": "odd:1", "workingDir": "/app/"}]}}}),
            ),
        )
    });
    deed(|w| w.edit(Kind::Router, "shop", |it| it["spec"] = router("v2", &["v1"])["spec"].clone()));
    deed(|w| {
        w.edit(Kind::DeploymentVersion, "shop-v1", |it| it["spec"]["deploymentSpec"] = image("shop:v1b"))
    });
    deed(|w| w.put(Kind::Deployment, base("shop:2")));
    deed(|w| w.edit(Kind::Deployment, "shop-v2", |it| it["spec"]["replicas"] = json!(9)));
    deed(|w| w.delete(Kind::Service, "shop-v1"));
    deed(|w| w.put(Kind::Service, service("metrics", json!({"app": "shop"}))));
    deed(|w| w.edit(Kind::Router, "shop", |it| it["spec"]["service"] = json!("shop")));
    deed(|w| w.delete(Kind::DeploymentVersion, "shop-v2"));
    deed(|w| w.edit(Kind::Router, "shop", |it| it["spec"] = router("v1", &["v3"])["spec"].clone()));
    deed(|w| w.edit(Kind::Router, "shop", |it| it["spec"]["service"] = json!("shop")));
    deed(|w| w.edit(Kind::DeploymentVersion, "shop-v3", |it| it["spec"]["version"] = json!("blue")));
    deed(|w| w.delete(Kind::Service, "metrics"));
    deed(|w| w.delete(Kind::Deployment, "shop"));
    deed(|w| w.put(Kind::Deployment, base("shop:3")));
    deed(|w| w.put(Kind::DeploymentVersion, version("v4", json!({"replcas": 1}))));
    deed(|w| w.edit(Kind::DeploymentVersion, "shop-v4", |it| it["spec"]["deploymentSpec"] = json!({})));
    deeds
}

fn stage() -> World {
    World::new([
        (Kind::Deployment, base("shop:1")),
        (Kind::Service, service("shop", json!({"app": "shop"}))),
        (Kind::Router, router("base", &[])),
        (Kind::Service, service("shop-taken", json!({"other": "one"}))),
        (Kind::Deployment, stranger()),
    ])
}

fn stranger() -> Value {
    let mut stranger = base("strange:1");
    stranger["metadata"] = json!({"name": "shop-taken"});
    stranger["spec"]["selector"] = json!({"matchLabels": {"other": "one"}});
    stranger["spec"]["template"]["metadata"]["labels"] = json!({"other": "one"});
    stranger
}

/// The strangers, without what their own controllers write.
fn strangers(world: &World) -> BTreeMap<Id, Value> {
    let ids = [id(Kind::Service, "shop-taken"), id(Kind::Deployment, "shop-taken")];
    let of = |id: &Id| {
        let mut object = world.server.objects.get(id)?.clone();
        object.as_object_mut().unwrap().remove("status");
        object["metadata"].as_object_mut().unwrap().remove("resourceVersion");
        Some((id.clone(), object))
    };
    ids.iter().filter_map(of).collect()
}

/// One run; `dice` says what goes wrong, nothing without it.
fn run(mut dice: Option<Dice>) -> World {
    let mut world = stage();
    let strange = strangers(&world);
    for deed in deeds() {
        deed(&mut world);
        match &mut dice {
            None => {
                world.rest();
            }
            Some(dice) => disturb(&mut world, dice),
        }
        assert_eq!(strangers(&world), strange);
    }
    world.rest();
    assert_eq!(strangers(&world), strange);
    assert_eq!(world.server.orphans(), Vec::new());
    world
}

/// Some turns in which anything may happen.
fn disturb(world: &mut World, dice: &mut Dice) {
    let harm = dice.below(60);
    for _ in 0..dice.below(8) {
        while world.faults.len() < 12 {
            let fault = Fault::ALL[dice.below(Fault::ALL.len())];
            world.faults.push_back(dice.chance(harm).then_some(fault));
        }
        if dice.chance(70) {
            world.server.tick(world.now);
        }
        // Nothing, a little, or all is heard.
        let count = [0, 1, 3, usize::MAX][dice.below(4)];
        world.hear(count.min(1_000_000));
        world.turn();
        world.pass([5, 300, 1_500, 15_000][dice.below(4)]);
    }
}

/// How many schedules: `SYNKRONIC_SCHEDULES`, 24 by default.
fn count() -> u64 {
    std::env::var("SYNKRONIC_SCHEDULES").ok().and_then(|text| text.parse().ok()).unwrap_or(24)
}

#[test]
fn whatever_goes_wrong_the_end_is_the_same() {
    let calm = run(None);
    let wanted = calm.server.picture();
    for seed in 0..count() {
        let world = run(Some(Dice::new(seed)));
        let found = world.server.picture();
        for (name, object) in &wanted {
            assert_eq!(found.get(name), Some(object), "seed {seed}: {name}");
        }
        let more: Vec<&String> = found.keys().filter(|name| !wanted.contains_key(*name)).collect();
        assert_eq!(more, Vec::<&String>::new(), "seed {seed}");
        rests(world, seed);
    }
}

/// Once it is at rest nothing is written any more, and a new process writes next to nothing.
fn rests(mut world: World, seed: u64) {
    world.pass(3_600_000);
    assert_eq!(world.rest(), 0, "seed {seed}");
    let changed = world.server.changed;
    world.begin();
    let before = world.server.writes.len();
    world.rest();
    assert_eq!(world.server.writes[before..], ["update Deployment n/shop-odd"], "seed {seed}");
    assert_eq!(world.server.changed, changed, "seed {seed}");
}
