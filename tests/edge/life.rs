//! Connections over time: parked, slow, too many; the edge that leaves; tables that change under load.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use synkronic::edge::{AccessLog, Config, Edge, Limits};
use synkronic::meter::Meter;
use synkronic::routes::Table;

use super::rig::{Client, Rig, Upstream, endpoint, get, route, row, until};

fn with(limits: Limits, upstream: &Upstream) -> Rig {
    Rig::with(Config { workers: 1, limits, ..Config::default() }, &[upstream.address])
}

#[test]
fn an_idle_connection_is_parked_and_serves_again() {
    let upstream = Upstream::echo();
    let rig = Rig::on(&[upstream.address]);
    let mut clients: Vec<_> = (0..20).map(|_| rig.client()).collect();
    for round in 0..3 {
        for client in &mut clients {
            // In two pieces, so that the first wakes the parked connection and the second finds hyper.
            let request = get(&format!("/{round}"));
            let (first, second) = request.split_at(if round == 2 { request.len() } else { 9 });
            client.send(first);
            client.send(second);
            assert_eq!(client.response().text(), format!("GET /{round} HTTP/1.1\n"));
        }
        rig.await_metric("synkronic_edge_connections_parked", |n| n == 20.0);
    }
    assert_eq!(rig.metric("synkronic_edge_connections"), 20.0);
}

#[test]
fn a_parked_connection_that_the_client_closes_is_forgotten() {
    let upstream = Upstream::echo();
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    client.send(get("/"));
    client.response();
    rig.await_metric("synkronic_edge_connections_parked", |n| n == 1.0);
    drop(client);
    rig.await_metric("synkronic_edge_connections", |n| n == 0.0);
}

#[test]
fn an_idle_connection_ends_at_its_time() {
    let upstream = Upstream::echo();
    let rig = with(Limits { idle: Duration::from_millis(500), ..Limits::default() }, &upstream);
    let mut client = rig.client();
    client.send(get("/"));
    client.response();
    assert!(client.is_ended());
    row("69", "an idle connection");
}

#[test]
fn half_a_head_gets_a_408_and_silence_gets_nothing() {
    let upstream = Upstream::echo();
    let rig = with(Limits { head: Duration::from_millis(500), ..Limits::default() }, &upstream);
    let (mut slow, mut silent) = (rig.client(), rig.client());
    slow.send("GET / HTTP/1.1\r\nHost: sh");
    let response = slow.response();
    assert_eq!((response.status, response.closed), (408, true));
    assert!(silent.is_ended());
    assert_eq!(upstream.requests(), 0);
}

#[test]
fn a_body_that_comes_too_slowly_beside_its_answer_ends_with_it() {
    let limits =
        Limits { progress_grace: Duration::from_millis(500), progress_rate: 10 << 10, ..Limits::default() };
    let upstream = Upstream::new(|_, mut visit| {
        visit.head().unwrap();
        visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
        while visit.client.fill().is_ok_and(|count| count > 0 && visit.client.unread.len() < 100_000) {}
        let _ = visit.client.stream.write_all(b"0\r\n\r\n");
    });
    for (piece, whole) in [(10, false), (5_000, true)] {
        let rig = with(limits.clone(), &upstream);
        let mut client = rig.client();
        client.send("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 100000\r\n\r\n");
        assert!(client.head().unwrap().starts_with("HTTP/1.1 200"));
        let mut writer = client.stream.try_clone().unwrap();
        let sending = thread::spawn(move || {
            for _ in 0..(100_000 / piece).min(100) {
                if writer.write_all(&vec![b'x'; piece]).is_err() {
                    return;
                }
                thread::sleep(Duration::from_millis(100));
            }
        });
        assert_eq!(client.chunks().as_deref(), whole.then_some(b"hi".as_slice()), "{piece}");
        drop(client);
        sending.join().unwrap();
        let slow = r#"synkronic_edge_faults_total{side="client",fault="client_slow"}"#;
        rig.await_metric(slow, |n| (n == 0.0) == whole);
    }
}

#[test]
fn a_body_that_comes_too_slowly_gets_a_408() {
    let upstream = Upstream::new(|_, mut visit| {
        visit.request();
    });
    let limits =
        Limits { progress_grace: Duration::from_millis(500), progress_rate: 1 << 20, ..Limits::default() };
    let rig = with(limits, &upstream);
    let mut client = rig.client();
    client.send("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1000000\r\n\r\nhel");
    let response = client.response();
    assert_eq!((response.status, response.closed), (408, true));
}

#[test]
fn a_client_that_takes_nothing_is_cut_off() {
    let ended = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ended);
    let upstream = Upstream::new(move |_, mut visit| {
        visit.request();
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        visit.client.stream.write_all(head.as_bytes()).unwrap();
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(65536));
        while visit.client.stream.write_all(chunk.as_bytes()).is_ok() {}
        flag.store(true, Ordering::SeqCst);
    });
    let limits =
        Limits { progress_grace: Duration::from_millis(500), progress_rate: 1 << 30, ..Limits::default() };
    let rig = with(limits, &upstream);
    let mut client = rig.client();
    client.send(get("/"));
    until("the client is never cut off", || ended.load(Ordering::SeqCst));
    rig.await_metric("synkronic_edge_connections", |n| n == 0.0);
}

#[test]
fn slow_heads_do_not_harm_others() {
    let upstream = Upstream::echo();
    let rig = Rig::on(&[upstream.address]);
    let mut slow: Vec<_> = (0..200).map(|_| rig.client()).collect();
    for client in &mut slow {
        client.send("GET / HTTP/1.1\r\n");
    }
    for _ in 0..50 {
        assert_eq!(rig.ask(get("/")).status, 200);
    }
}

#[test]
fn connections_beyond_the_limit_are_closed_and_those_there_stay() {
    let upstream = Upstream::echo();
    let rig = with(Limits { connections: 5, ..Limits::default() }, &upstream);
    let mut clients: Vec<_> = (0..5).map(|_| rig.client()).collect();
    for client in &mut clients {
        client.send(get("/"));
        client.response();
    }
    assert!(rig.client().is_ended());
    assert_eq!(rig.metric(r#"synkronic_edge_connections_shed_total{limit="all"}"#), 1.0);
    for client in &mut clients {
        client.send(get("/"));
        assert_eq!(client.response().status, 200);
    }
    drop(clients);
    rig.await_metric("synkronic_edge_connections", |n| n == 0.0);
    assert_eq!(rig.ask(get("/")).status, 200);
    row("72", "connections beyond the limit");
}

/// An upstream whose every answer waits for a word.
fn held() -> (Upstream, Sender<()>) {
    let (go, wait): (Sender<()>, Receiver<()>) = channel();
    let wait = Mutex::new(wait);
    let upstream = Upstream::answering(move |_| {
        wait.lock().unwrap().recv().unwrap();
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()
    });
    (upstream, go)
}

#[test]
fn leaving_waits_for_requests_in_flight_and_closes_what_is_idle() {
    for workers in [1, 2] {
        let (upstream, go) = held();
        let rig = Rig::with(Config { workers, ..Config::default() }, &[upstream.address]);
        let mut idle = rig.client();
        go.send(()).unwrap();
        idle.send(get("/"));
        idle.response();
        let mut busy = rig.client();
        busy.send(get("/"));
        until("the request never reaches the upstream", || upstream.requests() == 2);
        let address = rig.address();
        rig.bound.handle().drain();
        assert!(rig.bound.handle().is_leaving());
        assert!(idle.is_ended());
        until("the listener never closes", || std::net::TcpStream::connect(address).is_err());
        go.send(()).unwrap();
        let response = busy.response();
        assert_eq!((response.status, response.closed), (200, true));
        rig.bound.join();
    }
}

#[test]
fn a_response_that_ends_long_after_the_edge_began_to_leave_has_another_behind_it() {
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let upstream = Upstream::new(move |_, mut visit| {
        while let Some(request) = visit.request() {
            visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            if request.line().starts_with("GET") {
                wait.lock().unwrap().recv().unwrap();
            }
            visit.send("2\r\nok\r\n0\r\n\r\n");
        }
    });
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    client.send(get("/"));
    let head = client.head().unwrap();
    assert!(!head.to_lowercase().contains("connection: close"), "{head}");
    // A connection that never asked for anything ends with the grace.
    let mut silent = rig.client();
    rig.bound.handle().drain();
    assert!(silent.is_ended());
    go.send(()).unwrap();
    assert_eq!(client.chunks().unwrap(), b"ok");
    client.send("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 0\r\n\r\n");
    let response = client.response();
    assert_eq!((response.status, response.closed), (200, true));
    rig.bound.join();
}

#[test]
fn during_the_delay_connections_are_still_welcome() {
    let upstream = Upstream::echo();
    let limits = Limits { drain_delay: Duration::from_secs(3600), ..Limits::default() };
    let rig = with(limits, &upstream);
    rig.bound.handle().drain();
    let response = rig.ask(get("/"));
    assert_eq!((response.status, response.closed), (200, false));
    rig.bound.handle().stop();
    rig.bound.join();
}

#[test]
fn what_is_not_done_when_the_time_is_up_is_cut() {
    let (upstream, _go) = held();
    let limits = Limits { drain_timeout: Duration::from_millis(300), ..Limits::default() };
    let rig = with(limits, &upstream);
    let mut busy = rig.client();
    busy.send(get("/"));
    until("the request never reaches the upstream", || upstream.requests() == 1);
    rig.bound.handle().drain();
    rig.bound.join();
    assert!(busy.is_ended());
}

#[test]
fn leaving_under_load_fails_no_request() {
    let upstream = Upstream::echo();
    let rig = Rig::with(Config { workers: 2, ..Config::default() }, &[upstream.address]);
    let address = rig.address();
    let answered = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let answered = Arc::clone(&answered);
            thread::spawn(move || {
                // A new connection a request: the listener's end is the one thing that may stop it.
                loop {
                    let Ok(stream) = std::net::TcpStream::connect(address) else { return };
                    stream.set_read_timeout(Some(super::rig::HANGS)).unwrap();
                    let mut client = Client { stream, unread: Vec::new() };
                    if client.stream.write_all(get("/").as_bytes()).is_err() {
                        return;
                    }
                    // A connection that nobody took in before the listener closed is reset unanswered.
                    let Some(head) = client.head() else { return };
                    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    until("nothing is answered", || answered.load(Ordering::SeqCst) > 200);
    rig.bound.handle().drain();
    rig.bound.join();
    for client in clients {
        client.join().unwrap();
    }
}

#[test]
fn tables_change_under_load_and_no_answer_is_wrong() {
    const HOSTS: [&str; 3] = ["a.test", "b.test", "c.test"];
    let upstreams: Vec<_> = HOSTS
        .iter()
        .map(|host| {
            Upstream::answering(move |_| format!("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n{host}").into())
        })
        .collect();
    let endpoints: Vec<_> = upstreams.iter().map(|upstream| endpoint(upstream.address)).collect();
    let table = {
        let endpoints = endpoints.clone();
        move |generation| {
            let routes = HOSTS.iter().zip(&endpoints).map(|(host, endpoint)| {
                let version = host.split('.').next().unwrap();
                ((*host).into(), Arc::new(route(version, vec![Arc::clone(endpoint)])))
            });
            Table::of_hosts(generation, routes)
        }
    };
    let rig = Rig::routed(Config { workers: 2, ..Config::default() }, []);
    rig.table.store(Arc::new(table(1)));
    let over = Arc::new(AtomicBool::new(false));
    let address = rig.address();
    let clients: Vec<_> = (0..6)
        .map(|number| {
            let over = Arc::clone(&over);
            thread::spawn(move || {
                let mut client = Client::to(address);
                let host = HOSTS[number % HOSTS.len()];
                let mut count = 0;
                while !over.load(Ordering::SeqCst) {
                    client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
                    let response = client.response();
                    assert_eq!((response.status, response.text()), (200, host));
                    assert_eq!(response.field("x-synkronic-version").as_deref(), host.split('.').next());
                    count += 1;
                }
                count
            })
        })
        .collect();
    for generation in 2..1000 {
        rig.table.store(Arc::new(table(generation)));
        thread::yield_now();
    }
    over.store(true, Ordering::SeqCst);
    for client in clients {
        assert!(client.join().unwrap() > 0);
    }
    row("103", "998 tables under load");
}

#[test]
fn a_retired_endpoint_keeps_no_connection_and_a_table_replaced_is_freed() {
    let upstream = Upstream::echo();
    let rig = Rig::routed(Config { workers: 1, ..Config::default() }, []);
    let old = endpoint(upstream.address);
    let table = |generation, endpoint| {
        Arc::new(Table::of_hosts(generation, [("shop.test".into(), Arc::new(route("base", vec![endpoint])))]))
    };
    let first = table(1, Arc::clone(&old));
    let freed = Arc::downgrade(&first);
    rig.table.store(first);
    let mut client = rig.client();
    client.send(get("/"));
    client.response();
    rig.await_metric("synkronic_edge_upstream_idle", |n| n == 1.0);
    // The same address, but another pod.
    rig.table.store(table(2, endpoint(upstream.address)));
    old.retired.store(true, Ordering::Relaxed);
    rig.await_metric("synkronic_edge_upstream_idle", |n| n == 0.0);
    until("the old table is never freed", || freed.strong_count() == 0);
    until("the old endpoint is never freed", || Arc::strong_count(&old) == 1);
    client.send(get("/"));
    client.response();
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn a_versions_series_go_with_it() {
    let upstream = Upstream::echo();
    let rig = Rig::on(&[upstream.address]);
    rig.ask(get("/"));
    let line = r#"synkronic_edge_requests_total{router="shop/shop",version="base",code="200"}"#;
    rig.await_metric(line, |n| n == 1.0);
    rig.table.store(Arc::new(Table::default()));
    until("the series stay", || !rig.meter.scrape().contains(line));
}

#[test]
fn the_access_log_has_a_line_a_request_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let upstream = Upstream::echo();
    let config = Config { workers: 1, access_log: AccessLog::File(path.clone()), ..Config::default() };
    let rig = Rig::with(config, &[upstream.address]);
    let mut client = rig.client();
    client.send("POST /a?b=%22 HTTP/1.1\r\nHost: shop.test\r\nX-Request-Id: me-1\r\nUser-Agent: \x22\x1b\\\t\r\nContent-Length: 2\r\n\r\nhi".replace('\x1b', "ä"));
    client.response();
    client.send("GET / HTTP/1.1\r\nHost: nobody.test\r\n\r\n");
    client.response();
    drop(client);
    rig.await_metric("synkronic_edge_connections", |n| n == 0.0);
    rig.bound.handle().stop();
    rig.bound.join();
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["request_id"], "me-1");
    assert_eq!(lines[0]["target"], "/a?b=%22");
    assert_eq!((&lines[0]["version"], &lines[0]["reason"]), (&"base".into(), &"active".into()));
    assert_eq!((&lines[0]["received"], &lines[0]["status"]), (&2.into(), &200.into()));
    assert_eq!(lines[0]["endpoint"], upstream.address.to_string());
    assert_eq!((&lines[1]["status"], &lines[1]["fault"]), (&404.into(), &"no_host".into()));
    let ids: BTreeSet<_> = lines.iter().map(|line| line["request_id"].to_string()).collect();
    assert_eq!(ids.len(), 2);
}

#[test]
fn who_has_just_connected_is_still_served_when_the_edge_leaves() {
    let upstream = Upstream::echo();
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    rig.await_metric("synkronic_edge_connections", |n| n == 1.0);
    rig.bound.handle().drain();
    client.send(get("/"));
    assert_eq!(client.response().status, 200);
    // One that says nothing does not keep the edge from leaving.
    rig.bound.join();
}

/// Whoever builds an edge and then finds something else amiss drops it at once, its threads barely begun.
#[test]
fn an_edge_that_is_dropped_at_its_start_ends() {
    let (done, ended) = channel();
    thread::spawn(move || {
        for _ in 0..200 {
            let config = Config { listen: vec![([127, 0, 0, 1], 0).into()], workers: 4, ..Config::default() };
            let meter = Arc::new(Meter::new().unwrap());
            drop(Edge::build(&config, Arc::default(), meter).unwrap());
        }
        done.send(()).unwrap();
    });
    ended.recv_timeout(Duration::from_secs(60)).expect("an edge doesn't end");
}

#[test]
fn a_log_that_nobody_reads_does_not_keep_the_edge() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    // Opened for both, so that neither waits for the other.
    let pipe = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let upstream = Upstream::echo();
    for many in [1_000, 12_000] {
        let config = Config { workers: 1, access_log: AccessLog::File(path.clone()), ..Config::default() };
        let rig = Rig::with(config, &[upstream.address]);
        let mut client = rig.client();
        for _ in 0..many / 50 {
            client.send(get("/").repeat(50));
            for _ in 0..50 {
                client.response();
            }
        }
        // Of the larger number not all have room in the queue.
        assert_eq!(rig.metric("synkronic_edge_access_log_dropped_total") > 0.0, many > 10_000);
        let begun = std::time::Instant::now();
        rig.bound.handle().stop();
        drop(rig);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
    drop(pipe);
}
