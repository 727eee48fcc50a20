//! The edge: a reverse proxy that faces the internet, and whose upstreams are no friends either.
//!
//! hyper serves the clients; towards the pods it speaks HTTP/1.1 with a codec of its own, in the request's
//! own task (`bench/README.md` has the measurements). It asks the routing table and nothing else: no
//! Kubernetes type, no DNS, no file comes here.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`limits`] | limits and timers, with their defaults |
//! | `accept`, `sources`, `sockets` | listeners, who is let in, how sockets are set up |
//! | `worker`, `drain` | threads, the end of their life |
//! | `connection`, `client_io`, `park`, `watch`, `progress` | a client's connection, and who waits for what on it |
//! | `request` | the life of a request, phase by phase |
//! | `decide`, `answer`, `cookies`, `ids` | what the table says, what the client is told |
//! | `attempts`, `connect`, `pool`, `balance`, `retry` | endpoints: which one, over which connection, how often |
//! | `upstream`, `upload`, `relay`, `tunnel` | bytes both ways |
//! | `error` | what can go wrong, and the one table of what follows |
//! | `record`, `log` | what is remembered of a request |

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::mpsc;

use crate::meter::Meter;
use crate::routes::Table;
use crate::wire::Scheme;
use crate::wire::guard::Terms;

mod accept;
mod answer;
mod attempts;
mod balance;
mod buffers;
mod chance;
mod client_io;
mod clock;
mod connect;
mod connection;
mod cookies;
mod decide;
mod drain;
mod error;
#[cfg(test)]
mod guard_tests;
mod ids;
pub mod limits;
mod log;
mod park;
mod pool;
mod progress;
mod record;
mod relay;
mod request;
mod retry;
mod sockets;
mod sources;
mod tunnel;
mod upload;
mod upstream;
mod watch;
mod worker;

pub use drain::Handle;
pub use limits::Limits;
pub use log::AccessLog;

use accept::Seat;
use chance::Chance;
use drain::Stage;
use log::Log;
use sources::Sources;
use worker::{Shared, Worker};

/// Connections on their way from the acceptor to one worker.
const ARRIVALS: usize = 1024;

/// How an edge is to run.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen for HTTP; port 0 lets the kernel choose.
    pub listen: Vec<SocketAddr>,
    /// Threads that serve; 0 means one a core.
    pub workers: usize,
    /// Limits and timers.
    pub limits: Limits,
    /// Peers whose forwarding fields are believed.
    pub trusted: Vec<IpNet>,
    /// Whether a version's cookies stay with the host that set them.
    pub confine_cookies: bool,
    /// Where the access log goes.
    pub access_log: AccessLog,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![([127, 0, 0, 1], 0).into()],
            workers: 0,
            limits: Limits::default(),
            trusted: Vec::new(),
            confine_cookies: false,
            access_log: AccessLog::Off,
        }
    }
}

/// An edge that listens and serves.
#[derive(Debug)]
pub struct Bound {
    /// The addresses it listens on, in the order of the configuration.
    pub addresses: Vec<SocketAddr>,
    handle: Handle,
    threads: Vec<JoinHandle<()>>,
    shared: Arc<Shared>,
}

/// The edge.
#[derive(Debug)]
pub struct Edge;

impl Edge {
    /// Binds the addresses and starts the workers, which serve the table that `table` holds at each instant.
    ///
    /// # Errors
    /// Where an address cannot be bound (the error names it), the access log cannot be opened, or a thread
    /// cannot be started.
    pub fn build(config: &Config, table: Arc<ArcSwap<Table>>, meter: Arc<Meter>) -> io::Result<Bound> {
        raise_open_files();
        let mut listeners = Vec::with_capacity(config.listen.len());
        for address in &config.listen {
            let bound = sockets::listen(*address, &config.limits);
            listeners.push(bound.map_err(|error| {
                io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
            })?);
        }
        let addresses = listeners.iter().map(std::net::TcpListener::local_addr).collect::<io::Result<_>>()?;
        let shared = Arc::new(shared(config, table, meter)?);
        let handle = Handle::new();
        let mut bound = Bound { addresses, handle: handle.clone(), threads: Vec::new(), shared };
        bound.start(config, listeners)?;
        Ok(bound)
    }
}

impl Bound {
    /// Tells the edge to leave.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Waits until the edge has left: all workers have ended, and the access log is written out.
    pub fn join(mut self) {
        self.wait();
    }

    fn wait(&mut self) {
        for thread in self.threads.drain(..) {
            // A worker that panicked has been reported by the panic itself.
            let _ = thread.join();
        }
        if let Some(log) = &self.shared.log {
            log.close();
        }
    }

    fn start(&mut self, config: &Config, listeners: Vec<std::net::TcpListener>) -> io::Result<()> {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let count = if config.workers == 0 { cores() } else { config.workers };
        let mut seats = Vec::with_capacity(count);
        let mut runs = Vec::with_capacity(count);
        for _ in 0..count {
            let (arrivals, arriving) = mpsc::channel(ARRIVALS);
            let load = Arc::new(AtomicUsize::new(0));
            seats.push(Seat { arrivals, load: Arc::clone(&load) });
            runs.push((load, arriving));
        }
        let accept = accept::run(listeners, seats, Arc::clone(&self.shared), self.handle.clone());
        let mut accept = Some(accept);
        if count > 1
            && let Some(accept) = accept.take()
        {
            self.thread("edge-accept".into(), move |runtime| {
                if let Err(error) = runtime.block_on(accept) {
                    tracing::error!(%error, "the edge accepts no connections");
                }
            })?;
        }
        for (index, (load, arriving)) in runs.into_iter().enumerate() {
            // Subscribed to before the thread is: what is said to one that is still starting must reach it.
            let (shared, stage) = (Arc::clone(&self.shared), self.handle.subscribe());
            // The one worker there is accepts by itself.
            let accept = accept.take();
            self.thread(format!("edge-{index}"), move |runtime| {
                let worker = Worker::new(shared, load);
                runtime.block_on(async {
                    let accepting = accept.map(tokio::task::spawn_local);
                    worker::run(worker, arriving, stage).await;
                    drop(accepting);
                });
            })?;
        }
        Ok(())
    }

    fn thread(&mut self, name: String, run: impl FnOnce(&LocalRuntime) + Send + 'static) -> io::Result<()> {
        let (ready, started) = std::sync::mpsc::sync_channel(1);
        let thread =
            std::thread::Builder::new().name(name).spawn(move || {
                match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
                    Ok(runtime) => {
                        let _ = ready.send(Ok(()));
                        run(&runtime);
                    }
                    Err(error) => {
                        let _ = ready.send(Err(error));
                    }
                }
            })?;
        self.threads.push(thread);
        started.recv().unwrap_or_else(|_| Err(io::Error::other("a thread of the edge ended at its start")))
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.handle.advance(Stage::Over);
            self.wait();
        }
    }
}

fn shared(config: &Config, table: Arc<ArcSwap<Table>>, meter: Arc<Meter>) -> io::Result<Shared> {
    // Only this very process may take a request that comes back for a loop.
    let pseudonym = format!("synkronic-{:08x}", Chance::new().next() >> 32);
    let mut terms = Terms::new(Scheme::Http, pseudonym);
    terms.max_target = config.limits.target_bytes;
    terms.max_fields_bytes = config.limits.head_bytes;
    terms.max_fields = config.limits.fields;
    Ok(Shared {
        limits: config.limits.clone(),
        terms,
        trusted: config.trusted.clone(),
        confine_cookies: config.confine_cookies,
        table,
        meter,
        log: Log::open(&config.access_log)?,
        open: AtomicUsize::new(0),
        sources: config.limits.connections_per_source.map(Sources::new),
    })
}

/// Each connection takes up to two file descriptors: as many as the system lets us have.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, ?current, "the limit of open files stays as it is");
    }
}
