//! The cells of one worker, and of one version as one worker serves it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// The status codes that have a series of their own; all others count as `other`.
pub(super) const CODES: [u16; 34] = [
    101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409, 410, 413,
    414, 415, 417, 422, 429, 431, 499, 500, 501, 502, 503, 504, 508,
];

/// The upper bounds of the duration histogram's buckets, in microseconds; the last bucket has none.
pub(super) const BOUNDS: [u64; 15] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000, 30_000_000, 60_000_000,
];

/// A number that one thread writes and any thread reads.
#[derive(Debug, Default)]
pub struct Cell(AtomicU64);

impl Cell {
    /// Adds, as the only writer.
    pub fn add(&self, more: u64) {
        // Not `fetch_add`: there is one writer, so that a plain load and store suffice.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }

    /// Subtracts, as the only writer.
    pub fn sub(&self, less: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(less), Ordering::Relaxed);
    }

    /// Sets, as the only writer.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Reads.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one worker counts beside requests.
#[derive(Debug, Default)]
pub struct WorkerCells {
    /// Connections of clients that are open.
    pub connections: Cell,
    /// Connections of clients since the start.
    pub connections_total: Cell,
    /// Those open ones that wait on their bare socket.
    pub parked: Cell,
    /// Tunnels (WebSockets) that are open.
    pub tunnels: Cell,
    /// Connections opened to endpoints.
    pub upstream_opened: Cell,
    /// Requests that went over a pooled connection.
    pub upstream_reused: Cell,
    /// Connections to endpoints that wait in the pool.
    pub upstream_idle: Cell,
    /// Second attempts.
    pub retries: Cell,
    /// Endpoints set aside.
    pub ejections: Cell,
    /// Lines of the access log that did not fit its queue.
    pub log_dropped: Cell,
    faults: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    routes: Mutex<Vec<Arc<RouteCells>>>,
}

impl WorkerCells {
    /// A second attempt was made.
    pub fn retried(&self) {
        self.retries.add(1);
    }

    /// Counts a fault by whose it was and its word, both from a fixed table.
    pub fn fault(&self, side: &'static str, fault: &'static str) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner).entry((side, fault)).or_default() += 1;
    }

    /// New cells for a version. They go from the scrape once `alive` has no owner any more.
    #[must_use]
    pub fn route(&self, router: String, version: String, alive: Weak<AtomicU32>) -> Arc<RouteCells> {
        let cells = Arc::new(RouteCells::new(router, version, Some(alive)));
        self.add(Arc::clone(&cells));
        cells
    }

    /// Cells for the requests that found no version; they stay.
    #[must_use]
    pub fn unmatched(&self) -> Arc<RouteCells> {
        let cells = Arc::new(RouteCells::new(String::new(), String::new(), None));
        self.add(Arc::clone(&cells));
        cells
    }

    fn add(&self, cells: Arc<RouteCells>) {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        routes.retain(|cells| cells.is_alive());
        routes.push(cells);
    }

    pub(super) fn faults(&self) -> BTreeMap<(&'static str, &'static str), u64> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn routes(&self) -> Vec<Arc<RouteCells>> {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        routes.retain(|cells| cells.is_alive());
        routes.clone()
    }
}

/// What one worker counts of one version.
#[derive(Debug)]
pub struct RouteCells {
    pub(super) router: String,
    pub(super) version: String,
    alive: Option<Weak<AtomicU32>>,
    codes: [Cell; CODES.len()],
    other: Cell,
    buckets: [Cell; BOUNDS.len()],
    beyond: Cell,
    micros: Cell,
    /// Bytes of request bodies that went upstream.
    pub received: Cell,
    /// Bytes of response bodies that went to clients.
    pub sent: Cell,
}

impl RouteCells {
    fn new(router: String, version: String, alive: Option<Weak<AtomicU32>>) -> Self {
        Self {
            router,
            version,
            alive,
            codes: std::array::from_fn(|_| Cell::default()),
            other: Cell::default(),
            buckets: std::array::from_fn(|_| Cell::default()),
            beyond: Cell::default(),
            micros: Cell::default(),
            received: Cell::default(),
            sent: Cell::default(),
        }
    }

    /// Counts a request: its status, or 499 where the client got none, and how long it took in all.
    pub fn request(&self, code: u16, took: Duration) {
        let slot = CODES.binary_search(&code).ok().and_then(|at| self.codes.get(at));
        slot.unwrap_or(&self.other).add(1);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let at = BOUNDS.iter().position(|bound| micros <= *bound);
        at.and_then(|at| self.buckets.get(at)).unwrap_or(&self.beyond).add(1);
        self.micros.add(micros);
    }

    /// Whether the version still exists.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.alive.as_ref().is_none_or(|alive| alive.strong_count() > 0)
    }

    /// Adds these cells to a sum.
    pub(super) fn add_to(&self, sum: &mut RouteSum) {
        for (code, cell) in CODES.iter().zip(&self.codes) {
            if cell.get() > 0 {
                *sum.codes.entry(code.to_string()).or_default() += cell.get();
            }
        }
        if self.other.get() > 0 {
            *sum.codes.entry("other".to_owned()).or_default() += self.other.get();
        }
        sum.buckets.resize(BOUNDS.len() + 1, 0);
        for (bucket, cell) in sum.buckets.iter_mut().zip(self.buckets.iter().chain([&self.beyond])) {
            *bucket += cell.get();
        }
        // The same number for all workers.
        let in_flight =
            self.alive.as_ref().and_then(Weak::upgrade).map(|count| count.load(Ordering::Relaxed));
        sum.in_flight = in_flight.or(sum.in_flight);
        sum.micros += self.micros.get();
        sum.received += self.received.get();
        sum.sent += self.sent.get();
    }
}

/// One version's cells of all workers.
#[derive(Debug, Default)]
pub(super) struct RouteSum {
    pub(super) codes: BTreeMap<String, u64>,
    pub(super) buckets: Vec<u64>,
    pub(super) micros: u64,
    pub(super) received: u64,
    pub(super) sent: u64,
    /// Requests in flight; of a version only.
    pub(super) in_flight: Option<u32>,
}
