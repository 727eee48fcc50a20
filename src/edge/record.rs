//! What is remembered of a request until its last byte: then it is counted, and a line of it is logged.
//!
//! A record lives in the request's future, then in the body of its response. Dropping one that was not
//! finished means that the client went. It decides nothing.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use http::HeaderValue;
use tracing::Level;

use super::error::{Fault, Row};
use super::log::Entry;
use super::watch::{Phase, Watch};
use super::worker::{Account, Worker};
use crate::routes::Route;

/// The status that a request is counted with whose client went before an answer: nginx's word for it.
const CLIENT_GONE: u16 = 499;

/// A request under way.
///
/// Its alignment makes its size a power of two: of others mimalloc (3, by its aligned entry) makes a larger block
/// and looks for a place in it, each time; 110 instructions a request.
#[repr(align(128))]
pub(crate) struct Record {
    pub(crate) worker: Rc<Worker>,
    pub(crate) watch: Rc<Watch>,
    route: Option<Arc<Route>>,
    account: Option<Rc<Account>>,
    began: Instant,
    /// The answer's status; 0 before there is one.
    status: u16,
    /// Bytes of the response's body that were handed on.
    pub(crate) sent: u64,
    /// Bytes of the request's body that went upstream.
    pub(crate) received: u64,
    fault: Option<Fault>,
    whole: bool,
    /// What only the access log asks for, where there is one.
    pub(crate) entry: Option<Box<Entry>>,
}

impl Record {
    pub(crate) fn begin(worker: &Rc<Worker>, watch: &Rc<Watch>) -> Box<Self> {
        watch.begin_request();
        Box::new(Self {
            worker: Rc::clone(worker),
            watch: Rc::clone(watch),
            route: None,
            account: None,
            began: Instant::now(),
            status: 0,
            sent: 0,
            received: 0,
            fault: None,
            whole: false,
            entry: None,
        })
    }

    /// A version was named that is not on offer.
    pub(crate) fn named(&mut self, reason: &HeaderValue) {
        if let Some(entry) = &mut self.entry {
            entry.reason = String::from_utf8_lossy(reason.as_bytes()).into_owned();
        }
    }

    /// The version is found: its requests in flight are one more. Tells how many there were before.
    pub(crate) fn found(&mut self, route: &Arc<Route>, reason: &HeaderValue) -> u32 {
        if let Some(entry) = &mut self.entry {
            entry.router = format!("{}/{}", route.namespace, route.router);
            entry.version = route.version.to_string();
            entry.reason = String::from_utf8_lossy(reason.as_bytes()).into_owned();
        }
        let account = self.worker.account(route);
        account.budget.request();
        self.account = Some(account);
        self.route = Some(Arc::clone(route));
        route.in_flight.fetch_add(1, Ordering::Relaxed)
    }

    /// What the request ends with, once its version is found.
    pub(crate) fn ours(&self) -> &[u8] {
        self.account.as_ref().map_or(&[], |account| &account.ours)
    }

    /// The answer has this status.
    pub(crate) fn answered(&mut self, status: u16) {
        self.status = status;
        if let Some(entry) = &mut self.entry {
            entry.response = Some(self.began.elapsed());
        }
    }

    /// Something went wrong; the first that did is what counts.
    pub(crate) fn went_wrong(&mut self, fault: Fault) {
        if self.fault.is_some() {
            return;
        }
        self.fault = Some(fault);
        let row = fault.row();
        self.worker.cells.fault(row.side.name(), row.label);
        self.say(&row);
    }

    /// One line in the program's own log, as loud as the fault's row has it.
    fn say(&self, row: &Row) {
        // A version that fails thousands of times a second is told of a few times; the counters tell the rest.
        let told = if row.level < Level::DEBUG {
            self.worker.voice.speak()
        } else {
            tracing::enabled!(Level::DEBUG)
        };
        if !told {
            return;
        }
        let (router, version) = match &self.route {
            Some(route) => (format!("{}/{}", route.namespace, route.router), &*route.version),
            None => (String::new(), ""),
        };
        let (side, fault, peer) = (row.side.name(), row.label, &*self.watch.peer_text);
        // The macros want a level that is known when they are compiled.
        match row.level {
            Level::ERROR => tracing::error!(side, fault, router, version, peer, "{}", row.sentence),
            Level::WARN => tracing::warn!(side, fault, router, version, peer, "{}", row.sentence),
            Level::INFO => tracing::info!(side, fault, router, version, peer, "{}", row.sentence),
            Level::DEBUG => tracing::debug!(side, fault, router, version, peer, "{}", row.sentence),
            Level::TRACE => tracing::trace!(side, fault, router, version, peer, "{}", row.sentence),
        }
    }

    /// All of the answer has been handed on.
    pub(crate) fn finish(&mut self) {
        self.whole = true;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.whole {
            self.went_wrong(Fault::ClientGone);
        }
        if let Some(route) = &self.route {
            route.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
        let code = if self.status == 0 { CLIENT_GONE } else { self.status };
        let took = self.began.elapsed();
        let cells = self.account.as_ref().map_or(&self.worker.unmatched, |account| &account.cells);
        cells.request(code, took);
        cells.sent.add(self.sent);
        cells.received.add(self.received);
        if let (Some(entry), Some(log)) = (self.entry.take(), &self.worker.shared.log) {
            let told = log.tell(&entry.line(code, took, self.sent, self.received, self.fault, &self.watch));
            if !told {
                self.worker.cells.log_dropped.add(1);
            }
        }
        self.watch.owes_nothing();
        self.watch.enter(Phase::Idle, self.worker.limits().idle);
    }
}
