//! A thousand slow clients of each kind at once, and good traffic beside them: none of its requests may fail.
//! What each costs is measured by `bench/floods`.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use socket2::SockRef;
use synkronic::edge::{Config, Limits};

use super::rig::{Client, Over, Rig, Upstream, endpoint, get, route, row, until};

const MANY: usize = 1000;

/// Echoes paths; below `/large` it answers with more than any buffer takes.
fn upstream() -> Upstream {
    Upstream::new(|_, mut visit| {
        while let Some(request) = visit.request() {
            let path = request.line().split(' ').nth(1).unwrap().to_owned();
            let answer = match path.as_str() {
                "/large" => {
                    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n".to_vec();
                    answer.resize(answer.len() + 4_000_000, b'x');
                    answer
                }
                path => {
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()).into_bytes()
                }
            };
            if visit.client.stream.write_all(&answer).is_err() {
                return;
            }
        }
    })
}

/// Asks good requests while the flood goes on; how many were answered. All have to be.
fn good_beside(rig: &Rig, flood: impl FnOnce()) -> usize {
    let (over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for who in 0..4 {
            let (over, answered) = (&over, &answered);
            scope.spawn(move || {
                let mut client = rig.client();
                for turn in 0.. {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    let path = format!("/{who}/{turn}");
                    client.send(get(&path));
                    let response = client.response();
                    assert_eq!((response.status, response.text()), (200, path.as_str()));
                    answered.fetch_add(1, Ordering::SeqCst);
                    if response.closed || turn % 50 == 49 {
                        client = rig.client();
                    }
                    thread::sleep(Duration::from_millis(10));
                }
            });
        }
        let _over = Over(&over);
        flood();
        let so_far = answered.load(Ordering::SeqCst);
        until("good traffic stands still", || answered.load(Ordering::SeqCst) >= so_far + 50);
    });
    answered.into_inner()
}

fn rig(limits: Limits) -> (Upstream, Rig) {
    let upstream = upstream();
    let rig = Rig::with(Config { workers: 2, limits, ..Config::default() }, &[upstream.address]);
    (upstream, rig)
}

#[test]
fn slow_heads_bodies_and_readers_end_and_harm_nobody() {
    // What is too slow ends, here after one second or five instead of ten: good clients, too, have to be that quick.
    let limits = Limits {
        head: Duration::from_secs(5),
        progress_grace: Duration::from_secs(1),
        progress_rate: 1 << 16,
        // On a machine that is busy with this very test some upstream connections take their time, and whoever got
        // a page instead of an answer is idle then.
        connect: Duration::from_secs(15),
        idle: Duration::from_secs(5),
        ..Limits::default()
    };
    type Greeting = (&'static str, Vec<u8>, &'static [u8]);
    let kinds: [Greeting; 3] = [
        ("heads", b"GET / HTTP/1.1\r\nHost: shop.test\r\nA: ".to_vec(), b"a"),
        ("bodies", b"POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 100000\r\n\r\n".to_vec(), b"x"),
        ("readers", get("/large").into_bytes(), b""),
    ];
    for (name, greeting, morsel) in kinds {
        // Each reader has a thread and megabytes upstream.
        let many = if name == "readers" { MANY / 4 } else { MANY };
        let (upstream, rig) = rig(limits.clone());
        let answered = good_beside(&rig, || {
            let mut slow: Vec<Client> = (0..many)
                .map(|_| {
                    let mut client = rig.client();
                    if name == "readers" {
                        SockRef::from(&client.stream).set_recv_buffer_size(4096).unwrap();
                    }
                    let _ = client.stream.write_all(&greeting);
                    client.stream.set_nonblocking(true).unwrap();
                    client
                })
                .collect();
            // A byte now and then, until the edge has ended every one of them.
            until(&format!("slow {name} are held for ever"), || {
                for client in &mut slow {
                    let _ = client.stream.write(morsel);
                    if name == "readers" {
                        let _ = client.stream.read(&mut [0; 10]);
                    }
                }
                rig.metric("synkronic_edge_connections") < 10.0
            });
        });
        row("67", &format!("{many} slow {name} ended, {answered} good requests beside them, none failed"));
        // With them went what they held upstream.
        let gauge = r#"synkronic_edge_requests_in_flight{router="shop/shop",version="base"}"#;
        rig.await_metric(gauge, |count| count == 0.0);
        drop(upstream);
    }
}

#[test]
fn who_says_nothing_and_who_has_nothing_more_to_say_ends_at_a_stated_time() {
    let limits = Limits { head: Duration::from_secs(1), idle: Duration::from_secs(1), ..Limits::default() };
    let (_upstream, rig) = rig(limits);
    let answered = good_beside(&rig, || {
        let _silent: Vec<Client> = (0..MANY / 2).map(|_| rig.client()).collect();
        let _idle: Vec<Client> = (0..MANY / 2)
            .map(|_| {
                let mut client = rig.client();
                client.send(get("/once"));
                assert_eq!(client.response().status, 200);
                client
            })
            .collect();
        rig.await_metric("synkronic_edge_connections", |count| count < 10.0);
    });
    let what = format!(
        "{MANY} silent and idle connections ended, {answered} good requests beside them, none failed"
    );
    row("68, 69", &what);
}

#[test]
fn a_client_that_goes_leaves_nothing_behind_wherever_it_was() {
    // Before the answer, in the middle of it, in the middle of its own body, and with half a head.
    let open = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&open);
    let upstream = Upstream::new(move |_, mut visit| {
        count.fetch_add(1, Ordering::SeqCst);
        if let Some(request) = visit.head() {
            if request.line().contains("/stream") {
                visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                while visit.client.stream.write_all(b"5\r\nhello\r\n").is_ok() {
                    thread::sleep(Duration::from_millis(5));
                }
            } else {
                while visit.client.fill().is_ok_and(|count| count > 0) {}
            }
        }
        count.fetch_sub(1, Ordering::SeqCst);
    });
    let route = route("base", vec![endpoint(upstream.address)]);
    let in_flight = Arc::clone(&route.in_flight);
    let rig = Rig::routed(Config { workers: 2, ..Config::default() }, [("shop.test", route)]);
    for (place, request) in [
        ("waiting", get("/wait")),
        ("streaming", get("/stream")),
        ("uploading", "POST /up HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1000\r\n\r\nhello".to_owned()),
        (
            "uploading chunks",
            "POST /up HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
                .to_owned(),
        ),
    ] {
        for resets in [false, true] {
            let mut clients: Vec<Client> = (0..50).map(|_| rig.client()).collect();
            for client in &mut clients {
                client.send(&request);
            }
            until(&format!("{place}: not all arrive"), || {
                (in_flight.load(Ordering::SeqCst), open.load(Ordering::SeqCst)) == (50, 50)
            });
            if place == "streaming" {
                for client in &mut clients {
                    client.head().unwrap();
                }
            }
            for client in clients {
                if resets {
                    SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
                }
            }
            until(&format!("{place}: something is left, resets {resets}"), || {
                open.load(Ordering::SeqCst) == 0
                    && in_flight.load(Ordering::SeqCst) == 0
                    && rig.metric("synkronic_edge_connections") == 0.0
            });
            assert_eq!(
                rig.metric("synkronic_edge_upstream_idle"),
                0.0,
                "{place}: nothing of it serves again"
            );
        }
    }
    let faults = rig.metric(r#"synkronic_edge_faults_total{side="client",fault="client_gone"}"#);
    assert_eq!(faults, 400.0, "each is counted once, and as what it was");
    row("71", "400 clients that went, by a close and by a reset, in four places");
}

#[test]
fn a_client_that_goes_while_nobody_takes_its_body_is_noticed() {
    let over = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&over);
    let upstream = Upstream::new(move |_, mut visit| {
        SockRef::from(&visit.client.stream).set_recv_buffer_size(4096).unwrap();
        visit.head();
        while !end.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
    });
    let route = route("base", vec![endpoint(upstream.address)]);
    let in_flight = Arc::clone(&route.in_flight);
    let rig = Rig::routed(Config { workers: 1, ..Config::default() }, [("shop.test", route)]);
    let mut client = rig.client();
    client.send("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1000000000\r\n\r\n");
    client.stream.set_nonblocking(true).unwrap();
    let (piece, mut full) = ([b'x'; 64 << 10], 0);
    // Until nothing moves any more.
    while full < 100 {
        full = if client.stream.write(&piece).is_ok() { 0 } else { full + 1 };
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(in_flight.load(Ordering::SeqCst), 1);
    SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    until("nobody notices", || in_flight.load(Ordering::SeqCst) == 0);
    rig.await_metric("synkronic_edge_connections", |count| count == 0.0);
    over.store(true, Ordering::SeqCst);
}
