//! The body of an answer: a page of ours, a small response that came whole, or a stream, relayed as it comes.
//!
//! hyper asks for the next piece when it has room for it, so that a slow client slows the upstream down. What
//! breaks off here breaks the client's connection off: a part never looks like the whole. Bytes behind the end
//! of a response never reach anybody: their connection is closed.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body::{Frame, SizeHint};

use super::error::Fault;
use super::record::Record;
use super::upstream::Exchange;
use super::watch::{Order, Phase};
use crate::wire::body::Reader;

/// The largest read, of a body that flows.
const LARGE: usize = 128 << 10;
/// What is made room for on the word of a Content-Length: a thousand that trickle must not hold 256 MiB.
const MIDDLE: usize = 64 << 10;

/// Why a body ends before its end; hyper then closes the client's connection.
#[derive(Debug, thiserror::Error)]
#[error("the response broke off: {}", .0.row().label)]
pub(crate) struct Broken(pub(crate) Fault);

/// The body of an answer.
pub(crate) enum Body {
    /// No body, and nothing to record any more: the 101 before a tunnel.
    Nothing,
    /// All of it is here.
    Whole(Bytes, #[allow(dead_code, reason = "counted and logged when dropped")] Box<Record>),
    /// It comes from upstream.
    Relay(Box<Relay>),
}

/// A response under way.
pub(crate) struct Relay {
    pub(crate) exchange: Option<Exchange>,
    pub(crate) reader: Reader,
    pub(crate) record: Box<Record>,
    /// Whether its connection may serve again, and how long the upstream keeps it.
    pub(crate) reusable: bool,
    pub(crate) keep_alive: Option<Duration>,
    /// How much to make room for before the next read, where the length is not known.
    want: usize,
    done: bool,
    /// Why it broke off, once it has.
    broken: Option<Fault>,
}

impl Body {
    /// A body that is here as a whole.
    pub(crate) fn whole(data: Bytes, mut record: Box<Record>) -> Self {
        record.sent = data.len() as u64;
        record.finish();
        Self::Whole(data, record)
    }
}

impl Relay {
    pub(crate) fn new(
        exchange: Exchange,
        reader: Reader,
        record: Box<Record>,
        reusable: bool,
        keep_alive: Option<Duration>,
        idle: Duration,
    ) -> Self {
        record.watch.enter(Phase::Relay, idle);
        let want = exchange.buffer.capacity();
        Self {
            exchange: Some(exchange),
            reader,
            record,
            reusable,
            keep_alive,
            want,
            done: false,
            broken: None,
        }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        loop {
            match self.next_data() {
                Ok(Some(data)) => return Poll::Ready(Some(Ok(data))),
                Ok(None) if self.done => return Poll::Ready(None),
                Ok(None) => {}
                Err(fault) => return Poll::Ready(Some(Err(fault))),
            }
            match self.poll_fill(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(fault)) => return Poll::Ready(Some(Err(fault))),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// The response broke off. hyper drops what it has not written when a body fails, so it gets one turn to
    /// write: a client must not take a response that broke off for one that never began, and ask again.
    fn poll_broken(&mut self, cx: &mut Context<'_>, fault: Fault) -> Poll<Broken> {
        self.exchange = None;
        if self.broken.replace(fault).is_none() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.record.went_wrong(fault);
        self.record.finish();
        Poll::Ready(Broken(fault))
    }

    /// The next run of data in what has come.
    fn next_data(&mut self) -> Result<Option<Bytes>, Fault> {
        let Some(exchange) = &mut self.exchange else { return Ok(None) };
        while !exchange.buffer.is_empty() && !self.reader.is_done() {
            let step = self.reader.read(&exchange.buffer).map_err(|_| Fault::Truncated)?;
            exchange.buffer.advance(step.data.start);
            let data = exchange.buffer.split_to(step.data.len());
            exchange.buffer.advance(step.consumed.saturating_sub(step.data.end));
            if !data.is_empty() {
                self.record.sent = self.record.sent.saturating_add(data.len() as u64);
                if self.reader.is_done() {
                    self.finish();
                }
                return Ok(Some(data.freeze()));
            }
        }
        if self.reader.is_done() {
            self.finish();
        }
        Ok(None)
    }

    /// Reads more, and sends on what is left of the request.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let watch = &self.record.watch;
        let Some(exchange) = &mut self.exchange else { return Poll::Ready(Err(Fault::Truncated)) };
        if exchange.upload.is_some()
            && let Err(failure) = exchange.poll_send(cx, &mut [].as_slice(), watch)
        {
            return Poll::Ready(Err(failure.fault));
        }
        if watch.obey(Order::SlowBody) {
            return Poll::Ready(Err(Fault::ClientSlow));
        }
        // A known length is made room for, but what it only announces is not: as much as comes at a time.
        let want = match self.reader.left() {
            Some(left) => usize::try_from(left).unwrap_or(LARGE).min(self.want.max(MIDDLE)),
            None => self.want,
        };
        if exchange.buffer.capacity() - exchange.buffer.len() < want {
            exchange.buffer.reserve(want);
        }
        let room = exchange.buffer.capacity() - exchange.buffer.len();
        match exchange.poll_more(cx) {
            Poll::Pending if watch.expired() => Poll::Ready(Err(Fault::StreamSlow)),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(0)) => match self.reader.closed() {
                Ok(()) => {
                    self.finish();
                    Poll::Ready(Ok(()))
                }
                Err(_) => Poll::Ready(Err(Fault::Truncated)),
            },
            Poll::Ready(Ok(read)) => {
                watch.touch();
                if read == room {
                    // It flows: the next read takes four times as much, in as many fewer system calls.
                    self.want = (room * 4).min(LARGE);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(_)) => Poll::Ready(Err(Fault::Truncated)),
        }
    }

    /// The body is at its end: its connection goes back to the pool, or is closed.
    fn finish(&mut self) {
        self.done = true;
        self.record.finish();
        let Some(exchange) = self.exchange.take() else { return };
        self.record.received = exchange.uploaded();
        let worker = &self.record.worker;
        exchange.end(worker, self.reusable, self.keep_alive);
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut *self {
            Self::Nothing => Poll::Ready(None),
            Self::Whole(data, _) if data.is_empty() => Poll::Ready(None),
            Self::Whole(data, _) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(data))))),
            Self::Relay(relay) => {
                let fault = match relay.broken {
                    Some(fault) => fault,
                    None => match relay.poll_data(cx) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(None) => return Poll::Ready(None),
                        Poll::Ready(Some(Ok(data))) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                        Poll::Ready(Some(Err(fault))) => fault,
                    },
                };
                relay.poll_broken(cx, fault).map(|broken| Some(Err(broken)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Whole(data, _) => data.is_empty(),
            Self::Relay(relay) => relay.done,
        }
    }

    fn size_hint(&self) -> SizeHint {
        let left = match self {
            Self::Nothing => Some(0),
            Self::Whole(data, _) => Some(data.len() as u64),
            Self::Relay(relay) => relay.reader.left(),
        };
        left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
