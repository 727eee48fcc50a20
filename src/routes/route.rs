//! What the edge needs to serve one version through one Router: plain types, shared by [`Arc`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::Duration;

use http::HeaderValue;

/// One version as one Router serves it. Immutable but for its counters; a request keeps its route for its
/// whole life, never the table.
#[derive(Debug)]
pub struct Route {
    /// The Router's namespace.
    pub namespace: Arc<str>,
    /// The Router's name.
    pub router: Arc<str>,
    /// The version id.
    pub version: Arc<str>,
    /// The version id as the value of `x-synkronic-version`.
    pub version_value: HeaderValue,
    /// What upstream speaks.
    pub protocol: Protocol,
    /// The endpoints that may be sent to: ready ones; where none is ready, those that terminate but still
    /// serve. Empty: nothing serves this version now.
    pub endpoints: Arc<[Arc<Endpoint>]>,
    /// Time limits and retries.
    pub limits: RouteLimits,
    /// Requests in flight, of all workers; outlives recompilation.
    pub in_flight: Arc<AtomicU32>,
}

/// What an endpoint speaks, from the Service port's `appProtocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// HTTP/1.1, with WebSocket upgrades.
    Http1,
    /// HTTP/2 without TLS (`kubernetes.io/h2c`).
    H2c,
}

/// The limits of a Router; `None` leaves the edge's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RouteLimits {
    /// Until a connection stands.
    pub connect: Option<Duration>,
    /// From the request's last byte to the response's head.
    pub response: Option<Duration>,
    /// Between two pieces of a stream.
    pub idle: Option<Duration>,
    /// Further attempts after the first; `None` means 1.
    pub retries: Option<u32>,
}

/// An address that serves one version.
///
/// Two endpoints are interchangeable for pooled connections only if they are the same `Endpoint` (same
/// `id`): namespace, Service, pod uid, address, port and protocol all enter its identity, so a pod IP that
/// comes back as somebody else's pod gets no old connection.
#[derive(Debug)]
pub struct Endpoint {
    /// Unique in this process for as long as it runs; kept over recompilation while nothing of the identity
    /// changes, never given again.
    pub id: u64,
    /// The namespace.
    pub namespace: Arc<str>,
    /// The Service it belongs to.
    pub service: Arc<str>,
    /// The pod's uid, empty where none is known.
    pub pod_uid: Arc<str>,
    /// Where to connect.
    pub address: SocketAddr,
    /// What it speaks.
    pub protocol: Protocol,
    /// Set once the endpoint has left the table: its idle connections are dropped at once.
    pub retired: AtomicBool,
}
