//! Which endpoints a version has, and which of them stay the same over changes.

use std::sync::Arc;

use serde_json::{Value, json};

use super::world::*;
use crate::inventory::{Kind, Settings};
use crate::routes::{Endpoint, Outcome, Route};

fn route(world: &World, url: &str) -> Arc<Route> {
    let table = &world.compiled().table;
    Ask::get(url).with_facts(|facts| match table.find(facts) {
        Outcome::Serve(choice) | Outcome::Unavailable(choice) | Outcome::AddSlash(choice) => {
            choice.route.clone()
        }
        Outcome::NoHost | Outcome::NoVersion { .. } => panic!("{url} leads nowhere"),
    })
}

fn addresses(world: &World) -> Vec<String> {
    route(world, "shop.example.com/").endpoints.iter().map(|it| it.address.to_string()).collect()
}

fn absence(world: &World) -> &'static str {
    route(world, "shop.example.com/").absence.map_or("", |absence| absence.as_str())
}

#[test]
fn ready_ones_and_draining_ones_only_where_none_is_ready() {
    let mut world = World::shop(json!({}));
    world.apply([slice("shop", &["10.0.0.3", "!10.0.0.4", "~10.0.0.5", "10.0.0.2"])]);
    assert_eq!(addresses(&world), ["10.0.0.2:8080", "10.0.0.3:8080"]);
    world.apply([slice("shop", &["!10.0.0.4", "~10.0.0.5"])]);
    assert_eq!(addresses(&world), ["10.0.0.5:8080"]);
    world.apply([slice("shop", &["!10.0.0.4"])]);
    assert_eq!((addresses(&world).len(), absence(&world)), (0, "not-ready"));
    world.remove(Kind::EndpointSlice, "shop-1");
    assert_eq!(absence(&world), "no-endpoints");
    world.remove(Kind::Service, "shop");
    assert_eq!(absence(&world), "no-service");
    assert_eq!(world.findings("shop"), ["ServiceNotFound spec.service"]);
}

#[test]
fn a_base_that_is_gone_for_a_moment_takes_no_version_with_it() {
    let mut world = World::shop(json!({}));
    let mut known = dpv("shop-version-2");
    known["status"] = json!({"base": {"name": "shop"}});
    world.apply([known, slice("shop-version-2", &["10.0.0.2"])]);
    let version = |world: &World| route(world, "version-2.shop.example.com/").endpoints.len();
    assert_eq!(version(&world), 1);
    world.remove(Kind::Deployment, "shop");
    assert_eq!(version(&world), 1);
    world.apply([deployment("shop")]);
    assert_eq!(version(&world), 1);
}

fn service_of(world: &World, host: &str) -> (usize, &'static str) {
    let route = route(world, host);
    (route.endpoints.len(), route.absence.map_or("", |absence| absence.as_str()))
}

#[test]
fn a_service_that_merely_has_the_name_is_no_versions() {
    // Another application's, which was there before.
    let mut world = World::shop(json!({"active": "admin"}));
    world.apply([service("shop-admin", "admin"), slice("shop-admin", &["10.0.9.9"])]);
    world.apply([dpv("shop-admin")]);
    let admin = |world: &World| service_of(world, "admin.shop.example.com/");
    let plain = |world: &World| world.get(&Ask::get("shop.example.com/"));
    assert_eq!((admin(&world), &*plain(&world)), ((0, "no-service"), "base active"));
    // Another version's, or made from what another group calls so.
    let mut foreign = clone_service("shop-admin", "shop-admin");
    foreign["metadata"]["ownerReferences"][0]["apiVersion"] = json!("elsewhere.example/v1");
    for other in [clone_service("shop-admin", "shop-version-1"), foreign] {
        world.apply([other]);
        assert_eq!((admin(&world), &*plain(&world)), ((0, "no-service"), "base active"));
    }
    world.apply([clone_service("shop-admin", "shop-admin")]);
    assert_eq!((admin(&world), &*plain(&world)), ((1, ""), "admin active"));
    world.apply([service("shop-admin", "admin")]);
    assert_eq!(admin(&world), (0, "no-service"), "it was taken out of the version's hands");
}

#[test]
fn an_id_that_passes_to_another_leaves_the_pods_behind() {
    for suspend in [false, true] {
        let mut world = World::shop(json!({}));
        let named = |name: &str, day: u8| {
            let mut object = dpv(name);
            object["metadata"]["creationTimestamp"] = json!(format!("2026-01-0{day}T00:00:00Z"));
            object["spec"] = json!({"name": "shop", "version": "x", "suspend": suspend});
            object
        };
        let mut portless = clone_service("shop-x", "older");
        portless["spec"]["ports"] = json!([{"name": "http", "port": 80, "protocol": "UDP"}]);
        let first = if suspend { portless } else { clone_service("shop-x", "older") };
        world.apply([named("older", 1), named("younger", 2), first, slice("shop-x", &["10.0.9.9"])]);
        let x = |world: &World| service_of(world, "x.shop.example.com/");
        let (before, without) =
            if suspend { ((0, "suspended"), (0, "suspended")) } else { ((1, ""), (0, "no-service")) };
        assert_eq!((x(&world), world.findings("shop").len()), (before, usize::from(suspend)));
        world.remove(Kind::DeploymentVersion, "older");
        assert_eq!((x(&world), world.findings("shop").len()), (without, 0));
        world.apply([clone_service("shop-x", "younger")]);
        assert_eq!(x(&world), (1, ""));
    }
}

#[test]
fn addresses_that_lead_to_the_node_itself_are_refused() {
    let mut world = World::shop(json!({}));
    for bad in [
        "127.0.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "0.1.2.3",
        "fd00:ec2::254",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "fe80::1",
        "::",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
    ] {
        world.apply([slice("shop", &[bad])]);
        assert_eq!((addresses(&world).len(), absence(&world)), (0, "addresses-refused"), "{bad}");
        assert_eq!(world.findings("shop"), ["AddressRefused spec.service"], "{bad}");
    }
    world.apply([slice("shop", &["127.0.0.1", "10.0.0.1"])]);
    assert_eq!(addresses(&world), ["10.0.0.1:8080"]);
    world.settings = Settings { allow_loopback: true, ..Settings::default() };
    world.apply([deployment("other")]);
    assert_eq!(addresses(&world), ["10.0.0.1:8080", "127.0.0.1:8080"], "a changed setting is seen at once");
    world.apply([slice("shop", &["169.254.0.1"])]);
    assert_eq!(absence(&world), "addresses-refused");
}

#[test]
fn addresses_of_the_api_server_are_refused() {
    let mut world = World::shop(json!({}));
    world.settings.refused = ["10.0.0.1:8080".parse().unwrap()].into();
    world.apply([slice("shop", &["10.0.0.1", "::ffff:10.0.0.1", "10.0.0.2"])]);
    assert_eq!(addresses(&world), ["10.0.0.2:8080"]);
    // Another port of that machine is another server.
    world.settings.refused = ["10.0.0.1:6443".parse().unwrap()].into();
    world.apply([deployment("other")]);
    assert_eq!(addresses(&world).len(), 3);
}

#[test]
fn only_pods_of_the_own_namespace_are_sent_to() {
    let mut world = World::shop(json!({}));
    // By hand, as for a Service without a selector; another kind; another tenant's pod.
    for target in [
        json!(null),
        json!({"kind": "Node", "uid": "u"}),
        json!({"kind": "Pod", "namespace": "m", "uid": "u"}),
        json!({"kind": "Pod", "namespace": "n"}),
    ] {
        let mut by_hand = slice("shop", &["10.9.9.9"]);
        by_hand["endpoints"][0]["targetRef"] = target.clone();
        world.apply([by_hand]);
        assert_eq!((addresses(&world).len(), absence(&world)), (0, "addresses-refused"), "{target}");
        assert!(world.message("shop", "AddressRefused").contains("no pod of this namespace"), "{target}");
    }
    // On one machine there may be no pods at all.
    world.settings = Settings { allow_loopback: true, ..Settings::default() };
    world.apply([deployment("other")]);
    assert_eq!(addresses(&world), ["10.9.9.9:8080"]);
}

#[test]
fn slices_of_another_namespace_are_not_looked_at() {
    let mut world = World::shop(json!({}));
    let mut foreign = slice("shop", &["10.9.9.9"]);
    foreign["metadata"]["namespace"] = json!("m");
    world.apply([foreign]);
    assert_eq!(addresses(&world), ["10.0.0.1:8080"]);
}

#[test]
fn services_that_are_not_followed() {
    let mut world = World::shop(json!({"service": "shop"}));
    let mut external = service("shop", "shop");
    external["spec"]["type"] = json!("ExternalName");
    external["spec"]["externalName"] = json!("evil.example");
    world.apply([external]);
    assert_eq!(
        (absence(&world), world.findings("shop")),
        ("external-name", vec!["ExternalService spec.service".to_owned()])
    );
    for protocol in ["kubernetes.io/h2c", "https", "kubernetes.io/wss"] {
        let mut other = service("shop", "shop");
        other["spec"]["ports"][0]["appProtocol"] = json!(protocol);
        world.apply([other]);
        assert_eq!(absence(&world), "protocol-not-served");
        assert!(world.message("shop", "ProtocolNotServed").contains(protocol));
    }
    for protocol in ["http", "kubernetes.io/ws"] {
        let mut other = service("shop", "shop");
        other["spec"]["ports"][0]["appProtocol"] = json!(protocol);
        world.apply([other]);
        assert_eq!(absence(&world), "");
    }
}

#[test]
fn the_port_by_name_number_or_place() {
    let mut objects = shop_objects();
    let mut two = service("shop", "shop");
    two["spec"]["ports"] = json!([{"name": "http", "port": 80}, {"name": "admin", "port": 9000}]);
    let mut ports = slice("shop", &["10.0.0.1"]);
    ports["ports"] = json!([{"name": "http", "port": 8080}, {"name": "admin", "port": 9999}]);
    objects.extend([two, ports]);
    for (port, address) in [
        (json!(null), "10.0.0.1:8080"),
        (json!("admin"), "10.0.0.1:9999"),
        (json!(9000), "10.0.0.1:9999"),
        (json!("80"), "10.0.0.1:8080"),
    ] {
        let mut world = World::of(objects.clone());
        world.apply([router("shop", if port.is_null() { json!({}) } else { json!({"port": port}) })]);
        assert_eq!(addresses(&world), [address], "{port}");
    }
    let mut world = World::of(objects);
    world.apply([router("shop", json!({"port": "metrics"}))]);
    assert_eq!(absence(&world), "no-port");
    assert_eq!(world.findings("shop")[0], "PortNotFound spec.port");
    assert!(world.message("shop", "PortNotFound").contains("http (80), admin (9000)"));
}

#[test]
fn only_tcp_ports_count() {
    let mut both = service("shop", "shop");
    both["spec"]["ports"] = json!([{"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "quic", "port": 80, "protocol": "UDP"}, {"name": "http", "port": 80}]);
    for spec in [json!({}), json!({"port": 80}), json!({"port": "80"}), json!({"port": "http"})] {
        let mut world = World::shop(spec.clone());
        world.apply([both.clone()]);
        assert_eq!(
            (addresses(&world), world.findings("shop").len()),
            (vec!["10.0.0.1:8080".to_owned()], 0),
            "{spec}"
        );
    }
    let mut world = World::shop(json!({"port": "dns"}));
    world.apply([both.clone()]);
    assert_eq!(
        world.message("shop", "PortNotFound"),
        "the Service `shop` has no such port, it has only http (80); correct `spec.port`"
    );
    // None is written: there is nothing to correct but the Service.
    both["spec"]["ports"] = json!([{"name": "dns", "port": 53, "protocol": "UDP"}]);
    let mut world = World::shop(json!({}));
    world.apply([both]);
    assert_eq!(world.findings("shop"), ["PortNotFound spec.service"]);
    assert!(!world.message("shop", "PortNotFound").contains("spec.port"));
    assert_eq!(absence(&world), "no-port");
}

#[test]
fn what_is_wrong_with_the_bases_service_is_said_once() {
    let world = World::shop(json!({"port": "metrics"}));
    assert_eq!(world.findings("shop"), ["PortNotFound spec.port"]);
}

#[test]
fn a_suspended_version_says_so() {
    let mut world = World::shop(json!({}));
    let mut paused = dpv("shop-version-2");
    paused["spec"]["suspend"] = json!(true);
    world.apply([paused, slice("shop-version-2", &[])]);
    assert_eq!(route(&world, "version-2.shop.example.com/").absence.unwrap().as_str(), "suspended");
    world.apply([dpv("shop-version-2")]);
    assert_eq!(route(&world, "version-2.shop.example.com/").absence.unwrap().as_str(), "no-endpoints");
}

#[test]
fn a_version_that_clones_no_such_service_is_not_said_to_get_one() {
    let of = |services: Value| {
        let mut version = dpv("shop-version-2");
        version["spec"]["services"] = services;
        version
    };
    let mut world = World::shop(json!({}));
    world.apply([of(json!([]))]);
    assert_eq!(world.get(&Ask::get("version-2.shop.example.com/")), "version-2 subdomain", "it is there yet");
    world.remove(Kind::Service, "shop-version-2");
    let why = |world: &World| route(world, "version-2.shop.example.com/");
    let absence = |world: &World| why(world).absence.unwrap().as_str();
    assert_eq!((absence(&world), why(&world).absence.unwrap().passes()), ("not-cloned", false));
    assert!(!why(&world).why().contains("yet"), "{}", why(&world).why());
    world.apply([of(json!(["shop"]))]);
    assert_eq!((absence(&world), why(&world).absence.unwrap().passes()), ("no-service", true));
    world.apply([of(json!(["other"]))]);
    assert_eq!(absence(&world), "no-service", "the base has no other Service");
    world.apply([router("shop", json!({"service": "shop"}))]);
    assert_eq!(absence(&world), "not-cloned");
    world.apply([router("shop", json!({}))]);
    assert_eq!(absence(&world), "no-service");
}

#[test]
fn what_a_version_says_of_itself_is_told_while_nothing_serves_it() {
    let mut world = World::shop(json!({}));
    let says = |status: &str, reason: &str| {
        let mut version = dpv("shop-version-2");
        version["status"]["conditions"] = json!([{"type": "Ready", "status": status, "reason": reason,
            "message": "secret", "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
        version
    };
    let why = |world: &World| route(world, "version-2.shop.example.com/").why();
    world.apply([says("False", "CrashLooping")]);
    assert_eq!(route(&world, "version-2.shop.example.com/").trouble, None, "it is served");
    world.apply([slice("shop-version-2", &[])]);
    assert_eq!(why(&world), "has no pod yet; its DeploymentVersion says `CrashLooping`");
    world.apply([says("False", "ImagePullFailed")]);
    assert_eq!(why(&world), "has no pod yet; its DeploymentVersion says `ImagePullFailed`");
    world.apply([says("True", "Ready")]);
    assert_eq!(why(&world), "has no pod yet");
    world.apply([says("False", "CrashLooping"), slice("shop-version-2", &["10.0.0.2"])]);
    assert_eq!(route(&world, "version-2.shop.example.com/").trouble, None);
}

fn ids(world: &World) -> Vec<u64> {
    route(world, "shop.example.com/").endpoints.iter().map(|it| it.id).collect()
}

fn retired(world: &World) -> Vec<u64> {
    world.compiled().retired.iter().map(|it: &Arc<Endpoint>| it.id).collect()
}

#[test]
fn an_endpoint_keeps_its_id_while_its_identity_stays() {
    let mut world = World::shop(json!({}));
    let first = ids(&world);
    world.apply([slice("shop", &["10.0.0.1", "10.0.0.2"])]);
    let two = ids(&world);
    assert_eq!((two[0], two.len()), (first[0], 2));
    assert!(retired(&world).is_empty());
    world.apply([slice("shop", &["10.0.0.2"])]);
    assert_eq!((ids(&world), retired(&world)), (vec![two[1]], vec![two[0]]));
    // The same address again is another endpoint: the connections of the old one are gone.
    world.apply([slice("shop", &["10.0.0.1", "10.0.0.2"])]);
    assert!(!two.contains(&ids(&world)[0]));
    // The same address as another pod's, too.
    let mut other_pod = slice("shop", &["10.0.0.1", "10.0.0.2"]);
    other_pod["endpoints"][1]["targetRef"]["uid"] = json!("another");
    world.apply([other_pod]);
    assert_eq!(retired(&world), [two[1]]);
    assert_ne!(ids(&world)[1], two[1]);
}

#[test]
fn two_routers_share_the_endpoints_of_a_base() {
    let mut world = World::shop(json!({}));
    world.apply([router("second", json!({"hosts": ["second.example.com"]}))]);
    let (a, b) = (route(&world, "shop.example.com/"), route(&world, "second.example.com/"));
    assert!(Arc::ptr_eq(&a.endpoints[0], &b.endpoints[0]));
    world.remove(Kind::Router, "second");
    assert!(retired(&world).is_empty(), "the first still sends to it");
    world.remove(Kind::Router, "shop");
    assert_eq!(world.compiled().retired.len(), 4);
}

#[test]
fn requests_in_flight_are_counted_over_recompilation() {
    let mut world = World::shop(json!({}));
    let before = route(&world, "shop.example.com/");
    world.apply([slice("shop", &["10.0.0.1", "10.0.0.2"])]);
    let after = route(&world, "shop.example.com/");
    assert!(!Arc::ptr_eq(&before, &after) && Arc::ptr_eq(&before.in_flight, &after.in_flight));
    assert!(!Arc::ptr_eq(&before.in_flight, &route(&world, "version-1.shop.example.com/").in_flight));
}

#[test]
fn the_generation_grows_only_with_the_table() {
    let mut world = World::shop(json!({}));
    let generation = |world: &World| world.compiled().table.generation;
    assert_eq!(generation(&world), 1);
    let table = world.compiled().table.clone();
    world.apply([deployment("stranger"), slice("stranger", &["10.3.3.3"])]);
    let mut relabelled = slice("shop", &["10.0.0.1"]);
    relabelled["metadata"]["labels"]["x"] = json!("y");
    world.apply([relabelled]);
    world.apply([router("shop", json!({"subdomain": "{version}.{host}"}))]);
    assert!(Arc::ptr_eq(&table, &world.compiled().table), "nothing that is served differs");
    world.apply([slice("shop", &["10.0.0.2"])]);
    assert_eq!(generation(&world), 2);
}
