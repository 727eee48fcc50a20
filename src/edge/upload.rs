//! A request on its way upstream: its head, then its body as it comes, framed anew.
//!
//! It writes when polled and holds no more than one piece of body, or 16 KiB of small ones, so that a slow upstream
//! slows the client down. A body that breaks off is never ended cleanly.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use super::error::Fault;
use super::watch::Watch;
use crate::wire::body::{Frame, Writer};
use crate::wire::framing::RequestBody;

/// Small pieces are gathered up to this: else a client's chunks of one byte, six bytes each, cost a write and a segment
/// each.
const GATHERED: usize = 16 << 10;

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
    /// What has come and is not framed yet: one piece, or several as one.
    piece: Bytes,
    run: BytesMut,
    /// Whether hyper has had its turn to bring more since the last piece came.
    turned: bool,
    /// What is to be written: the framing before, the data, the framing behind, the body's end.
    frame: Option<Frame>,
    before_at: usize,
    data: Bytes,
    after: &'static [u8],
    end: &'static [u8],
    /// Whether the client's body has ended.
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
            piece: Bytes::new(),
            run: BytesMut::new(),
            turned: false,
            frame: None,
            before_at: 0,
            data: Bytes::new(),
            after: b"",
            end: b"",
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
                match self.poll_gather(cx, watch)? {
                    // Its time goes on: a body that comes byte by byte would else begin anew with each.
                    Poll::Ready(()) => {}
                    Poll::Pending if self.turned => return Poll::Pending,
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
        self.before().is_empty() && self.data.is_empty() && self.after.is_empty() && self.end.is_empty()
    }

    fn before(&self) -> &[u8] {
        let line = self.frame.as_ref().map(Frame::before).unwrap_or_default();
        line.get(self.before_at..).unwrap_or_default()
    }

    /// Frames what there is of the body: a large piece, or the small ones that came together, and its end with them.
    ///
    /// hyper brings one piece at a time, so that it gets a turn after each; more than that nobody waits for.
    fn poll_gather(&mut self, cx: &mut Context<'_>, watch: &Watch) -> Result<Poll<()>, Stopped> {
        loop {
            let next = self.poll_next(cx, watch)?;
            let gathered = self.piece.len() + self.run.len();
            match next {
                Poll::Ready(()) if !self.ended && gathered < GATHERED => self.turned = false,
                Poll::Pending if gathered == 0 => return Ok(Poll::Pending),
                Poll::Pending if !self.turned => {
                    self.turned = true;
                    cx.waker().wake_by_ref();
                    return Ok(Poll::Pending);
                }
                Poll::Ready(()) | Poll::Pending => {
                    self.turned = false;
                    return self.frame(watch).map(Poll::Ready);
                }
            }
        }
    }

    fn frame(&mut self, watch: &Watch) -> Result<(), Stopped> {
        let data =
            if self.run.is_empty() { std::mem::take(&mut self.piece) } else { self.run.split().freeze() };
        let Ok(frame) = self.writer.frame(data.len()) else {
            return Err(Stopped::Client(Fault::ClientBody));
        };
        self.sent = self.sent.saturating_add(data.len() as u64);
        self.before_at = 0;
        self.after = frame.after();
        self.frame = Some(frame);
        self.data = data;
        if self.ended {
            let Ok(end) = self.writer.finish() else { return Err(Stopped::Client(Fault::ClientGone)) };
            self.end = end;
            watch.set_unread(false);
        }
        Ok(())
    }

    /// Takes in the next piece of the client's body, or its end.
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
                    if self.piece.is_empty() && self.run.is_empty() {
                        self.piece = data;
                    } else {
                        self.run.extend_from_slice(&std::mem::take(&mut self.piece));
                        self.run.extend_from_slice(&data);
                    }
                    watch.touch();
                    return Ok(Poll::Ready(()));
                }
                None => {
                    self.ended = true;
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
            IoSlice::new(self.end),
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
        let left = take(&mut self.after, left - data);
        take(&mut self.end, left);
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
