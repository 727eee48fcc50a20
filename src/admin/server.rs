//! The admin port's sockets: a thread, a runtime, hyper's server. What is answered is `answers`' matter.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Sources;
use super::answers::answer;

/// Connections at once, over all addresses; more wait.
const CONNECTIONS: usize = 64;
/// For a connection: its one request and the answer to it. As long as Prometheus waits for a scrape.
const PATIENCE: Duration = Duration::from_secs(10);

/// An admin port that listens; dropping it ends it.
#[derive(Debug)]
pub struct Bound {
    /// The addresses it listens on, in the order they were given.
    pub addresses: Vec<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Bound {
    /// Binds the addresses and serves them from a thread of its own.
    ///
    /// # Errors
    /// Where an address cannot be bound (the error names it), or the thread cannot be started.
    pub fn build(listen: &[SocketAddr], sources: Sources) -> io::Result<Self> {
        Self::with_patience(listen, sources, PATIENCE)
    }

    fn with_patience(listen: &[SocketAddr], sources: Sources, patience: Duration) -> io::Result<Self> {
        let mut listeners = Vec::with_capacity(listen.len());
        for address in listen {
            listeners.push(crate::listen::at(*address, |_| {}).map_err(|error| {
                io::Error::new(error.kind(), format!("cannot listen on {address} for admin: {error}"))
            })?);
        }
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("admin".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listeners, Arc::new(sources), patience) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { addresses, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Serves all listeners; the tasks end with the set that holds them.
async fn serve(listeners: Vec<TcpListener>, sources: Arc<Sources>, patience: Duration) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut listening = JoinSet::new();
    for listener in listeners {
        listening.spawn(listen(listener, Arc::clone(&sources), Arc::clone(&room), patience));
    }
    while listening.join_next().await.is_some() {}
}

async fn listen(listener: TcpListener, sources: Arc<Sources>, room: Arc<Semaphore>, patience: Duration) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let mut connections = JoinSet::new();
    // The semaphore is never closed.
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let sources = Arc::clone(&sources);
                connections.spawn(async move {
                    // Whoever sends nothing, or reads nothing, must not hold a place that a probe waits for.
                    let _ = timeout(patience, converse(stream, sources)).await;
                    drop(permit);
                });
            }
            // Out of file descriptors, most likely: one comes free when a connection ends.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(stream: TcpStream, sources: Arc<Sources>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(&sources, request.method(), request.uri().path(), request.uri().query());
        let mut response = Response::new(Full::new(Bytes::from(answer.body)));
        *response.status_mut() = answer.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
        std::future::ready(Ok::<_, Infallible>(response))
    });
    // One request a connection, so that its time is never up in the middle of a later one. And a client that goes in
    // the middle is its own affair.
    let _ = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service).await;
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::super::Readiness;
    use super::*;
    use crate::meter::Meter;

    fn ask(address: SocketAddr, path: &str) -> std::net::TcpStream {
        let mut client = std::net::TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        client.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
        client
    }

    #[test]
    fn clients_that_say_or_read_nothing_do_not_keep_probes_out() {
        let sources = Sources {
            meter: Arc::new(Meter::new().unwrap()),
            table: Arc::default(),
            readiness: Arc::new(Readiness::default()),
        };
        let listen = [SocketAddr::from(([127, 0, 0, 1], 0))];
        let bound = Bound::with_patience(&listen, sources, Duration::from_millis(300)).unwrap();
        let address = bound.addresses[0];
        let silent = (0..CONNECTIONS).map(|_| std::net::TcpStream::connect(address).unwrap());
        // More than all buffers take: requests whose answers nobody reads.
        let deaf = (0..CONNECTIONS).map(|_| {
            let mut client = std::net::TcpStream::connect(address).unwrap();
            client.set_nonblocking(true).unwrap();
            let _ = client.write(&b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20_000));
            client
        });
        let _held: Vec<_> = silent.chain(deaf).collect();
        let mut answer = String::new();
        ask(address, "/livez").read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}
