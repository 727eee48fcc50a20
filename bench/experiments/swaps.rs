//! Experiment: what do a thousand swaps of the table a second cost those who are served meanwhile?
//!
//! The edge in this process serves 10,000 versions, of one Router or of a thousand, to a load (`wrk`) and to
//! 1,000 held WebSockets. In turns of five seconds the table stands still, or a version's pod is replaced a
//! thousand times a second: inventory, compile, swap. Told are the time a swap takes, the load's p99 in both
//! kinds of turn, resident memory before and after, how many WebSockets still echo, and how many answers were
//! checked: each must be a success by a pod of the version that its host names, else this ends with an error.
//!
//! `bench/decide swaps` runs it on its core; the load and the pods, which are echo servers that say whose they
//! are, run on the other.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "../micro/world.rs"]
mod world;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use synkronic::echo::{Bound, Voice};
use synkronic::edge::{Config, Edge};
use synkronic::meter::Meter;
use synkronic::routes::Table;
use tokio_util::sync::CancellationToken;
use world::{DOMAIN, Pods, World};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SOCKETS: usize = 1_000;
const TURN: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(1);
/// Versions with pods of their own, of which the load asks all but the first.
const ASKED: usize = 100;
/// The core of load and pods; the edge has the other.
const LOAD_CORE: &str = "1";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["pods"] => serve_pods(),
        [routers, versions, turns] => {
            measure(routers.parse().unwrap(), versions.parse().unwrap(), turns.parse().unwrap());
        }
        _ => {
            eprintln!("usage: swaps ROUTERS VERSIONS-EACH TURNS");
            std::process::exit(2);
        }
    }
}

fn measure(routers: usize, versions: usize, turns: usize) {
    let (_pods, ports) = pods();
    let mut world = World::of(routers, versions, Pods::Ports(ports));
    let table = Arc::new(ArcSwap::from(world.compiled().table.clone()));
    let config = Config { workers: 1, ..Config::default() };
    let edge = Edge::build(&config, table.clone(), Arc::new(Meter::new().unwrap())).unwrap();
    let port = edge.addresses[0].port();

    let mut sockets: Vec<TcpStream> = (0..SOCKETS).map(|number| opened(port, number % versions)).collect();
    let hosts = versions.min(ASKED) - 1;
    let (mut still, mut moving, mut took, mut checked) = (Vec::new(), Vec::new(), Vec::new(), 0);
    // The first turn of each kind warms up and is not counted.
    let mut before = 0;
    for turn in 0..=turns {
        let load = wrk(port, hosts);
        std::thread::sleep(TURN);
        still.push(Load::of(load).p99);
        let load = wrk(port, hosts);
        swap_for(TURN, &mut world, &table, &mut took);
        let load = Load::of(load);
        moving.push(load.p99);
        checked += load.checked;
        if turn == 0 {
            (before, checked) = (resident(), 0);
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
        "| {} of {routers} | {} swaps, {:.3} ms (p99 {:.3}) | {:.2} ms | {:.2} ms | ×{:.2} ({:.2} to {:.2}) | {:.1} MiB | {:.1} MiB | {alive} of {SOCKETS} | {checked} |",
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
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/changes.lua");
    let (url, time) = (format!("http://127.0.0.1:{port}"), format!("-d{}s", TURN.as_secs()));
    Command::new("taskset")
        .args(["-c", LOAD_CORE, "wrk", "-t1", "-c64", &time, "--latency", "-s", script, &url, "--"])
        .arg(hosts.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("taskset and wrk are installed")
}

/// What a load saw.
struct Load {
    /// In seconds.
    p99: f64,
    /// Answers, each by the version that was asked for.
    checked: u64,
}

impl Load {
    /// Waits for the load's end; every request of it must have been answered well.
    fn of(load: Child) -> Self {
        let output = load.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(" failed=0 misrouted=0 broken=0 "), "{said}");
        let checked = said.split("checked=").nth(1).and_then(|rest| rest.split(' ').next());
        let line =
            said.lines().find(|line| line.trim_start().starts_with("99%")).expect("wrk tells latencies");
        Self {
            p99: seconds(line.split_whitespace().nth(1).unwrap()),
            checked: checked.and_then(|count| count.parse().ok()).expect("bench/changes.lua counts"),
        }
    }
}

/// A time as wrk tells it: `1.46ms`.
fn seconds(told: &str) -> f64 {
    let (number, unit) = told.split_at(told.find(|c: char| c.is_alphabetic()).unwrap());
    let unit = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        _ => 1.0,
    };
    number.parse::<f64>().unwrap() * unit
}

/// The pods' process, ended with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Starts the pods on the load's core; and their ports.
fn pods() -> (Running, &'static [[u16; 2]]) {
    let this = std::env::current_exe().unwrap();
    let child = Command::new("taskset")
        .args(["-c", LOAD_CORE])
        .arg(this)
        .arg("pods")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("taskset is installed");
    let mut child = Running(child);
    let mut told = String::new();
    BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut told).unwrap();
    let ports: Vec<u16> = told.split_whitespace().map(|port| port.parse().unwrap()).collect();
    let ports: Vec<[u16; 2]> = ports.chunks_exact(2).map(|two| [two[0], two[1]]).collect();
    (child, ports.leak())
}

/// Two echo servers a version, each of which says whose it is; tells their ports, and ends with its input.
fn serve_pods() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stop = CancellationToken::new();
    for number in 0..2 * ASKED {
        let voice = Voice { version: format!("version-{}", number / 2), ..Voice::default() };
        let bound = runtime.block_on(Bound::bind(([127, 0, 0, 1], 0).into(), voice)).unwrap();
        print!("{} ", bound.address().unwrap().port());
        runtime.spawn(bound.serve(stop.clone(), Duration::ZERO));
    }
    println!();
    let ended = runtime.spawn_blocking(|| std::io::stdin().read(&mut [0]));
    let _ = runtime.block_on(ended);
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
