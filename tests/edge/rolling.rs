//! Edges and pods are replaced one after the other while clients ask, upload and hold WebSockets: not one of them
//! may notice. No client tries anything twice.
//!
//! `bench/rolling` runs the full numbers; `SYNKRONIC_EDGES` and `SYNKRONIC_PODS` say how many here.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::thread;
use std::time::Duration;

use synkronic::edge::{Bound, Config, Edge, Limits};
use synkronic::meter::Meter;
use synkronic::routes::{Endpoint, Table};

use super::rig::{Client, Over, Request, Rig, Upstream, Visit, endpoint, route, row, until};

/// A balancer of connections, as a Service is one: who is connected stays, who comes goes to one that is ready.
#[derive(Clone)]
struct Balancer {
    address: SocketAddr,
    ready: Arc<RwLock<Vec<SocketAddr>>>,
}

impl Balancer {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, ready) = (listener.local_addr().unwrap(), Arc::new(RwLock::new(Vec::new())));
        let all = Arc::clone(&ready);
        thread::spawn(move || {
            for (turn, client) in listener.incoming().enumerate() {
                // Nobody is taken out while somebody is on the way to it.
                let ready: std::sync::RwLockReadGuard<'_, Vec<SocketAddr>> = all.read().unwrap();
                let edge = TcpStream::connect(ready[turn % ready.len()]).expect("one that is ready accepts");
                drop(ready);
                let client = client.unwrap();
                for stream in [&client, &edge] {
                    stream.set_nodelay(true).unwrap();
                }
                let (to, from) = (edge.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || pass(from, to));
                thread::spawn(move || pass(edge, client));
            }
        });
        Self { address, ready }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

/// A pod: echoes requests and their bodies, and WebSockets; counts its connections.
fn pod() -> (Upstream, Arc<AtomicUsize>) {
    let open = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&open);
    let upstream = Upstream::new(move |_, mut visit| {
        count.fetch_add(1, Ordering::SeqCst);
        serve(&mut visit);
        count.fetch_sub(1, Ordering::SeqCst);
    });
    (upstream, open)
}

fn serve(visit: &mut Visit) {
    while let Some(request) = visit.request() {
        if request.field("upgrade").is_some() {
            visit.send(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            );
            let mut out = visit.client.stream.try_clone().unwrap();
            let early = std::mem::take(&mut visit.client.unread);
            let _ = out.write_all(&early).and_then(|()| io::copy(&mut visit.client.stream, &mut out));
            let _ = out.shutdown(Shutdown::Write);
            return;
        }
        let Request { ref body, .. } = request;
        let path = request.line().split(' ').nth(1).unwrap().to_owned();
        let text = format!("{path} {}", body.len());
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        if visit.client.stream.write_all(response.as_bytes()).is_err() {
            return;
        }
    }
}

/// What clients have done.
#[derive(Default)]
struct Done {
    over: AtomicBool,
    requests: AtomicUsize,
    uploads: AtomicUsize,
    messages: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl Done {
    fn failed(&self, what: String) {
        self.failures.lock().unwrap().push(what);
    }
}

/// Asks one thing after the other on a kept connection; a new one only where the answer said that it was the last.
fn asking(address: SocketAddr, done: &Done, who: usize) {
    let mut client = Client::to(address);
    for turn in 0.. {
        if done.over.load(Ordering::SeqCst) {
            return;
        }
        let path = format!("/{who}/{turn}");
        let request = match who % 2 {
            0 => format!("GET {path} HTTP/1.1\r\nHost: shop.test\r\n\r\n"),
            _ => format!("POST {path} HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 2\r\n\r\nhi"),
        };
        match exchange(&mut client, request.as_bytes(), &format!("{path} {}", who % 2 * 2)) {
            Ok(closed) => {
                done.requests.fetch_add(1, Ordering::SeqCst);
                if closed {
                    client = Client::to(address);
                }
            }
            Err(why) => {
                done.failed(format!("{path}: {why}"));
                client = Client::to(address);
            }
        }
        // Some ask without a pause, some now and then.
        thread::sleep(Duration::from_millis(who as u64 % 4 * 20));
    }
}

fn exchange(client: &mut Client, request: &[u8], expected: &str) -> Result<bool, String> {
    client.stream.write_all(request).map_err(|error| format!("not sent: {error}"))?;
    answer(client, expected)
}

fn answer(client: &mut Client, expected: &str) -> Result<bool, String> {
    while !client.unread.windows(4).any(|w| w == b"\r\n\r\n") {
        match client.fill() {
            Ok(0) => return Err(format!("ended after {} bytes", client.unread.len())),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    let response = client.response();
    match (response.status, response.text()) {
        (200, text) if text == expected => Ok(response.closed),
        (status, text) => Err(format!("{status} {text}")),
    }
}

/// Uploads in pieces that take their time.
fn uploading(address: SocketAddr, done: &Done, who: usize) {
    for turn in 0.. {
        if done.over.load(Ordering::SeqCst) {
            return;
        }
        let (mut client, path) = (Client::to(address), format!("/upload/{who}/{turn}"));
        let sent = (|| {
            client.stream.write_all(
                format!("POST {path} HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n")
                    .as_bytes(),
            )?;
            for _ in 0..30 {
                client.stream.write_all(b"3e8\r\n")?;
                client.stream.write_all(&[b'x'; 1000])?;
                client.stream.write_all(b"\r\n")?;
                thread::sleep(Duration::from_millis(5));
            }
            client.stream.write_all(b"0\r\n\r\n")
        })();
        let answered = sent.map_err(|error: io::Error| error.to_string());
        match answered.and_then(|()| answer(&mut client, &format!("{path} 30000"))) {
            Ok(_) => {
                done.uploads.fetch_add(1, Ordering::SeqCst);
            }
            Err(why) => done.failed(format!("{path}: {why}")),
        }
    }
}

/// Holds WebSockets for a while each.
fn chatting(address: SocketAddr, done: &Done) {
    while !done.over.load(Ordering::SeqCst) {
        let mut client = Client::to(address);
        client.send(
            "GET /socket HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        );
        let head = client.head().unwrap_or_default();
        if !head.starts_with("HTTP/1.1 101") {
            done.failed(format!("no WebSocket: {head}"));
            continue;
        }
        for turn in 0..40 {
            let message = format!("message {turn:8}");
            let mut back = vec![0; message.len()];
            let echoed = client.stream.write_all(message.as_bytes()).and_then(|()| {
                let early = client.unread.len();
                back[..early].copy_from_slice(&client.unread);
                client.unread.clear();
                client.stream.read_exact(&mut back[early..])
            });
            if echoed.is_err() || back != message.as_bytes() {
                done.failed(format!("a WebSocket at message {turn}: {echoed:?}"));
                break;
            }
            done.messages.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Clients of every kind, until the work is done; what they did.
fn under_load(address: SocketAddr, work: impl FnOnce(&Done)) -> Done {
    let done = Done::default();
    thread::scope(|scope| {
        let done = &done;
        for who in 0..8 {
            scope.spawn(move || asking(address, done, who));
        }
        for who in 0..3 {
            scope.spawn(move || uploading(address, done, who));
        }
        for _ in 0..3 {
            scope.spawn(move || chatting(address, done));
        }
        let _over = Over(&done.over);
        work(done);
    });
    done
}

/// Until so many more of everything are through.
fn some_work(done: &Done) {
    let counts = || [&done.requests, &done.uploads, &done.messages].map(|count| count.load(Ordering::SeqCst));
    let before = counts();
    until("nothing moves", || {
        counts().iter().zip(before).zip([50, 1, 20]).all(|((now, before), more)| *now >= before + more)
    });
}

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

fn report(what: &str, count: usize, done: &Done) {
    let failures = done.failures.lock().unwrap();
    assert!(
        failures.is_empty(),
        "{what}: {} failures, as {:?}",
        failures.len(),
        &failures[..failures.len().min(5)]
    );
    let what = format!(
        "{count} {what} replaced under {} requests, {} uploads, {} WebSocket messages, none failed",
        done.requests.load(Ordering::SeqCst),
        done.uploads.load(Ordering::SeqCst),
        done.messages.load(Ordering::SeqCst),
    );
    row("102", &what);
}

#[test]
fn edges_are_replaced_and_no_request_fails() {
    let rounds = number("SYNKRONIC_EDGES", 3);
    let (upstream, open) = pod();
    let seed = Rig::on(&[upstream.address]);
    let limits = Limits { drain_delay: Duration::from_millis(200), ..Limits::default() };
    let build = || {
        let config = Config { workers: 2, limits: limits.clone(), ..Config::default() };
        Edge::build(&config, Arc::clone(&seed.table), Arc::new(Meter::new().unwrap())).unwrap()
    };
    let balancer = Balancer::new();
    let mut edges: Vec<Bound> = (0..2).map(|_| build()).collect();
    balancer.ready.write().unwrap().extend(edges.iter().map(|edge| edge.addresses[0]));
    let mut leaving = Vec::new();
    let done = under_load(balancer.address, |done| {
        for _ in 0..rounds {
            some_work(done);
            // One more first, then the oldest leaves: not ready, a delay, `Connection: close`, the rest.
            let new = build();
            let old = edges.remove(0);
            let mut ready = balancer.ready.write().unwrap();
            ready.push(new.addresses[0]);
            ready.retain(|address| *address != old.addresses[0]);
            drop(ready);
            edges.push(new);
            old.handle().drain();
            leaving.push(thread::spawn(move || old.join()));
        }
        some_work(done);
        // None of those that left was cut: each has ended by itself.
        for leaving in leaving {
            leaving.join().unwrap();
        }
    });
    report("edges", rounds, &done);
    drop(edges);
    until("upstream connections are left open", || open.load(Ordering::SeqCst) == 0);
}

#[test]
fn pods_are_replaced_and_no_request_fails() {
    let rounds = number("SYNKRONIC_PODS", 8);
    let rig = Rig::routed(Config { workers: 2, ..Config::default() }, []);
    let mut pods: Vec<_> = (0..2).map(|_| pod()).collect();
    let mut endpoints: Vec<Arc<Endpoint>> = pods.iter().map(|(pod, _)| endpoint(pod.address)).collect();
    let serve = |generation: usize, endpoints: &[Arc<Endpoint>]| {
        let route = Arc::new(route("base", endpoints.to_vec()));
        rig.table.store(Arc::new(Table::of_hosts(generation as u64, [("shop.test".into(), route)])));
    };
    serve(1, &endpoints);
    let mut gone = Vec::new();
    let done = under_load(rig.address(), |done| {
        for round in 0..rounds {
            some_work(done);
            let new = pod();
            let old = endpoints.remove(0);
            endpoints.push(endpoint(new.0.address));
            pods.push(new);
            serve(round + 2, &endpoints);
            // As the control thread does after each swap.
            old.retired.store(true, Ordering::Release);
            gone.push(pods.remove(0).1);
        }
        some_work(done);
    });
    report("pods", rounds, &done);
    // A pod that is gone is left alone: what it still did is over, and its pooled connections are closed.
    until("connections of pods that are gone stay", || {
        gone.iter().all(|open| open.load(Ordering::SeqCst) == 0)
    });
}
