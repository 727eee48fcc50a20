//! Path mode.

use serde_json::{Value, json};

use super::world::*;

fn shop(more: Value) -> World {
    let mut spec = json!({"path": "/{version}", "versions": ["version-*"]});
    for (field, value) in more.as_object().unwrap() {
        spec[field] = value.clone();
    }
    World::shop(spec)
}

#[test]
fn the_first_segment_names_a_version_on_offer() {
    let world = shop(json!({"active": "version-1"}));
    let get = |path: &str| world.get(&Ask::get(&format!("shop.example.com{path}")));
    assert_eq!(get("/version-2/"), "version-2 path prefix 10");
    assert_eq!(get("/version-2/cart?x=1"), "version-2 path prefix 10");
    assert_eq!(get("/version-2"), "slash version-2 path prefix 10");
    assert_eq!(get("/version-2//a"), "version-2 path prefix 10");
    for application in [
        "/",
        "/login",
        "/version-22/",
        "/version-2x",
        "/Version-2/",
        "/version%2D2/",
        "//version-2/",
        "/x/version-2/",
    ] {
        assert_eq!(get(application), "version-1 active", "{application}");
    }
}

#[test]
fn the_base_is_at_the_bare_path_only() {
    let world = shop(json!({"active": "version-1", "versions": ["version-*", "base*"]}));
    assert_eq!(world.get(&Ask::get("shop.example.com/base/")), "version-1 active");
}

#[test]
fn behind_literal_segments() {
    let world = shop(json!({"path": "/preview/{version}"}));
    assert_eq!(world.get(&Ask::get("shop.example.com/preview/version-2/a")), "version-2 path prefix 18");
    assert_eq!(world.get(&Ask::get("shop.example.com/version-2/a")), "base active");
    assert_eq!(world.get(&Ask::get("shop.example.com/preview/x")), "base active");
}

#[test]
fn a_path_that_was_a_versions_is_404_for_a_while() {
    let mut objects = shop_objects();
    let mut router = router("shop", json!({"path": "/{version}", "versions": ["version-*"]}));
    router["status"] = json!({"offered": [{"id": "version-9", "last": "2026-01-01T00:00:00Z"},
        {"id": "version-2", "last": "2026-01-01T00:00:00Z"}, {"id": "base", "last": "2026-01-01T00:00:00Z"}]});
    objects.push(router);
    let world = World::of(objects);
    assert_eq!(world.get(&Ask::get("shop.example.com/version-9/x")), "no version version-9 path");
    assert_eq!(world.get(&Ask::get("shop.example.com/version-9")), "no version version-9 path");
    assert_eq!(world.get(&Ask::get("shop.example.com/version-2/x")), "version-2 path prefix 10");
    assert_eq!(world.get(&Ask::get("shop.example.com/base/x")), "base active");
    assert_eq!(world.get(&Ask::get("version-9.shop.example.com/")), "no version version-9 subdomain");
}

#[test]
fn a_version_that_is_down_is_no_segment_of_the_application() {
    let mut world = shop(json!({}));
    world.apply([slice("shop-version-2", &[])]);
    assert_eq!(world.get(&Ask::get("shop.example.com/version-2/a")), "unavailable version-2 path prefix 10");
}

#[test]
fn what_comes_before_the_path() {
    let world = shop(json!({"override": {"header": "X-V"}}));
    let header = Ask::get("shop.example.com/version-2/").header("x-v", "version-3");
    assert_eq!(world.get(&header), "version-3 header vary x-v");
    let host = Ask::get("version-1.shop.example.com/version-2/");
    assert_eq!(world.get(&host), "version-1 subdomain vary x-v");
}

#[test]
fn the_path_comes_before_rules() {
    let rules = json!([{"name": "r", "match": [{"paths": [{"prefix": "/"}]}], "send": "version-3"}]);
    let world = shop(json!({"rules": rules}));
    assert_eq!(world.get(&Ask::get("shop.example.com/version-2/")), "version-2 path prefix 10");
    assert_eq!(world.get(&Ask::get("shop.example.com/other")), "version-3 rule:r");
}

#[test]
fn path_mode_needs_patterns_with_a_beginning() {
    for versions in [json!([]), json!(["*"]), json!(["version-*", "*-x"]), json!([""])] {
        let world = World::shop(json!({"path": "/{version}", "versions": versions}));
        assert_eq!(world.get(&Ask::get("shop.example.com/version-2/")), "base active", "{versions}");
        assert!(world.message("shop", "PathNeedsPatterns").contains("/login"), "{versions}");
    }
    for path in ["{version}", "/{version}/x", "/a b/{version}", "/x"] {
        let world = shop(json!({"path": path}));
        assert_eq!(world.findings("shop"), ["InvalidPath spec.path"], "{path}");
        assert_eq!(world.get(&Ask::get("shop.example.com/version-2/")), "base active");
    }
}
