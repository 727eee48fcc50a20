//! One socket for IPv4 and IPv6: whoever comes by IPv4 is the same to everything that asks for an address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::{Value, json};
use synkronic::edge::{AccessLog, Config, Edge, Limits};
use synkronic::inventory::{Edit, Inventory, Object, Settings};
use synkronic::meter::Meter;
use synkronic::routes::compile;

use super::rig::{Client, Request, Rig, Upstream};

const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
const OFFICE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// A base whose Router has a rule for the office.
fn shop(upstream: &Upstream) -> [Value; 4] {
    let meta = |name: &str| json!({"namespace": "n", "name": name});
    [
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("shop"), "spec": {
            "selector": {"matchLabels": {"app": "shop"}}, "template": {"metadata": {"labels": {"app": "shop"}}}}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": meta("shop"), "spec": {
            "selector": {"app": "shop"}, "ports": [{"name": "http", "port": 80}]}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"namespace": "n", "name": "shop-1", "labels": {"kubernetes.io/service-name": "shop"}},
            "ports": [{"name": "http", "port": upstream.address.port()}],
            "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": true}}]}),
        json!({"apiVersion": "kyaninus.com/v1", "kind": "Router", "metadata": meta("shop"), "spec": {
            "base": "shop", "hosts": ["shop.test"],
            "rules": [{"name": "office", "match": [{"clientCidrs": ["127.0.0.2/32"]}], "send": "base"}]}}),
    ]
}

/// An edge at every address, as it is in a pod; and where it is by IPv4.
fn edge(config: Config, upstream: &Upstream) -> (Rig, SocketAddr) {
    let mut inventory = Inventory::default();
    let objects = shop(upstream).map(|object| Object::read(object).unwrap().unwrap());
    let changes = inventory.update(objects.map(|object| Edit::Apply(Box::new(object))));
    let settings = Settings { allow_loopback: true, ..Settings::default() };
    let table = Arc::new(ArcSwap::from(Arc::clone(&compile(&inventory, &settings, None, &changes).table)));
    let meter = Arc::new(Meter::new().unwrap());
    let config = Config { workers: 1, listen: vec![(Ipv6Addr::UNSPECIFIED, 0).into()], ..config };
    let bound = Edge::build(&config, Arc::clone(&table), Arc::clone(&meter)).unwrap();
    let by_ipv4 = (Ipv4Addr::LOCALHOST, bound.addresses[0].port()).into();
    (Rig { bound, table, meter }, by_ipv4)
}

/// The reason of an answer to a client, and the request as the upstream has seen it.
fn ask(client: &mut Client, upstream: &Upstream, fields: &str) -> (String, Request) {
    client.send(format!("GET / HTTP/1.1\r\nHost: shop.test\r\n{fields}\r\n"));
    let response = client.response();
    assert_eq!(response.status, 200, "{}", response.text());
    let head = upstream.heads.lock().unwrap().last().unwrap().clone();
    (response.field("x-synkronic-reason").unwrap(), Request { head, body: Vec::new() })
}

#[test]
fn who_comes_by_ipv4_has_an_ipv4_address() {
    let upstream = Upstream::echo();
    let log = tempfile::NamedTempFile::new().unwrap();
    let config = Config {
        trusted: vec![IpAddr::from(PROXY).into()],
        access_log: AccessLog::File(log.path().to_owned()),
        ..Config::default()
    };
    let (rig, by_ipv4) = edge(config, &upstream);
    let from = |source, fields: &str| ask(&mut Client::from(source, by_ipv4), &upstream, fields);
    for (source, fields, reason, told) in [
        (OFFICE, "", "rule:office", "127.0.0.2"),
        (STRANGER, "", "active", "127.0.0.3"),
        // Who is not trusted cannot say that it is the office; a trusted proxy can, in either spelling.
        (STRANGER, "X-Forwarded-For: 127.0.0.2\r\n", "active", "127.0.0.3"),
        (PROXY, "X-Forwarded-For: 127.0.0.2\r\n", "rule:office", "127.0.0.2, 127.0.0.9"),
        (PROXY, "X-Forwarded-For: ::ffff:127.0.0.2\r\n", "rule:office", "::ffff:127.0.0.2, 127.0.0.9"),
    ] {
        let (by, seen) = from(source, fields);
        assert_eq!((by.as_str(), seen.field("x-forwarded-for").as_deref()), (reason, Some(told)), "{fields}");
    }
    rig.bound.handle().drain();
    rig.bound.join();
    let lines = std::fs::read_to_string(log.path()).unwrap();
    assert!(lines.lines().count() == 5 && !lines.contains("::ffff"), "{lines}");
    assert!(lines.contains(r#""client":"127.0.0.2""#), "{lines}");
}

#[test]
fn a_source_by_ipv4_has_its_share_and_a_trusted_proxy_is_exempt() {
    let upstream = Upstream::echo();
    let limits = Limits { connections_per_source: Some(2), ..Limits::default() };
    let config = Config { limits, trusted: vec![IpAddr::from(PROXY).into()], ..Config::default() };
    let (rig, by_ipv4) = edge(config, &upstream);
    let client = |source| Client::from(source, by_ipv4);
    let held = [client(STRANGER), client(STRANGER)].map(|mut client| {
        ask(&mut client, &upstream, "");
        client
    });
    assert!(client(STRANGER).is_ended());
    // All of IPv4 is in one /64 of mapped addresses: it must not be taken for one subscriber.
    ask(&mut client(OFFICE), &upstream, "");
    for mut proxied in [PROXY; 4].map(client) {
        ask(&mut proxied, &upstream, "");
    }
    assert_eq!(rig.metric(r#"synkronic_edge_connections_shed_total{limit="source"}"#), 1.0);
    drop(held);
}

#[test]
fn who_comes_by_ipv6_is_served_by_the_same_socket() {
    let upstream = Upstream::echo();
    let (rig, _) = edge(Config::default(), &upstream);
    // A kernel without IPv6 has no such client either.
    if rig.address().is_ipv6() {
        let mut client = Client::to((Ipv6Addr::LOCALHOST, rig.address().port()).into());
        let (reason, seen) = ask(&mut client, &upstream, "");
        assert_eq!((reason.as_str(), seen.field("x-forwarded-for").as_deref()), ("active", Some("::1")));
    }
}
