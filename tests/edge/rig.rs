//! What the tests are made of: an edge, upstreams, clients.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use socket2::{Domain, Socket, Type};
use synkronic::edge::{Bound, Config, Edge};
use synkronic::meter::Meter;
use synkronic::routes::{Endpoint, Protocol, Route, Table};

/// A test that takes longer than this hangs.
pub const HANGS: Duration = Duration::from_secs(20);

static IDS: AtomicU64 = AtomicU64::new(1);

/// An endpoint of its own identity.
pub fn endpoint(address: SocketAddr) -> Arc<Endpoint> {
    Arc::new(Endpoint {
        id: IDS.fetch_add(1, Ordering::Relaxed),
        namespace: "shop".into(),
        service: "shop".into(),
        pod_uid: "".into(),
        address,
        protocol: Protocol::Http1,
        retired: AtomicBool::new(false),
    })
}

/// A route to these endpoints.
pub fn route(version: &'static str, endpoints: Vec<Arc<Endpoint>>) -> Route {
    Route::trial("shop", "shop", version, endpoints)
}

/// An edge under trial.
pub struct Rig {
    pub bound: Bound,
    pub table: Arc<ArcSwap<Table>>,
    pub meter: Arc<Meter>,
}

impl Rig {
    /// One worker, the defaults, and `shop.test` on these upstreams.
    pub fn on(addresses: &[SocketAddr]) -> Self {
        Self::with(Config { workers: 1, ..Config::default() }, addresses)
    }

    pub fn with(config: Config, addresses: &[SocketAddr]) -> Self {
        let endpoints = addresses.iter().map(|address| endpoint(*address)).collect();
        Self::routed(config, [("shop.test", route("base", endpoints))])
    }

    pub fn routed(config: Config, routes: impl IntoIterator<Item = (&'static str, Route)>) -> Self {
        let hosts = routes.into_iter().map(|(host, route)| (host.into(), Arc::new(route)));
        let table = Arc::new(ArcSwap::from_pointee(Table::of_hosts(1, hosts)));
        let meter = Arc::new(Meter::new().unwrap());
        let bound = Edge::build(&config, Arc::clone(&table), Arc::clone(&meter)).unwrap();
        Self { bound, table, meter }
    }

    pub fn address(&self) -> SocketAddr {
        self.bound.addresses[0]
    }

    pub fn client(&self) -> Client {
        Client::to(self.address())
    }

    /// One request on a connection of its own.
    pub fn ask(&self, request: impl AsRef<[u8]>) -> Response {
        let mut client = self.client();
        client.send(request);
        client.response()
    }

    /// A number of the scrape; 0 where the line is not there.
    pub fn metric(&self, line: &str) -> f64 {
        let text = self.meter.scrape();
        let found = text.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(' ')?.parse().ok());
        found.unwrap_or(0.0)
    }

    /// Waits until a number of the scrape is as wanted.
    pub fn await_metric(&self, line: &str, wanted: impl Fn(f64) -> bool) {
        until(&format!("{line} is not as wanted in\n{}", self.meter.scrape()), || wanted(self.metric(line)));
    }
}

/// Says how lines of the list of hostile inputs came out: `cargo test` keeps back what passing tests print, but what was
/// tried is to be seen.
pub fn row(lines: &str, what: &str) {
    let _ = writeln!(io::stdout(), "line {lines}: {what}: as owed");
}

/// Waits until something holds; what does not come hangs.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + HANGS;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Says that something is over when it is dropped, so that a test that stops half way ends its threads, too.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A raw client.
pub struct Client {
    pub stream: TcpStream,
    pub unread: Vec<u8>,
}

/// A response as read.
#[derive(Debug, Clone, Default)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    /// Whether the connection ended with it.
    pub closed: bool,
}

impl Response {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The values of a field, joined.
    pub fn field(&self, name: &str) -> Option<String> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let values: Vec<_> =
            lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim().to_owned()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

impl Client {
    pub fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(HANGS)).unwrap();
        stream.set_write_timeout(Some(HANGS)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, unread: Vec::new() }
    }

    /// With an address of its own among those of loopback.
    pub fn from(source: Ipv4Addr, to: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
        socket.connect(&to.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(HANGS)).unwrap();
        Self { stream, unread: Vec::new() }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Byte by byte, each in a segment of its own as far as the kernel goes along.
    pub fn dribble(&mut self, bytes: impl AsRef<[u8]>) {
        for byte in bytes.as_ref() {
            self.stream.write_all(&[*byte]).unwrap();
            thread::yield_now();
        }
    }

    pub fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0; 64 << 10];
        let count = self.stream.read(&mut piece)?;
        self.unread.extend_from_slice(&piece[..count]);
        Ok(count)
    }

    /// Up to and with the empty line; nothing where the connection ended before.
    pub fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.unread.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = self.unread.drain(..end + 4).collect();
                return Some(String::from_utf8(head).unwrap());
            }
            match self.fill() {
                Ok(0) => {
                    assert!(
                        self.unread.is_empty(),
                        "half a head: {:?}",
                        String::from_utf8_lossy(&self.unread)
                    );
                    return None;
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no head: {error}"),
            }
        }
    }

    pub fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count {
            assert_ne!(self.fill().unwrap(), 0, "the connection ended after {} bytes", self.unread.len());
        }
        self.unread.drain(..count).collect()
    }

    /// Whatever comes until the end; an error where it was no clean end.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        while self.fill()? > 0 {}
        Ok(std::mem::take(&mut self.unread))
    }

    pub fn response(&mut self) -> Response {
        self.response_to("GET")
    }

    /// The answer to a request with this method.
    pub fn response_to(&mut self, method: &str) -> Response {
        let head = self.head().expect("a response");
        let status = head[9..12].parse().unwrap();
        let mut response = Response { status, head, ..Response::default() };
        if method == "HEAD" || matches!(status, 100..=199 | 204 | 304) {
        } else if let Some(length) = response.field("content-length") {
            response.body = self.exactly(length.parse().unwrap());
        } else if response.field("transfer-encoding").is_some() {
            response.body = self.chunks().expect("a whole chunked body");
        } else {
            response.body = self.rest().unwrap();
        }
        if response.field("connection").is_some_and(|c| c == "close") {
            response.closed = true;
            assert_eq!(self.rest().unwrap_or_default(), b"", "bytes behind the last answer");
        }
        response
    }

    /// A chunked body; nothing where it broke off.
    pub fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                if let Some(end) = self.unread.windows(2).position(|w| w == b"\r\n") {
                    break self.unread.drain(..end + 2).collect::<Vec<_>>();
                }
                if self.fill().unwrap_or(0) == 0 {
                    return None;
                }
            };
            let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
            while self.unread.len() < size + 2 {
                if self.fill().unwrap_or(0) == 0 {
                    return None;
                }
            }
            body.extend(self.unread.drain(..size));
            assert_eq!(self.unread.drain(..2).collect::<Vec<_>>(), b"\r\n");
            if size == 0 {
                return Some(body);
            }
        }
    }

    /// Whether the edge has ended the connection without a further byte.
    pub fn is_ended(&mut self) -> bool {
        match self.fill() {
            Ok(count) => count == 0,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

/// An upstream: a thread a connection, each run by the same function.
pub struct Upstream {
    pub address: SocketAddr,
    /// Connections taken.
    pub connections: Arc<AtomicUsize>,
    /// Heads of requests that came, in their order.
    pub heads: Arc<Mutex<Vec<String>>>,
}

/// One connection of an upstream.
pub struct Visit {
    pub client: Client,
    heads: Arc<Mutex<Vec<String>>>,
}

/// A request as it reached an upstream.
#[derive(Debug, Clone)]
pub struct Request {
    pub head: String,
    pub body: Vec<u8>,
}

impl Request {
    pub fn field(&self, name: &str) -> Option<String> {
        Response { head: self.head.clone(), ..Response::default() }.field(name)
    }

    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }
}

impl Upstream {
    /// Runs `visit` for each connection, with its number from 0.
    pub fn new(visit: impl Fn(usize, Visit) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (count, all) = (Arc::clone(&connections), Arc::clone(&heads));
        thread::spawn(move || {
            let visit = Arc::new(visit);
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                stream.set_read_timeout(Some(HANGS)).unwrap();
                stream.set_nodelay(true).unwrap();
                let number = count.fetch_add(1, Ordering::SeqCst);
                let (visit, heads) = (Arc::clone(&visit), Arc::clone(&all));
                thread::spawn(move || {
                    visit(number, Visit { client: Client { stream, unread: Vec::new() }, heads });
                });
            }
        });
        Self { address, connections, heads }
    }

    /// Answers every request with what `answer` makes of it, on connections that are kept.
    pub fn answering(answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::new(move |_, mut visit| {
            while let Some(request) = visit.request() {
                if visit.client.stream.write_all(&answer(&request)).is_err() {
                    return;
                }
            }
        })
    }

    /// Tells back what came: the request line, then the body.
    pub fn echo() -> Self {
        Self::answering(|request| {
            let line = request.line().to_owned() + "\n";
            let mut response = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{line}",
                line.len() + request.body.len()
            )
            .into_bytes();
            response.extend_from_slice(&request.body);
            response
        })
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> usize {
        self.heads.lock().unwrap().len()
    }
}

/// An address that refuses connections: held, so that nobody else gets it, but not listened on.
pub struct Refusing {
    pub address: SocketAddr,
    socket: Socket,
}

impl Refusing {
    pub fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        Self { address, socket }
    }

    /// From now on it takes connections.
    pub fn listen(self) -> TcpListener {
        self.socket.listen(128).unwrap();
        self.socket.into()
    }
}

impl Visit {
    /// The head of the next request.
    pub fn head(&mut self) -> Option<Request> {
        let head = self.client.head()?;
        self.heads.lock().unwrap().push(head.clone());
        Some(Request { head, body: Vec::new() })
    }

    /// The next request with its body; nothing where the connection ended, or the body broke off.
    pub fn request(&mut self) -> Option<Request> {
        let mut request = self.head()?;
        if let Some(length) = request.field("content-length") {
            let length: usize = length.parse().unwrap();
            while self.client.unread.len() < length {
                if self.client.fill().unwrap_or(0) == 0 {
                    return None;
                }
            }
            request.body = self.client.unread.drain(..length).collect();
        } else if request.field("transfer-encoding").is_some() {
            request.body = self.client.chunks()?;
        }
        Some(request)
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.client.send(bytes);
    }
}

/// A request with the usual head.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: shop.test\r\n\r\n")
}
