//! One request and the head of its response, on one upstream connection.
//!
//! Sending and reading go on side by side, in the request's own task: an upstream may answer before it has
//! read the body. It tries nothing twice, and closes what went wrong by dropping it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use http::HeaderMap;
use tokio_util::io::poll_read_buf;

use super::connect::Upstream;
use super::error::{Failure, Fault, Sent};
use super::upload::{Stopped, Upload, poll_head};
use super::watch::{Order, Phase, Watch};
use super::worker::Worker;
use crate::wire::memo::Memo;
use crate::wire::response::{Asked, Head, Parser, Progress, ResponseFault};

/// A request being sent, and its response's head awaited.
pub(crate) struct Exchange {
    pub(crate) upstream: Upstream,
    /// What has come in: at first the head, behind it the beginning of the body.
    pub(crate) buffer: BytesMut,
    /// The request's body, until it has been sent.
    pub(crate) upload: Option<Box<Upload>>,
    /// Bytes of body that were sent, once the upload is over.
    pub(crate) uploaded: u64,
    /// Whether the upstream stopped taking the request before its end.
    pub(crate) refused: bool,
}

/// How long a request may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) response: Duration,
    pub(crate) idle: Duration,
}

impl Exchange {
    /// An exchange that has not begun.
    pub(crate) fn new(upstream: Upstream, buffer: BytesMut, upload: Option<Box<Upload>>) -> Self {
        Self { upstream, buffer, upload, uploaded: 0, refused: false }
    }

    /// Sends the request and waits for the response's head, whose fields are then in `fields`.
    pub(crate) async fn ask(
        &mut self,
        mut head: &[u8],
        asked: Asked,
        fields: &mut HeaderMap,
        memo: &RefCell<Memo>,
        watch: &Watch,
        patience: Patience,
    ) -> Result<Head, Failure> {
        let mut parser = Parser::new(asked);
        let mut sent = false;
        watch.enter(Phase::Upload, patience.idle);
        poll_fn(|cx| {
            if !sent && self.poll_send(cx, &mut head, watch)?.is_ready() {
                sent = true;
                watch.enter(Phase::Response, patience.response);
            }
            let response = self.poll_head(cx, &mut parser, fields, memo, watch);
            if response.is_ready() && !head.is_empty() {
                // An answer to half a head: what it answers is not worth finishing.
                self.refused = true;
                self.upload = None;
            }
            response
        })
        .await
    }

    /// Sends on. Ready when all is sent, or the upstream takes no more of it.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        head: &mut &[u8],
        watch: &Watch,
    ) -> Result<Poll<()>, Failure> {
        let stream = &mut self.upstream.stream;
        let Some(upload) = &mut self.upload else {
            return Ok(poll_head(cx, stream, head).map(|sent| self.refused |= sent.is_err()));
        };
        match upload.poll(cx, stream, head, watch) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(Stopped::Upstream)) => self.refused = true,
            Poll::Ready(Err(Stopped::Client(fault))) => return Err(fault.after(Sent::Request)),
        }
        self.uploaded = upload.sent;
        self.upload = None;
        watch.owes_nothing();
        Ok(Poll::Ready(()))
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        parser: &mut Parser,
        fields: &mut HeaderMap,
        memo: &RefCell<Memo>,
        watch: &Watch,
    ) -> Poll<Result<Head, Failure>> {
        loop {
            let read = poll_read_buf(Pin::new(&mut self.upstream.stream), cx, &mut self.buffer);
            let Poll::Ready(read) = read else { return self.late(watch) };
            match read {
                Ok(1..) => {}
                // Closed or reset: with nothing, or in the middle of a head.
                Ok(0) | Err(_) if self.buffer.is_empty() => {
                    return Poll::Ready(Err(Fault::Reset.after(Sent::Request)));
                }
                Ok(0) | Err(_) => return Poll::Ready(Err(Fault::Malformed.after(Sent::Answer))),
            }
            match parser.parse(&self.buffer, fields, &mut memo.borrow_mut()) {
                Ok(Progress::Complete(head)) => return Poll::Ready(Ok(head)),
                Ok(Progress::Partial) => self.buffer.reserve(1024),
                Err(ResponseFault::Upgrade) => return Poll::Ready(Err(Fault::Switched.after(Sent::Answer))),
                Err(_) => return Poll::Ready(Err(Fault::Malformed.after(Sent::Answer))),
            }
        }
    }

    /// Nothing has come: has it taken too long?
    fn late(&self, watch: &Watch) -> Poll<Result<Head, Failure>> {
        let sent = if self.buffer.is_empty() { Sent::Request } else { Sent::Answer };
        if watch.obey(Order::SlowBody) {
            return Poll::Ready(Err(Fault::ClientSlow.after(sent)));
        }
        if !watch.expired() {
            return Poll::Pending;
        }
        // While the request is being sent it is its body that is late, else the response.
        let fault = match (watch.phase(), &self.upload) {
            (Phase::Upload, Some(upload)) if upload.waits_for_client() => Fault::ClientSlow,
            _ => Fault::ResponseSlow,
        };
        Poll::Ready(Err(fault.after(sent)))
    }

    /// More of the response. Ready with how many bytes; 0 where the upstream closed the connection.
    pub(crate) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        poll_read_buf(Pin::new(&mut self.upstream.stream), cx, &mut self.buffer)
    }
}

impl Exchange {
    /// Bytes of body that have gone upstream.
    pub(crate) fn uploaded(&self) -> u64 {
        self.upload.as_ref().map_or(self.uploaded, |upload| upload.sent)
    }

    /// The response is over. Its connection serves again only if request and response were both whole, and
    /// not a byte came behind them: such a byte would be taken for the next request's answer.
    pub(crate) fn end(self, worker: &Worker, reusable: bool, keep_alive: Option<Duration>) {
        let Self { upstream, buffer, upload, refused, .. } = self;
        upstream.load.slot().worked();
        if reusable && buffer.is_empty() && upload.is_none() && !refused {
            upstream.load.slot().put(upstream.stream, worker.now(), keep_alive, worker.limits());
        }
        worker.buffers.give(buffer);
    }
}
