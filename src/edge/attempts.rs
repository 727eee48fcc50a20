//! An endpoint, a connection, the exchange; and again, elsewhere, where that is safe and the budget allows.
//!
//! What was sent is sent again at most once (`retry` says when). What could not even be sent goes on to whoever
//! else there is, a POST too: pods that end without waiting refuse a moment before the edge hears of their end,
//! several of them at once where a Deployment shrinks or is replaced.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use hyper::body::Incoming;
use tokio::time::{Instant, sleep};

use super::connect::{Upstream, Wish, choose, dial, pooled};
use super::error::{Failure, Fault, Sent};
use super::record::Record;
use super::request::Plan;
use super::retry::may_repeat;
use super::upload::Upload;
use super::upstream::Exchange;
use super::watch::Watch;
use super::worker::Worker;
use crate::routes::Route;
use crate::wire::guard::{Admission, examine};
use crate::wire::response::Head;

/// How often the table is looked at while nobody else is left: about what a swap of it takes to come.
const LOOK: Duration = Duration::from_millis(10);
/// Endpoints that one request is refused by, at most.
const REFUSALS: u32 = 8;

/// Sends the request until an answer begins.
pub(crate) async fn exchange(
    worker: &Rc<Worker>,
    watch: &Watch,
    record: &mut Record,
    plan: &Plan,
    parts: &mut Parts,
    body: Incoming,
) -> Result<(Head, Exchange), Failure> {
    let mut newer: Option<Arc<Route>> = None;
    let mut attempts = plan.rest.decision.route.limits.retries.unwrap_or(1);
    let mut refusals = Refusals::default();
    let mut wish = Wish { once: !plan.repeatable, new: false, avoid: None };
    let mut upload = Upload::new(body, plan.body);
    loop {
        let route = newer.as_ref().unwrap_or(&plan.rest.decision.route);
        let slot = choose(worker, route, wish)?;
        let upstream = match pooled(worker, &slot, wish) {
            Some(upstream) => upstream,
            // Rare beside the pool: its states stay out of the request's own.
            None => match Box::pin(dial(worker, route, slot, &mut attempts)).await {
                Ok(upstream) => upstream,
                Err(failure) => {
                    newer = Box::pin(refusals.next(worker, parts, route, failure)).await?.or(newer);
                    continue;
                }
            },
        };
        record.attempted(&upstream);
        let (endpoint, reused) = (upstream.load.slot().endpoint.id, upstream.reused);
        let mut exchange = Exchange::new(upstream, worker.buffers.take(), upload.take());
        let fields = &mut parts.headers;
        let asked =
            exchange.ask(&plan.head, plan.asked, fields, &worker.memo, watch, plan.rest.patience).await;
        let failure = match asked {
            Ok(head) => return Ok((head, exchange)),
            Err(failure) => failure,
        };
        record.received = exchange.uploaded();
        if failure.fault == Fault::Reset && !reused {
            // A pooled connection may be closed for its age; a new one that is reset is a failure.
            worker.failed(exchange.upstream.load.slot());
        }
        drop(exchange);
        let again = failure.sent != Sent::Nothing && attempts > 0 && may_repeat(failure, plan.repeatable);
        if !again || !worker.account(route).budget.take() {
            return Err(failure);
        }
        // A connection that waited in the pool may have ended of itself (RFC 9112 9.3.1), which says nothing
        // of any endpoint; the next one is new, so this is forgiven once.
        if !reused {
            attempts -= 1;
        }
        worker.cells.retried();
        wish = Wish { new: true, avoid: Some(endpoint), ..wish };
    }
}

/// What a request has met of endpoints that take no connection.
#[derive(Default)]
struct Refusals {
    count: u32,
    /// Until when it waits for somebody who does.
    until: Option<Instant>,
}

impl Refusals {
    /// Whether there is somebody else to ask: the route as the table has it by now, where it differs.
    ///
    /// # Errors
    /// The failure, where nobody is left.
    async fn next(
        &mut self,
        worker: &Rc<Worker>,
        parts: &Parts,
        route: &Arc<Route>,
        failure: Failure,
    ) -> Result<Option<Arc<Route>>, Failure> {
        let refused = matches!(failure.fault, Fault::Refusing | Fault::Unreachable);
        self.count += 1;
        if !refused || self.count > REFUSALS || route.limits.retries == Some(0) {
            return Err(failure);
        }
        if !worker.account(route).budget.take() {
            return Err(failure);
        }
        worker.cells.retried();
        let until = *self.until.get_or_insert_with(|| Instant::now() + worker.limits().hedge);
        loop {
            let now = successor(worker, parts, route);
            // Whoever refused is set aside.
            if worker.balance().has_healthy(now.as_ref().unwrap_or(route)) {
                return Ok(now);
            }
            if Instant::now() >= until {
                return Err(failure);
            }
            sleep(LOOK).await;
        }
    }
}

/// The same version of the same Router, as the table that is in service now has it.
fn successor(worker: &Worker, parts: &Parts, route: &Route) -> Option<Arc<Route>> {
    // Looked up from the request once more: hardly any request needs it, so none carries it along.
    let Ok(Admission::Route(admitted)) = examine(parts, &worker.shared.terms) else { return None };
    worker.with_table(|table| {
        let now = table.version_at(&admitted.host, &route.version)?;
        (now.router == route.router && now.namespace == route.namespace).then(|| Arc::clone(now))
    })
}

impl Record {
    /// An endpoint has been connected to for this request.
    fn attempted(&mut self, upstream: &Upstream) {
        if let Some(entry) = &mut self.entry {
            entry.endpoint = Some(upstream.load.slot().endpoint.address);
            entry.reused = upstream.reused;
            entry.attempts += 1;
        }
    }
}
