//! The override header, the active version, what is on offer, and what caches are told.

use serde_json::{Value, json};

use super::world::*;
use crate::inventory::Kind;

#[test]
fn the_override_header_where_the_router_has_it() {
    let ask = |value: &str| Ask::get("shop.example.com/").header("X-Synkronic-Version", value);
    assert_eq!(World::shop(json!({})).get(&ask("version-2")), "base active");
    let world = World::shop(json!({"override": {"header": "x-synkronic-version"}}));
    assert_eq!(world.get(&ask("version-2")), "version-2 header vary x-synkronic-version");
    assert_eq!(world.get(&ask(" version-2 ")), "version-2 header vary x-synkronic-version");
    assert_eq!(world.get(&ask("base")), "base header vary x-synkronic-version");
    assert_eq!(world.get(&ask("version-9")), "no version version-9 header");
    assert_eq!(world.get(&ask("Version-2")), "no version Version-2 header");
    assert_eq!(world.get(&ask("version-2, version-3")), "no version version-2, version-3 header");
    assert_eq!(world.get(&ask("")), "base active vary x-synkronic-version");
    assert_eq!(
        world.get(&ask("version-2").header("X-Synkronic-Version", "version-3")),
        "version-2 header vary x-synkronic-version"
    );
    let bytes = Ask::get("shop.example.com/").header_bytes("X-Synkronic-Version", &[0xff]);
    assert_eq!(world.get(&bytes), "no version \u{fffd} header");
}

#[test]
fn the_header_comes_before_the_subdomain() {
    let world = World::shop(json!({"override": {"header": "X-V"}}));
    let ask = Ask::get("version-1.shop.example.com/").header("X-V", "version-2");
    assert_eq!(world.get(&ask), "version-2 header vary x-v");
}

#[test]
fn only_what_is_on_offer_can_be_named() {
    let world = World::shop(
        json!({"versions": ["version-1", "pr-*"], "override": {"header": "X-V"}, "active": "version-3"}),
    );
    assert_eq!(world.get(&Ask::get("version-1.shop.example.com/")), "version-1 subdomain vary x-v");
    assert_eq!(world.get(&Ask::get("version-2.shop.example.com/")), "no version version-2 subdomain");
    assert_eq!(
        world.get(&Ask::get("shop.example.com/").header("x-v", "version-2")),
        "no version version-2 header"
    );
    assert_eq!(world.get(&Ask::get("shop.example.com/")), "version-3 active vary x-v");
    assert_eq!(world.get(&Ask::get("version-3.shop.example.com/")), "no version version-3 subdomain");
    assert_eq!(world.get(&Ask::get("base.shop.example.com/")), "base subdomain vary x-v");
}

#[test]
fn the_active_version_never_dangles() {
    let mut world = World::shop(json!({"active": "version-2"}));
    let get = |world: &World| world.get(&Ask::get("shop.example.com/"));
    assert_eq!(get(&world), "version-2 active");
    // It was never recorded as active, so a version that is not ready does not become it.
    world.apply([slice("shop-version-2", &["!10.0.1.2"])]);
    assert_eq!(get(&world), "base active");
    assert_eq!(world.findings("shop"), ["ActiveNotReady spec.active"]);
    // One that was active stays, ready or not: it is not silently replaced.
    let mut recorded = router("shop", json!({"active": "version-2"}));
    recorded["status"] = json!({"active": "version-2"});
    world.apply([recorded]);
    assert_eq!(get(&world), "unavailable version-2 active");
    world.remove(Kind::DeploymentVersion, "shop-version-2");
    assert_eq!(get(&world), "base active");
    assert_eq!(world.findings("shop"), ["ActiveNotFound spec.active"]);
}

/// Version 2 is wanted, and 1 is active by what is written last.
fn waiting(two: Value, one: Value) -> World {
    let mut world = World::shop(json!({"active": "version-1"}));
    let mut router = router("shop", json!({"active": "version-2"}));
    router["status"] = json!({"active": "version-1"});
    world.apply([router, slice("shop-version-2", &[])]);
    world.apply([changed("shop-version-2", &two), changed("shop-version-1", &one)]);
    world
}

fn changed(name: &str, change: &Value) -> Value {
    let mut dpv = dpv(name);
    if let Some(deleted) = change.get("deleted") {
        dpv["metadata"]["deletionTimestamp"] = deleted.clone();
    }
    if let Some(suspend) = change.get("suspend") {
        dpv["spec"]["suspend"] = suspend.clone();
    }
    dpv
}

#[test]
fn why_another_version_is_active_is_said_as_it_is() {
    let (none, deleted, suspended) =
        (json!({}), json!({"deleted": "2026-01-01T12:00:00Z"}), json!({"suspend": true}));
    for (two, one, words) in [
        (&none, &none, "`version-1` stays active: `version-2` has no ready endpoint yet; it becomes"),
        (&suspended, &none, "`version-1` stays active: `version-2` is suspended and runs no pods; take"),
        (&deleted, &none, "`version-1` stays active: `version-2` is being deleted; name another version"),
        (&none, &deleted, "`base` is active now, for `version-1` is being deleted: `version-2` has no"),
        (&deleted, &deleted, "`base` is active now, for `version-1` is being deleted: `version-2` is being"),
    ] {
        let world = waiting(two.clone(), one.clone());
        let message = world.message("shop", "ActiveNotReady");
        assert!(message.starts_with(words), "{message}");
    }
}

#[test]
fn a_switch_waits_until_the_new_one_is_ready() {
    let mut objects = shop_objects();
    objects.push(slice("shop-version-3", &["!10.0.1.3"]));
    let mut shop = router("shop", json!({"active": "version-3"}));
    shop["status"] = json!({"active": "version-2"});
    objects.push(shop);
    let mut world = World::of(objects);
    assert_eq!(world.get(&Ask::get("shop.example.com/")), "version-2 active");
    world.apply([slice("shop-version-3", &["10.0.1.3"])]);
    assert_eq!(world.get(&Ask::get("shop.example.com/")), "version-3 active");
}

#[test]
fn answers_vary_on_what_chose_them_or_could_have() {
    let world = World::shop(json!({"override": {"header": "X-V"}, "rules": [
        {"name": "team", "match": [{"headers": [{"name": "X-Team", "exact": "blue"}]}], "send": "version-1"},
        {"name": "beta", "match": [{"cookies": [{"name": "b", "present": true}], "paths": [{"prefix": "/beta"}]}],
            "send": "version-2"},
    ]}));
    let all = "vary cookie, x-team, x-v";
    let get = |ask: Ask| world.get(&ask);
    assert_eq!(get(Ask::get("shop.example.com/")), format!("base active {all}"));
    assert_eq!(
        get(Ask::get("shop.example.com/").header("x-team", "blue")),
        format!("version-1 rule:team {all}")
    );
    assert_eq!(
        get(Ask::get("shop.example.com/beta").header("cookie", "b=1")),
        format!("version-2 rule:beta {all}")
    );
    assert_eq!(get(Ask::get("version-3.shop.example.com/")), "version-3 subdomain vary x-v");
}

#[test]
fn conditions_on_the_url_alone_tell_caches_nothing() {
    let world = World::shop(json!({"rules": [
        {"name": "office", "match": [{"clientCidrs": ["10.0.0.0/8"], "paths": [{"prefix": "/checkout"}]}], "send": "version-1"},
        {"name": "docs", "match": [{"paths": [{"prefix": "/docs"}], "query": [{"name": "v", "exact": "2"}]}], "send": "version-2"},
        {"name": "team", "match": [{"headers": [{"name": "X-Team", "present": true}], "methods": ["POST"]}], "send": "version-3"},
    ]}));
    let get = |ask: Ask| world.get(&ask);
    assert_eq!(get(Ask::get("shop.example.com/")), "base active");
    assert_eq!(get(Ask::get("shop.example.com/docs?v=2")), "version-2 rule:docs");
    assert_eq!(get(Ask::get("shop.example.com/checkout")), "base active private");
    assert_eq!(
        get(Ask::get("shop.example.com/checkout").client("10.0.0.9")),
        "version-1 rule:office private"
    );
    assert_eq!(get(Ask::get("shop.example.com/").method("POST")), "base active vary x-team");
}
