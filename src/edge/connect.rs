//! An upstream connection: one from the pool, or a new one, hedged.
//!
//! The address of a pod that is gone hangs more often than it refuses. So where no connection stands after
//! a quarter of a second, a second attempt on another endpoint starts beside the first, and the first to
//! stand serves. It sends nothing of the request.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::accept::exhausted;
use super::error::{Failure, Fault, Sent};
use super::pool::{Load, Slot};
use super::sockets;
use super::worker::Worker;
use crate::routes::Route;

/// A connection to an endpoint, with the request's weight on it.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) stream: TcpStream,
    pub(crate) load: Load,
    /// Whether it has carried a request before.
    pub(crate) reused: bool,
}

/// What a request asks of its connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    /// The request cannot be sent twice: a pooled connection must be young and surely alive.
    pub(crate) once: bool,
    /// Only a new connection will do: a pooled one has just failed.
    pub(crate) new: bool,
    /// The endpoint to avoid, where there is another.
    pub(crate) avoid: Option<u64>,
}

/// The endpoint for a request.
pub(crate) fn choose(worker: &Worker, route: &Route, wish: Wish) -> Result<Rc<Slot>, Failure> {
    worker.balance().choose(route, wish.avoid).ok_or(Fault::Unavailable.after(Sent::Nothing))
}

/// A connection out of the endpoint's pool, where one will do.
pub(crate) fn pooled(worker: &Worker, slot: &Rc<Slot>, wish: Wish) -> Option<Upstream> {
    if wish.new {
        return None;
    }
    let strict = wish.once.then_some(worker.limits().fresh);
    let stream = slot.take(worker.now(), strict)?;
    worker.cells.upstream_reused.add(1);
    Some(Upstream { stream, load: Load::on(Rc::clone(slot)), reused: true })
}

/// A new connection; where the first attempt hangs and one more is left, a second beside it. One that fails at
/// once is for the caller to go on from.
pub(crate) async fn dial(
    worker: &Rc<Worker>,
    route: &Route,
    slot: Rc<Slot>,
    attempts: &mut u32,
) -> Result<Upstream, Failure> {
    let limit = route.limits.connect.unwrap_or(worker.limits().connect);
    let (first_slot, first_id) = (Rc::clone(&slot), slot.endpoint.id);
    let mut first = pin!(attempt(worker, slot, limit));
    let early = poll_until(Instant::now() + worker.limits().hedge.min(limit), first.as_mut()).await;
    if let Some(done) = early {
        return done;
    }
    let second = match worker.balance().choose_other(route, first_id) {
        Some(other) if *attempts > 0 && worker.account(route).budget.take() => other,
        Some(_) | None => return first.await,
    };
    *attempts -= 1;
    worker.cells.retried();
    let second = pin!(attempt(worker, second, limit));
    let mut first_failed = false;
    let result = either(first, second, &mut first_failed).await;
    let overtaken = result.as_ref().is_ok_and(|upstream| upstream.load.slot().endpoint.id != first_id);
    if overtaken && !first_failed {
        // Whoever hangs has the least to do: unless set aside, it would get every next request.
        worker.failed(&first_slot);
    }
    result
}

/// The first of two to stand; the last failure where neither does. Tells whether the first has failed.
async fn either(
    mut first: Pin<&mut impl Future<Output = Result<Upstream, Failure>>>,
    mut second: Pin<&mut impl Future<Output = Result<Upstream, Failure>>>,
    first_failed: &mut bool,
) -> Result<Upstream, Failure> {
    let mut second_failed = false;
    poll_fn(|cx| {
        let one = poll_open(first.as_mut(), first_failed, cx);
        let other = match one {
            Some(Ok(upstream)) => return Poll::Ready(Ok(upstream)),
            Some(Err(failure)) if second_failed => return Poll::Ready(Err(failure)),
            Some(Err(_)) | None => poll_open(second.as_mut(), &mut second_failed, cx),
        };
        match other {
            Some(Ok(upstream)) => Poll::Ready(Ok(upstream)),
            Some(Err(failure)) if *first_failed => Poll::Ready(Err(failure)),
            Some(Err(_)) | None => Poll::Pending,
        }
    })
    .await
}

fn poll_open(
    attempt: Pin<&mut impl Future<Output = Result<Upstream, Failure>>>,
    failed: &mut bool,
    cx: &mut Context<'_>,
) -> Option<Result<Upstream, Failure>> {
    if *failed {
        return None;
    }
    match attempt.poll(cx) {
        Poll::Ready(result) => {
            *failed = result.is_err();
            Some(result)
        }
        Poll::Pending => None,
    }
}

/// What comes of a future until a time, or nothing yet.
async fn poll_until<T>(time: Instant, mut future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    let mut sleep = pin!(sleep_until(time));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => sleep.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// One attempt on one endpoint, which is told how it went.
async fn attempt(worker: &Worker, slot: Rc<Slot>, limit: Duration) -> Result<Upstream, Failure> {
    let load = Load::on(slot);
    let mut open = pin!(sockets::connect(load.slot().endpoint.address, worker.limits()));
    let fault = match poll_until(Instant::now() + limit, open.as_mut()).await {
        Some(Ok(stream)) => {
            worker.cells.upstream_opened.add(1);
            return Ok(Upstream { stream, load, reused: false });
        }
        // That the endpoint was not reached is no word against it.
        Some(Err(error)) if exhausted(&error) => return Err(Fault::Exhausted.after(Sent::Nothing)),
        Some(Err(error)) => fault(&error),
        None => Fault::ConnectSlow,
    };
    worker.failed(load.slot());
    Err(fault.after(Sent::Nothing))
}

fn fault(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Fault::Refusing,
        io::ErrorKind::TimedOut => Fault::ConnectSlow,
        _ => Fault::Unreachable,
    }
}
