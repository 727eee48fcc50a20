//! Shares: of one source, of one version that hangs, of what the kernel holds; and file descriptors at their end.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};
use synkronic::edge::{Config, Limits};

use super::rig::{Client, HANGS, Rig, Upstream, endpoint, get, route, row, until};

fn with(limits: Limits, upstream: &Upstream) -> Rig {
    Rig::with(Config { workers: 1, limits, ..Config::default() }, &[upstream.address])
}

#[test]
fn a_source_has_its_share_of_connections_and_trusted_proxies_are_exempt() {
    let upstream = Upstream::echo();
    let limits = Limits { connections_per_source: Some(3), ..Limits::default() };
    let proxy = Ipv4Addr::new(127, 0, 0, 9);
    let trusted = vec![std::net::IpAddr::from(proxy).into()];
    let config = Config { workers: 2, limits, trusted, ..Config::default() };
    let rig = Rig::with(config, &[upstream.address]);
    let greedy = Ipv4Addr::new(127, 0, 0, 2);
    let mut held: Vec<_> = (0..3).map(|_| Client::from(greedy, rig.address())).collect();
    for client in &mut held {
        client.send(get("/"));
        assert_eq!(client.response().status, 200);
    }
    for _ in 0..10 {
        assert!(Client::from(greedy, rig.address()).is_ended());
    }
    assert_eq!(rig.metric(r#"synkronic_edge_connections_shed_total{limit="source"}"#), 10.0);
    assert_eq!(rig.metric(r#"synkronic_edge_connections_shed_total{limit="all"}"#), 0.0);
    // Others are as welcome as before, and a proxy brings as many as it has clients.
    let others: Vec<_> =
        (3..9).map(|last| Client::from(Ipv4Addr::new(127, 0, 0, last), rig.address())).collect();
    let behind: Vec<_> = (0..10).map(|_| Client::from(proxy, rig.address())).collect();
    for mut client in others.into_iter().chain(behind) {
        client.send(get("/"));
        assert_eq!(client.response().status, 200);
    }
    // A place that is given back is there for the next.
    for mut client in held {
        client.send(get("/"));
        assert_eq!(client.response().status, 200);
    }
    rig.await_metric("synkronic_edge_connections", |n| n == 0.0);
    let mut client = Client::from(greedy, rig.address());
    client.send(get("/"));
    assert_eq!(client.response().status, 200);
}

#[test]
fn a_version_that_hangs_takes_only_its_own_share() {
    const SHARE: u32 = 20;
    let (well, mute) = (Upstream::echo(), Upstream::new(|_, mut visit| while visit.request().is_some() {}));
    let hangs = route("hangs", vec![endpoint(mute.address)]);
    let in_flight = Arc::clone(&hangs.in_flight);
    let limits = Limits { in_flight: SHARE, connections: 200, ..Limits::default() };
    let rig = Rig::routed(
        Config { workers: 2, limits, ..Config::default() },
        [("hangs.test", hangs), ("shop.test", route("base", vec![endpoint(well.address)]))],
    );
    let ask = "GET / HTTP/1.1\r\nHost: hangs.test\r\nAccept: application/json\r\n\r\n";
    let held: Vec<_> = (0..SHARE)
        .map(|_| {
            let mut client = rig.client();
            client.send(ask);
            client
        })
        .collect();
    until("not all are in flight", || in_flight.load(Ordering::SeqCst) == SHARE);
    // A connection on which requests are refused stays of use.
    let mut late = rig.client();
    for _ in 0..50 {
        late.send(ask);
        let response = late.response();
        assert_eq!((response.status, response.field("retry-after").as_deref()), (503, Some("5")));
        assert!(response.text().contains("overloaded"), "{}", response.text());
        assert_eq!(response.field("x-synkronic-version").as_deref(), Some("hangs"));
        assert_eq!(response.field("x-synkronic-reason").as_deref(), Some("active"));
        late.send(get("/"));
        assert_eq!(late.response().status, 200, "the version beside it");
    }
    assert_eq!(mute.requests(), SHARE as usize, "what was refused never reached it");
    assert_eq!(rig.metric(r#"synkronic_edge_faults_total{side="us",fault="overloaded"}"#), 50.0);
    let gauge = r#"synkronic_edge_requests_in_flight{router="shop/shop",version="hangs"}"#;
    rig.await_metric(gauge, |n| n == f64::from(SHARE));
    // Whoever gives up makes room.
    drop(held);
    until("the share is never given back", || in_flight.load(Ordering::SeqCst) == 0);
    late.send(ask);
    until("it is never asked again", || mute.requests() == SHARE as usize + 1);
}

#[test]
fn tunnels_count_for_the_share() {
    let upstream = Upstream::new(|_, mut visit| {
        visit.head().unwrap();
        visit.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        visit.client.is_ended();
    });
    let rig = with(Limits { in_flight: 2, ..Limits::default() }, &upstream);
    let ask = "GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
               Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let open = || {
        let mut client = rig.client();
        client.send(ask);
        let head = client.head().unwrap();
        (client, head)
    };
    let (first, second) = (open(), open());
    assert!(first.1.starts_with("HTTP/1.1 101") && second.1.starts_with("HTTP/1.1 101"));
    assert!(open().1.starts_with("HTTP/1.1 503"));
    drop(first);
    until("a closed tunnel keeps its place", || open().1.starts_with("HTTP/1.1 101"));
}

#[test]
fn an_early_answer_reaches_a_client_that_is_still_writing() {
    // Both an answer of ours and an upstream's that closes at once: the client writes all of its body before it
    // reads, and must not have lost the answer to a reset by then.
    const BODY: usize = 32 << 20;
    let upstream = Upstream::new(|_, mut visit| {
        visit.head().unwrap();
        visit.send("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlong");
    });
    let rig = Rig::on(&[upstream.address]);
    for (host, status) in [("nobody.test", 404), ("shop.test", 413)] {
        for framing in [format!("Content-Length: {BODY}"), "Transfer-Encoding: chunked".to_owned()] {
            let mut client = rig.client();
            client.send(format!("POST / HTTP/1.1\r\nHost: {host}\r\n{framing}\r\n\r\n"));
            let piece = vec![b'x'; 64 << 10];
            for _ in 0..BODY / piece.len() {
                if framing.starts_with('T') {
                    client.send(format!("{:x}\r\n", piece.len()));
                }
                client.send(&piece);
                if framing.starts_with('T') {
                    client.send("\r\n");
                }
            }
            assert_eq!(client.response().status, status, "{host} {framing}");
        }
    }
}

#[test]
fn who_never_stops_sending_is_not_read_for_ever() {
    let upstream = Upstream::echo();
    let limits = Limits { linger_whole: Duration::from_millis(600), ..Limits::default() };
    let rig = with(limits, &upstream);
    let mut client = rig.client();
    client.send("POST / HTTP/1.1\r\nHost: nobody.test\r\nContent-Length: 1000000000000\r\n\r\n");
    let piece = vec![b'x'; 64 << 10];
    while client.stream.write_all(&piece).is_ok() {}
    rig.await_metric("synkronic_edge_connections", |n| n == 0.0);
}

/// Writes until nobody takes any more for a while; how much that was.
fn pour(stream: &mut TcpStream) -> usize {
    stream.set_nonblocking(true).unwrap();
    let piece = vec![b'x'; 64 << 10];
    let (mut poured, mut idle) = (0, 0);
    while idle < 50 {
        match stream.write(&piece) {
            Ok(count) => (poured, idle) = (poured + count, 0),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                idle += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => panic!("{error}"),
        }
    }
    poured
}

#[test]
fn what_the_kernel_holds_for_a_slow_reader_is_bounded() {
    // The reader takes some at first, so that the kernel thinks well of it, and then nothing.
    let poured = Arc::new(AtomicUsize::new(0));
    let (count, done) = (Arc::clone(&poured), Arc::new(AtomicBool::new(false)));
    let flag = Arc::clone(&done);
    let upstream = Upstream::new(move |_, mut visit| {
        SockRef::from(&visit.client.stream).set_send_buffer_size(64 << 10).unwrap();
        visit.head().unwrap();
        visit.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n");
        count.store(pour(&mut visit.client.stream), Ordering::SeqCst);
        flag.store(true, Ordering::SeqCst);
        let _ = visit.client.stream.read(&mut [0]);
    });
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    SockRef::from(&client.stream).set_recv_buffer_size(64 << 10).unwrap();
    client.send(get("/"));
    client.head().unwrap();
    let taken = client.exactly(16 << 20).len();
    until("the upstream never blocks", || done.load(Ordering::SeqCst));
    let held = poured.load(Ordering::SeqCst) - taken;
    assert!(held < 2 << 20, "{held} bytes are held for a client that reads nothing");
}

#[test]
fn what_the_kernel_holds_for_a_slow_upstream_is_bounded() {
    let upstream = Upstream::new(|_, mut visit| {
        SockRef::from(&visit.client.stream).set_recv_buffer_size(64 << 10).unwrap();
        visit.head().unwrap();
        visit.client.exactly(16 << 20);
        std::thread::sleep(HANGS);
    });
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    SockRef::from(&client.stream).set_send_buffer_size(64 << 10).unwrap();
    client.send("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 10000000000\r\n\r\n");
    let held = pour(&mut client.stream) - (16 << 20);
    assert!(held < 2 << 20, "{held} bytes are held for an upstream that reads nothing");
}

/// An upstream whose answer never ends.
fn endless() -> Upstream {
    Upstream::new(|_, mut visit| {
        visit.head().unwrap();
        visit.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n");
        while visit.client.stream.write_all(&[b'x'; 64 << 10]).is_ok() {}
    })
}

/// A client of it that has read its head.
fn reader(rig: &Rig, receive_buffer: usize) -> Client {
    let mut client = rig.client();
    SockRef::from(&client.stream).set_recv_buffer_size(receive_buffer).unwrap();
    client.send(get("/"));
    client.head().unwrap();
    client
}

#[test]
fn a_steady_slow_reader_lives_and_one_that_was_fast_and_stops_does_not() {
    // What the socket takes at once is eight seconds at this rate, and four of the steady one: more than the grace.
    const RATE: u32 = 16 << 10;
    let limits = Limits { progress_grace: Duration::from_secs(1), progress_rate: RATE, ..Limits::default() };
    let upstream = endless();
    let rig = with(limits, &upstream);
    let mut stops = reader(&rig, 64 << 10);
    stops.exactly(32 << 20);
    let (mut steady, began) = (reader(&rig, 16 << 10), Instant::now());
    let mut taken = 0.0;
    until("the one that stops is never cut off", || {
        if taken < 2.0 * f64::from(RATE) * began.elapsed().as_secs_f64() {
            let count = steady.stream.read(&mut [0; 4 << 10]).expect("it reads steadily");
            assert_ne!(count, 0, "cut off after {:?}", began.elapsed());
            taken += count as f64;
        }
        rig.metric("synkronic_edge_connections") == 1.0
    });
    assert_ne!(steady.stream.read(&mut [0; 4 << 10]).expect("it reads steadily"), 0);
}

#[test]
fn a_response_whose_client_takes_nothing_ends_at_the_streams_limit() {
    let upstream = endless();
    let limits = Limits {
        stream_idle: Duration::from_millis(500),
        progress_grace: Duration::from_secs(3600),
        ..Limits::default()
    };
    let rig = with(limits, &upstream);
    let _stops = reader(&rig, 64 << 10);
    rig.await_metric("synkronic_edge_connections", |n| n == 0.0);
}

/// Run by the test below in a process of its own, which may use up its file descriptors.
#[test]
fn in_a_process_with_few_files() {
    if std::env::var_os("SYNKRONIC_TEST_FEW_FILES").is_none() {
        return;
    }
    let (go, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let upstream = Upstream::answering(move |request| {
        if request.line().contains("/held") {
            held.lock().unwrap().recv().unwrap();
        }
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()
    });
    let rig = with(Limits { pool_idle: Duration::from_secs(3600), ..Limits::default() }, &upstream);
    let (mut old, mut other) = (rig.client(), rig.client());
    for client in [&mut old, &mut other] {
        client.send(get("/"));
        assert_eq!(client.response().status, 200);
    }
    let stat = std::fs::File::open("/proc/self/stat").unwrap();
    let cpu = || {
        let mut text = [0; 1024];
        let count = std::os::unix::fs::FileExt::read_at(&stat, &mut text, 0).unwrap();
        let text = String::from_utf8_lossy(&text[..count]).into_owned();
        let fields: Vec<_> = text.rsplit(')').next().unwrap().split_whitespace().collect();
        // utime and stime, in hundredths of a second.
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    // Clients first: they need descriptors too. One of them is left in the queue.
    let mut hoard = Vec::new();
    let spare = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        hoard.push(file);
    }
    let (before, began) = (cpu(), std::time::Instant::now());
    spare.connect(&rig.address().into()).unwrap();
    rig.await_metric("synkronic_edge_accept_failures_total", |n| n >= 5.0);
    // Each failure is followed by a pause of 50 ms, so that there cannot be more: it does not spin.
    let (failures, took) = (rig.metric("synkronic_edge_accept_failures_total"), began.elapsed());
    assert!(failures <= took.as_secs_f64() / 0.05 + 2.0, "{failures} in {took:?}");
    assert!(cpu() - before < 100, "{} hundredths of a second of CPU", cpu() - before);
    // Those who are here stay, over the upstream connection that is here.
    old.send(get("/held"));
    until("it never arrives", || upstream.requests() == 3);
    // A second upstream connection cannot be had: that is our fault, not the endpoint's.
    other.send(get("/"));
    assert_eq!(other.response().status, 503);
    go.send(()).unwrap();
    assert_eq!(old.response().status, 200);
    assert_eq!(rig.metric(r#"synkronic_edge_faults_total{side="us",fault="exhausted"}"#), 1.0);
    assert_eq!(rig.metric("synkronic_edge_endpoint_ejections_total"), 0.0);
    drop(hoard);
    let stream = TcpStream::from(spare);
    stream.set_read_timeout(Some(HANGS)).unwrap();
    let mut waiting = Client { stream, unread: Vec::new() };
    waiting.send(get("/"));
    assert_eq!(waiting.response().status, 200, "whoever waited is served once there is room");
    println!("few files: passed");
}

#[test]
fn without_file_descriptors_it_waits_and_does_not_spin() {
    let binary = std::env::current_exe().unwrap();
    let command = "ulimit -n 128 && exec \"$0\" --exact limits::in_a_process_with_few_files --nocapture";
    let run = std::process::Command::new("sh")
        .args(["-c", command])
        .arg(binary)
        .env("SYNKRONIC_TEST_FEW_FILES", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    let also = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.contains("few files: passed"), "{said}{also}");
    row("72", "no file descriptors left");
}
