//! A client's bare socket: before the next request, and after the last answer.
//!
//! No buffer belongs to it: bytes pass through the worker's scratch, and only a request's beginning is kept.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use super::clock::millis;
use super::error::Fault;
use super::watch::{Order, Phase};
use super::worker::Guest;

/// Said to a client whose head did not come in time; hyper closes without a word.
const LATE: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Waits for the next request's first bytes; `None` where the connection is to end.
pub(crate) async fn park(guest: &Guest, stream: &mut TcpStream) -> Option<Bytes> {
    let (worker, watch) = (&guest.worker, &guest.watch);
    watch.enter(Phase::Parked, worker.limits().idle);
    poll_fn(|cx| {
        watch.register(cx);
        match poll_bytes(cx, guest, stream) {
            Poll::Ready(bytes) => return Poll::Ready(bytes),
            // What had come by now was served; the next request goes to another process.
            Poll::Pending if worker.closing_for_long(watch.since()) => return Poll::Ready(None),
            Poll::Pending => {}
        }
        match watch.take_order() {
            Order::Expired | Order::Cut => Poll::Ready(None),
            Order::None | Order::Park | Order::SlowBody => Poll::Pending,
        }
    })
    .await
}

/// What comes next; `None` where it is the end.
fn poll_bytes(cx: &mut Context<'_>, guest: &Guest, stream: &TcpStream) -> Poll<Option<Bytes>> {
    loop {
        if ready!(stream.poll_read_ready(cx)).is_err() {
            return Poll::Ready(None);
        }
        let read = guest.worker.buffers.with_scratch(|scratch| {
            stream
                .try_read(scratch)
                .map(|count| Bytes::copy_from_slice(scratch.get(..count).unwrap_or_default()))
        });
        match read {
            Ok(bytes) if bytes.is_empty() => return Poll::Ready(None),
            Ok(bytes) => return Poll::Ready(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return Poll::Ready(None),
        }
    }
}

/// The 408 that can still be said, as far as the socket takes it at once.
pub(crate) fn say_late(guest: &Guest, stream: &TcpStream) {
    guest.worker.no_request(&guest.watch, 408, Fault::ClientSlow.row().label);
    let _ = stream.try_write(LATE);
}

/// Ends our side, and reads on for a moment: bytes that lie unread when a socket closes make the kernel
/// reset the connection, and the reset may overtake our last answer (RFC 9112 9.6). `whole`: how long at most, for
/// a client that goes on sending.
pub(crate) async fn linger(guest: &Guest, mut stream: TcpStream, whole: Duration) {
    let (worker, watch) = (&guest.worker, &guest.watch);
    watch.enter(Phase::Linger, worker.limits().linger);
    let limits = worker.limits();
    let owed = millis(limits.linger).saturating_mul(u64::from(limits.progress_rate)) / 1000;
    let mut came = 0_u64;
    let end = worker.now().saturating_add(millis(whole));
    if poll_fn(|cx| Pin::new(&mut stream).poll_shutdown(cx)).await.is_err() {
        return;
    }
    poll_fn(|cx| {
        watch.register(cx);
        loop {
            if watch.take_order() != Order::None {
                return Poll::Ready(());
            }
            if ready!(stream.poll_read_ready(cx)).is_err() {
                return Poll::Ready(());
            }
            let read = worker.buffers.with_scratch(|scratch| stream.try_read(scratch));
            match read {
                // A client that still sends has perhaps not looked for its answer yet; one that sends a byte now
                // and then is not waited for.
                Ok(count @ 1..) if worker.now() < end => {
                    came = came.saturating_add(count as u64);
                    if came >= owed {
                        came = 0;
                        watch.touch();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(1..) | Ok(0) | Err(_) => return Poll::Ready(()),
            }
        }
    })
    .await;
}
