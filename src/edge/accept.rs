//! The one acceptor: it binds the addresses, takes connections in, and deals them out to the workers.
//!
//! It owns the connection limit: what comes beyond is closed at once, and what is there stays. It reads no
//! byte of a connection.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::drain::{Handle, Stage, reached};
use super::worker::{Arrival, Shared};

/// Connections that the kernel holds for us; it takes the smaller of this and its own limit.
const BACKLOG: i32 = 4096;
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

/// Binds a listener; port 0 lets the kernel choose.
pub(crate) fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the last connections' TIME_WAIT. Not SO_REUSEPORT: two processes would
    // share the port unnoticed.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
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
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = reached(&mut stage, Stage::Closing) => break,
        };
        match accepted {
            Ok((stream, _)) => door.admit(stream).await,
            Err(error) if exhausted(&error) => {
                tracing::warn!(%error, "no connection can be accepted: raise the limit of open files");
                sleep(BREATH).await;
            }
            // That connection is gone already: the next one.
            Err(_) => {}
        }
    }
    while let Poll::Ready(Ok((stream, _))) = poll_fn(|cx| Poll::Ready(listener.poll_accept(cx))).await {
        door.admit(stream).await;
    }
}

/// Whether accepting fails for want of resources, so that trying again at once would spin.
fn exhausted(error: &io::Error) -> bool {
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
    async fn admit(&self, stream: TcpStream) {
        let open = self.shared.open.fetch_add(1, Ordering::Relaxed);
        let Some(seat) = self.seats.iter().min_by_key(|seat| seat.load.load(Ordering::Relaxed)) else {
            return;
        };
        if open >= self.shared.limits.connections {
            self.shared.open.fetch_sub(1, Ordering::Relaxed);
            self.shared.meter.shed();
            return;
        }
        // Answers are written whole: none is to wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        // Its readiness is the worker's to wait for, so it leaves this thread's runtime.
        let Ok(arrival) = stream.into_std() else {
            self.shared.open.fetch_sub(1, Ordering::Relaxed);
            return;
        };
        seat.load.fetch_add(1, Ordering::Relaxed);
        if seat.arrivals.send(arrival).await.is_err() {
            seat.load.fetch_sub(1, Ordering::Relaxed);
            self.shared.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
