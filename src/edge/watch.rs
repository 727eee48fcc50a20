//! What a client's connection is doing, and since when: the numbers that the sweep looks at.
//!
//! Whoever works on the connection says what it waits for ([`Watch::enter`]); nobody reads a clock for it.
//! The sweep stamps what it sees for the first time, and expires what it has seen for too long. Then it
//! wakes the connection's task, which finds out by [`Watch::expired`]. It never acts on a socket itself.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use super::clock::millis;
use super::limits::Limits;
use super::progress::Progress;
use super::tunnel::Tunnel;
use super::worker::BUFFER;

/// What may wait unsent where the kernel decides: what Linux lets a send buffer grow to (`net.ipv4.tcp_wmem`).
const MOST_UNSENT: usize = 4 << 20;

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The first byte of a new connection.
    Opening,
    /// The rest of a head.
    Head,
    /// The next request, while hyper holds the connection.
    Idle,
    /// The next request, on the bare socket.
    Parked,
    /// A request is being decided, or a connection for it sought: others hold the time.
    Deciding,
    /// The client's next piece of body, or the upstream's taking it.
    Upload,
    /// The upstream's response head.
    Response,
    /// The upstream's next piece of body.
    Relay,
    /// Bytes of a tunnel, either way.
    Tunnel,
    /// The client's end, after our last answer.
    Linger,
}

/// What the sweep tells a connection's task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Nothing to say.
    None,
    /// Idle for long enough: give the connection back to the bare socket.
    Park,
    /// The phase took too long.
    Expired,
    /// The client's body came too slowly.
    SlowBody,
    /// The client takes our bytes too slowly: end it without another word.
    Cut,
}

/// One client's connection as the sweep sees it.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The peer of the socket.
    pub(crate) peer: SocketAddr,
    /// Its address as text, an IPv4-mapped one as IPv4.
    pub(crate) peer_text: Box<str>,
    /// Whether what it says of those before it is believed.
    pub(crate) trusted: bool,
    phase: Cell<Phase>,
    limit: Cell<u64>,
    /// When the sweep first saw the phase; 0 before.
    stamp: Cell<u64>,
    order: Cell<Order>,
    waker: RefCell<Option<Waker>>,
    write: Progress,
    read: Progress,
    /// Whether hyper has flushed all it was given.
    flushed: Cell<bool>,
    /// Whether the task is to look if the client is still there.
    probe: Cell<bool>,
    /// Whether the client has closed its side.
    ended: Cell<bool>,
    /// Whether bytes of the last request's body may still come.
    unread: Cell<bool>,
    /// Whether no further request is to be served.
    spent: Cell<bool>,
    /// Whether only the connection's end tells the client that a body is whole (HTTP/1.0), which the socket has
    /// not been told yet.
    until_close: Cell<bool>,
    /// Whether the socket's end is a reset until that is taken back.
    resets: Cell<bool>,
    /// The upstream half of an upgrade, from the 101 until the connection's task takes it.
    pub(crate) tunnel: RefCell<Option<Box<Tunnel>>>,
}

impl Watch {
    pub(crate) fn new(peer: SocketAddr, trusted: bool, limits: &Limits) -> Rc<Self> {
        Rc::new(Self {
            peer,
            peer_text: peer.ip().to_canonical().to_string().into(),
            trusted,
            phase: Cell::new(Phase::Opening),
            limit: Cell::new(millis(limits.head)),
            stamp: Cell::new(0),
            order: Cell::new(Order::None),
            waker: RefCell::new(None),
            write: Progress::default(),
            read: Progress::default(),
            flushed: Cell::new(true),
            probe: Cell::new(false),
            ended: Cell::new(false),
            unread: Cell::new(false),
            spent: Cell::new(false),
            until_close: Cell::new(false),
            resets: Cell::new(false),
            tunnel: RefCell::new(None),
        })
    }

    /// The connection now waits for something else, or for the next piece of the same.
    pub(crate) fn enter(&self, phase: Phase, limit: Duration) {
        self.phase.set(phase);
        self.limit.set(millis(limit));
        self.touch();
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// When the sweep first saw the phase; `None` before.
    pub(crate) fn since(&self) -> Option<u64> {
        Some(self.stamp.get()).filter(|stamp| *stamp != 0)
    }

    /// Time counts anew: a piece came.
    pub(crate) fn touch(&self) {
        self.stamp.set(0);
        // What the sweep said of the piece before is no longer true.
        self.obey(Order::Expired);
    }

    /// What the sweep has said; it is said once.
    pub(crate) fn take_order(&self) -> Order {
        self.order.replace(Order::None)
    }

    /// Takes the order if it is `order`.
    pub(crate) fn obey(&self, order: Order) -> bool {
        if self.order.get() == order {
            self.order.set(Order::None);
            return true;
        }
        false
    }

    /// Whether to look if the client is still there; said once a sweep, while a request waits.
    pub(crate) fn take_probe(&self) -> bool {
        self.probe.replace(false)
    }

    /// Whether the phase took too long; said once.
    pub(crate) fn expired(&self) -> bool {
        self.obey(Order::Expired)
    }

    fn tell(&self, order: Order) {
        self.order.set(order);
        self.wake();
    }

    /// Has the connection's task look up.
    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// The task to wake when there is an order.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match &*waker {
            Some(known) if known.will_wake(cx.waker()) => {}
            Some(_) | None => *waker = Some(cx.waker().clone()),
        }
    }

    /// Bytes of the client came to hyper.
    pub(crate) fn received(&self, bytes: usize, head: Duration) {
        if bytes == 0 {
            self.ended.set(true);
            return;
        }
        match self.phase.get() {
            Phase::Opening | Phase::Idle => self.enter(Phase::Head, head),
            // An answer may begin while the body still comes.
            Phase::Upload | Phase::Relay => self.read.made(bytes),
            Phase::Head
            | Phase::Parked
            | Phase::Deciding
            | Phase::Response
            | Phase::Tunnel
            | Phase::Linger => {}
        }
    }

    /// The client took bytes of ours.
    pub(crate) fn sent(&self, bytes: usize) {
        self.flushed.set(false);
        self.write.made(bytes);
        // A client that takes a response slowly keeps it alive; whether too slowly, `write` tells.
        if self.phase.get() == Phase::Relay {
            self.touch();
        }
    }

    /// The client's socket refuses our bytes.
    pub(crate) fn refused(&self) {
        self.flushed.set(false);
        self.write.begin();
        // Until it takes them its body is not read on: it is by its taking that it is measured.
        self.owes_nothing();
    }

    /// All that hyper had is written.
    pub(crate) fn flushed(&self) {
        self.flushed.set(true);
        self.write.end();
    }

    /// Whether hyper has nothing left to write.
    pub(crate) fn is_flushed(&self) -> bool {
        self.flushed.get()
    }

    /// A request has begun.
    pub(crate) fn begin_request(&self) {
        self.enter(Phase::Deciding, Duration::MAX);
    }

    /// A request has a body, or has none; or its body has been read to its end.
    pub(crate) fn set_unread(&self, unread: bool) {
        self.unread.set(unread);
    }

    /// The request being served is the last one: where it ended is not beyond doubt.
    pub(crate) fn spend(&self) {
        self.spent.set(true);
    }

    /// Whether no further request is to be served.
    pub(crate) fn spent(&self) -> bool {
        self.spent.get()
    }

    /// Whether bytes of the last request's body may still come: only who knows its framing may read on, and after
    /// hyper nobody does. Whoever took them for a request would serve what the body says.
    pub(crate) fn unread(&self) -> bool {
        self.unread.get()
    }

    /// Whether the client has closed its side.
    pub(crate) fn ended(&self) -> bool {
        self.ended.get()
    }

    /// The body that follows is whole when the connection ends, for all that the client knows.
    pub(crate) fn ends_by_close(&self) {
        self.until_close.set(true);
    }

    /// Whether the socket is to be told so; said once.
    pub(crate) fn take_until_close(&self) -> bool {
        let told = self.until_close.replace(false);
        if told {
            self.resets.set(true);
        }
        told
    }

    /// Whether the socket is to be told that all is well; said once.
    pub(crate) fn take_resets(&self) -> bool {
        self.resets.replace(false)
    }

    /// The client owes its body from now on; `length` says whether its length is known, as only then is slow
    /// progress held against it.
    pub(crate) fn owes_body(&self, length: bool) {
        if length {
            self.read.begin();
        }
    }

    /// The client owes nothing: its body is whole, or it is the upstream that does not take it.
    pub(crate) fn owes_nothing(&self) {
        self.read.end();
        // Said of a body that is over by now it would end the next request.
        self.obey(Order::SlowBody);
    }

    /// Whether the connection could be left to itself: nothing asked, nothing answered.
    pub(crate) fn at_rest(&self) -> bool {
        match self.phase.get() {
            Phase::Idle => self.flushed.get(),
            Phase::Parked => true,
            Phase::Opening
            | Phase::Head
            | Phase::Deciding
            | Phase::Upload
            | Phase::Response
            | Phase::Relay
            | Phase::Tunnel
            | Phase::Linger => false,
        }
    }

    /// One look of the sweep: stamps what is new, tells the task what took too long.
    pub(crate) fn look(&self, now: u64, limits: &Limits) {
        // The socket takes hyper's buffer while it holds less than `unsent`, then nothing until it holds half of that:
        // of a client that reads slowly, but steadily, there is nothing to be seen meanwhile. What it acknowledges is
        // told by unsafe calls only; TCP_USER_TIMEOUT ends readers of a few KiB/s whose window opens by less than a
        // segment.
        let lump = limits.unsent.unwrap_or(MOST_UNSENT) / 2 + BUFFER;
        if self.write.too_slow(now, limits, lump as u64) {
            return self.tell(Order::Cut);
        }
        if self.read.too_slow(now, limits, 0) {
            self.read.end();
            return self.tell(Order::SlowBody);
        }
        if self.stamp.get() == 0 {
            return self.stamp.set(now);
        }
        let took = now.saturating_sub(self.stamp.get());
        match self.phase.get() {
            Phase::Deciding => self.look_for_client(),
            Phase::Idle => {
                if took >= millis(limits.park) && self.flushed.get() {
                    self.tell(Order::Park);
                }
            }
            Phase::Opening
            | Phase::Head
            | Phase::Parked
            | Phase::Upload
            | Phase::Response
            | Phase::Relay
            | Phase::Tunnel
            | Phase::Linger => {
                if took >= self.limit.get() {
                    self.tell(Order::Expired);
                } else if matches!(self.phase.get(), Phase::Upload | Phase::Response | Phase::Relay) {
                    // Where the upstream takes no more of an upload nobody reads from the client either.
                    self.look_for_client();
                }
            }
        }
    }

    fn look_for_client(&self) {
        self.probe.set(true);
        self.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection on which a body of known length comes beside an answer that has begun, seen a first time.
    fn beside_an_answer() -> (Rc<Watch>, Limits) {
        let limits = Limits::default();
        let watch = Watch::new(([127, 0, 0, 1], 1).into(), false, &limits);
        watch.enter(Phase::Relay, limits.stream_idle);
        watch.owes_body(true);
        watch.look(1, &limits);
        (watch, limits)
    }

    #[test]
    fn a_body_beside_an_answer_is_counted() {
        // Of the 11 s that pass, 10 are the grace; the rate is 1 KiB/s.
        for (bytes, order) in [(1 << 10, Order::None), ((1 << 10) - 1, Order::SlowBody)] {
            let (watch, limits) = beside_an_answer();
            watch.received(bytes, limits.head);
            watch.look(11_001, &limits);
            assert_eq!(watch.take_order(), order, "{bytes}");
        }
    }

    #[test]
    fn that_a_body_was_slow_is_not_held_against_the_next_request() {
        let (watch, limits) = beside_an_answer();
        watch.look(11_001, &limits);
        watch.owes_nothing();
        assert_eq!(watch.take_order(), Order::None);
    }

    #[test]
    fn no_body_is_owed_while_the_client_takes_nothing() {
        let (watch, limits) = beside_an_answer();
        watch.refused();
        watch.look(2, &limits);
        watch.sent(11 << 10);
        watch.look(11_001, &limits);
        assert_eq!(watch.take_order(), Order::None);
    }
}
