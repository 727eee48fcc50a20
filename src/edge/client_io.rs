//! The client's socket as hyper gets it: what was read before hyper came first, and every move told to the
//! connection's watch.
//!
//! It never shuts the socket down: whether it is parked, turned into a tunnel or closed is not hyper's to say.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use super::watch::Watch;

/// The client's socket, shared by hyper and the connection's own task, which never use it at once.
pub(crate) type Socket = Rc<RefCell<TcpStream>>;

/// Whether the client has closed its side, as far as the runtime has been told; without a system call.
///
/// hyper does not look while a request is under way (`half_close`): doing so would cost every request a read
/// and a fresh buffer of 8 KiB.
pub(crate) fn is_closed(socket: &Socket, cx: &mut Context<'_>) -> bool {
    let stream = socket.borrow();
    let mut ready = std::pin::pin!(stream.ready(Interest::READABLE));
    matches!(ready.as_mut().poll(cx), Poll::Ready(Ok(ready)) if ready.is_read_closed())
}

/// A watched socket.
#[derive(Debug)]
pub(crate) struct ClientIo {
    stream: Socket,
    lead: Bytes,
    watch: Rc<Watch>,
    /// What a head may take from its first byte on.
    head: Duration,
}

impl ClientIo {
    pub(crate) fn new(stream: Socket, lead: Bytes, watch: Rc<Watch>, head: Duration) -> Self {
        Self { stream, lead, watch, head }
    }

    fn wrote(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if self.watch.take_until_close() {
            // From now on any end but the one that takes this back is a reset, be it that of the process: to
            // such a client a clean end would make a part of the body look like the whole.
            let _ = self.stream.borrow().set_zero_linger();
        }
        match &written {
            Poll::Ready(Ok(bytes)) => self.watch.sent(*bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.watch.refused(),
        }
        written
    }
}

impl AsyncRead for ClientIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        if this.lead.is_empty() {
            let read = ready!(Pin::new(&mut *this.stream.borrow_mut()).poll_read(cx, buffer));
            // Reset or closed: either way the client is gone.
            read.inspect_err(|_| this.watch.received(0, this.head))?;
        } else {
            let count = this.lead.len().min(buffer.remaining());
            buffer.put_slice(this.lead.get(..count).unwrap_or_default());
            this.lead.advance(count);
        }
        this.watch.received(buffer.filled().len() - before, this.head);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.stream.borrow_mut()).poll_write(cx, bytes);
        self.wrote(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.stream.borrow_mut()).poll_write_vectored(cx, slices);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// hyper flushes once it has written all that it has.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.watch.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
