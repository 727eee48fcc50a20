//! WebSockets: bytes both ways after the upstream's 101, and not one before.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use socket2::SockRef;
use synkronic::edge::{Config, Limits};
use synkronic::routes::Table;

use super::rig::{Client, Rig, Upstream, endpoint, get, route, row, until};

const ASK: &str = "GET /socket HTTP/1.1\r\nHost: shop.test\r\nConnection: keep-alive, Upgrade\r\n\
                   Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   Sec-WebSocket-Version: 13\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Switches, says `hello` at once, and then tells back what comes until the end.
fn echoing() -> Upstream {
    Upstream::new(|_, mut visit| {
        let request = visit.head().unwrap();
        assert_eq!(request.field("upgrade").as_deref(), Some("websocket"));
        assert_eq!(request.field("connection").as_deref(), Some("upgrade"));
        visit.send([SWITCH.as_bytes(), b"hello"].concat());
        let mut out = visit.client.stream.try_clone().unwrap();
        let early = std::mem::take(&mut visit.client.unread);
        std::io::Write::write_all(&mut out, &early).unwrap();
        let _ = std::io::copy(&mut visit.client.stream, &mut out);
        let _ = out.shutdown(std::net::Shutdown::Write);
    })
}

fn open(rig: &Rig) -> Client {
    let mut client = rig.client();
    client.send(ASK);
    let head = client.head().unwrap();
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(head.to_lowercase().contains("sec-websocket-accept: s3pplmbi"), "{head}");
    assert!(head.contains("x-synkronic-version: base"), "{head}");
    assert_eq!(client.exactly(5), b"hello");
    client
}

#[test]
fn a_websocket_is_relayed_both_ways() {
    let upstream = echoing();
    let rig = Rig::on(&[upstream.address]);
    let mut client = open(&rig);
    for piece in ["a".to_owned(), "b".repeat(100_000), "c".repeat(3)] {
        let mut writer = client.stream.try_clone().unwrap();
        let sent = piece.clone();
        let sending =
            std::thread::spawn(move || std::io::Write::write_all(&mut writer, sent.as_bytes()).unwrap());
        assert_eq!(client.exactly(piece.len()), piece.as_bytes());
        sending.join().unwrap();
    }
    rig.await_metric("synkronic_edge_tunnels", |n| n == 1.0);
    // Half a close goes through: the upstream ends when the client has.
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.rest().unwrap(), b"");
    rig.await_metric("synkronic_edge_tunnels", |n| n == 0.0);
    rig.await_metric(r#"synkronic_edge_requests_total{router="shop/shop",version="base",code="101"}"#, |n| {
        n == 1.0
    });
    row("53", "bytes both ways, half closed");
}

#[test]
fn a_refused_upgrade_stays_http() {
    let upstream =
        Upstream::answering(|_| b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno".to_vec());
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    // What follows is the next request, however much it may look like frames.
    client.send([ASK, &get("/next")].concat());
    assert_eq!(client.response().status, 426);
    assert_eq!(client.response().status, 426);
    let heads = upstream.heads.lock().unwrap();
    assert!(heads[1].starts_with("GET /next "), "{heads:?}");
}

#[test]
fn no_byte_passes_before_the_upstream_has_switched() {
    let upstream = Upstream::new(|_, mut visit| {
        visit.head().unwrap();
        // Whatever has come by the time of the switch came too early.
        visit.client.stream.set_nonblocking(true).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let early = std::io::Read::read(&mut visit.client.stream, &mut [0; 10]);
        visit.client.stream.set_nonblocking(false).unwrap();
        assert!(early.is_err() && visit.client.unread.is_empty());
        visit.send(SWITCH);
        let after = visit.client.exactly(5);
        visit.send(after);
    });
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    client.send([ASK, "early"].concat());
    assert!(client.head().unwrap().starts_with("HTTP/1.1 101"));
    assert_eq!(client.exactly(5), b"early");
}

#[test]
fn other_upgrades_are_ordinary_requests() {
    let upstream = Upstream::echo();
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    for upgrade in ["h2c", "h2c, websocket", "foo"] {
        client.send(format!(
            "GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\n\
             HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
        ));
        assert_eq!(client.response().status, 200);
    }
    // Without `Connection: upgrade` it is none either.
    client.send("GET / HTTP/1.1\r\nHost: shop.test\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(client.response().status, 200);
    for head in upstream.heads.lock().unwrap().iter() {
        assert!(!head.to_lowercase().contains("upgrade"), "{head}");
        assert!(!head.to_lowercase().contains("http2-settings"), "{head}");
    }
}

#[test]
fn either_end_takes_the_other_along() {
    let upstream = Upstream::new(|_, mut visit| {
        visit.head().unwrap();
        visit.send(SWITCH);
        visit.client.exactly(1);
    });
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    client.send(ASK);
    client.head().unwrap();
    client.send("x");
    assert!(client.is_ended());
    drop(client);
    rig.await_metric("synkronic_edge_tunnels", |n| n == 0.0);
    rig.await_metric("synkronic_edge_connections", |n| n == 0.0);
    row("53", "the upstream ends it");
}

#[test]
fn a_tunnel_on_which_nothing_moves_ends() {
    let upstream = Upstream::new(|_, mut visit| {
        visit.head().unwrap();
        visit.send(SWITCH);
        visit.client.is_ended();
    });
    let limits = Limits { stream_idle: Duration::from_millis(500), ..Limits::default() };
    let rig = Rig::with(Config { workers: 1, limits, ..Config::default() }, &[upstream.address]);
    let mut client = rig.client();
    client.send(ASK);
    client.head().unwrap();
    assert!(client.is_ended());
    row("53", "idle");
}

#[test]
fn leaving_waits_for_tunnels_until_their_time_is_up() {
    let upstream = echoing();
    let limits = Limits { drain_timeout: Duration::from_secs(3600), ..Limits::default() };
    let rig = Rig::with(Config { workers: 1, limits, ..Config::default() }, &[upstream.address]);
    let mut client = open(&rig);
    let address = rig.address();
    rig.bound.handle().drain();
    until("the listener never closes", || std::net::TcpStream::connect(address).is_err());
    client.send("still here");
    assert_eq!(client.exactly(10), b"still here");
    drop(client);
    rig.bound.join();
    row("53", "counted in the drain");
}

#[test]
fn a_client_that_goes_before_the_switch_leaves_nothing_behind() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Upstream::new(move |_, mut visit| {
        visit.head().unwrap();
        wait.lock().unwrap().recv().unwrap();
        let _ = std::io::Write::write_all(&mut visit.client.stream, SWITCH.as_bytes());
        visit.client.is_ended();
    });
    let route = route("base", vec![endpoint(upstream.address)]);
    let in_flight = Arc::clone(&route.in_flight);
    let rig = Rig::routed(Config { workers: 1, ..Config::default() }, [("shop.test", route)]);
    let mut client = rig.client();
    client.send(ASK);
    until("the request never reaches the upstream", || upstream.requests() == 1);
    // A reset, so that writing the 101 fails.
    socket2::SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    go.send(()).unwrap();
    rig.await_metric("synkronic_edge_connections", |n| n == 0.0);
    rig.await_metric("synkronic_edge_tunnels", |n| n == 0.0);
    until("the request is in flight for ever", || in_flight.load(Ordering::SeqCst) == 0);
}

#[test]
fn an_answer_to_an_upgrade_that_nobody_takes_up_comes_whole_to_a_slow_client() {
    const LARGE: usize = 8 << 20;
    let upstream = Upstream::new(|_, mut visit| {
        visit.head().unwrap();
        visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n"));
        visit.send(vec![b'x'; LARGE]);
        let _ = visit.client.rest();
    });
    let rig = Rig::on(&[upstream.address]);
    for upgrade in ["h2c", "websocket", "TLS/1.0"] {
        let mut client = rig.client();
        SockRef::from(&client.stream).set_recv_buffer_size(16 << 10).unwrap();
        // Answered before its body has come, so that the answer is the last one.
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 9\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n\r\n"
        ));
        client.head().unwrap();
        let mut taken = 0;
        while taken < LARGE {
            // Slower than the edge, whose last bytes then wait for the socket.
            thread::sleep(Duration::from_millis(2));
            taken += client.exactly((64 << 10).min(LARGE - taken)).len();
        }
        assert!(client.is_ended());
    }
}

#[test]
fn a_tunnel_outlives_its_version_and_ends_with_its_client() {
    let upstream = echoing();
    let rig = Rig::on(&[upstream.address]);
    let (mut client, other) = (open(&rig), open(&rig));
    rig.table.store(Arc::new(Table::of_hosts(2, [])));
    assert_eq!(rig.ask(get("/")).status, 404);
    client.send("still here");
    assert_eq!(client.exactly(10), b"still here");
    // One goes with a reset, the other in order.
    SockRef::from(&other.stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(other);
    rig.await_metric("synkronic_edge_tunnels", |n| n == 1.0);
    client.send("and here");
    assert_eq!(client.exactly(8), b"and here");
    drop(client);
    rig.await_metric("synkronic_edge_tunnels", |n| n == 0.0);
    row("53", "its version removed while it is open, a client that resets");
}
