//! An endpoint that hangs is found out and set aside, and a version that fails spends nobody else's retries.

use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use synkronic::edge::Config;

use super::rig::{Rig, Upstream, endpoint, get, route, until};

/// An address whose queue of connections is full: it neither takes one nor refuses.
struct Full {
    address: SocketAddr,
    held: Vec<Socket>,
}

impl Full {
    fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let mut full = Self { address, held: vec![listener] };
        until("the queue is never full", || {
            let one = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            let refused = one.connect_timeout(&address.into(), Duration::from_millis(50)).is_err();
            full.held.push(one);
            refused
        });
        full
    }
}

/// Closes each connection with a reset once a request has come on it.
fn resetting(keep: impl Fn(usize) -> usize + Send + Sync + 'static) -> Upstream {
    Upstream::new(move |number, mut visit| {
        for _ in 0..keep(number) {
            if visit.request().is_none() {
                return;
            }
            visit.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
        visit.request();
        SockRef::from(&visit.client.stream).set_linger(Some(Duration::ZERO)).unwrap();
    })
}

#[test]
fn one_that_was_overtaken_on_connecting_is_set_aside() {
    let (full, upstream) = (Full::new(), Upstream::echo());
    let rig = Rig::on(&[full.address, upstream.address]);
    // Each is asked every second time; whoever hangs has the least to do, and would get every next one.
    for _ in 0..60 {
        assert_eq!(rig.ask(get("/")).status, 200);
        if rig.metric("synkronic_edge_retries_total") > 0.0 {
            break;
        }
    }
    rig.await_metric("synkronic_edge_retries_total", |count| count >= 1.0);
    assert_eq!(rig.metric("synkronic_edge_endpoint_ejections_total"), 1.0);
}

#[test]
fn a_failing_version_spends_no_others_retries() {
    // Every other connection ends just as its second request has come.
    let (bad, racing) = (resetting(|_| 0), resetting(|number| 1 + number % 2 * 1000));
    let config = Config { workers: 1, ..Config::default() };
    let routes = [
        ("bad.test", route("bad", vec![endpoint(bad.address)])),
        ("shop.test", route("base", vec![endpoint(racing.address)])),
    ];
    let rig = Rig::routed(config, routes);
    let mut failing = rig.client();
    for _ in 0..400 {
        failing.send("GET / HTTP/1.1\r\nHost: bad.test\r\n\r\n");
        assert_eq!(failing.response().status, 502);
    }
    assert!((400..800).contains(&bad.connections()), "{} connections for 400 requests", bad.connections());
    let mut client = rig.client();
    for turn in 0..2 {
        client.send(get("/"));
        assert_eq!(client.response().status, 200, "turn {turn}");
    }
    assert_eq!(racing.connections(), 2, "the second request was tried again");
}
