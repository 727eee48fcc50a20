use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::edge::pool::Load;
use crate::routes::{Endpoint, Protocol};

fn route(ids: &[u64]) -> Route {
    let endpoint = |id: &u64| {
        Arc::new(Endpoint {
            id: *id,
            namespace: "shop".into(),
            service: "shop".into(),
            pod_uid: "".into(),
            address: ([127, 0, 0, 1], 1).into(),
            protocol: Protocol::Http1,
            retired: AtomicBool::new(false),
        })
    };
    Route::trial("shop", "shop", "base", ids.iter().map(endpoint).collect())
}

struct World {
    slots: Slots,
    chance: Chance,
}

impl World {
    fn new() -> Self {
        Self { slots: Slots::default(), chance: Chance::new() }
    }

    fn at(&self, now: u64) -> Balance<'_> {
        Balance { slots: &self.slots, chance: &self.chance, now }
    }

    fn tally(&self, route: &Route, now: u64, avoid: Option<u64>) -> BTreeMap<u64, u32> {
        let mut tally = BTreeMap::new();
        for _ in 0..3000 {
            let slot = self.at(now).choose(route, avoid).expect("the route has endpoints");
            *tally.entry(slot.endpoint.id).or_default() += 1;
        }
        tally
    }
}

#[test]
fn all_get_their_share() {
    let world = World::new();
    let tally = world.tally(&route(&[1, 2, 3]), 0, None);
    assert!(tally.values().all(|n| (800..1200).contains(n)), "{tally:?}");
    assert_eq!(tally.len(), 3);
}

#[test]
fn the_loaded_one_gets_less() {
    let world = World::new();
    let route = route(&[1, 2]);
    let _busy = Load::on(world.slots.of(&route.endpoints[0]));
    assert_eq!(world.tally(&route, 0, None), BTreeMap::from([(2, 3000)]));
}

#[test]
fn none_that_failed_unless_all_did() {
    let world = World::new();
    let route = route(&[1, 2, 3]);
    for endpoint in &route.endpoints[..2] {
        world.slots.of(endpoint).failed(0);
    }
    assert_eq!(world.tally(&route, 0, None), BTreeMap::from([(3, 3000)]));
    assert_eq!(world.tally(&route, 1_000, None).len(), 3, "the pause is over");
    world.slots.of(&route.endpoints[2]).failed(0);
    assert_eq!(world.tally(&route, 0, None).len(), 3, "all failed: any will do");
}

#[test]
fn whose_pause_is_over_gets_one_request_on_trial() {
    let world = World::new();
    let route = route(&[1, 2]);
    let ill = world.slots.of(&route.endpoints[0]);
    ill.failed(0);
    let tally = world.tally(&route, 1_000, None);
    assert_eq!(tally, BTreeMap::from([(1, 1), (2, 2999)]), "the others wait for how it goes");
    assert_eq!(world.tally(&route, 2_000, None).get(&1), Some(&1), "nothing was heard: another trial");
    ill.worked();
    assert!(world.tally(&route, 2_000, None).get(&1) > Some(&1000), "it answers again");
}

#[test]
fn pauses_grow_and_end_with_an_answer() {
    let world = World::new();
    let route = route(&[1]);
    let slot = world.slots.of(&route.endpoints[0]);
    assert!(slot.failed(0));
    assert!(!slot.failed(0), "set aside already");
    assert!(!slot.healthy(1_999) && slot.healthy(2_000));
    for _ in 0..100 {
        slot.failed(0);
    }
    assert!(!slot.healthy(59_999) && slot.healthy(60_000));
    slot.worked();
    assert!(slot.healthy(0));
    assert!(world.at(0).choose(&route, None).is_some(), "never the last one");
}

#[test]
fn another_than_the_one_to_avoid() {
    let world = World::new();
    assert_eq!(world.tally(&route(&[1, 2]), 0, Some(1)), BTreeMap::from([(2, 3000)]));
    assert_eq!(world.tally(&route(&[1, 2, 3]), 0, Some(2)).len(), 2);
    assert!(world.at(0).choose_other(&route(&[1]), 1).is_none());
    assert!(world.at(0).choose(&route(&[1]), Some(1)).is_some());
    assert!(world.at(0).choose(&route(&[]), None).is_none());
}
