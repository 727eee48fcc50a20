//! A client's connection from its first byte to its last.
//!
//! hyper holds it while there is something to say. Idle for long enough it is taken back and waits on its
//! bare socket (`park`); upgraded it becomes a tunnel. At the end it is read on for a moment (`linger`).
//! What the requests on it are is `request`'s matter.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::net::TcpStream;

use super::client_io::{ClientIo, is_closed};
use super::park::{linger, park, say_late};
use super::request;
use super::tunnel::{self, Tunnel};
use super::watch::{Order, Phase};
use super::worker::Guest;

/// How hyper's part ended.
enum End {
    /// Idle: nothing asked, nothing owed. Bytes that came after all are there.
    Rest(TcpStream, Bytes),
    /// The answer was a 101.
    Tunnel(TcpStream, Bytes, Box<Tunnel>),
    /// A head, or the first byte, did not come in time; whether there was a part of one.
    Late(TcpStream, bool),
    /// The last answer has been written.
    Done(TcpStream),
    /// The client is gone, or is to be cut off.
    Gone,
}

/// Serves a connection until it ends.
pub(crate) async fn serve(guest: Guest, mut stream: TcpStream) {
    let (mut lead, worker) = (Bytes::new(), Rc::clone(&guest.worker));
    let limits = worker.limits();
    loop {
        match converse(&guest, stream, lead).await {
            End::Rest(back, early) => (stream, lead) = (back, early),
            End::Tunnel(client, lead, tunnel) => {
                return Box::pin(tunnel::relay(&guest.worker, client, lead, *tunnel)).await;
            }
            End::Late(stream, partly) => {
                if partly {
                    say_late(&guest, &stream);
                }
                // Whoever was too slow for a head gets no further time by going on as before.
                return linger(&guest, stream, limits.linger).await;
            }
            End::Done(stream) => return linger(&guest, stream, limits.linger_whole).await,
            End::Gone => return,
        }
        if lead.is_empty() {
            match park(&guest, &mut stream).await {
                Some(bytes) => lead = bytes,
                None => return,
            }
        }
        guest.watch.enter(Phase::Head, guest.worker.limits().head);
    }
}

/// What ended hyper's part.
enum Stop {
    Hyper(hyper::Result<()>),
    Order(Order),
    Leave,
}

/// Lets hyper serve requests until the connection rests or ends.
async fn converse(guest: &Guest, stream: TcpStream, lead: Bytes) -> End {
    let (worker, watch) = (&guest.worker, &guest.watch);
    let socket = Rc::new(RefCell::new(stream));
    let io = ClientIo::new(Rc::clone(&socket), lead, Rc::clone(watch), worker.limits().head);
    let service = service_fn({
        let (worker, watch) = (Rc::clone(worker), Rc::clone(watch));
        move |request| request::serve(Rc::clone(&worker), Rc::clone(&watch), request)
    });
    // In a box of its own, so that a parked connection's task does not keep its room.
    let mut http = Box::new(worker.http1.serve_connection(TokioIo::new(io), service));
    let stop = poll_fn(|cx| {
        watch.register(cx);
        if let Some(order) = urgent(guest) {
            return Poll::Ready(Stop::Order(order));
        }
        if watch.take_probe() && is_closed(&socket, cx) {
            return Poll::Ready(Stop::Order(Order::Cut));
        }
        let mut polled = Pin::new(&mut *http).poll(cx);
        if matches!(polled, Poll::Ready(Ok(()))) && !watch.is_flushed() {
            // Where the request asked for an upgrade hyper ends with bytes that the socket has not taken, and forgets that
            // it was asked; polled again it ends as ever, with all written.
            polled = Pin::new(&mut *http).poll(cx);
        }
        if let Poll::Ready(ended) = polled {
            return Poll::Ready(Stop::Hyper(ended));
        }
        let silent = watch.phase() == Phase::Opening || watch.at_rest();
        if silent && worker.closing_for_long(watch.since()) {
            return Poll::Ready(Stop::Leave);
        }
        Poll::Pending
    })
    .await;
    let parts = http.into_parts();
    drop(parts.io);
    // Though empty it may hold on to the whole of hyper's buffer.
    let lead = Some(parts.read_buf).filter(|lead| !lead.is_empty()).unwrap_or_default();
    // Taken whatever happened: its record holds the watch, which must not hold it for ever.
    let tunnel = watch.tunnel.take();
    // hyper's half is gone with its parts, so that this is the last one.
    let Some(stream) = Rc::into_inner(socket).map(RefCell::into_inner) else { return End::Gone };
    if matches!(stop, Stop::Hyper(Ok(()))) && watch.take_resets() {
        // What was written is whole (`ClientIo::wrote`).
        let _ = SockRef::from(&stream).set_linger(None);
    }
    match stop {
        Stop::Hyper(Ok(())) => match tunnel {
            Some(tunnel) => End::Tunnel(stream, lead, tunnel),
            None if watch.ended() => End::Gone,
            None => End::Done(stream),
        },
        Stop::Hyper(Err(error)) => broken(guest, stream, &error),
        // hyper was about to read the rest of a body away, or to close.
        Stop::Order(Order::Park) | Stop::Leave if watch.unread() || watch.spent() => End::Done(stream),
        Stop::Order(Order::Park) | Stop::Leave => End::Rest(stream, lead),
        Stop::Order(Order::Expired) => {
            let partly = watch.phase() == Phase::Head;
            End::Late(stream, partly)
        }
        Stop::Order(Order::Cut | Order::SlowBody | Order::None) => End::Gone,
    }
}

/// An order that is for the connection itself, rather than for the request on it.
fn urgent(guest: &Guest) -> Option<Order> {
    let watch = &guest.watch;
    if watch.obey(Order::Cut) {
        return Some(Order::Cut);
    }
    if watch.obey(Order::Park) && watch.at_rest() {
        return Some(Order::Park);
    }
    let ours = matches!(watch.phase(), Phase::Opening | Phase::Head);
    if ours && watch.is_flushed() && watch.expired() {
        return Some(Order::Expired);
    }
    // While the client takes nothing hyper asks for no more of a response, whose body would find out; and words of
    // ours would land in the midst of what hyper has not written.
    let blocked = (ours || watch.phase() == Phase::Relay) && !watch.is_flushed();
    (blocked && watch.expired()).then_some(Order::Cut)
}

/// hyper ended with an error: it has refused a head by itself, or the connection broke.
fn broken(guest: &Guest, stream: TcpStream, error: &hyper::Error) -> End {
    if error.is_parse() {
        // hyper has answered, and shows no request; so this is where it is counted.
        let (code, label) = match (error.is_parse_too_large(), error.to_string().as_str()) {
            // hyper tells the two apart only in words; should they change, a test says so.
            (true, "URI too long") => (414, "target_too_long"),
            (true, _) => (431, "head_too_large"),
            (false, _) => (400, "head"),
        };
        guest.worker.no_request(&guest.watch, code, label);
        tracing::debug!(peer = &*guest.watch.peer_text, code, %error, "refused a request that is no HTTP");
        return End::Done(stream);
    }
    // The client is gone, or we broke a response off: a clean end would make a part look like the whole.
    End::Gone
}
