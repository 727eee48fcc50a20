//! An edge with a recording upstream behind it, and clients that send pieces.
//!
//! Each client's connection comes from a loopback address of its own, and the edge tells the upstream that address
//! in `X-Forwarded-For`: so each request that is recorded is known to belong to one connection, without a byte of
//! the input having to say so.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use synkronic::edge::{Bound, Config, Edge};
use synkronic::inventory::{Edit, Inventory, Object, Settings};
use synkronic::meter::Meter;
use synkronic::routes::compile;

use super::reading::{self, Read, Request, Response};

/// Whoever waits for longer than this hangs.
pub const HANGS: Duration = Duration::from_secs(20);
/// How long pieces of one message are apart. Long enough for the edge to read the first alone, on any machine that
/// is not overloaded; were they read as one, the test would only be weaker.
const APART: Duration = Duration::from_millis(4);
/// Connections at a time.
const WIDTH: usize = 192;

/// What reached the upstream from one client's connection.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Whole requests, in their order.
    pub whole: Vec<Request>,
    /// Requests that broke off.
    pub broken: usize,
}

/// All that the upstream has seen.
#[derive(Debug, Default)]
pub struct Records {
    pub by_source: HashMap<IpAddr, Seen>,
    /// What no request of ours looks like, and why.
    pub malformed: Vec<String>,
}

/// An upstream that reads strictly, records, and answers each request with its method and target.
#[derive(Debug)]
pub struct Recorder {
    pub address: SocketAddr,
    records: Arc<Mutex<Records>>,
}

impl Recorder {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let records = Arc::new(Mutex::new(Records::default()));
        let all = Arc::clone(&records);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, records) = (stream.unwrap(), Arc::clone(&all));
                thread::spawn(move || record(stream, &records));
            }
        });
        Self { address, records }
    }

    /// Takes out what was recorded.
    pub fn take(&self) -> Records {
        std::mem::take(&mut *self.records.lock().unwrap())
    }
}

fn source(fields: &[(String, String)]) -> Option<IpAddr> {
    fields.iter().find(|(name, _)| name == "x-forwarded-for")?.1.parse().ok()
}

fn record(mut stream: TcpStream, records: &Mutex<Records>) {
    let _ = stream.set_nodelay(true);
    let mut bytes = Vec::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        match reading::request(&bytes) {
            Read::Whole(request, length) => {
                bytes.drain(..length);
                let text = format!("{} {}", request.method, request.target);
                let body = if request.method == "HEAD" { "" } else { text.as_str() };
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", text.len());
                let mut records = records.lock().unwrap();
                match source(&request.fields) {
                    Some(source) => records.by_source.entry(source).or_default().whole.push(request),
                    None => records.malformed.push(format!("nobody's: {:?}", request.fields)),
                }
                drop(records);
                if stream.write_all(answer.as_bytes()).is_err() {
                    return;
                }
                continue;
            }
            Read::Malformed(why) => {
                let told = format!("{why}, in {:?}", String::from_utf8_lossy(&bytes));
                return records.lock().unwrap().malformed.push(told);
            }
            Read::Partial(fields) => match stream.read(&mut piece) {
                Ok(count @ 1..) => bytes.extend_from_slice(&piece[..count]),
                Ok(0) | Err(_) if bytes.is_empty() => return,
                Ok(0) | Err(_) => {
                    if let Some(source) = source(&fields) {
                        records.lock().unwrap().by_source.entry(source).or_default().broken += 1;
                    }
                    return;
                }
            },
        }
    }
}

/// What came of one connection.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub answers: Vec<Response>,
    /// What came that is no whole answer.
    pub rest: Vec<u8>,
    /// Whether the edge ended it with a reset.
    pub reset: bool,
    pub seen: Seen,
}

/// An edge under trial.
pub struct Rig {
    pub bound: Bound,
    pub recorder: Recorder,
}

impl Rig {
    pub fn new(config: &Config) -> Self {
        let recorder = Recorder::new();
        let table = table(recorder.address.port());
        let meter = Arc::new(Meter::new().unwrap());
        let bound = Edge::build(config, Arc::new(table), meter).unwrap();
        Self { bound, recorder }
    }

    pub fn address(&self) -> SocketAddr {
        self.bound.addresses[0]
    }

    /// Sends each message in its pieces on a connection of its own. `last` closes the sending side behind them.
    pub fn send(&self, messages: &[Vec<&[u8]>], last: bool) -> Vec<Outcome> {
        messages.chunks(WIDTH).flat_map(|messages| self.send_abreast(messages, last)).collect()
    }

    fn send_abreast(&self, messages: &[Vec<&[u8]>], last: bool) -> Vec<Outcome> {
        let mut talks: Vec<Talk> = messages.iter().map(|_| Talk::to(self.address())).collect();
        let turns = messages.iter().map(Vec::len).max().unwrap_or(0);
        // Byte by byte there is no pause: the kernel keeps most of them apart.
        let pause = if turns > 8 { Duration::ZERO } else { APART };
        for turn in 0..turns {
            for (talk, pieces) in talks.iter_mut().zip(messages) {
                if let Some(piece) = pieces.get(turn) {
                    talk.send(piece);
                }
            }
            if turn + 1 < turns {
                if pause.is_zero() { thread::yield_now() } else { thread::sleep(pause) }
            }
        }
        let ends: Vec<_> = talks
            .iter_mut()
            .zip(messages)
            .map(|(talk, pieces)| {
                if last {
                    let _ = talk.stream.shutdown(Shutdown::Write);
                }
                let head = pieces.concat().windows(5).any(|w| w == b"HEAD ");
                (talk.source, talk.end(head))
            })
            .collect();
        drop(talks);
        // What would still come has this long.
        thread::sleep(APART);
        let mut records = self.recorder.take();
        assert_eq!(records.malformed, Vec::<String>::new(), "malformed upstream, of {messages:?}");
        let outcomes = ends
            .into_iter()
            .map(|(source, (answers, rest, reset))| {
                let seen = records.by_source.remove(&source).unwrap_or_default();
                Outcome { answers, rest, reset, seen }
            })
            .collect();
        // That a request broke off may be told later; a whole one that comes later was never to come.
        let late: Vec<&Seen> = records.by_source.values().filter(|seen| !seen.whole.is_empty()).collect();
        assert!(late.is_empty(), "from nobody: {late:?}");
        outcomes
    }
}

/// One client's connection.
struct Talk {
    source: IpAddr,
    stream: TcpStream,
}

impl Talk {
    fn to(address: SocketAddr) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // 127.1.0.1 and on.
        let source = IpAddr::from(Ipv4Addr::from_bits(0x7f01_0000 + number));
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
        socket.connect(&address.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(HANGS)).unwrap();
        stream.set_write_timeout(Some(HANGS)).unwrap();
        Self { source, stream }
    }

    /// The edge may have closed already; then there is nobody to write to.
    fn send(&mut self, piece: &[u8]) {
        let _ = self.stream.write_all(piece);
    }

    /// All that comes until the edge ends the connection.
    fn end(&mut self, head: bool) -> (Vec<Response>, Vec<u8>, bool) {
        let mut bytes = Vec::new();
        let (begun, mut reset) = (Instant::now(), false);
        if let Err(error) = self.stream.read_to_end(&mut bytes) {
            assert!(
                begun.elapsed() < HANGS,
                "the connection is never ended; so far {:?}",
                String::from_utf8_lossy(&bytes)
            );
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
            reset = true;
        }
        let mut answers = Vec::new();
        while !bytes.is_empty() {
            // Which answer is the one to a `HEAD` only the upstream knows; it is the one with nothing behind its head,
            // or another answer, in the version of the request that it is for.
            let bodiless = bytes.windows(4).position(|w| w == b"\r\n\r\n").map(|end| &bytes[end + 4..]);
            let bodiless =
                head && bodiless.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"HTTP/1."));
            match reading::response(&bytes, if bodiless { "HEAD" } else { "GET" }) {
                Read::Whole(answer, length) => {
                    bytes.drain(..length);
                    answers.push(answer);
                }
                Read::Partial(_) => break,
                Read::Malformed(why) => panic!("the client got {why}: {:?}", String::from_utf8_lossy(&bytes)),
            }
        }
        (answers, bytes, reset)
    }
}

/// Routers of `shop.test` with its versions 1, 2 and 10, of `a.test`, and of an internationalised name, all with their
/// pods at one port of loopback.
fn table(port: u16) -> ArcSwap<synkronic::routes::Table> {
    let settings = Settings { allow_loopback: true, ..Settings::default() };
    let mut inventory = Inventory::default();
    let shop =
        app("shop", &["shop.test", "xn--bcher-kva.test"], &["version-1", "version-2", "version-10"], port);
    let objects = shop.into_iter().chain(app("a", &["a.test", "b.test"], &[], port));
    let read = |object| Edit::Apply(Box::new(Object::read(object).unwrap().unwrap()));
    let changes = inventory.update(objects.map(read).collect::<Vec<_>>());
    let compiled = compile(&inventory, &settings, None, &changes);
    ArcSwap::new(Arc::clone(&compiled.table))
}

fn app(name: &str, hosts: &[&str], versions: &[&str], port: u16) -> Vec<Value> {
    let meta = |name: &str| json!({"name": name, "namespace": "n"});
    let labels = json!({"app": name});
    let mut objects = vec![
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta(name), "spec": {
            "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}}),
        json!({"apiVersion": "kyaninus.com/v1", "kind": "Router", "metadata": meta(name), "spec": {
            "base": name, "hosts": hosts, "versions": ["version-*"], "path": "/{version}"}}),
    ];
    for version in std::iter::once(None).chain(versions.iter().map(Some)) {
        let full = version.map_or_else(|| name.to_owned(), |version| format!("{name}-{version}"));
        let mut service = json!({"apiVersion": "v1", "kind": "Service", "metadata": meta(&full), "spec": {
            "selector": {"app": full}, "ports": [{"name": "http", "port": 80}]}});
        if version.is_some() {
            objects.push(
                json!({"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion", "metadata": meta(&full),
                "spec": {}}),
            );
            service["metadata"]["labels"] = json!({"kyaninus.com/dpv": full});
            service["metadata"]["ownerReferences"] = json!([{"apiVersion": "kyaninus.com/v1",
                "kind": "DeploymentVersion", "name": full, "uid": "u", "controller": true}]);
        }
        objects.push(service);
        objects.push(json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": format!("{full}-1"), "namespace": "n", "labels": {"kubernetes.io/service-name": full}},
            "ports": [{"name": "http", "port": port}],
            "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": true, "serving": true},
                "targetRef": {"kind": "Pod", "name": full, "uid": full}}]}));
    }
    objects
}
