//! A compiled table behind the edge: how a version is named, and what its requests and answers bear.

use std::sync::Arc;

use arc_swap::ArcSwap;
use synkronic::edge::{Config, Edge, Limits};
use synkronic::meter::Meter;

use super::rig::{Request, Response, Rig, Upstream};

#[path = "../../bench/micro/world.rs"]
mod world;

use world::{Pods, World};

/// Five versions of one shop, all served by this upstream.
fn rig(upstream: &Upstream, config: Config) -> Rig {
    let world = World::of(1, 5, Pods::Ports(vec![[upstream.address.port(); 2]].leak()));
    let table = Arc::new(ArcSwap::from(Arc::clone(&world.compiled().table)));
    let meter = Arc::new(Meter::new().unwrap());
    let bound =
        Edge::build(&Config { workers: 1, ..config }, Arc::clone(&table), Arc::clone(&meter)).unwrap();
    Rig { bound, table, meter }
}

fn ask(rig: &Rig, host: &str, path: &str, more: &str) -> Response {
    rig.ask(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n"))
}

/// The last request that reached an upstream.
fn last(upstream: &Upstream) -> Request {
    Request { head: upstream.heads.lock().unwrap().last().unwrap().clone(), body: Vec::new() }
}

fn told(response: &Response) -> (Option<String>, Option<String>) {
    (response.field("x-synkronic-version"), response.field("x-synkronic-reason"))
}

fn are(version: &str, reason: &str) -> (Option<String>, Option<String>) {
    (Some(version.into()), Some(reason.into()))
}

#[test]
fn every_answer_says_which_version_and_why_and_how_to_keep_it() {
    let upstream = Upstream::answering(|_| {
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nVary: Accept\r\nX-Synkronic-Version: forged\r\n\r\nok"
            .to_vec()
    });
    let rig = rig(&upstream, Config::default());
    let shop = "shop.example.com";
    let active = ask(&rig, shop, "/", "");
    assert_eq!(told(&active), are("version-1", "active"));
    assert_eq!(active.field("x-robots-tag"), None);
    let header = ask(&rig, shop, "/", "X-Synkronic-Version: version-2\r\n");
    assert_eq!(told(&header), are("version-2", "header"));
    assert_eq!(header.field("x-robots-tag").as_deref(), Some("noindex, nofollow"));
    let rule = ask(&rig, shop, "/", "X-QA-Team: blue\r\n");
    assert_eq!(told(&rule), are("version-3", "rule:qa"));
    for response in [&active, &header, &rule] {
        let vary = response.field("vary").unwrap().to_lowercase();
        assert!(vary.starts_with("accept, ") && vary.contains("x-synkronic-version"), "{vary}");
    }
    let subdomain = ask(&rig, &format!("version-4.{shop}"), "/", "");
    assert_eq!(told(&subdomain), are("version-4", "subdomain"));
    // Services behind can follow the version; what the client says of it does not pass.
    let seen = last(&upstream);
    assert_eq!(seen.field("x-synkronic-version").as_deref(), Some("version-4"));
    assert!(seen.field("baggage").unwrap().contains("synkronic-version=version-4"));
    assert_eq!(seen.field("host").as_deref(), Some("version-4.shop.example.com"));
}

#[test]
fn under_a_path_the_application_knows_nothing_of_it() {
    let upstream = Upstream::answering(|_| {
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /login?next=/\r\n\
          Set-Cookie: session=1; Path=/; HttpOnly\r\nService-Worker-Allowed: /\r\n\r\n"
            .to_vec()
    });
    let rig = rig(&upstream, Config::default());
    let shop = "shop.example.com";
    let response = ask(&rig, shop, "/version-2/cart?x=1", "");
    assert_eq!(told(&response), are("version-2", "path"));
    let seen = last(&upstream);
    assert_eq!(seen.line(), "GET /cart?x=1 HTTP/1.1");
    assert_eq!(seen.field("x-forwarded-prefix").as_deref(), Some("/version-2"));
    assert_eq!(response.field("location").as_deref(), Some("/version-2/login?next=/"));
    assert_eq!(response.field("set-cookie").as_deref(), Some("session=1; Path=/version-2/; HttpOnly"));
    assert_eq!(response.field("service-worker-allowed"), None);

    let slash = ask(&rig, shop, "/version-2?x=1", "");
    assert_eq!((slash.status, slash.field("location").as_deref()), (307, Some("/version-2/?x=1")));
    assert_eq!(slash.field("cache-control").as_deref(), Some("no-store"));
    assert_eq!(told(&slash), are("version-2", "path"));
    // Any other first segment is the application's.
    assert_eq!(told(&ask(&rig, shop, "/version-20/", "")), are("version-1", "active"));
}

#[test]
fn a_version_that_is_not_on_offer_is_a_404_and_never_another_version() {
    let upstream = Upstream::echo();
    let rig = rig(&upstream, Config::default());
    for (response, reason) in [
        (ask(&rig, "version-9.shop.example.com", "/", ""), "subdomain"),
        (ask(&rig, "shop.example.com", "/", "X-Synkronic-Version: version-9\r\n"), "header"),
    ] {
        assert_eq!(response.status, 404);
        assert!(response.text().contains("version-9"), "{}", response.text());
        // How it was named is told; no version is.
        assert_eq!(told(&response), (None, Some(reason.to_owned())));
    }
    assert_eq!(upstream.requests(), 0);
}

#[test]
fn cookies_stay_with_their_host_where_that_is_wanted() {
    let upstream = Upstream::answering(|_| {
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: a=1; Domain=shop.example.com; Path=/\r\n\
          Set-Cookie: b=2; domain=.example.com\r\nSet-Cookie: c=3\r\n\r\n"
            .to_vec()
    });
    let host = "version-2.shop.example.com";
    let loose = rig(&upstream, Config::default());
    let told = ask(&loose, host, "/", "").field("set-cookie");
    assert_eq!(told.as_deref(), Some("a=1; Domain=shop.example.com; Path=/, b=2; domain=.example.com, c=3"));
    let strict = rig(&upstream, Config { confine_cookies: true, ..Config::default() });
    assert_eq!(ask(&strict, host, "/", "").field("set-cookie").as_deref(), Some("a=1; Path=/, b=2, c=3"));
    let told = ask(&strict, "shop.example.com", "/", "").field("set-cookie");
    assert_eq!(told.as_deref(), Some("a=1; Domain=shop.example.com; Path=/, b=2, c=3"));
    let told = ask(&strict, "shop.example.com", "/version-2/", "").field("set-cookie");
    assert_eq!(told.as_deref(), Some("a=1; Domain=shop.example.com; Path=/version-2/, b=2, c=3"));
}

#[test]
fn heads_that_hyper_refuses_are_counted_by_what_it_answered() {
    let upstream = Upstream::echo();
    let limits = Limits { head_bytes: 128 << 10, ..Limits::default() };
    let rig = rig(&upstream, Config { limits, ..Config::default() });
    for (request, status, fault) in [
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(70_000)), 414, "target_too_long"),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n", "a".repeat(140_000)), 431, "head_too_large"),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n".to_owned(), 400, "head"),
    ] {
        let response = rig.ask(request);
        assert_eq!((response.status, response.closed), (status, true));
        let code = format!(r#"synkronic_edge_requests_total{{router="",version="",code="{status}"}}"#);
        rig.await_metric(&code, |n| n == 1.0);
        rig.await_metric(&format!(r#"synkronic_edge_faults_total{{side="client",fault="{fault}"}}"#), |n| {
            n == 1.0
        });
    }
}

#[test]
fn a_stranger_cannot_forge_where_it_comes_from_and_a_trusted_proxy_can_tell() {
    let upstream = Upstream::echo();
    let forged = "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nForwarded: for=192.0.2.1\r\n\
                  X-Real-IP: 192.0.2.1\r\n";
    let strict = rig(&upstream, Config::default());
    ask(&strict, "shop.example.com", "/", forged);
    let seen = last(&upstream);
    assert_eq!(seen.field("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    assert_eq!(seen.field("x-forwarded-proto").as_deref(), Some("http"));
    assert_eq!(seen.field("x-forwarded-host").as_deref(), Some("shop.example.com"));
    assert_eq!((seen.field("forwarded"), seen.field("x-real-ip")), (None, None));

    let trusting =
        rig(&upstream, Config { trusted: vec!["127.0.0.0/8".parse().unwrap()], ..Config::default() });
    ask(&trusting, "shop.example.com", "/", forged);
    let seen = last(&upstream);
    assert_eq!(seen.field("x-forwarded-for").as_deref(), Some("192.0.2.1, 127.0.0.1"));
    assert_eq!(seen.field("x-forwarded-proto").as_deref(), Some("https"));
}

#[test]
fn a_request_that_comes_back_is_a_loop() {
    let upstream = Upstream::echo();
    let rig = rig(&upstream, Config::default());
    ask(&rig, "shop.example.com", "/", "");
    let via = last(&upstream).field("via").unwrap();
    assert_eq!(ask(&rig, "shop.example.com", "/", &format!("Via: {via}\r\n")).status, 508);
    assert_eq!(ask(&rig, "shop.example.com", "/", "Via: 1.1 other\r\n").status, 200);
    assert!(last(&upstream).field("via").unwrap().starts_with("1.1 other, 1.1 synkronic-"));
}

#[test]
fn what_the_guard_refuses_reaches_nobody() {
    let upstream = Upstream::echo();
    let rig = rig(&upstream, Config::default());
    let host = "Host: shop.example.com\r\n";
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\n{host}{host}\r\n"), 400),
        (format!("GET /../etc HTTP/1.1\r\n{host}\r\n"), 400),
        (format!("GET //evil.example HTTP/1.1\r\n{host}\r\n"), 400),
        (format!("GET /a HTTP/1.1\r\n{host}X_Forwarded_For: 1\r\n\r\n"), 400),
        (format!("CONNECT a:80 HTTP/1.1\r\n{host}\r\n"), 405),
        (format!("TRACE / HTTP/1.1\r\n{host}\r\n"), 405),
        (format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 400),
        (format!("GET /{} HTTP/1.1\r\n{host}\r\n", "a".repeat(9000)), 414),
        (format!("GET / HTTP/1.1\r\n{host}A: {}\r\n\r\n", "a".repeat(40_000)), 431),
        (format!("GET / HTTP/1.1\r\n{host}{}\r\n", "a: b\r\n".repeat(101)), 431),
        (format!("GET / HTTP/1.1\r\n{host}A : b\r\n\r\n"), 400),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 204),
    ] {
        let response = rig.ask(&request);
        assert_eq!(response.status, status, "{request:.80}");
    }
    assert_eq!(upstream.requests(), 0);
    // Of both framings the length is dropped by hyper; the connection ends with the answer.
    let mut client = rig.client();
    client.send(format!(
        "POST / HTTP/1.1\r\n{host}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n{host}\r\n"
    ));
    let response = client.response();
    assert!(response.closed, "{response:?}");
    assert!(upstream.requests() <= 1);
}
