//! The one acceptor: it takes connections in, and deals them out to the workers.
//!
//! It owns the connection limits, in all and per source: what comes beyond is closed at once, and what is there
//! stays. Where the process has no file descriptor left it waits a moment, and whoever connects waits in the
//! kernel's queue. It reads no byte of a connection.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::drain::{Handle, Stage, reached};
use super::sockets;
use super::sources::Place;
use super::worker::{Arrival, Shared};
use crate::meter::Shed;

/// How long to wait where the process has no file descriptor left: one connection's end gives one back.
const BREATH: Duration = Duration::from_millis(50);

/// A worker as the acceptor sees it.
#[derive(Debug)]
pub(crate) struct Seat {
    /// Where its connections go.
    pub(crate) arrivals: mpsc::Sender<Arrival>,
    /// How many it has.
    pub(crate) load: Arc<AtomicUsize>,
}

/// Accepts until the edge leaves and nobody waits any more.
pub(crate) async fn run(
    listeners: Vec<std::net::TcpListener>,
    seats: Vec<Seat>,
    shared: Arc<Shared>,
    handle: Handle,
) -> io::Result<()> {
    let mut stage = handle.subscribe();
    let mut accepting = tokio::task::JoinSet::new();
    let door = Arc::new(Door { seats, shared: Arc::clone(&shared) });
    for listener in listeners {
        let listener = TcpListener::from_std(listener)?;
        accepting.spawn_local(listen(listener, Arc::clone(&door), handle.subscribe()));
    }
    reached(&mut stage, Stage::Leaving).await;
    tokio::select! {
        () = sleep(shared.limits.drain_delay) => handle.advance(Stage::Closing),
        () = reached(&mut stage, Stage::Closing) => {}
    }
    while accepting.join_next().await.is_some() {}
    Ok(())
}

/// One listener, until the edge closes: then whoever waits is still taken in.
async fn listen(listener: TcpListener, door: Arc<Door>, mut stage: watch::Receiver<Stage>) {
    let mut told = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = reached(&mut stage, Stage::Closing) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                told = false;
                door.admit(stream, peer).await;
            }
            Err(error) if exhausted(&error) => {
                door.shared.meter.accept_failed();
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(%error, "no connection can be accepted: raise the limit of open files");
                }
                sleep(BREATH).await;
            }
            // That connection is gone already: the next one.
            Err(_) => {}
        }
    }
    while let Poll::Ready(Ok((stream, peer))) = poll_fn(|cx| Poll::Ready(listener.poll_accept(cx))).await {
        door.admit(stream, peer).await;
    }
}

/// Whether it is our own resources that are wanting: accepting again at once would spin, and an endpoint that
/// cannot be connected to for this reason has done nothing wrong. Not `ADDRNOTAVAIL`: that we have no address, or no
/// port left, towards one endpoint leaves the others to be asked.
pub(crate) fn exhausted(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

/// What every listener's connections go through.
#[derive(Debug)]
struct Door {
    seats: Vec<Seat>,
    shared: Arc<Shared>,
}

impl Door {
    async fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        let Some(seat) = self.seats.iter().min_by_key(|seat| seat.load.load(Ordering::Relaxed)) else {
            return;
        };
        let Ok(place) = self.place(peer) else {
            return self.shared.meter.shed(Shed::Source);
        };
        if self.shared.open.fetch_add(1, Ordering::Relaxed) >= self.shared.limits.connections {
            self.shared.open.fetch_sub(1, Ordering::Relaxed);
            return self.shared.meter.shed(Shed::Limit);
        }
        sockets::accepted(&stream);
        // Its readiness is the worker's to wait for, so it leaves this thread's runtime.
        let Ok(stream) = stream.into_std() else {
            self.shared.open.fetch_sub(1, Ordering::Relaxed);
            return;
        };
        seat.load.fetch_add(1, Ordering::Relaxed);
        if seat.arrivals.send(Arrival { stream, peer, place }).await.is_err() {
            seat.load.fetch_sub(1, Ordering::Relaxed);
            self.shared.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The connection's place among those of its source, where they are counted; an error where there is none
    /// left.
    fn place(&self, peer: SocketAddr) -> Result<Option<Place>, ()> {
        match &self.shared.sources {
            // Behind a trusted proxy there are many sources.
            Some(sources) if !self.shared.trusts(peer.ip().to_canonical()) => {
                sources.enter(peer.ip()).map(Some).ok_or(())
            }
            Some(_) | None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn an_address_that_cannot_be_reached_from_here_is_no_want_of_resources() {
        assert!(exhausted(&Errno::MFILE.into()));
        for errno in [Errno::ADDRNOTAVAIL, Errno::AFNOSUPPORT, Errno::NETUNREACH, Errno::CONNREFUSED] {
            assert!(!exhausted(&errno.into()), "{errno}");
        }
    }
}
