//! Limits and timers, with their defaults. Plain numbers; flags fill them (`cli::flags`).

use std::time::Duration;

/// What the edge bears, and for how long it waits. Durations are measured by a sweep twice a second, so each
/// may take up to a second longer than it says; only `connect` and `hedge` are exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// For a request's head, from its first byte; for a new connection, until that first byte.
    pub head: Duration,
    /// For a client's connection between two requests.
    pub idle: Duration,
    /// After this long without a request a connection is parked on its bare socket.
    pub park: Duration,
    /// From the request's last byte to the response's head.
    pub response: Duration,
    /// Between two pieces of a stream: bodies, tunnels.
    pub stream_idle: Duration,
    /// Until an upstream connection stands.
    pub connect: Duration,
    /// After this long without an upstream connection a second attempt starts beside the first.
    pub hedge: Duration,
    /// How long a body or a refused write may be slower than `progress_rate` before it counts.
    pub progress_grace: Duration,
    /// Bytes a second that a Content-Length request body, or a peer that refuses writes, must at least make.
    pub progress_rate: u32,
    /// Bytes of a request's head, its request line included.
    pub head_bytes: usize,
    /// Fields of a request's head.
    pub fields: usize,
    /// Bytes of a request's target.
    pub target_bytes: usize,
    /// Connections of clients, over all workers; what comes beyond is closed at once.
    pub connections: usize,
    /// Connections of one source address; `None` does not count them. Trusted proxies are exempt.
    pub connections_per_source: Option<usize>,
    /// Requests and tunnels in flight of one version of one Router, over all workers; what comes beyond is
    /// answered with 503.
    pub in_flight: u32,
    /// Bytes to be sent that may wait in the kernel for one connection; `None` leaves it to the kernel.
    pub unsent: Option<usize>,
    /// Bytes received that may wait in the kernel for one connection; `None` leaves it to the kernel.
    pub receive_buffer: Option<usize>,
    /// How long an upstream connection may wait in the pool.
    pub pool_idle: Duration,
    /// Upstream connections that wait, per endpoint and worker.
    pub pool_size: usize,
    /// A request that may not be sent twice takes a pooled connection only if it waited for less than this.
    pub fresh: Duration,
    /// How long a connection is read on after its last answer without a byte coming, so that the answer is not
    /// lost to a reset.
    pub linger: Duration,
    /// The same in all, for a client that goes on sending a body that nobody wants.
    pub linger_whole: Duration,
    /// Between the call to drain and the first `Connection: close`.
    pub drain_delay: Duration,
    /// What requests in flight and tunnels have from then on.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            park: Duration::from_millis(500),
            response: Duration::from_secs(60),
            stream_idle: Duration::from_secs(300),
            connect: Duration::from_secs(1),
            hedge: Duration::from_millis(250),
            progress_grace: Duration::from_secs(10),
            progress_rate: 1024,
            head_bytes: 32 << 10,
            fields: 100,
            target_bytes: 8 << 10,
            connections: 10_000,
            connections_per_source: None,
            // A quarter of the connections: one version that hangs leaves three for the others.
            in_flight: 2_500,
            unsent: Some(128 << 10),
            receive_buffer: Some(256 << 10),
            // Node.js closes idle connections after 5 s, the shortest common keep-alive.
            pool_idle: Duration::from_secs(4),
            pool_size: 64,
            fresh: Duration::from_secs(1),
            linger: Duration::from_secs(2),
            linger_whole: Duration::from_secs(30),
            drain_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(30),
        }
    }
}
