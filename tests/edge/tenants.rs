//! Nobody's open proxy, and each tenant by itself: a destination comes from the table and from nowhere else.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use synkronic::edge::Config;
use synkronic::inventory::{Changes, Edit, Inventory, Object, Settings};
use synkronic::routes::{Compiled, compile};

use super::rig::{HANGS, Rig, Upstream, row, until};

/// A tenant: a base with its Service, whose pod with this uid listens here, and its Router.
fn tenant(namespace: &str, host: &str, uid: &str, upstream: &Upstream) -> Vec<Value> {
    let meta = |name: &str| json!({"namespace": namespace, "name": name});
    vec![
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("shop"), "spec": {
            "selector": {"matchLabels": {"app": "shop"}}, "template": {"metadata": {"labels": {"app": "shop"}}}}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": meta("shop"), "spec": {
            "selector": {"app": "shop"}, "ports": [{"name": "http", "port": 80}]}}),
        slice(namespace, uid, upstream),
        json!({"apiVersion": "kyaninus.com/v1", "kind": "Router", "metadata": meta("shop"),
            "spec": {"base": "shop", "hosts": [host]}}),
    ]
}

fn slice(namespace: &str, uid: &str, upstream: &Upstream) -> Value {
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"namespace": namespace, "name": "shop-1", "labels": {"kubernetes.io/service-name": "shop"}},
        "ports": [{"name": "http", "port": upstream.address.port()}],
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": true},
            "targetRef": {"kind": "Pod", "uid": uid}}]})
}

/// An inventory that is compiled and served as objects come and go.
struct World {
    rig: Rig,
    inventory: Inventory,
    compiled: Option<Compiled>,
}

impl World {
    fn of(objects: impl IntoIterator<Item = Value>) -> Self {
        Self::with(Config::default(), objects)
    }

    fn with(config: Config, objects: impl IntoIterator<Item = Value>) -> Self {
        let rig = Rig::routed(Config { workers: 1, ..config }, []);
        let mut world = Self { rig, inventory: Inventory::default(), compiled: None };
        world.apply(objects);
        world
    }

    fn apply(&mut self, objects: impl IntoIterator<Item = Value>) {
        // What this build cannot read is left out by every source, with a word about it.
        let readable = objects.into_iter().filter_map(|value| Object::read(value).ok().flatten());
        let edits = readable.map(|object| Edit::Apply(Box::new(object)));
        let changes = self.inventory.update(edits);
        self.compile(&changes);
    }

    fn compile(&mut self, changes: &Changes) {
        let settings = Settings { allow_loopback: true, ..Settings::default() };
        let compiled = compile(&self.inventory, &settings, self.compiled.take(), changes);
        self.rig.table.store(Arc::clone(&compiled.table));
        for endpoint in &compiled.retired {
            endpoint.retired.store(true, Ordering::Release);
        }
        self.compiled = Some(compiled);
    }
}

fn named(name: &'static str) -> Upstream {
    Upstream::answering(move |_| {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len()).into_bytes()
    })
}

#[test]
fn a_rule_sees_of_a_stranger_what_upstreams_see() {
    const NAMES: [&str; 12] = [
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Client-Cert",
        "X-Forwarded-",
        "X-Real-IP",
        "X-Original-URL",
        "X-Rewrite-URL",
        // Anybody's.
        "X-Forward",
    ];
    let rule = |(place, name): (usize, &&str)| {
        json!({"name": format!("r{place}"), "send": "base",
            "match": [{"headers": [{"name": name, "exact": "mark"}]}]})
    };
    let rules: Vec<Value> = NAMES.iter().enumerate().map(rule).collect();
    let upstream = Upstream::answering(|request| {
        let seen = request
            .head
            .lines()
            .any(|line| line.split(':').nth(1).is_some_and(|v| v.trim().starts_with("mark")));
        format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{}", u8::from(seen)).into_bytes()
    });
    for trusted in [false, true] {
        let mut objects = tenant("a", "a.test", "1", &upstream);
        objects[3]["spec"]["rules"] = json!(rules);
        let config = Config {
            trusted: trusted.then(|| "127.0.0.0/8".parse().unwrap()).into_iter().collect(),
            ..Config::default()
        };
        let world = World::with(config, objects);
        for (place, name) in NAMES.iter().enumerate() {
            let response = world.rig.ask(format!("GET / HTTP/1.1\r\nHost: a.test\r\n{name}: mark\r\n\r\n"));
            let matched = response.field("x-synkronic-reason") == Some(format!("rule:r{place}"));
            assert_eq!(matched, trusted || *name == "X-Forward", "{name}");
            // These two are parsed and said again; "mark" is none of what they may say.
            if !["X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix"].contains(name) {
                assert_eq!(response.text() == "1", matched, "{name}, trusted: {trusted}");
            }
        }
    }
    row("43", "rules on twelve forwarding fields, of strangers and of trusted proxies");
}

#[test]
fn a_destination_comes_from_the_table_alone() {
    let (ours, theirs) = (named("ours"), named("theirs"));
    let world =
        World::of(tenant("a", "a.test", "1", &ours).into_iter().chain(tenant("b", "b.test", "2", &theirs)));
    let pod = theirs.address.to_string();
    let hosts = [
        "169.254.169.254",
        "metadata.google.internal",
        "[fd00:ec2::254]",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local:443",
        "kubernetes",
        "localhost",
        "LOCALHOST.",
        "127.0.0.1",
        "[::1]",
        "0.0.0.0",
        "2130706433",
        "0x7f000001",
        "127.1",
        "[::ffff:127.0.0.1]",
        "shop.b.svc",
        "shop.b.svc.cluster.local",
        "shop.b",
        "shop",
        &pod,
        "example.com",
        "a.test.evil.test",
        "xa.test",
        "test",
        "a.test.a.test",
    ];
    let mut client = world.rig.client();
    for host in hosts {
        for request in [
            format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            // The target's authority is what counts, whatever Host says (RFC 9112 3.2.2).
            format!("GET http://{host}/latest/meta-data/ HTTP/1.1\r\nHost: a.test\r\n\r\n"),
        ] {
            client.send(&request);
            let response = client.response();
            assert!([400, 404].contains(&response.status), "{request}: {}", response.status);
            if response.closed {
                client = world.rig.client();
            }
        }
    }
    for request in [
        format!("CONNECT {pod} HTTP/1.1\r\nHost: a.test\r\n\r\n"),
        format!("GET {pod} HTTP/1.1\r\nHost: a.test\r\n\r\n"),
        "GET https://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n".to_owned(),
        "GET file:///etc/passwd HTTP/1.1\r\nHost: a.test\r\n\r\n".to_owned(),
        "GET gopher://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n".to_owned(),
        "GET http://b.test@a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n".to_owned(),
    ] {
        assert!([400, 405].contains(&world.rig.ask(&request).status), "{request}");
    }
    assert_eq!((ours.connections(), theirs.connections()), (0, 0), "nobody was even connected to");
    // What other fields name is no destination either.
    for field in
        ["X-Forwarded-Host", "X-Original-URL", "X-Rewrite-URL", "Forwarded", "X-Host", "Referer", "Location"]
    {
        let request = format!("GET / HTTP/1.1\r\nHost: a.test\r\n{field}: http://b.test/\r\n\r\n");
        assert_eq!(world.rig.ask(request).text(), "ours", "{field}");
    }
    assert_eq!(theirs.connections(), 0);
    assert_eq!(world.rig.ask("GET http://b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n").text(), "theirs");
    row("89", "hosts and targets that name addresses");
}

#[test]
fn a_wildcard_of_another_tenant_takes_no_versions_host() {
    let (ours, theirs) = (named("ours"), named("theirs"));
    let mut shop = tenant("z", "shop.test.com", "1", &ours);
    shop[3]["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    shop[3]["spec"]["subdomain"] = json!("{version}-{host}");
    let mut grab = tenant("a", "*.test.com", "2", &theirs);
    grab[3]["metadata"]["creationTimestamp"] = json!("2026-02-01T00:00:00Z");
    let mut world = World::of(grab);
    world.apply(shop);
    let ask = |host: &str| world.rig.ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    assert_eq!(ask("base-shop.test.com").text(), "ours");
    assert_eq!(ask("other.test.com").status, 404, "the wildcard as a whole is refused");
    assert_eq!(theirs.connections(), 0);
}

#[test]
fn a_pods_address_that_is_anothers_now_gets_no_old_connection() {
    // One address, first of one tenant's pod, then of another's: all that listens there is the same process here,
    // which tells connections apart.
    let upstream = Upstream::new(|number, mut visit| {
        while visit.request().is_some() {
            let body = number.to_string();
            visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        }
    });
    let other = named("other");
    let mut world = World::of(
        tenant("a", "a.test", "uid-1", &upstream).into_iter().chain(tenant("b", "b.test", "uid-2", &other)),
    );
    let ask = |world: &World, host: &str| {
        let response = world.rig.ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        (response.status, response.text().to_owned())
    };
    assert_eq!(ask(&world, "a.test"), (200, "0".into()));
    assert_eq!(ask(&world, "a.test"), (200, "0".into()), "the same connection serves again");
    // The pod goes, and its address comes back as the pod of b.
    world.apply([slice("a", "uid-1", &other), slice("b", "uid-3", &upstream)]);
    assert_eq!(ask(&world, "b.test"), (200, "1".into()), "a connection of its own");
    assert_eq!(ask(&world, "a.test"), (200, "other".into()));
    // Back again as a's, but another pod: neither the first nor the second connection.
    world.apply([slice("b", "uid-2", &other), slice("a", "uid-4", &upstream)]);
    assert_eq!(ask(&world, "a.test"), (200, "2".into()));
    // Both share one address now; each keeps to its own connections.
    world.apply([slice("b", "uid-5", &upstream)]);
    for _ in 0..5 {
        assert_eq!(ask(&world, "b.test"), (200, "3".into()));
        assert_eq!(ask(&world, "a.test"), (200, "2".into()));
    }
    until("old connections stay", || world.rig.metric("synkronic_edge_upstream_idle") <= 2.0);
    row("82", "an address that is another pod's");
}

#[test]
fn a_request_under_way_when_its_pod_goes_ends_well_and_its_connection_with_it() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Upstream::new(move |number, mut visit| {
        while visit.request().is_some() {
            if number == 0 {
                wait.lock().unwrap().recv().unwrap();
            }
            let body = number.to_string();
            visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        }
    });
    let mut world = World::of(tenant("a", "a.test", "uid-1", &upstream));
    let mut client = world.rig.client();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    until("it never arrives", || upstream.requests() == 1);
    world.apply([slice("a", "uid-2", &upstream)]);
    go.send(()).unwrap();
    assert_eq!(client.response().text(), "0");
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(client.response().text(), "1", "what belonged to the old pod is not used for the new one");
}

#[test]
fn hostile_strings_in_a_router_reject_it_or_a_part_of_it_and_never_its_neighbours() {
    let upstream = named("good");
    let good = tenant("good", "good.test", "1", &upstream);
    let long = "a".repeat(256 << 10);
    let header = |name: &str, test: Value| {
        let mut condition = json!({"name": name});
        condition.as_object_mut().unwrap().extend(test.as_object().unwrap().clone());
        json!({"rules": [{"name": "r", "match": [{"headers": [condition]}], "send": "base"}]})
    };
    let path = |test: Value| json!({"rules": [{"name": "r", "match": [{"paths": [test]}], "send": "base"}]});
    let bad: Vec<Value> = vec![
        json!({"hosts": ["good.test"]}),
        json!({"hosts": ["good.test\n"]}),
        json!({"hosts": ["good.test\u{0}"]}),
        json!({"hosts": ["good.test/"]}),
        json!({"hosts": ["*"]}),
        json!({"hosts": ["*.*"]}),
        json!({"hosts": ["good.test:80", "[::1]", "169.254.169.254", "", " ", "{}", "{host}", &long]}),
        json!({"hosts": vec!["x.test"; 10_000]}),
        json!({"base": "", "hosts": ["bad.test"]}),
        json!({"base": "../good/shop", "hosts": ["bad.test"]}),
        json!({"base": "good/shop", "hosts": ["bad.test"]}),
        json!({"service": "shop.good", "hosts": ["bad.test"]}),
        json!({"service": "good/shop", "hosts": ["bad.test"]}),
        json!({"subdomain": "{version}", "hosts": ["bad.test"]}),
        json!({"subdomain": "good.test", "hosts": ["bad.test"]}),
        json!({"subdomain": "{version}.good.test", "hosts": ["bad.test"]}),
        json!({"subdomain": "{version}{version}.{host}\n{host}", "hosts": ["bad.test"]}),
        json!({"path": "/{version}/..", "hosts": ["bad.test"]}),
        json!({"path": "//{version}", "hosts": ["bad.test"]}),
        json!({"path": "\u{0}", "hosts": ["bad.test"]}),
        json!({"versions": [&long, "**", "\n", "../*"], "hosts": ["bad.test"]}),
        json!({"active": "version-1\r\nX-Evil: 1", "hosts": ["bad.test"]}),
        json!({"override": {"header": "X-A\r\nX-Evil: 1"}}),
        json!({"override": {"header": ""}}),
        json!({"override": {"header": "Host"}}),
        json!({"override": {"header": "Content-Length"}}),
        header("X-A\r\nX-Evil: 1", json!({"exact": "1"})),
        header("", json!({"exact": "1"})),
        header("X-A", json!({"exact": "a\r\nb"})),
        header("X-A", json!({"exact": long})),
        header("X-A", json!({"regex": long})),
        header("X-A", json!({"regex": "(a+)+$"})),
        header("X-A", json!({"regex": "(.*a){25}"})),
        header("X-A", json!({"regex": "a{1000}{1000}{1000}"})),
        header("X-A", json!({"regex": "((((((((((a*)*)*)*)*)*)*)*)*)*)*"})),
        header("X-A", json!({"regex": "(?i)[\\p{L}--z]"})),
        header("X-A", json!({"regex": "a)|(b"})),
        header("X-A", json!({"regex": "("})),
        header("X-A", json!({"regex": "\\"})),
        header("X-A", json!({"exact": "1", "regex": "1"})),
        header("X-A", json!({})),
        path(json!({"prefix": "a\n"})),
        path(json!({"prefix": ""})),
        path(json!({"exact": "../../etc"})),
        path(json!({"regex": "(x+x+)+y"})),
        json!({"rules": vec![json!({"name": "r", "match": [{"headers": [{"name": "X", "exact": "1"}]}], "send": "base"}); 1000]}),
        json!({"rules": [{"name": "r\r\nX-Evil: 1", "match": [{"headers": [{"name": "X", "exact": "1"}]}], "send": "base"}]}),
        json!({"rules": [{"name": "r", "match": [{"headers": [{"name": "X", "exact": "1"}]}], "send": "good/base\r\n"}]}),
        json!({"rules": [{"name": "r", "match": [], "send": "base"}]}),
        json!({"split": [{"version": "base", "weight": -1}]}),
        json!({"split": [{"version": "base", "weight": 2_147_483_648_u64}]}),
        json!({"split": [{"version": "base", "weight": 0}, {"version": "version-1", "weight": 0}]}),
        json!({"timeouts": {"response": "-1s"}}),
        json!({"timeouts": {"response": "1e999h"}}),
        json!({"retries": -1}),
        json!({"retries": 4_294_967_296_u64}),
        json!({"port": 0}),
        json!({"port": -1}),
        json!({"port": 65_536}),
        json!({"port": "\u{0}"}),
        json!({"hosts": "bad.test"}),
        json!({"hosts": null}),
        json!([]),
        json!("spec"),
        json!(null),
        json!({"unknown": {"deep": [[[[[[[[[[]]]]]]]]]]}}),
    ];
    let count = bad.len();
    let mut world = World::of(good);
    let mut client = world.rig.client();
    let mut ask = |rig: &Rig, host: &str, more: &str| {
        client.send(format!("GET /a/b HTTP/1.1\r\nHost: {host}\r\n{more}\r\n"));
        let response = client.response();
        if response.closed {
            client = rig.client();
        }
        response
    };
    for (number, fields) in bad.into_iter().enumerate() {
        let shown = format!("{fields:.200}");
        let mut spec = json!({"base": "shop", "hosts": [format!("bad-{number}.test")]});
        match fields {
            Value::Object(fields) => spec.as_object_mut().unwrap().extend(fields),
            whole => spec = whole,
        }
        let namespace = format!("bad-{number}");
        let mut objects = tenant(&namespace, "unused.test", "2", &upstream);
        objects[3]["spec"] = spec;
        let began = std::time::Instant::now();
        world.apply(objects);
        // Far from any time that it takes; a pattern that explodes takes for ever.
        assert!(began.elapsed() < HANGS, "{shown}");
        let response =
            ask(&world.rig, "good.test", "X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\r\n");
        assert_eq!((response.status, response.text()), (200, "good"), "beside {shown}");
        assert_eq!(response.field("x-evil"), None, "{shown}");
        // Whether the bad one is served or not, no answer of it is malformed.
        let host = format!("bad-{number}.test");
        let response = ask(
            &world.rig,
            &host,
            "X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\r\nX: 1\r\n",
        );
        assert!([200, 404, 503].contains(&response.status), "{shown}: {response:?}");
        assert_eq!(response.field("x-evil"), None, "{shown}");
    }
    // All of them together, and from scratch.
    let whole = compile(
        &world.inventory,
        &Settings { allow_loopback: true, ..Settings::default() },
        None,
        &Changes::default(),
    );
    world.rig.table.store(whole.table);
    assert_eq!(ask(&world.rig, "good.test", "").text(), "good");
    row("93", &format!("{count} Routers with hostile fields, their neighbour served throughout"));
}
