//! A tunnel: after the upstream's 101, bytes go both ways as they come, and nobody looks into them.
//!
//! It holds no buffer of its own: bytes pass through the worker's scratch, and only what the other side does
//! not take at once is kept. No byte of the client passes before the 101 (RFC 6455 4.2).

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::connect::Upstream;
use super::error::Fault;
use super::record::Record;
use super::watch::{Order, Phase, Watch};
use super::worker::Worker;

/// The upstream half of an upgrade.
pub(crate) struct Tunnel {
    pub(crate) upstream: Upstream,
    /// What came behind the upstream's 101.
    pub(crate) lead: Bytes,
    pub(crate) record: Box<Record>,
    /// How long neither side may say anything.
    pub(crate) idle: Duration,
}

impl std::fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tunnel").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}

/// One direction.
#[derive(Debug)]
struct Way {
    /// Read and not yet taken.
    kept: Bytes,
    /// Whether the source has ended.
    ended: bool,
    /// Whether the sink has been told so.
    closed: bool,
    bytes: u64,
}

impl Way {
    fn new(kept: Bytes) -> Self {
        Self { kept, ended: false, closed: false, bytes: 0 }
    }

    /// Moves bytes until either side has to be waited for. Ready once the source has ended and the sink knows.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut TcpStream,
        to: &mut TcpStream,
        worker: &Worker,
        watch: &Watch,
    ) -> Poll<io::Result<()>> {
        while !self.closed {
            while !self.kept.is_empty() {
                let written = ready!(Pin::new(&mut *to).poll_write(cx, &self.kept))?;
                self.wrote(written, watch)?;
                self.kept.advance(written);
            }
            // Though empty it may hold on to the buffer that it is a slice of.
            self.kept = Bytes::new();
            if self.ended {
                // A sink that is gone already has been told.
                let _ = ready!(Pin::new(&mut *to).poll_shutdown(cx));
                self.closed = true;
            } else {
                ready!(
                    worker.buffers.with_scratch(|scratch| self.poll_through(cx, from, to, scratch, watch))
                )?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// One read, and one write of what it brought.
    fn poll_through(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut TcpStream,
        to: &mut TcpStream,
        scratch: &mut [u8],
        watch: &Watch,
    ) -> Poll<io::Result<()>> {
        let mut read = ReadBuf::new(scratch);
        ready!(Pin::new(from).poll_read(cx, &mut read))?;
        let data = read.filled();
        watch.touch();
        if data.is_empty() {
            self.ended = true;
            return Poll::Ready(Ok(()));
        }
        let written = match Pin::new(to).poll_write(cx, data) {
            Poll::Ready(written) => {
                let written = written?;
                self.wrote(written, watch)?;
                written
            }
            Poll::Pending => 0,
        };
        self.kept = Bytes::copy_from_slice(data.get(written..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }

    fn wrote(&mut self, bytes: usize, watch: &Watch) -> io::Result<()> {
        if bytes == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.bytes = self.bytes.saturating_add(bytes as u64);
        watch.touch();
        Ok(())
    }
}

/// Relays until both sides have ended, one is gone, or neither has said anything for too long.
pub(crate) async fn relay(worker: &Worker, mut client: TcpStream, lead: Bytes, tunnel: Tunnel) {
    let Tunnel { mut upstream, lead: answer, mut record, idle } = tunnel;
    let watch = std::rc::Rc::clone(&record.watch);
    watch.enter(Phase::Tunnel, idle);
    worker.cells.tunnels.add(1);
    let (mut up, mut down) = (Way::new(lead), Way::new(answer));
    let ended = poll_fn(|cx| {
        watch.register(cx);
        let sent = up.poll(cx, &mut client, &mut upstream.stream, worker, &watch);
        let received = down.poll(cx, &mut upstream.stream, &mut client, worker, &watch);
        match (sent, received) {
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(Ok(())),
            (Poll::Ready(Err(error)), _) | (_, Poll::Ready(Err(error))) => Poll::Ready(Err(error)),
            (Poll::Pending, _) | (_, Poll::Pending) => match watch.take_order() {
                Order::Expired | Order::Cut => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                Order::None | Order::Park | Order::SlowBody => Poll::Pending,
            },
        }
    })
    .await;
    worker.cells.tunnels.sub(1);
    record.received = up.bytes;
    record.sent = down.bytes;
    if ended.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut) {
        record.went_wrong(Fault::StreamSlow);
    }
    record.finish();
}
