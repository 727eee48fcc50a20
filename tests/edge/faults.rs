//! Upstreams that refuse, hang, reset, close at the wrong time, or say what is no HTTP.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use synkronic::edge::{Config, Limits};
use synkronic::routes::{Route, RouteLimits, Table};

use super::rig::{Refusing, Rig, Upstream, get, row, until};

/// An address that takes no connection and refuses none: its listener's queue is full.
struct Hanging {
    address: SocketAddr,
    _sockets: Vec<Socket>,
}

impl Hanging {
    fn new() -> Self {
        let socket = || Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        let listener = socket();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let mut sockets = vec![listener];
        for _ in 0..4 {
            let filler = socket();
            filler.set_nonblocking(true).unwrap();
            let _ = filler.connect(&address.into());
            sockets.push(filler);
        }
        // Full once a connection does not come about at once, as all on loopback do.
        until("the queue never fills", || {
            let probe = socket();
            let full = probe.connect_timeout(&address.into(), Duration::from_millis(50)).is_err();
            sockets.push(probe);
            full
        });
        Self { address, _sockets: sockets }
    }
}

/// Ends a connection with a reset.
fn reset(stream: &std::net::TcpStream) {
    SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
}

const POST: &str = "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 2\r\n\r\nhi";

#[test]
fn one_that_refuses_is_passed_over_even_by_a_post() {
    let (upstream, refusing) = (Upstream::echo(), Refusing::new());
    let rig = Rig::on(&[refusing.address, upstream.address]);
    for _ in 0..20 {
        assert_eq!(rig.ask(POST).status, 200);
        assert_eq!(rig.ask(get("/")).status, 200);
    }
    assert!(rig.metric("synkronic_edge_endpoint_ejections_total") >= 1.0);
}

#[test]
fn as_many_as_refuse_are_passed_over_where_one_is_left() {
    let (upstream, refusing) = (Upstream::echo(), [Refusing::new(), Refusing::new(), Refusing::new()]);
    let [one, two, three] = refusing.each_ref().map(|refusing| refusing.address);
    for _ in 0..20 {
        // A new edge each time: it has not heard of any of them.
        let rig = Rig::on(&[one, two, upstream.address, three]);
        assert_eq!(rig.ask(POST).status, 200);
    }
    row("74", "endpoints that refuse");
}

#[test]
fn a_request_that_all_refuse_goes_to_who_takes_over() {
    let (refusing, upstream) = (Refusing::new(), Upstream::echo());
    let limits = Limits { hedge: super::rig::HANGS, connect: super::rig::HANGS, ..Limits::default() };
    let rig = Rig::with(Config { workers: 1, limits, ..Config::default() }, &[refusing.address]);
    let mut client = rig.client();
    client.send(POST);
    rig.await_metric("synkronic_edge_endpoint_ejections_total", |count| count == 1.0);
    let next = super::rig::route("base", vec![super::rig::endpoint(upstream.address)]);
    rig.table.store(Arc::new(Table::of_hosts(2, [("shop.test".into(), Arc::new(next))])));
    assert_eq!(client.response().status, 200);
    assert_eq!(upstream.requests(), 1);
}

#[test]
fn where_nobody_is_to_be_tried_again_one_refusal_is_the_end() {
    let (refusing, upstream) = (Refusing::new(), Upstream::echo());
    let endpoints = vec![super::rig::endpoint(refusing.address), super::rig::endpoint(upstream.address)];
    let route = Route {
        limits: RouteLimits { retries: Some(0), ..RouteLimits::default() },
        ..super::rig::route("base", endpoints)
    };
    let rig = Rig::routed(Config { workers: 1, ..Config::default() }, [("shop.test", route)]);
    until("the one that refuses is never met", || rig.ask(get("/")).status == 502);
    assert_eq!(rig.metric("synkronic_edge_retries_total"), 0.0);
}

#[test]
fn where_all_refuse_it_is_a_502_and_none_is_given_up() {
    let (refusing, other) = (Refusing::new(), Refusing::new());
    let rig = Rig::on(&[refusing.address, other.address]);
    for _ in 0..5 {
        let response = rig.ask(get("/"));
        assert_eq!(response.status, 502);
        assert_eq!(response.field("x-synkronic-version").as_deref(), Some("base"));
    }
    // Set aside or not, the only one that comes back is used at once.
    let listener = refusing.listen();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut client = super::rig::Client { stream: stream.unwrap(), unread: Vec::new() };
            client.head().unwrap();
            client.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    until("the one that came back is never used", || rig.ask(get("/")).status == 200);
}

#[test]
fn one_that_hangs_is_overtaken_by_another() {
    let (hanging, upstream) = (Hanging::new(), Upstream::echo());
    let rig = Rig::on(&[hanging.address, upstream.address]);
    for _ in 0..6 {
        assert_eq!(rig.ask(POST).status, 200);
    }
    row("74", "endpoints that hang");
}

#[test]
fn one_that_hangs_alone_is_a_504() {
    let hanging = Hanging::new();
    let limits = Limits { connect: Duration::from_millis(300), ..Limits::default() };
    let rig = Rig::with(Config { workers: 1, limits, ..Config::default() }, &[hanging.address]);
    assert_eq!(rig.ask(get("/")).status, 504);
    rig.await_metric(r#"synkronic_edge_faults_total{side="upstream",fault="connect_slow"}"#, |n| n == 1.0);
}

#[test]
fn no_endpoint_is_a_503_that_says_when_to_come_back() {
    let rig = Rig::on(&[]);
    let response = rig.ask(get("/"));
    assert_eq!(response.status, 503);
    assert!(response.field("retry-after").is_some());
    assert_eq!(response.field("x-synkronic-version").as_deref(), Some("base"));
}

/// An upstream that answers the first request of each connection and, on the second, ends the connection as
/// `end` says; counts the requests by their line.
fn closing(end: impl Fn(&std::net::TcpStream) + Send + Sync + 'static) -> Upstream {
    Upstream::new(move |_, mut visit| {
        let Some(_) = visit.request() else { return };
        visit.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        visit.request();
        end(&visit.client.stream);
    })
}

fn executed(upstream: &Upstream) -> BTreeMap<String, usize> {
    let mut executed = BTreeMap::new();
    for head in upstream.heads.lock().unwrap().iter() {
        *executed.entry(head.lines().next().unwrap().to_owned()).or_default() += 1;
    }
    executed
}

#[test]
fn a_pooled_connection_that_closes_as_we_send_costs_a_get_nothing() {
    for resets in [false, true] {
        let upstream = closing(move |stream| {
            if resets {
                reset(stream)
            }
        });
        let rig = Rig::on(&[upstream.address]);
        let mut client = rig.client();
        for turn in 0..20 {
            client.send(get(&format!("/{turn}")));
            assert_eq!(client.response().status, 200, "{resets} {turn}");
        }
    }
}

#[test]
fn a_post_is_never_executed_twice() {
    for resets in [false, true] {
        let upstream = closing(move |stream| {
            if resets {
                reset(stream)
            }
        });
        let other = closing(move |stream| {
            if resets {
                reset(stream)
            }
        });
        let rig = Rig::on(&[upstream.address, other.address]);
        let mut client = rig.client();
        let mut statuses = BTreeMap::<u16, usize>::new();
        for turn in 0..40 {
            client.send(format!("POST /{turn} HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 2\r\n\r\nhi"));
            *statuses.entry(client.response().status).or_default() += 1;
        }
        assert_eq!(statuses.keys().copied().collect::<Vec<_>>(), [200, 502], "{statuses:?}");
        let mut all = executed(&upstream);
        for (line, count) in executed(&other) {
            *all.entry(line).or_default() += count;
        }
        assert!(all.values().all(|count| *count == 1), "{all:?}");
        assert_eq!(all.len(), 40);
    }
    row("79", "no POST twice");
}

#[test]
fn a_get_is_tried_once_more_and_no_more() {
    let upstream = Upstream::new(|_, mut visit| {
        visit.request();
        reset(&visit.client.stream);
    });
    let rig = Rig::on(&[upstream.address]);
    assert_eq!(rig.ask(get("/")).status, 502);
    assert_eq!(upstream.requests(), 2);
    assert_eq!(rig.ask("GET / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 2\r\n\r\nhi").status, 502);
    assert_eq!(upstream.requests(), 3, "with a body it is sent once");
    assert_eq!(rig.metric("synkronic_edge_retries_total"), 1.0);
}

#[test]
fn where_all_fail_the_requests_do_not_multiply() {
    const MANY: usize = 600;
    let fails = || {
        Upstream::new(|_, mut visit| {
            visit.request();
            reset(&visit.client.stream);
        })
    };
    let (one, other) = (fails(), fails());
    let rig = Rig::on(&[one.address, other.address]);
    let mut client = rig.client();
    for _ in 0..MANY {
        client.send(get("/"));
        assert_eq!(client.response().status, 502);
    }
    let extra = one.requests() + other.requests() - MANY;
    // A fifth of the requests, and never below 100 in the ten seconds that are looked back on.
    let allowed = MANY / 5 + 1;
    assert!((1..=allowed.max(100)).contains(&extra), "{extra}");
    row("80", &format!("{MANY} requests that all endpoints reset cost {extra} more"));
}

#[test]
fn endpoints_may_be_many_the_same_or_of_ipv6() {
    let upstream = Upstream::echo();
    let listener = TcpListener::bind("[::1]:0").unwrap();
    let six = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            while stream.read(&mut head).is_ok_and(|count| count > 0) {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nsix").unwrap();
            }
        }
    });
    for addresses in
        [vec![six], vec![upstream.address; 2], vec![upstream.address; 1000], vec![six, upstream.address]]
    {
        let rig = Rig::on(&addresses);
        let mut client = rig.client();
        for _ in 0..50 {
            client.send(get("/"));
            let response = client.response();
            assert_eq!(response.status, 200);
            let of_six = response.text() == "six";
            assert!(addresses.contains(&six) || !of_six);
            assert!(addresses.contains(&upstream.address) || of_six);
        }
    }
    row("83", "IPv6, the same address twice and a thousand times");
}

#[test]
fn what_is_no_http_is_a_502_and_its_connection_is_dropped() {
    for nonsense in [
        "hello\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length",
    ] {
        let upstream = Upstream::new(move |_, mut visit| {
            visit.request();
            visit.send(nonsense);
        });
        let rig = Rig::on(&[upstream.address]);
        let mut client = rig.client();
        for turn in 1..3 {
            client.send(POST);
            assert_eq!(client.response().status, 502, "{nonsense}");
            assert_eq!(upstream.connections(), turn);
        }
    }
}

#[test]
fn a_head_without_end_is_a_502() {
    let upstream = Upstream::new(move |_, mut visit| {
        visit.request();
        let _ = std::io::Write::write_all(&mut visit.client.stream, b"HTTP/1.1 200 OK\r\n");
        while std::io::Write::write_all(&mut visit.client.stream, b"X-More: and more\r\n").is_ok() {}
    });
    let rig = Rig::on(&[upstream.address]);
    assert_eq!(rig.ask(get("/")).status, 502);
}

#[test]
fn interim_answers_are_passed_over_within_bounds() {
    let upstream = Upstream::new(|_, mut visit| {
        while let Some(request) = visit.request() {
            let count = if request.line().contains("many") { 1000 } else { 3 };
            let _ = std::io::Write::write_all(
                &mut visit.client.stream,
                ("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n".repeat(count)
                    + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    .as_bytes(),
            );
        }
    });
    let rig = Rig::on(&[upstream.address]);
    let response = rig.ask(get("/few"));
    assert_eq!((response.status, response.text(), response.field("link")), (200, "ok", None));
    assert_eq!(rig.ask(get("/many")).status, 502);
}

#[test]
fn no_answer_in_time_is_a_504_and_the_request_is_not_repeated() {
    let upstream = Upstream::new(|_, mut visit| {
        visit.request();
        visit.client.is_ended();
    });
    let limits = Limits { response: Duration::from_millis(500), ..Limits::default() };
    let rig = Rig::with(Config { workers: 1, limits, ..Config::default() }, &[upstream.address]);
    let mut client = rig.client();
    client.send(get("/"));
    assert_eq!(client.response().status, 504);
    assert_eq!(upstream.requests(), 1);
    client.send(get("/"));
    assert_eq!(client.response().status, 504, "the client's connection is as good as before");
}

#[test]
fn a_response_that_comes_to_a_halt_is_broken_off() {
    let upstream = Upstream::new(|_, mut visit| {
        visit.request();
        visit.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        visit.client.is_ended();
    });
    let limits = Limits { stream_idle: Duration::from_millis(500), ..Limits::default() };
    let rig = Rig::with(Config { workers: 1, limits, ..Config::default() }, &[upstream.address]);
    let mut client = rig.client();
    client.send(get("/"));
    client.head().unwrap();
    assert_eq!(client.exactly(5), b"hello");
    assert!(client.is_ended());
    rig.await_metric(r#"synkronic_edge_faults_total{side="upstream",fault="stream_slow"}"#, |n| n == 1.0);
}

#[test]
fn an_upstreams_keep_alive_is_heeded() {
    // It says that it keeps connections for no time at all.
    let upstream = Upstream::answering(|_| {
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: timeout=1\r\n\r\n".to_vec()
    });
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    for turn in 1..4 {
        client.send(get("/"));
        client.response();
        assert_eq!(upstream.connections(), turn);
    }
}

#[test]
fn one_versions_faults_leave_the_others_alone() {
    let well = Upstream::echo();
    let ill = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ill);
    let reset = Upstream::new(move |_, mut visit| {
        visit.request();
        count.fetch_add(1, Ordering::SeqCst);
        reset(&visit.client.stream);
    });
    let rig = Rig::routed(
        Config { workers: 1, ..Config::default() },
        [
            ("well.test", super::rig::route("well", vec![super::rig::endpoint(well.address)])),
            ("ill.test", super::rig::route("ill", vec![super::rig::endpoint(reset.address)])),
        ],
    );
    let mut client = rig.client();
    for _ in 0..50 {
        client.send("GET / HTTP/1.1\r\nHost: ill.test\r\n\r\nGET / HTTP/1.1\r\nHost: well.test\r\n\r\n");
        assert_eq!((client.response().status, client.response().status), (502, 200));
    }
    assert_eq!(well.connections(), 1);
    assert!(ill.load(Ordering::SeqCst) >= 50);
}
