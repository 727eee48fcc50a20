//! A worker: one thread, one runtime, and all that its requests share without locks.
//!
//! It takes in connections, sweeps twice a second, and leaves when told to. What it shares with other
//! workers is in [`Shared`]: settings, the table, a few atomic numbers. It reads no request.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Cache};
use hyper::server::conn::http1;
use ipnet::IpNet;
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::balance::Balance;
use super::buffers::Buffers;
use super::chance::Chance;
use super::clock::{Clock, millis};
use super::connection;
use super::drain::Stage;
use super::error::Side;
use super::limits::Limits;
use super::log::{Entry, Log};
use super::pool::{Slot, Slots};
use super::retry::Budget;
use super::sources::{Place, Sources};
use super::watch::{Phase, Watch};
use crate::meter::{Meter, RouteCells, WorkerCells};
use crate::routes::{Route, Table};
use crate::wire::guard::Terms;
use crate::wire::memo::Memo;

/// How often the sweep runs.
const SWEEP: Duration = Duration::from_millis(500);
/// What a connection without a request has for one once the process leaves, in milliseconds, at most; and the part
/// of the drain timeout that it is.
const GRACE: u64 = 1_000;
const GRACE_PART: u32 = 10;
/// Bytes that hyper reads, and queues, for one connection.
pub(crate) const BUFFER: usize = 64 << 10;

/// What all workers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) terms: Terms,
    pub(crate) trusted: Vec<IpNet>,
    pub(crate) confine_cookies: bool,
    pub(crate) table: Arc<ArcSwap<Table>>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) log: Option<Log>,
    /// Connections of clients, of all workers.
    pub(crate) open: AtomicUsize,
    /// The same by source, where that is limited.
    pub(crate) sources: Option<Arc<Sources>>,
}

impl Shared {
    /// Whether what a peer says of those before it is believed.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted.iter().any(|net| net.contains(&peer))
    }
}

/// A connection on its way to a worker.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) stream: std::net::TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) place: Option<Place>,
}

/// One worker.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) cells: Arc<WorkerCells>,
    pub(crate) slots: Slots,
    pub(crate) chance: Chance,
    pub(crate) buffers: Buffers,
    pub(crate) http1: http1::Builder,
    pub(crate) voice: Voice,
    /// What upstreams repeat in their answers.
    pub(crate) memo: RefCell<Memo>,
    /// For the requests that find no version.
    pub(crate) unmatched: Arc<RouteCells>,
    clock: Clock,
    tick: Cell<usize>,
    table: RefCell<Cache<Arc<ArcSwap<Table>>, Arc<Table>>>,
    accounts: RefCell<HashMap<usize, Rc<Account>, foldhash::fast::FixedState>>,
    guests: RefCell<Guests>,
    /// Connections here, as the acceptor sees them.
    load: Arc<AtomicUsize>,
    /// Since when the process leaves; 0 as long as it does not.
    closing: Cell<u64>,
    /// Told when a connection ends while the process leaves.
    gone: Notify,
}

/// What a worker keeps of a version.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) cells: Arc<RouteCells>,
    pub(crate) budget: Budget,
    /// What the requests to it end with ([`crate::wire::request::Head::ours`]).
    pub(crate) ours: Box<[u8]>,
}

/// How often a worker may speak in the program's own log between two sweeps.
#[derive(Debug, Default)]
pub(crate) struct Voice {
    spoken: Cell<u32>,
}

impl Voice {
    /// Lines between two sweeps.
    const BREATH: u32 = 10;

    /// Whether one more line may be said.
    pub(crate) fn speak(&self) -> bool {
        self.spoken.set(self.spoken.get().saturating_add(1));
        self.spoken.get() <= Self::BREATH
    }

    fn breathe(&self) {
        let hushed = self.spoken.replace(0).saturating_sub(Self::BREATH);
        if hushed > 0 {
            tracing::info!(hushed, "more requests went wrong than are told of one by one");
        }
    }
}

/// The connections of a worker, for its sweep.
#[derive(Debug, Default)]
struct Guests {
    seats: Vec<Option<Rc<Watch>>>,
    free: Vec<usize>,
}

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>, load: Arc<AtomicUsize>) -> Rc<Self> {
        let cells = shared.meter.worker();
        let unmatched = cells.unmatched();
        let mut http1 = http1::Builder::new();
        // The sweep holds the deadlines; the field count is left at hyper's 100, since setting it costs
        // an allocation a request.
        http1.max_header_size(shared.limits.head_bytes);
        // Whether the client is still there is looked for by the sweep (`client_io::is_closed`).
        http1.half_close(true);
        // Else hyper reads up to 400 KiB at once, and queues as much, for each connection: of a thousand slow readers
        // that was most of their memory, and no faster (bench/README.md).
        http1.max_buf_size(BUFFER.max(shared.limits.head_bytes));
        Rc::new(Self {
            table: RefCell::new(Cache::new(Arc::clone(&shared.table))),
            shared,
            cells,
            slots: Slots::default(),
            chance: Chance::new(),
            buffers: Buffers::default(),
            http1,
            voice: Voice::default(),
            memo: RefCell::default(),
            unmatched,
            clock: Clock::new(),
            tick: Cell::new(0),
            accounts: RefCell::default(),
            guests: RefCell::default(),
            load,
            closing: Cell::new(0),
            gone: Notify::new(),
        })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// The worker's coarse time, in milliseconds.
    pub(crate) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Whether the process leaves: answers say `Connection: close`.
    pub(crate) fn closing(&self) -> bool {
        self.closing.get() != 0
    }

    /// Whether it has left for so long that a client which has asked for nothing since `since` is not waited for any
    /// more.
    ///
    /// Whoever has just connected is about to ask, but browsers also connect in advance. And a client that asks one
    /// thing after the other has its next request on the way: closed at once its connection would cost it that
    /// (hyper#3792), where the answer to it says that it is the last.
    pub(crate) fn closing_for_long(&self, since: Option<u64>) -> bool {
        let grace = GRACE.min(millis(self.limits().drain_timeout / GRACE_PART));
        // What no sweep has seen yet has only begun.
        let waited = since.map_or(0, |since| self.now().saturating_sub(self.closing.get().max(since)));
        self.closing() && waited >= grace
    }

    pub(crate) fn balance(&self) -> Balance<'_> {
        Balance { slots: &self.slots, chance: &self.chance, now: self.now() }
    }

    /// Asks the table, which is read once a request.
    pub(crate) fn with_table<T>(&self, ask: impl FnOnce(&Table) -> T) -> T {
        ask(self.table.borrow_mut().load())
    }

    /// An endpoint refused or reset.
    pub(crate) fn failed(&self, slot: &Slot) {
        if slot.failed(self.now()) {
            self.cells.ejections.add(1);
        }
    }

    /// A version's account; opened on its first request.
    pub(crate) fn account(&self, route: &Route) -> Rc<Account> {
        // The counter's address names the version as long as the cells hold it weakly: it is not given again.
        let key = Arc::as_ptr(&route.in_flight).addr();
        if let Some(account) = self.accounts.borrow().get(&key) {
            return Rc::clone(account);
        }
        let router = format!("{}/{}", route.namespace, route.router);
        let cells = self.cells.route(router, route.version.to_string(), Arc::downgrade(&route.in_flight));
        let ours = crate::wire::request::ours(&self.shared.terms.pseudonym, &route.version).into();
        let account = Rc::new(Account { cells, budget: Budget::default(), ours });
        self.accounts.borrow_mut().insert(key, Rc::clone(&account));
        account
    }

    /// Takes in a connection; counted by the acceptor already.
    fn welcome(self: &Rc<Self>, arrival: Arrival) {
        let Arrival { stream, peer, place } = arrival;
        let guest = self.seat(peer, place);
        if let Ok(stream) = TcpStream::from_std(stream) {
            // Owned by this worker's runtime, which drops it when the worker ends.
            tokio::task::spawn_local(connection::serve(guest, stream));
        }
    }

    fn seat(self: &Rc<Self>, peer: SocketAddr, place: Option<Place>) -> Guest {
        let trusted = self.shared.trusts(peer.ip().to_canonical());
        let watch = Watch::new(peer, trusted, self.limits());
        let mut guests = self.guests.borrow_mut();
        let seat = guests.free.pop().unwrap_or(guests.seats.len());
        match guests.seats.get_mut(seat) {
            Some(empty) => *empty = Some(Rc::clone(&watch)),
            None => guests.seats.push(Some(Rc::clone(&watch))),
        }
        self.cells.connections.add(1);
        self.cells.connections_total.add(1);
        Guest { worker: Rc::clone(self), watch, seat, _place: place }
    }

    /// Counts and logs what was answered without there having been a request: its head never was one.
    pub(crate) fn no_request(&self, watch: &Watch, code: u16, label: &'static str) {
        self.cells.fault(Side::Client.name(), label);
        self.unmatched.request(code, Duration::ZERO);
        if let Some(log) = &self.shared.log {
            let entry = Entry { client: Some(watch.peer.ip().to_canonical()), ..Entry::default() };
            if !log.tell(&entry.line(code, Duration::ZERO, 0, 0, None, watch)) {
                self.cells.log_dropped.add(1);
            }
        }
    }

    /// A connection has ended.
    fn left(&self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
        self.shared.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Twice a second: deadlines, pools, budgets, accounts of versions that are gone.
    fn sweep(&self) {
        let now = self.clock.advance();
        let tick = self.tick.get().wrapping_add(1);
        self.tick.set(tick);
        let mut parked = 0;
        for watch in self.guests.borrow().seats.iter().flatten() {
            watch.look(now, self.limits());
            parked += u64::from(watch.phase() == Phase::Parked);
        }
        self.cells.parked.set(parked);
        self.slots.sweep(now);
        self.cells.upstream_idle.set(self.slots.waiting() as u64);
        self.buffers.sweep();
        self.voice.breathe();
        if self.closing() {
            self.wake_all();
        }
        // A worker without requests must not be what keeps an old table alive.
        self.with_table(|_| ());
        self.accounts.borrow_mut().retain(|_, account| {
            account.budget.turn(tick);
            account.cells.is_alive()
        });
        if tick.is_multiple_of(2) {
            // mimalloc gives freed pages back a second later, but only when asked for a fresh one, which an
            // idle worker never does; measured in bench/README.md.
            drop(std::hint::black_box(Vec::<u8>::with_capacity(1 << 20)));
        }
    }

    fn close(&self) {
        if !self.closing() {
            self.closing.set(self.clock.advance());
        }
        self.wake_all();
    }

    fn wake_all(&self) {
        for watch in self.guests.borrow().seats.iter().flatten() {
            watch.wake();
        }
    }

    fn is_empty(&self) -> bool {
        let guests = self.guests.borrow();
        guests.seats.len() == guests.free.len()
    }
}

/// A connection's place at its worker; dropping it leaves.
pub(crate) struct Guest {
    pub(crate) worker: Rc<Worker>,
    pub(crate) watch: Rc<Watch>,
    seat: usize,
    _place: Option<Place>,
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut guests = self.worker.guests.borrow_mut();
        if let Some(seat) = guests.seats.get_mut(self.seat) {
            *seat = None;
        }
        guests.free.push(self.seat);
        self.worker.cells.connections.sub(1);
        self.worker.left();
        if self.worker.closing() {
            self.worker.gone.notify_one();
        }
    }
}

/// Runs a worker until it has left: what still runs then ends with the runtime.
pub(crate) async fn run(
    worker: Rc<Worker>,
    mut arrivals: mpsc::Receiver<Arrival>,
    mut stage: watch::Receiver<Stage>,
) {
    let mut sweep = interval(SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut all_here = false;
    let mut end = None;
    loop {
        if worker.closing() && all_here && worker.is_empty() {
            return;
        }
        let until_end = async {
            match end {
                Some(end) => sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            arrival = arrivals.recv(), if !all_here => match arrival {
                Some(arrival) => worker.welcome(arrival),
                None => all_here = true,
            },
            _ = sweep.tick() => worker.sweep(),
            changed = stage.changed() => {
                let now = if changed.is_ok() { *stage.borrow_and_update() } else { Stage::Over };
                match now {
                    Stage::Serving | Stage::Leaving => {}
                    Stage::Closing => {
                        worker.close();
                        end.get_or_insert(Instant::now() + worker.limits().drain_timeout);
                    }
                    Stage::Over => return,
                }
            }
            () = worker.gone.notified(), if worker.closing() => {}
            () = until_end => return,
        }
    }
}
