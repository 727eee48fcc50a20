//! A load that does not wait for whom it loads: requests are due at fixed times, and a late answer delays none of them.
//!
//! `wrk` sends the next request when an answer has come, so that a proxy that hangs for a moment is asked less in that
//! moment, and its percentiles look fine. Here a request's time counts from when it was due. What the generator itself
//! oversleeps, having nothing to do, is not counted. Each connection is a thread, which costs more than an event loop
//! and sleeps far more exactly.
//!
//! `paced PORT PER-SECOND SECONDS CONNECTIONS HOSTS PATH` prints microseconds: `p50=… p90=… p99=… p999=… max=… sent=…
//! failed=… late=…`; late are those for which no connection was free when they were due.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

struct Plan {
    port: u16,
    /// Between two requests.
    pace: Duration,
    requests: usize,
    hosts: usize,
    path: String,
    /// Requests that were taken so far.
    taken: AtomicUsize,
    begin: Instant,
}

#[derive(Default)]
struct Seen {
    micros: Vec<u64>,
    failed: usize,
    late: usize,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, rate, seconds, connections, hosts, path] = arguments.as_slice() else {
        eprintln!("usage: paced PORT PER-SECOND SECONDS CONNECTIONS HOSTS PATH");
        std::process::exit(2);
    };
    let number = |text: &str| text.parse::<usize>().expect("a number");
    let (rate, connections) = (number(rate), number(connections));
    let plan = Arc::new(Plan {
        port: port.parse().expect("a port"),
        pace: Duration::from_secs(1) / u32::try_from(rate).expect("a rate"),
        requests: rate * number(seconds),
        hosts: number(hosts),
        path: path.clone(),
        taken: AtomicUsize::new(0),
        // Every thread is to wait for its first.
        begin: Instant::now() + Duration::from_millis(500),
    });
    let threads: Vec<_> = (0..connections)
        .map(|_| {
            let plan = Arc::clone(&plan);
            std::thread::Builder::new().stack_size(128 << 10).spawn(move || work(&plan)).unwrap()
        })
        .collect();
    let mut all = Seen::default();
    for thread in threads {
        let seen = thread.join().unwrap();
        all.micros.extend(seen.micros);
        all.failed += seen.failed;
        all.late += seen.late;
    }
    all.micros.sort_unstable();
    let at = |part: f64| {
        let last = all.micros.len().saturating_sub(1) as f64;
        all.micros.get((part * last).round() as usize).copied().unwrap_or(0)
    };
    println!(
        "p50={} p90={} p99={} p999={} max={} sent={} failed={} late={}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        at(1.0),
        all.micros.len() + all.failed,
        all.failed,
        all.late
    );
}

/// One connection, until all requests are taken.
fn work(plan: &Plan) -> Seen {
    let mut seen = Seen::default();
    let mut socket = None;
    let mut buffer = vec![0; 16 << 10];
    loop {
        let number = plan.taken.fetch_add(1, Ordering::Relaxed);
        if number >= plan.requests {
            return seen;
        }
        let due = plan.begin + plan.pace * u32::try_from(number).expect("fewer than four billion requests");
        let free = Instant::now();
        let counted_from = if free < due {
            std::thread::sleep(due - free);
            Instant::now()
        } else {
            seen.late += 1;
            due
        };
        match ask(plan, number, &mut socket, &mut buffer) {
            Ok(()) => seen.micros.push(u64::try_from(counted_from.elapsed().as_micros()).unwrap_or(u64::MAX)),
            Err(_) => {
                socket = None;
                seen.failed += 1;
            }
        }
    }
}

fn ask(plan: &Plan, number: usize, socket: &mut Option<TcpStream>, buffer: &mut [u8]) -> io::Result<()> {
    let socket = match socket {
        Some(socket) => socket,
        None => {
            let new = TcpStream::connect(("127.0.0.1", plan.port))?;
            new.set_nodelay(true)?;
            new.set_read_timeout(Some(Duration::from_secs(10)))?;
            socket.insert(new)
        }
    };
    let host = number.wrapping_mul(7919) % plan.hosts;
    let request =
        format!("GET {} HTTP/1.1\r\nHost: version-{host}.shop.example.com\r\nAccept: */*\r\n\r\n", plan.path);
    socket.write_all(request.as_bytes())?;
    answered(socket, buffer)
}

/// Reads one answer, which must be a 200 with a length.
fn answered(socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<()> {
    let mut come = 0;
    let wrong = || io::Error::other("no sound 200");
    loop {
        let read = socket.read(&mut buffer[come..])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        come += read;
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut fields);
        let Ok(httparse::Status::Complete(head)) = response.parse(&buffer[..come]) else { continue };
        let length = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
        let length = length.and_then(|field| std::str::from_utf8(field.value).ok()?.parse::<usize>().ok());
        let (Some(200), Some(length)) = (response.code, length) else { return Err(wrong()) };
        let mut left = (head + length).checked_sub(come).ok_or_else(wrong)?;
        while left > 0 {
            let most = left.min(buffer.len());
            let read = socket.read(&mut buffer[..most])?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            left -= read;
        }
        return Ok(());
    }
}
