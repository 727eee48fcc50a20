//! A request on its way upstream: its head, then its body as it comes, framed anew.
//!
//! It writes when polled and holds no more than one piece of body, so that a slow upstream slows the client
//! down. A body that breaks off is never ended cleanly.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use super::error::Fault;
use super::watch::Watch;
use crate::wire::body::{Frame, Writer};
use crate::wire::framing::RequestBody;

/// Why an upload stops before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The client's side: the upstream connection is of no use any more.
    Client(Fault),
    /// The upstream takes no more; it may have answered all the same.
    Upstream,
}

/// A body under way.
#[derive(Debug)]
pub(crate) struct Upload {
    body: Incoming,
    writer: Writer,
    known_length: bool,
    /// What is to be written: the framing before, the data, the framing behind.
    frame: Option<Frame>,
    before_at: usize,
    data: Bytes,
    after: &'static [u8],
    /// Whether the end has been framed.
    ended: bool,
    /// Bytes of data that went upstream.
    pub(crate) sent: u64,
}

impl Upload {
    /// `None` where there is no body.
    pub(crate) fn new(body: Incoming, kind: RequestBody) -> Option<Box<Self>> {
        if kind.is_empty() {
            return None;
        }
        Some(Box::new(Self {
            body,
            writer: Writer::new(kind),
            known_length: matches!(kind, RequestBody::Length(_)),
            frame: None,
            before_at: 0,
            data: Bytes::new(),
            after: b"",
            ended: false,
            sent: 0,
        }))
    }

    /// Writes what is left of `head`, then the body, as far as both sides allow. Ready when all is written.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut TcpStream,
        head: &mut &[u8],
        watch: &Watch,
    ) -> Poll<Result<(), Stopped>> {
        loop {
            // The body before the head: where its first piece has come along, both go in one write.
            if self.is_written() && !self.ended {
                match self.poll_next(cx, watch)? {
                    // Its time goes on: a body that comes byte by byte would else begin anew with each.
                    Poll::Ready(()) => {}
                    Poll::Pending if head.is_empty() => {
                        watch.owes_body(self.known_length);
                        return Poll::Pending;
                    }
                    Poll::Pending => {}
                }
            }
            if head.is_empty() && self.is_written() {
                if self.ended {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            match self.poll_write(cx, stream, head) {
                Poll::Ready(Ok(())) => watch.touch(),
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Stopped::Upstream)),
                Poll::Pending => {
                    watch.owes_nothing();
                    return Poll::Pending;
                }
            }
        }
    }

    /// Whether it is the client that must act next.
    pub(crate) fn waits_for_client(&self) -> bool {
        self.is_written() && !self.ended
    }

    /// Whether nothing waits to be written.
    fn is_written(&self) -> bool {
        self.before().is_empty() && self.data.is_empty() && self.after.is_empty()
    }

    fn before(&self) -> &[u8] {
        let line = self.frame.as_ref().map(Frame::before).unwrap_or_default();
        line.get(self.before_at..).unwrap_or_default()
    }

    /// The next piece of the client's body, or its end.
    fn poll_next(&mut self, cx: &mut Context<'_>, watch: &Watch) -> Result<Poll<()>, Stopped> {
        loop {
            let Poll::Ready(item) = Pin::new(&mut self.body).poll_frame(cx) else { return Ok(Poll::Pending) };
            match item {
                // Whatever it was, the client's message is not whole, and must not look so upstream.
                Some(Err(_)) if watch.ended() => return Err(Stopped::Client(Fault::ClientGone)),
                Some(Err(_)) => return Err(Stopped::Client(Fault::ClientBody)),
                Some(Ok(piece)) => {
                    // Trailers end here (RFC 9110 6.5.1). hyper takes a bare LF in them for a part of a value, others
                    // for the end of a line: what it then reads over is the next request to whoever sent it.
                    let Ok(data) = piece.into_data() else {
                        watch.spend();
                        continue;
                    };
                    if data.is_empty() {
                        continue;
                    }
                    let Ok(frame) = self.writer.frame(data.len()) else {
                        return Err(Stopped::Client(Fault::ClientBody));
                    };
                    self.sent = self.sent.saturating_add(data.len() as u64);
                    self.before_at = 0;
                    self.after = frame.after();
                    self.frame = Some(frame);
                    self.data = data;
                    watch.touch();
                    return Ok(Poll::Ready(()));
                }
                None => {
                    let Ok(end) = self.writer.finish() else {
                        return Err(Stopped::Client(Fault::ClientGone));
                    };
                    self.after = end;
                    self.ended = true;
                    watch.set_unread(false);
                    return Ok(Poll::Ready(()));
                }
            }
        }
    }

    /// One write of all that waits.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut TcpStream,
        head: &mut &[u8],
    ) -> Poll<io::Result<()>> {
        let slices = [
            IoSlice::new(head),
            IoSlice::new(self.before()),
            IoSlice::new(&self.data),
            IoSlice::new(self.after),
        ];
        let written = match Pin::new(stream).poll_write_vectored(cx, &slices) {
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(written)) => written,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        };
        let left = take(head, written);
        let before = left.min(self.before().len());
        self.before_at += before;
        let left = left - before;
        let data = left.min(self.data.len());
        self.data.advance(data);
        take(&mut self.after, left - data);
        Poll::Ready(Ok(()))
    }
}

/// Takes up to `count` bytes off a slice; what of the count is left.
fn take(slice: &mut &[u8], count: usize) -> usize {
    let taken = count.min(slice.len());
    *slice = slice.get(taken..).unwrap_or_default();
    count - taken
}

/// Writes a head that no body follows.
pub(crate) fn poll_head(
    cx: &mut Context<'_>,
    stream: &mut TcpStream,
    head: &mut &[u8],
) -> Poll<Result<(), Stopped>> {
    while !head.is_empty() {
        match Pin::new(&mut *stream).poll_write(cx, head) {
            Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(Stopped::Upstream)),
            Poll::Ready(Ok(written)) => {
                take(head, written);
            }
            Poll::Pending => return Poll::Pending,
        }
    }
    Poll::Ready(Ok(()))
}
