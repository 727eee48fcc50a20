//! A small upstream for trials: it answers with its version and the request as it saw it.
//!
//! It speaks HTTP/1.1, HTTP/2 without TLS by prior knowledge, and WebSocket. It trusts its caller (the
//! edge, or a person): it has no limits of its own and must not face the internet.

mod answer;
mod body;
mod page;
mod websocket;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What one echo server says of itself.
#[derive(Debug, Clone, Default)]
pub struct Voice {
    /// The version it answers with.
    pub version: String,
    /// The versions its page links to, `base` among them where wanted.
    pub links: Vec<String>,
    /// What its page says besides.
    pub greeting: String,
}

/// What every connection of one server shares.
struct Server {
    voice: Voice,
    /// Tunnels that have left their connection (WebSocket), so that a drain waits for them.
    tunnels: TaskTracker,
    stop: CancellationToken,
}

/// An echo server with its address bound and nothing served yet.
pub struct Bound {
    listener: TcpListener,
    voice: Voice,
}

impl Bound {
    /// Binds `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// Where the address cannot be bound.
    pub async fn bind(address: SocketAddr, voice: Voice) -> std::io::Result<Self> {
        Ok(Self { listener: TcpListener::from_std(crate::listen::at(address, |_| {})?)?, voice })
    }

    /// The address in force.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, then lets running requests end for at most `drain`.
    pub async fn serve(self, stop: CancellationToken, drain: Duration) {
        let connections = TaskTracker::new();
        let server = Arc::new(Server { voice: self.voice, tunnels: TaskTracker::new(), stop: stop.clone() });
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connection(stream, peer, server.clone()));
                }
                // Out of file descriptors, mostly: accept(2) would fail again at once.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        drop(self.listener);
        connections.close();
        server.tunnels.close();
        let drained = async { tokio::join!(connections.wait(), server.tunnels.wait()) };
        let _ = tokio::time::timeout(drain, drained).await;
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, server: Arc<Server>) {
    // An echo that waits for more bytes to send would measure Nagle's algorithm, not the proxy.
    let _ = stream.set_nodelay(true);
    let stop = server.stop.clone();
    // Of a socket for every address, an IPv4 peer's is a mapped one.
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let service = service_fn(move |request| answer::answer(server.clone(), peer, request));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).half_close(true);
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        _ = serving.as_mut() => return,
        () = stop.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    let _ = serving.await;
}

#[cfg(test)]
mod tests;
