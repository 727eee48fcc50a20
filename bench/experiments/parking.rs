//! Experiment: what does an idle keep-alive connection cost, held by hyper or parked?
//!
//! A server in this process answers one request on each of its connections, which then stay idle for
//! five seconds. `hold` leaves them with hyper. `park` takes each back after 500 ms without a request
//! (`into_parts`) and waits on the bare socket; bytes that come are served by a new hyper connection.
//! Then every connection is used once more. The cost of one is the difference between processes with
//! 3,000 and with 1,000. Resident memory is this process's, from `smaps_rollup`;
//! the clients are plain sockets, whose memory is the kernel's.
//!
//! `cargo run --release --example parking`
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::io::{Read, Write};
use std::net::TcpStream as Client;
use std::rc::Rc;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CONNECTIONS: usize = 1_000;
const IDLE: Duration = Duration::from_millis(500);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [mode, connections] => measure(mode != "hold", mode == "sweep", connections.parse().unwrap()),
        [..] => {
            println!("| idle connection | KiB each | answered afterwards |\n| --- | --- | --- |");
            for (mode, name) in [
                ("hold", "held by hyper"),
                ("park", "parked after 500 ms"),
                ("sweep", "parked, and freed pages given back"),
            ] {
                let (few, _) = measured(mode, CONNECTIONS);
                let (many, reused) = measured(mode, 3 * CONNECTIONS);
                let each = (many - few) / (2 * CONNECTIONS) as f64;
                println!("| {name} | {each:.1} | {reused} of {} |", 3 * CONNECTIONS);
            }
        }
    }
}

/// A process of its own for each measurement: resident KiB with so many idle connections, and how
/// many of them answered afterwards.
fn measured(mode: &str, connections: usize) -> (f64, usize) {
    let this = std::env::current_exe().unwrap();
    let output = std::process::Command::new(this).args([mode, &connections.to_string()]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let (resident, reused) = printed.trim().split_once(' ').expect("the child prints two numbers");
    (resident.parse().unwrap(), reused.parse().unwrap())
}

/// mimalloc gives freed pages back to the kernel a second later, but only when it is asked for a fresh
/// page: an idle server never does. One allocation a second that needs a page of its own is enough.
async fn give_back() {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(std::hint::black_box(Vec::<u8>::with_capacity(1024 * 1024)));
    }
}

fn measure(park: bool, sweep: bool, connections: usize) {
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::LocalRuntime::new().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            send.send(listener.local_addr().unwrap()).unwrap();
            if sweep {
                tokio::task::spawn_local(give_back());
            }
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                tokio::task::spawn_local(connection(socket, park));
            }
        });
    });
    let address = receive.recv().unwrap();
    let mut clients: Vec<Client> = (0..connections).map(|_| Client::connect(address).unwrap()).collect();
    assert!(clients.iter_mut().all(answered), "the server answers each connection");
    std::thread::sleep(Duration::from_secs(5));
    let resident = resident();
    let reused = clients.iter_mut().map(answered).filter(|answered| *answered).count();
    println!("{resident} {reused}");
}

/// One connection's life: served by hyper while it is busy, a bare socket while it is not.
async fn connection(mut socket: TcpStream, park: bool) {
    while let Some(idle) = Box::pin(serve(socket, park)).await {
        if idle.readable().await.is_err() {
            return;
        }
        socket = idle;
    }
}

/// Serves until the connection ends (nothing) or has been idle (the socket).
async fn serve(socket: TcpStream, park: bool) -> Option<TcpStream> {
    let last = Rc::new(Cell::new(Instant::now()));
    let mut hyper = http1::Builder::new().serve_connection(TokioIo::new(socket), Hello(last.clone()));
    if !park {
        let _ = hyper.await;
        return None;
    }
    loop {
        let deadline = last.get() + IDLE;
        tokio::select! {
            _ = poll_fn(|context| hyper.poll_without_shutdown(context)) => return None,
            () = sleep_until(deadline) => {}
        }
        if last.get().elapsed() >= IDLE {
            let parts = hyper.into_parts();
            // Half a head has come: the edge would hand these bytes to the next hyper connection.
            return parts.read_buf.is_empty().then(|| parts.io.into_inner());
        }
    }
}

/// Answers at once with one KiB, and remembers when.
struct Hello(Rc<Cell<Instant>>);

impl Service<Request<Incoming>> for Hello {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn call(&self, _: Request<Incoming>) -> Self::Future {
        self.0.set(Instant::now());
        ready(Ok(Response::new(Full::new(Bytes::from_static(&[b'x'; 1024])))))
    }
}

fn answered(client: &mut Client) -> bool {
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    if client.write_all(b"GET / HTTP/1.1\r\nhost: shop.localhost\r\n\r\n").is_err() {
        return false;
    }
    while !answer.ends_with(&[b'x'; 1024]) {
        match client.read(&mut chunk) {
            Ok(0) | Err(_) => return false,
            Ok(count) => answer.extend_from_slice(&chunk[..count]),
        }
    }
    answer.starts_with(b"HTTP/1.1 200")
}

/// This process's resident memory in KiB.
fn resident() -> u64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = rollup.lines().find(|line| line.starts_with("Rss:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
