//! Hosts: exact, wildcard, and versions by name.

use serde_json::json;

use super::world::*;
use crate::inventory::Inventory;
use crate::inventory::owners::HostOwners;

#[test]
fn a_wildcard_over_a_kept_host_is_refused_with_the_host() {
    let owners = HostOwners::new(["pay=pay.example.com".parse().unwrap()]);
    let mut world = World::of([]);
    world.inventory = Inventory::with(owners);
    world.apply(shop_objects());
    world.apply([router("shop", json!({"hosts": ["*.example.com", "pay.example.com", "a.example.com"]}))]);
    assert_eq!(world.get(&Ask::get("pay.example.com/")), "no host");
    assert_eq!(world.get(&Ask::get("a.example.com/")), "base active");
    assert_eq!(world.findings("shop"), ["HostNotAllowed spec.hosts[0]", "HostNotAllowed spec.hosts[1]"]);
    let message = world.message("shop", "HostNotAllowed");
    assert!(message.contains("`pay.example.com`, which is kept for namespace `pay`"), "{message}");
}

#[test]
fn a_plain_request_gets_the_base_or_the_active_version() {
    let world = World::shop(json!({}));
    assert_eq!(world.get(&Ask::get("shop.example.com/")), "base active");
    let world = World::shop(json!({"active": "version-2"}));
    assert_eq!(world.get(&Ask::get("shop.example.com/cart?x=1")), "version-2 active");
    assert_eq!(world.get(&Ask::get("other.example.com/")), "no host");
}

#[test]
fn a_version_has_its_own_host() {
    let world = World::shop(json!({}));
    assert_eq!(world.get(&Ask::get("version-2.shop.example.com/")), "version-2 subdomain");
    assert_eq!(world.get(&Ask::get("base.shop.example.com/")), "base subdomain");
    assert_eq!(world.get(&Ask::get("version-9.shop.example.com/")), "no version version-9 subdomain");
    assert_eq!(world.get(&Ask::get("a.version-2.shop.example.com/")), "no host");
    assert_eq!(world.get(&Ask::get("-.shop.example.com/")), "no host");
    assert_eq!(world.get(&Ask::get(".shop.example.com/")), "no host");
}

#[test]
fn subdomains_can_be_off() {
    let world = World::shop(json!({"subdomain": ""}));
    assert_eq!(world.get(&Ask::get("version-2.shop.example.com/")), "no host");
}

#[test]
fn the_longest_host_wins_where_two_readings_fit() {
    let mut objects = shop_objects();
    objects.push(router("short", json!({"hosts": ["b.example.com"], "subdomain": "{version}-{host}"})));
    objects.push(router("long", json!({"hosts": ["a-b.example.com"], "subdomain": "{version}-{host}"})));
    let world = World::of(objects);
    assert_eq!(world.get(&Ask::get("version-2-b.example.com/")), "version-2 subdomain");
    assert_eq!(world.get(&Ask::get("version-2-a-b.example.com/")), "version-2 subdomain");
    assert_eq!(world.get(&Ask::get("x-a-b.example.com/")), "no version x subdomain");
}

#[test]
fn exact_before_wildcard_before_version() {
    let mut objects = shop_objects();
    objects.push(router("shop", json!({})));
    objects.push(router("wild", json!({"hosts": ["*.example.com"], "active": "version-1"})));
    let mut world = World::of(objects);
    assert_eq!(world.get(&Ask::get("shop.example.com/")), "base active");
    assert_eq!(world.get(&Ask::get("any.example.com/")), "version-1 active");
    assert_eq!(world.get(&Ask::get("version-2.shop.example.com/")), "version-2 subdomain");
    assert_eq!(world.get(&Ask::get("a.b.example.com/")), "no host");
    assert_eq!(world.get(&Ask::get("example.com/")), "no host");
    world.apply([router("deep", json!({"hosts": ["*.shop.example.com"], "active": "version-3"}))]);
    assert_eq!(world.get(&Ask::get("version-2.shop.example.com/")), "version-3 active");
}

#[test]
fn a_wildcard_takes_no_version_names_that_another_namespace_holds() {
    for (subdomain, wildcard, version_host) in [
        ("{version}-{host}", "*.example.com", "version-2-shop.example.com"),
        ("preview-{version}.{host}", "*.shop.example.com", "preview-version-2.shop.example.com"),
        ("{version}.v.{host}", "*.v.shop.example.com", "version-2.v.shop.example.com"),
        ("x.{version}-{host}", "*.version-2-shop.example.com", "x.version-2-shop.example.com"),
        ("{version}.{host}", "*.shop.example.com", "version-2.shop.example.com"),
    ] {
        let mut shop = router("shop", json!({"subdomain": subdomain}));
        shop["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        let mut world = World::of(shop_objects().into_iter().chain([shop]));
        let grab = |namespace: &str| {
            let mut grab = router("grab", json!({"hosts": [wildcard]}));
            grab["metadata"]["namespace"] = json!(namespace);
            grab["metadata"]["creationTimestamp"] = json!("2026-02-01T00:00:00Z");
            grab
        };
        world.apply([grab("z")]);
        let ask = Ask::get(&format!("{version_host}/"));
        assert_eq!(world.get(&ask), "version-2 subdomain", "{subdomain}");
        let report = &world.compiled().reports[&crate::inventory::Key::new("z", "grab")];
        let taken = report.findings.iter().find(|it| it.reason == "HostTaken").unwrap();
        assert!(
            taken.message.contains("`n/shop`") && taken.message.contains("`shop.example.com`"),
            "{taken:?}"
        );
        // Nobody is refused for what is not there any more, nor within a namespace.
        world.apply([grab("n")]);
        assert!(world.findings("grab").iter().all(|it| !it.starts_with("HostTaken")), "{subdomain}");
        world.remove(crate::inventory::Kind::Router, "grab");
        world.remove(crate::inventory::Kind::Router, "shop");
        let report = &world.compiled().reports[&crate::inventory::Key::new("z", "grab")];
        assert!(
            report.findings.iter().all(|it| it.reason != "HostTaken"),
            "{subdomain}: {:?}",
            report.findings
        );
    }
}
