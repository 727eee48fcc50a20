//! Whether a request may be tried again, and how many may be.
//!
//! A request is tried again if no connection came about, or if no byte of a response came, its method is
//! idempotent and its body empty. Anything else has perhaps been done already: a POST is never sent twice
//! (RFC 9110 9.2.2). And no more than a fifth of the requests are, so that a failing version is not
//! overwhelmed by its own failures.

use std::cell::Cell;

use http::Method;

use super::error::{Failure, Fault, Sent};

/// Whether sending a request with this method twice is the same as sending it once (RFC 9110 9.2.2).
pub(crate) fn idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS].contains(method)
}

/// Whether the request may be tried once more after this. `repeatable`: its method is idempotent and its
/// body empty.
pub(crate) fn may_repeat(failure: Failure, repeatable: bool) -> bool {
    match failure.fault {
        Fault::Refusing | Fault::Unreachable | Fault::ConnectSlow | Fault::Reset => match failure.sent {
            Sent::Nothing => true,
            Sent::Request => repeatable,
            Sent::Answer => false,
        },
        // A late answer is no lost one: the endpoint works on it.
        Fault::ResponseSlow => false,
        Fault::Refused(_)
        | Fault::ClientSlow
        | Fault::ClientGone
        | Fault::ClientBody
        | Fault::NoHost
        | Fault::NoVersion
        | Fault::Unavailable
        | Fault::Overloaded
        // Who has nothing left must not spend more.
        | Fault::Exhausted
        | Fault::Protocol
        | Fault::Malformed
        | Fault::Truncated
        | Fault::StreamSlow
        | Fault::Switched => false,
    }
}

/// Ticks of the sweep that the budget looks back on: 10 s at two a second.
const WINDOW: usize = 20;
/// Retries over the window that are always allowed: 10 a second.
const FLOOR: u32 = 100;
/// One retry to this many requests.
const SHARE: u32 = 5;

/// A version's budget of retries at one worker: 20 % of its requests over 10 s, never below 10 a second. Each
/// version has its own: one that only fails must not spend those of its neighbours.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    requests: Window,
    retries: Window,
}

#[derive(Debug, Default)]
struct Window {
    past: [Cell<u32>; WINDOW],
    sum: Cell<u32>,
    now: Cell<u32>,
}

impl Window {
    fn add(&self) {
        self.now.set(self.now.get().saturating_add(1));
    }

    fn total(&self) -> u32 {
        self.sum.get().saturating_add(self.now.get())
    }

    fn turn(&self, at: usize) {
        let Some(slot) = self.past.get(at % WINDOW) else { return };
        let now = self.now.replace(0);
        let old = slot.replace(now);
        self.sum.set(self.sum.get().saturating_sub(old).saturating_add(now));
    }
}

impl Budget {
    /// A request came.
    pub(crate) fn request(&self) {
        self.requests.add();
    }

    /// Takes one retry out of the budget, if there is one.
    pub(crate) fn take(&self) -> bool {
        let allowed = (self.requests.total() / SHARE).max(FLOOR);
        if self.retries.total() >= allowed {
            return false;
        }
        self.retries.add();
        true
    }

    /// The sweep's `tick`th turn.
    pub(crate) fn turn(&self, tick: usize) {
        self.requests.turn(tick);
        self.retries.turn(tick);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_is_repeated_only_where_nothing_left_us() {
        for fault in [Fault::Refusing, Fault::Unreachable, Fault::ConnectSlow] {
            assert!(may_repeat(fault.after(Sent::Nothing), false));
        }
        assert!(!may_repeat(Fault::Reset.after(Sent::Request), false));
        assert!(may_repeat(Fault::Reset.after(Sent::Request), true));
        assert!(!may_repeat(Fault::Reset.after(Sent::Answer), true));
        assert!(!may_repeat(Fault::ResponseSlow.after(Sent::Request), true));
        assert!(!idempotent(&Method::POST) && !idempotent(&Method::PATCH));
        assert!(idempotent(&Method::GET) && idempotent(&Method::DELETE));
    }

    #[test]
    fn the_budget_has_a_floor_and_a_share_and_forgets() {
        let budget = Budget::default();
        assert_eq!((0..1000).filter(|_| budget.take()).count(), 100);
        for _ in 0..10_000 {
            budget.request();
        }
        assert_eq!((0..10_000).filter(|_| budget.take()).count(), 1900);
        for tick in 0..=WINDOW {
            budget.turn(tick);
        }
        assert_eq!((0..1000).filter(|_| budget.take()).count(), 100);
    }
}
