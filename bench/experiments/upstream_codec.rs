//! Experiment: who speaks HTTP/1.1 to the pods, our own codec or hyper's client?
//!
//! One small reverse proxy, twice: hyper serves the clients in both; 100 hosts are looked up in a map
//! and the forwarding headers are edited in both. `own` writes the head as bytes and reads the answer
//! with httparse, in the request's own task; `hyper` sends through `hyper::client::conn::http1`.
//! It refuses to be a proxy for anybody: GET only, answers with Content-Length only, no timers, no guard.
//!
//! `bench/decide upstream-codec` runs it beside a load and counts.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode, request};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Hosts = HashMap<String, Rc<Endpoint>, foldhash::fast::RandomState>;

const READ_BUFFER: usize = 16 * 1024;

/// Where a host's requests go, and the connections that wait there: last in, first out.
struct Endpoint {
    address: SocketAddr,
    sockets: RefCell<Vec<TcpStream>>,
    senders: RefCell<Vec<SendRequest<Incoming>>>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [codec, listen, upstream] = arguments.as_slice() else {
        eprintln!("usage: upstream_codec own|hyper LISTEN UPSTREAM");
        std::process::exit(2);
    };
    let own = codec == "own";
    let address: SocketAddr = upstream.parse().expect("UPSTREAM is IP:PORT");
    let hosts: Hosts = (0..100)
        .map(|number| {
            let endpoint = Endpoint { address, sockets: RefCell::default(), senders: RefCell::default() };
            (format!("version-{number}.shop.example.com"), Rc::new(endpoint))
        })
        .collect();
    let hosts = Rc::new(hosts);
    let runtime = tokio::runtime::LocalRuntime::new().unwrap();
    runtime.block_on(async move {
        let listener = TcpListener::bind(listen.as_str()).await.unwrap();
        loop {
            let (socket, peer) = listener.accept().await.unwrap();
            socket.set_nodelay(true).unwrap();
            let hosts = hosts.clone();
            spawn_local(async move {
                let service = hyper::service::service_fn(move |request| {
                    let hosts = hosts.clone();
                    async move { Ok::<_, Infallible>(answer(own, &hosts, peer.ip(), request).await) }
                });
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(socket), service)
                    .await;
            });
        }
    });
}

async fn answer(own: bool, hosts: &Hosts, peer: IpAddr, request: Request<Incoming>) -> Response<Relayed> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(endpoint) = host.and_then(|host| hosts.get(host)).cloned() else {
        return failure(StatusCode::NOT_FOUND);
    };
    let outcome = if own {
        own_exchange(endpoint, peer, request.into_parts().0).await
    } else {
        hyper_exchange(endpoint, peer, request).await
    };
    outcome.unwrap_or_else(|_| failure(StatusCode::BAD_GATEWAY))
}

fn failure(status: StatusCode) -> Response<Relayed> {
    let mut response = Response::new(Relayed::Nothing);
    *response.status_mut() = status;
    response
}

fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection" | "keep-alive" | "proxy-connection" | "te" | "trailer" | "transfer-encoding" | "upgrade"
    )
}

fn is_replaced(name: &str) -> bool {
    matches!(
        name,
        "x-forwarded-for" | "x-forwarded-proto" | "x-forwarded-host" | "x-request-id" | "x-synkronic-version"
    )
}

async fn connect(endpoint: &Endpoint) -> Result<TcpStream, Error> {
    let socket = TcpStream::connect(endpoint.address).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

// ---- own codec ----------------------------------------------------------------------------------

async fn own_exchange(
    endpoint: Rc<Endpoint>,
    peer: IpAddr,
    head: request::Parts,
) -> Result<Response<Relayed>, Error> {
    let pooled = endpoint.sockets.borrow_mut().pop();
    let mut socket = match pooled {
        Some(socket) => socket,
        None => connect(&endpoint).await?,
    };
    socket.write_all(&request_head(&head, peer)).await?;
    let mut buffer = BytesMut::with_capacity(READ_BUFFER);
    loop {
        if tokio::io::AsyncReadExt::read_buf(&mut socket, &mut buffer).await? == 0 {
            return Err("the upstream closed before its answer".into());
        }
        if let Some((mut response, length, left)) = response_head(&buffer)? {
            buffer.advance(length);
            let socket = Some((socket, endpoint));
            *response.body_mut() = Relayed::Own { socket, buffer, left };
            return Ok(response);
        }
    }
}

fn request_head(head: &request::Parts, peer: IpAddr) -> Vec<u8> {
    use std::io::Write as _;
    let mut out = Vec::with_capacity(1024);
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    for piece in [head.method.as_str(), " ", target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(piece.as_bytes());
    }
    for (name, value) in &head.headers {
        if !is_hop_by_hop(name.as_str()) && !is_replaced(name.as_str()) {
            for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                out.extend_from_slice(piece);
            }
        }
    }
    let host = head.headers[header::HOST].as_bytes();
    let _ = write!(out, "x-forwarded-for: {peer}\r\nx-forwarded-proto: http\r\nx-forwarded-host: ");
    out.extend_from_slice(host);
    out.extend_from_slice(
        b"\r\nx-request-id: 0123456789abcdef\r\nvia: 1.1 synkronic\r\nx-synkronic-version: version-1\r\n\r\n",
    );
    out
}

/// The answer, the bytes its head took, and its Content-Length; nothing while the head is incomplete.
fn response_head(buffer: &[u8]) -> Result<Option<(Response<Relayed>, usize, usize)>, Error> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(length) = parsed.parse(buffer)? else { return Ok(None) };
    let mut response = Response::new(Relayed::Nothing);
    *response.status_mut() = StatusCode::from_u16(parsed.code.unwrap_or(502))?;
    let mut left = 0;
    for field in parsed.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes())?;
        if name == header::CONTENT_LENGTH {
            left = std::str::from_utf8(field.value)?.parse()?;
        } else if !is_hop_by_hop(name.as_str()) {
            response.headers_mut().append(name, HeaderValue::from_bytes(field.value)?);
        }
    }
    Ok(Some((response, length, left)))
}

// ---- hyper's client -----------------------------------------------------------------------------

async fn hyper_exchange(
    endpoint: Rc<Endpoint>,
    peer: IpAddr,
    mut request: Request<Incoming>,
) -> Result<Response<Relayed>, Error> {
    let pooled = endpoint.senders.borrow_mut().pop();
    let mut sender = match pooled {
        Some(sender) => sender,
        None => {
            let socket = connect(&endpoint).await?;
            let (sender, connection) = handshake(TokioIo::new(socket)).await?;
            spawn_local(connection);
            sender
        }
    };
    edit(request.headers_mut(), peer)?;
    sender.ready().await?;
    let mut response = sender.send_request(request).await?;
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE, header::TE] {
        response.headers_mut().remove(name);
    }
    Ok(response.map(|incoming| Relayed::Hyper { incoming, sender: Some((sender, endpoint)) }))
}

fn edit(headers: &mut HeaderMap, peer: IpAddr) -> Result<(), Error> {
    for name in [header::CONNECTION, header::TE, header::TRAILER, header::TRANSFER_ENCODING, header::UPGRADE]
    {
        headers.remove(name);
    }
    let host = headers[header::HOST].clone();
    headers.insert("x-forwarded-for", HeaderValue::from_str(&peer.to_string())?);
    headers.insert("x-forwarded-proto", HeaderValue::from_static("http"));
    headers.insert("x-forwarded-host", host);
    headers.insert("x-request-id", HeaderValue::from_static("0123456789abcdef"));
    headers.insert("via", HeaderValue::from_static("1.1 synkronic"));
    headers.insert("x-synkronic-version", HeaderValue::from_static("version-1"));
    Ok(())
}

// ---- the body on its way back, and the connection with it ---------------------------------------

enum Relayed {
    Nothing,
    Own { socket: Option<(TcpStream, Rc<Endpoint>)>, buffer: BytesMut, left: usize },
    Hyper { incoming: Incoming, sender: Option<(SendRequest<Incoming>, Rc<Endpoint>)> },
}

impl Body for Relayed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.get_mut() {
            Self::Nothing => Poll::Ready(None),
            Self::Hyper { incoming, .. } => Pin::new(incoming).poll_frame(context).map_err(Into::into),
            Self::Own { left: 0, .. } => Poll::Ready(None),
            Self::Own { socket, buffer, left } => {
                let Some((stream, _)) = socket else { return Poll::Ready(None) };
                while buffer.is_empty() {
                    ready!(stream.poll_read_ready(context))?;
                    buffer.reserve((*left).min(256 * 1024));
                    match stream.try_read_buf(buffer) {
                        Ok(0) => return Poll::Ready(Some(Err("the upstream broke off".into()))),
                        Ok(_) => {}
                        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                        Err(error) => return Poll::Ready(Some(Err(error.into()))),
                    }
                }
                let slice = buffer.split_to(buffer.len().min(*left)).freeze();
                *left -= slice.len();
                Poll::Ready(Some(Ok(Frame::data(slice))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Own { left, .. } => *left == 0,
            Self::Hyper { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Nothing => SizeHint::with_exact(0),
            Self::Own { left, .. } => SizeHint::with_exact(*left as u64),
            Self::Hyper { incoming, .. } => incoming.size_hint(),
        }
    }
}

/// A body that was read to its end gives its connection back.
impl Drop for Relayed {
    fn drop(&mut self) {
        match self {
            Self::Own { socket, left: 0, .. } => {
                if let Some((socket, endpoint)) = socket.take() {
                    endpoint.sockets.borrow_mut().push(socket);
                }
            }
            Self::Hyper { incoming, sender } if incoming.is_end_stream() => {
                if let Some((sender, endpoint)) = sender.take() {
                    endpoint.senders.borrow_mut().push(sender);
                }
            }
            Self::Nothing | Self::Own { .. } | Self::Hyper { .. } => {}
        }
    }
}
