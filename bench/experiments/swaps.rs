//! Experiment: what do a thousand swaps of the table a second cost those who are served meanwhile?
//!
//! The edge in this process serves 10,000 versions, of one Router or of a thousand, to a load (`wrk`) and to
//! 1,000 held WebSockets. In turns of five seconds the table stands still, or a version's pod is replaced a
//! thousand times a second: inventory, compile, swap. Told are the time a swap takes, the load's p99 in both
//! kinds of turn, resident memory before and after, and how many WebSockets still echo.
//!
//! `bench/decide swaps` runs it on its core, with `synkronic echo` as upstream.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "../micro/world.rs"]
mod world;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use synkronic::edge::{Config, Edge};
use synkronic::meter::Meter;
use synkronic::routes::Table;
use world::{DOMAIN, Pods, World};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SOCKETS: usize = 1_000;
const TURN: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(1);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [upstream, routers, versions, turns] = arguments.as_slice() else {
        eprintln!("usage: swaps UPSTREAM-PORT ROUTERS VERSIONS-EACH TURNS");
        std::process::exit(2);
    };
    let (routers, versions): (usize, usize) = (routers.parse().unwrap(), versions.parse().unwrap());
    let mut world = World::of(routers, versions, Pods::Port(upstream.parse().unwrap()));
    let table = Arc::new(ArcSwap::from(world.compiled().table.clone()));
    let config = Config { workers: 1, ..Config::default() };
    let edge = Edge::build(&config, table.clone(), Arc::new(Meter::new().unwrap())).unwrap();
    let port = edge.addresses[0].port();

    let mut sockets: Vec<TcpStream> = (0..SOCKETS).map(|number| opened(port, number % versions)).collect();
    let hosts = versions.min(100);
    let (mut still, mut moving, mut took) = (Vec::new(), Vec::new(), Vec::new());
    // The first turn of each kind warms up and is not counted.
    let mut before = 0;
    for turn in 0..=turns.parse::<usize>().unwrap() {
        let load = wrk(port, hosts);
        std::thread::sleep(TURN);
        still.push(p99(load));
        let load = wrk(port, hosts);
        swap_for(TURN, &mut world, &table, &mut took);
        moving.push(p99(load));
        if turn == 0 {
            before = resident();
            for list in [&mut still, &mut moving, &mut took] {
                list.clear();
            }
        }
    }
    let after = resident();
    // Turn by turn, so that what the machine does besides weighs on both alike.
    let mut up: Vec<f64> = moving.iter().zip(&still).map(|(moving, still)| moving / still).collect();
    let alive = sockets.iter_mut().map(echoes).filter(|echoes| *echoes).count();
    println!(
        "| {} of {routers} | {} swaps, {:.3} ms (p99 {:.3}) | {:.2} ms | {:.2} ms | ×{:.2} ({:.2} to {:.2}) | {:.1} MiB | {:.1} MiB | {alive} of {SOCKETS} |",
        routers * versions,
        took.len(),
        quantile(&mut took, 0.5) * 1e3,
        quantile(&mut took, 0.99) * 1e3,
        quantile(&mut still, 0.5) * 1e3,
        quantile(&mut moving, 0.5) * 1e3,
        quantile(&mut up, 0.5),
        quantile(&mut up, 0.25),
        quantile(&mut up, 0.75),
        before as f64 / 1024.0,
        after as f64 / 1024.0,
    );
    edge.handle().stop();
    drop(sockets);
    edge.join();
}

/// A thousand changes a second; the seconds that each takes are added to `took`.
fn swap_for(time: Duration, world: &mut World, table: &ArcSwap<Table>, took: &mut Vec<f64>) {
    let end = Instant::now() + time;
    let mut next = Instant::now();
    while next < end {
        let begun = Instant::now();
        let changes = world.move_endpoint();
        world.compile(&changes);
        table.store(world.compiled().table.clone());
        for endpoint in &world.compiled().retired {
            endpoint.retired.store(true, Ordering::Relaxed);
        }
        took.push(begun.elapsed().as_secs_f64());
        next += PAUSE;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// A load for one turn, on the other core.
fn wrk(port: u16, hosts: usize) -> Child {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/load.lua");
    let (url, time) = (format!("http://127.0.0.1:{port}"), format!("-d{}s", TURN.as_secs()));
    Command::new("taskset")
        .args(["-c", "1", "wrk", "-t1", "-c64", &time, "--latency", "-s", script, &url, "--"])
        .args([&hosts.to_string(), "/bytes/1024"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("taskset and wrk are installed")
}

/// The load's p99 in seconds; every request of it must have been answered well.
fn p99(load: Child) -> f64 {
    let output = load.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!said.contains("Non-2xx") && !said.contains("Socket errors"), "failed requests: {said}");
    let line = said.lines().find(|line| line.trim_start().starts_with("99%")).expect("wrk tells latencies");
    let value = line.split_whitespace().nth(1).unwrap();
    let (number, unit) = value.split_at(value.find(|c: char| c.is_alphabetic()).unwrap());
    number.parse::<f64>().unwrap()
        * if unit == "us" {
            1e-6
        } else if unit == "ms" {
            1e-3
        } else {
            1.0
        }
}

fn quantile(values: &mut [f64], at: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (at * (values.len().saturating_sub(1)) as f64).round();
    values.get(index as usize).copied().unwrap_or(f64::NAN)
}

fn opened(port: u16, version: usize) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let request = format!(
        "GET / HTTP/1.1\r\nhost: version-{version}.{DOMAIN}\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte).expect("the edge answers the handshake");
        head.extend_from_slice(&byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    assert!(echoes(&mut socket));
    socket
}

/// One text frame there (masked with zeros) and back.
fn echoes(socket: &mut TcpStream) -> bool {
    let mut back = [0; 7];
    socket.write_all(b"\x81\x85\0\0\0\0hello").is_ok()
        && socket.read_exact(&mut back).is_ok()
        && back == *b"\x81\x05hello"
}

/// This process's resident memory in KiB.
fn resident() -> u64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = rollup.lines().find(|line| line.starts_with("Rss:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
