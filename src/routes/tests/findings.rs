//! Each bad part of a Router is named by its field, with the way out, and takes nothing else with it.

use serde_json::{Value, json};

use super::world::*;
use crate::inventory::Key;

/// A shop with these rules; the last is always one that is well written, for the header `ok`.
fn with_rules(rules: Value) -> World {
    let mut rules = rules.as_array().unwrap().clone();
    rules.push(json!({"name": "good", "match": [{"headers": [{"name": "ok", "present": true}]}], "send": "version-1"}));
    World::shop(json!({"rules": rules}))
}

#[test]
fn a_bad_rule_is_left_out_and_the_rest_serves() {
    let header = |value: Value| json!([{"headers": [value]}]);
    let send = "version-3";
    let all = json!([{"paths": [{"prefix": "/"}]}]);
    for (rule, finding) in [
        (
            json!({"name": "r", "match": header(json!({"name": "a", "regex": "(("})), "send": send}),
            "InvalidRegex spec.rules[r].match[0].headers[0].regex",
        ),
        (
            json!({"name": "r", "match": header(json!({"name": "a", "regex": "a)|(b"})), "send": send}),
            "InvalidRegex spec.rules[r].match[0].headers[0].regex",
        ),
        (
            json!({"name": "r", "match": header(json!({"name": "a", "regex": "(?:(?:a{100}){100}){100}"})), "send": send}),
            "InvalidRegex spec.rules[r].match[0].headers[0].regex",
        ),
        (
            json!({"name": "r", "match": header(json!({"name": "a b", "exact": "x"})), "send": send}),
            "InvalidHeader spec.rules[r].match[0].headers[0].name",
        ),
        (
            json!({"name": "r", "match": header(json!({"name": "a_b", "exact": "x"})), "send": send}),
            "InvalidHeader spec.rules[r].match[0].headers[0].name",
        ),
        (
            json!({"name": "r", "match": header(json!({"name": "Host", "exact": "x"})), "send": send}),
            "InvalidHeader spec.rules[r].match[0].headers[0].name",
        ),
        (
            json!({"name": "r", "match": header(json!({"name": "a"})), "send": send}),
            "InvalidMatch spec.rules[r].match[0].headers[0]",
        ),
        (
            json!({"name": "r", "match": header(json!({"name": "a", "exact": "x", "prefix": "y"})), "send": send}),
            "InvalidMatch spec.rules[r].match[0].headers[0]",
        ),
        (
            json!({"name": "r", "match": [{"cookies": [{"name": "", "exact": "x"}]}], "send": send}),
            "InvalidMatch spec.rules[r].match[0].cookies[0].name",
        ),
        (
            json!({"name": "r", "match": [{"clientCidrs": ["10.0.0.0/8", "10.0.0.0/33"]}], "send": send}),
            "InvalidCidr spec.rules[r].match[0].clientCidrs[1]",
        ),
        (
            json!({"name": "r", "match": [{"methods": ["G T"]}], "send": send}),
            "InvalidMethod spec.rules[r].match[0].methods[0]",
        ),
        (
            json!({"name": "r", "match": [{"paths": [{"prefix": "checkout"}]}], "send": send}),
            "InvalidPath spec.rules[r].match[0].paths[0].prefix",
        ),
        (
            json!({"name": "r", "match": [{"paths": [{}]}], "send": send}),
            "InvalidMatch spec.rules[r].match[0].paths[0]",
        ),
        (
            json!({"name": "r", "match": [{"query": [{"name": "q"}]}], "send": send}),
            "InvalidMatch spec.rules[r].match[0].query[0]",
        ),
        (json!({"name": "r", "match": [{}], "send": send}), "EmptyMatch spec.rules[r].match[0]"),
        (json!({"name": "r", "match": all, "send": "No Id"}), "InvalidVersion spec.rules[r].send"),
        (json!({"name": "", "match": all, "send": send}), "InvalidRule spec.rules[0].name"),
        (json!({"name": "rüle", "match": all, "send": send}), "InvalidRule spec.rules[0].name"),
        (json!({"name": "a\r\nb: c", "match": all, "send": send}), "InvalidRule spec.rules[0].name"),
    ] {
        let world = with_rules(json!([rule.clone()]));
        assert_eq!(world.findings("shop"), [finding], "{rule}");
        let reason = finding.split(' ').next().unwrap();
        let message = world.message("shop", reason);
        assert!(
            message.ends_with(
                "the rule is left out: the rules after it, or the active version, serve its consumers"
            ),
            "{message}"
        );
        let plain = Ask::get("shop.example.com/").header("a", "x");
        assert!(world.get(&plain).starts_with("base active"), "{rule}");
        assert!(world.get(&plain.header("ok", "")).starts_with("version-1 rule:good"), "{rule}");
    }
}

#[test]
fn the_second_rule_of_a_name_is_left_out() {
    let rule = |send: &str| json!({"name": "r", "match": [{"paths": [{"prefix": "/"}]}], "send": send});
    let world = with_rules(json!([rule("version-2"), rule("version-3")]));
    assert_eq!(world.findings("shop"), ["RuleNameTaken spec.rules[1].name"]);
    assert_eq!(world.get(&Ask::get("shop.example.com/")), "version-2 rule:r");
}

#[test]
fn what_is_odd_is_said_and_served() {
    let world = with_rules(json!([
        {"name": "never", "match": [], "send": "version-2"},
        {"name": "case", "match": [{"methods": ["get", "POST"]}], "send": "version-3"},
        {"name": "proxy", "match": [{"headers": [{"name": "a", "exact": "b"}, {"name": "X-Real-IP", "present": true}]}],
            "send": "version-3"},
    ]));
    assert_eq!(
        world.findings("shop"),
        [
            "HeaderOfProxies spec.rules[proxy].match[0].headers[1].name",
            "MethodCase spec.rules[case].match[0].methods[0]",
            "RuleNeverMatches spec.rules[never].match",
        ]
    );
    assert_eq!(world.get(&Ask::get("shop.example.com/").method("POST")), "version-3 rule:case");
}

#[test]
fn parts_of_the_spec_beside_the_rules() {
    for (spec, finding) in [
        (json!({"subdomain": "{host}.{version}"}), "InvalidSubdomain spec.subdomain"),
        (json!({"subdomain": "{version}{host}"}), "InvalidSubdomain spec.subdomain"),
        (json!({"subdomain": "{version}x{host}"}), "InvalidSubdomain spec.subdomain"),
        (json!({"subdomain": "-{version}.{host}"}), "InvalidSubdomain spec.subdomain"),
        (json!({"subdomain": "{version}.-x.{host}"}), "InvalidSubdomain spec.subdomain"),
        (json!({"subdomain": "{version}.x-.{host}"}), "InvalidSubdomain spec.subdomain"),
        (json!({"subdomain": "{version}..{host}"}), "InvalidSubdomain spec.subdomain"),
        (json!({"subdomain": ".{version}.{host}"}), "InvalidSubdomain spec.subdomain"),
        (json!({"active": "Not An Id"}), "InvalidVersion spec.active"),
        (json!({"active": "version-9"}), "ActiveNotFound spec.active"),
        (json!({"override": {"header": "X V"}}), "InvalidHeader spec.override.header"),
        (json!({"override": {"header": "Host"}}), "InvalidHeader spec.override.header"),
        (json!({"timeouts": {"connect": "1 s"}}), "InvalidDuration spec.timeouts.connect"),
        (json!({"timeouts": {"response": "0s"}}), "InvalidDuration spec.timeouts.response"),
        (json!({"timeouts": {"idle": "100000s"}}), "InvalidDuration spec.timeouts.idle"),
        (json!({"retries": {"attempts": 4}}), "InvalidRetries spec.retries.attempts"),
        (json!({"service": "nothing"}), "ServiceNotFound spec.service"),
        (json!({"service": "shop-version-1"}), "ServiceIsClone spec.service"),
        (json!({"base": "nothing"}), "BaseNotFound spec.base"),
        (json!({"port": "nothing"}), "PortNotFound spec.port"),
        (json!({"hosts": ["shop.example.com", "bad_host"]}), "InvalidHost spec.hosts[1]"),
        (json!({"hosts": ["shop.example.com", "SHOP.example.com."]}), "DuplicateHost spec.hosts[1]"),
        (json!({"hosts": ["shop.example.com", "*.shop.example.com"]}), "VersionsHidden spec.hosts[1]"),
    ] {
        let world = World::shop(spec.clone());
        assert_eq!(world.findings("shop"), [finding], "{spec}");
        let outcome = world.get(&Ask::get("shop.example.com/"));
        assert!(outcome.contains("base active"), "{spec}: {outcome}");
    }
}

#[test]
fn a_router_whose_service_is_missing_holds_its_host_all_the_same() {
    let world = World::shop(json!({"service": "nothing"}));
    assert_eq!(world.get(&Ask::get("shop.example.com/")), "unavailable base active");
    assert!(world.compiled().reports[&Key::new("n", "shop")].served);
}

#[test]
fn no_other_pods_are_served_as_the_base() {
    let mut world = World::shop(json!({"service": "other"}));
    let of = |selector: Value| {
        let mut other = service("other", "x");
        other["spec"]["selector"] = selector;
        other
    };
    let asked = |world: &World| world.get(&Ask::get("shop.example.com/"));
    world.apply([of(json!({"app": "other"})), slice("other", &["10.0.0.9"])]);
    assert_eq!(world.findings("shop"), ["ServiceNotOfBase spec.service"]);
    assert_eq!(asked(&world), "unavailable base active");
    // Endpoints that somebody writes by hand are pods of nobody knows what.
    world.apply([of(json!(null))]);
    assert!(world.message("shop", "ServiceNotOfBase").contains("no selector"));
    assert_eq!(asked(&world), "unavailable base active");
    // The Service's selector, and the labels of the base's pods, reach the Routers that name the Service.
    world.apply([of(json!({"app": "shop"}))]);
    assert_eq!((world.findings("shop").len(), asked(&world).as_str()), (0, "base active"));
    let mut relabelled = deployment("shop");
    relabelled["spec"]["template"]["metadata"]["labels"] = json!({"app": "else"});
    world.apply([relabelled]);
    assert_eq!(asked(&world), "unavailable base active");
    // A base that is gone for a moment selects nothing, and takes nothing with it.
    world.remove(crate::inventory::Kind::Deployment, "shop");
    assert_eq!((world.findings("shop").len(), asked(&world).as_str()), (0, "base active"));
    world.apply([deployment("shop")]);
    assert_eq!((world.findings("shop").len(), asked(&world).as_str()), (0, "base active"));
}

#[test]
fn a_dash_that_makes_no_label_is_named() {
    let world = World::shop(json!({"subdomain": "-{version}.{host}"}));
    assert!(world.message("shop", "InvalidSubdomain").contains("a label of it begins with `-`"));
    let world = World::shop(json!({"subdomain": "v-{version}--{host}"}));
    assert!(world.findings("shop").is_empty());
}

#[test]
fn a_router_of_a_clone_is_told_the_base() {
    let mut clone = deployment("shop-version-1");
    clone["metadata"]["labels"] =
        json!({"kyaninus.com/dpv": "x", "kyaninus.com/base": "shop", "kyaninus.com/version": "version-1"});
    clone["metadata"]["ownerReferences"] = json!([{"apiVersion": "kyaninus.com/v1",
        "kind": "DeploymentVersion", "name": "shop-version-1", "uid": "u", "controller": true}]);
    for spec in [json!({}), json!({"service": "shop-version-1"}), json!({"service": "shop"})] {
        let mut objects = shop_objects();
        let mut spec = spec;
        spec["base"] = json!("shop-version-1");
        objects.extend([clone.clone(), router("shop", spec)]);
        let world = World::of(objects);
        assert_eq!(world.findings("shop"), ["BaseIsClone spec.base"]);
        let message = world.message("shop", "BaseIsClone");
        assert!(
            message.contains("the version `version-1` of `shop`") && !message.contains("create"),
            "{message}"
        );
        assert_eq!(world.get(&Ask::get("shop.example.com/")), "unavailable base active");
    }
}

#[test]
fn a_host_that_somebody_holds_is_named_with_its_holder() {
    let mut objects = shop_objects();
    let mut first = router("first", json!({}));
    first["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    let second =
        router("second", json!({"hosts": ["shop.example.com", "own.example.com"], "active": "version-1"}));
    objects.extend([first, second]);
    let mut world = World::of(objects);
    assert_eq!(world.findings("second"), ["HostTaken spec.hosts[0]"]);
    assert!(world.message("second", "HostTaken").contains("`n/first`"));
    assert_eq!(world.get(&Ask::get("shop.example.com/")), "base active");
    assert_eq!(world.get(&Ask::get("own.example.com/")), "version-1 active");
    world.remove(crate::inventory::Kind::Router, "first");
    assert!(world.findings("second").is_empty());
    assert_eq!(world.get(&Ask::get("shop.example.com/")), "version-1 active");
    let report = |world: &World| world.compiled().reports.len();
    assert_eq!(report(&world), 1);
}

#[test]
fn a_router_without_any_host_is_not_served() {
    let world = World::shop(json!({"hosts": []}));
    assert_eq!(world.findings("shop"), ["NoHosts spec.hosts"]);
    assert!(!world.compiled().reports[&Key::new("n", "shop")].served);
}

#[test]
fn times_as_written() {
    let world = World::shop(json!({"timeouts": {"connect": "500ms", "response": "1m30s", "idle": "1h"},
        "retries": {"attempts": 0}}));
    let table = world.compiled().table.describe();
    let base = &table["routers"]["n/shop"]["versions"]["base"];
    assert_eq!(
        (&base["connectMs"], &base["responseMs"], &base["idleMs"], &base["retries"]),
        (&json!(500), &json!(90_000), &json!(3_600_000), &json!(0))
    );
}
