//! What a worker keeps of an endpoint: its idle connections, its load, its health.
//!
//! A slot belongs to one [`Endpoint`], by id: never do two endpoints share a connection, though their
//! addresses be the same. The last connection to come back is the first to go out, so that the others grow
//! old and are closed. It opens no connection: `connect` does.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::net::RecvFlags;
use tokio::net::TcpStream;

use super::clock::millis;
use super::limits::Limits;
use crate::routes::Endpoint;

/// The clock is up to this much behind (its sweep runs twice a second): an age is taken to be that much more.
const BEHIND: u64 = 500;
/// The first pause of an endpoint that fails, doubled with every further failure.
const PAUSE: u64 = 1_000;
/// The longest pause.
const LONGEST: u64 = 60_000;

/// One endpoint, as one worker sees it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) endpoint: Arc<Endpoint>,
    idle: RefCell<Vec<Waiting>>,
    load: Cell<u32>,
    failures: Cell<u32>,
    aside_until: Cell<u64>,
}

#[derive(Debug)]
struct Waiting {
    stream: TcpStream,
    since: u64,
    /// Closed by us at this time at the latest.
    until: u64,
}

impl Slot {
    fn new(endpoint: Arc<Endpoint>) -> Self {
        Self {
            endpoint,
            idle: RefCell::new(Vec::new()),
            load: Cell::new(0),
            failures: Cell::new(0),
            aside_until: Cell::new(0),
        }
    }

    /// Requests of this worker that the endpoint works on.
    pub(crate) fn load(&self) -> u32 {
        self.load.get()
    }

    /// Whether the endpoint has left the table.
    pub(crate) fn retired(&self) -> bool {
        self.endpoint.retired.load(Ordering::Relaxed)
    }

    /// Whether the endpoint is to be tried before those set aside.
    pub(crate) fn healthy(&self, now: u64) -> bool {
        now >= self.aside_until.get()
    }

    /// It refused or reset: set aside for a pause that grows. True where it was not set aside already.
    pub(crate) fn failed(&self, now: u64) -> bool {
        let fresh = self.healthy(now);
        let failures = self.failures.get();
        self.failures.set(failures.saturating_add(1));
        self.aside_until.set(now.saturating_add(pause(failures)));
        fresh
    }

    /// A request was given to it. Where its pause has just ended that one is its trial: until it answers no
    /// other request is risked on it, or, should nothing be heard, for another such pause.
    pub(crate) fn chosen(&self, now: u64) {
        let failures = self.failures.get();
        if failures > 0 && self.healthy(now) {
            self.aside_until.set(now.saturating_add(pause(failures - 1)));
        }
    }

    /// It answered.
    pub(crate) fn worked(&self) {
        self.failures.set(0);
        self.aside_until.set(0);
    }

    /// An idle connection that is alive, the youngest first. `strict`: only one that waited for less than this,
    /// for a request that cannot be sent twice.
    pub(crate) fn take(&self, now: u64, strict: Option<Duration>) -> Option<TcpStream> {
        let mut idle = self.idle.borrow_mut();
        while let Some(waiting) = idle.pop() {
            if now >= waiting.until {
                continue;
            }
            let waited = now.saturating_sub(waiting.since).saturating_add(BEHIND);
            if strict.is_some_and(|fresh| waited >= millis(fresh)) {
                // Older ones wait below it: none will do; this one does for others.
                idle.push(waiting);
                return None;
            }
            if surely_alive(&waiting.stream) {
                return Some(waiting.stream);
            }
        }
        None
    }

    /// Takes a connection back, to wait for `keep_alive` at most, where the upstream told one.
    pub(crate) fn put(&self, stream: TcpStream, now: u64, keep_alive: Option<Duration>, limits: &Limits) {
        if self.retired() {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= limits.pool_size {
            return;
        }
        let limit = millis(keep_alive.map_or(limits.pool_idle, |told| {
            // A second below what it says: its clock is not ours.
            told.saturating_sub(Duration::from_secs(1)).min(limits.pool_idle)
        }));
        if limit <= BEHIND {
            return;
        }
        idle.push(Waiting { stream, since: now, until: now.saturating_add(limit - BEHIND) });
    }

    /// Closes what waited for too long or has been closed by the endpoint.
    fn sweep(&self, now: u64) {
        let mut idle = self.idle.borrow_mut();
        if self.retired() {
            idle.clear();
        } else {
            idle.retain(|waiting| now < waiting.until && seems_alive(&waiting.stream));
        }
        if idle.is_empty() {
            idle.shrink_to_fit();
        }
    }

    /// How many connections wait.
    pub(crate) fn waiting(&self) -> usize {
        self.idle.borrow().len()
    }
}

/// The pause after so many failures before.
fn pause(failures: u32) -> u64 {
    PAUSE.checked_shl(failures.min(16)).unwrap_or(LONGEST).min(LONGEST)
}

/// As far as the runtime knows, without a system call: neither closed nor sent to.
fn seems_alive(stream: &TcpStream) -> bool {
    let mut byte = [0];
    matches!(stream.try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// As the kernel knows: neither closed nor sent to.
///
/// The runtime hears of bytes only between rounds of tasks. A busy worker would take a connection on which a
/// second answer has just come behind the first, and hand that to the next client (response-queue poisoning).
/// Bytes that cross the request on their way are beyond anybody's telling.
fn surely_alive(stream: &TcpStream) -> bool {
    let mut byte = [0];
    let peeked = rustix::net::recv(stream, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    matches!(peeked, Err(rustix::io::Errno::AGAIN))
}

/// A worker's slots, by endpoint id.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    by_id: RefCell<HashMap<u64, Rc<Slot>, foldhash::fast::FixedState>>,
}

impl Slots {
    /// The slot of an endpoint; made on first use.
    pub(crate) fn of(&self, endpoint: &Arc<Endpoint>) -> Rc<Slot> {
        let mut by_id = self.by_id.borrow_mut();
        Rc::clone(by_id.entry(endpoint.id).or_insert_with(|| Rc::new(Slot::new(Arc::clone(endpoint)))))
    }

    /// The sweep: old connections go, and slots whose endpoint has left the table.
    pub(crate) fn sweep(&self, now: u64) {
        self.by_id.borrow_mut().retain(|_, slot| {
            slot.sweep(now);
            !(slot.retired() && slot.load() == 0)
        });
    }

    /// How many connections wait, of all endpoints.
    pub(crate) fn waiting(&self) -> usize {
        self.by_id.borrow().values().map(|slot| slot.waiting()).sum()
    }
}

/// One request's weight on an endpoint, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Load(Rc<Slot>);

impl Load {
    pub(crate) fn on(slot: Rc<Slot>) -> Self {
        slot.load.set(slot.load.get().saturating_add(1));
        Self(slot)
    }

    pub(crate) fn slot(&self) -> &Rc<Slot> {
        &self.0
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.load.set(self.0.load.get().saturating_sub(1));
    }
}
