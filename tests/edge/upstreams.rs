//! The other side: what hostile upstreams answer, line by line of the list of hostile inputs, each whole and split
//! at every byte. It reaches the client as one well-formed response, as a 502, or as an abort; never as a clean end
//! of a part; and its connection is never used again, which the upstream itself watches. After each, a marker
//! request of another client must get its own answer and no byte more.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;
use synkronic::edge::{Config, Limits};

use super::rig::{Client, Rig, Upstream, Visit, row, until};

/// What a case's request looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ask {
    Get,
    Head,
    Post,
    WebSocket,
    OldGet,
}

/// What the upstream does behind its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Then {
    /// Waits for the next request.
    Keep,
    /// Ends the connection.
    Close,
    /// Resets it.
    Reset,
}

/// What the client is owed.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Owed {
    /// This status and body, whole.
    Answer(u16, &'static str),
    /// An answer, and the connection serves again: a control, so that the test can fail.
    Reused(u16, &'static str),
    /// 502.
    Bad,
    /// A head of this status, and no clean end of its body.
    Abort(u16),
    /// 502, or an abort: how much was lost with the reset is the kernel's affair.
    BadOrAbort,
}

struct Case {
    /// The line of the list.
    line: u8,
    name: String,
    ask: Ask,
    bytes: Vec<u8>,
    then: Then,
    owed: Owed,
}

use Ask::{Get, Head, OldGet, Post, WebSocket};
use Owed::{Abort, Answer, Bad, BadOrAbort, Reused};
use Then::{Close, Keep, Reset};

fn case(line: u8, name: &str, ask: Ask, bytes: impl AsRef<[u8]>, then: Then, owed: Owed) -> Case {
    Case { line, name: name.to_owned(), ask, bytes: bytes.as_ref().to_vec(), then, owed }
}

/// Heads that are malformed or ambiguous.
fn malformed() -> Vec<Case> {
    let fields = [
        ("CL then TE", "Content-Length: 2\r\nTransfer-Encoding: chunked"),
        ("TE then CL", "Transfer-Encoding: chunked\r\nContent-Length: 5"),
        ("two CLs that differ", "Content-Length: 2\r\nContent-Length: 3"),
        ("CL list that differs", "Content-Length: 2, 3"),
        ("CL with a sign", "Content-Length: +2"),
        ("negative CL", "Content-Length: -2"),
        ("hexadecimal CL", "Content-Length: 0x2"),
        ("CL with an underscore", "Content-Length: 1_0"),
        ("empty CL", "Content-Length: "),
        ("CL beyond 64 bits", "Content-Length: 18446744073709551617"),
        ("TE gzip, chunked", "Transfer-Encoding: gzip, chunked"),
        ("TE chunked, chunked", "Transfer-Encoding: chunked, chunked"),
        ("TE twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        ("TE xchunked", "Transfer-Encoding: xchunked"),
        ("TE identity", "Transfer-Encoding: identity"),
        ("TE with a parameter", "Transfer-Encoding: chunked;a=b"),
        ("TE behind a vertical tab", "Transfer-Encoding: \x0bchunked"),
        ("obs-fold", "A: b\r\n c"),
        ("obs-fold by tab", "A: b\r\n\tc"),
        ("bare CR in a value", "A: b\rContent-Length: 2"),
        ("NUL in a value", "A: b\0c"),
        ("DEL in a value", "A: b\x7fc"),
        ("space before the colon", "Content-Length : 2"),
        ("space before the first field", " A: b"),
        ("empty name", ": b"),
        ("no colon", "Content-Length"),
        ("control in a name", "A\x01: b"),
        ("byte beyond ASCII in a name", "\u{e4}: b"),
    ];
    let mut cases: Vec<_> = fields
        .iter()
        .map(|(name, field)| {
            case(76, name, Post, format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n0\r\n\r\n"), Keep, Bad)
        })
        .collect();
    for line in [
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 099 Low",
        "HTTP/1.1 2x0 OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1\t200 OK",
        "HTTP/1.2 200 OK",
        "HTTP/2.0 200 OK",
        "HTTP/3 200 OK",
        "HTTP/0.9 200 OK",
        "http/1.1 200 OK",
        "HTTP/1.1 200 O\0K",
        "HTTP/1.1 200 O\rK",
        " HTTP/1.1 200 OK",
        "200 OK",
        "ICY 200 OK",
        "hello",
        "<html>",
    ] {
        let bytes = format!("{line}\r\nContent-Length: 2\r\n\r\nok");
        cases.push(case(76, &format!("status line {line:?}"), Post, bytes, Close, Bad));
    }
    cases.push(case(76, "HTTP/0.9", Post, "just a body", Close, Bad));
    cases.push(case(
        8,
        "TE on HTTP/1.0",
        Post,
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        Keep,
        Bad,
    ));
    cases
}

/// Switching protocols, and other interim responses.
fn interim() -> Vec<Case> {
    let switch = |fields: &str| format!("HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n\r\nevil");
    let good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
    vec![
        case(78, "101 unasked", Post, switch("Connection: upgrade\r\nUpgrade: websocket"), Keep, Bad),
        case(78, "101 unasked, bare", Get, switch("Date: now"), Keep, Bad),
        case(52, "101 to h2c", WebSocket, switch("Connection: upgrade\r\nUpgrade: h2c"), Keep, Bad),
        case(
            52,
            "101 to two protocols",
            WebSocket,
            switch("Connection: upgrade\r\nUpgrade: websocket, h2c"),
            Keep,
            Bad,
        ),
        case(
            52,
            "101 with two Upgrades",
            WebSocket,
            switch("Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket"),
            Keep,
            Bad,
        ),
        case(52, "101 without Upgrade", WebSocket, switch("Connection: upgrade"), Keep, Bad),
        case(52, "101 without Connection", WebSocket, switch("Upgrade: websocket"), Keep, Bad),
        case(
            52,
            "101 over HTTP/1.0",
            WebSocket,
            switch("Connection: upgrade\r\nUpgrade: websocket").replace("1.1 101", "1.0 101"),
            Keep,
            Bad,
        ),
        case(51, "200 to a WebSocket", WebSocket, good, Keep, Reused(200, "ok")),
        case(
            51,
            "426 to a WebSocket",
            WebSocket,
            "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\nno",
            Keep,
            Reused(426, "no"),
        ),
        case(78, "103 is dropped", Get, format!("{hints}{good}"), Keep, Reused(200, "ok")),
        case(
            78,
            "102 and 100 are dropped",
            Post,
            format!("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n{good}"),
            Keep,
            Reused(200, "ok"),
        ),
        case(
            77,
            "1xx with a body",
            Get,
            format!("HTTP/1.1 103 Early Hints\r\nContent-Length: 4\r\n\r\nevil{good}"),
            Keep,
            Bad,
        ),
        case(76, "malformed 1xx", Get, format!("HTTP/1.1 103 Early Hints\r\nA : b\r\n\r\n{good}"), Keep, Bad),
        case(78, "1xx and then the end", Post, hints, Close, Bad),
        case(78, "199", Get, format!("HTTP/1.1 199 Odd\r\n\r\n{good}"), Keep, Reused(200, "ok")),
    ]
}

/// Bytes behind the end of a message: response-queue poisoning.
fn behind() -> Vec<Case> {
    let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    vec![
        case(
            77,
            "CL, then a response",
            Get,
            format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok{evil}"),
            Keep,
            Answer(200, "ok"),
        ),
        case(
            77,
            "CL 0, then a response",
            Get,
            format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n{evil}"),
            Keep,
            Answer(200, ""),
        ),
        case(
            77,
            "CL, then one byte",
            Get,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!",
            Keep,
            Answer(200, "ok"),
        ),
        case(
            77,
            "CL, then CRLF",
            Get,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\r\n",
            Keep,
            Answer(200, "ok"),
        ),
        case(
            77,
            "chunked, then a response",
            Get,
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n{evil}"),
            Keep,
            Answer(200, "ok"),
        ),
        case(
            77,
            "204 with a body",
            Get,
            "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil",
            Keep,
            Answer(204, ""),
        ),
        case(
            77,
            "204 with a response",
            Get,
            format!("HTTP/1.1 204 No Content\r\n\r\n{evil}"),
            Keep,
            Answer(204, ""),
        ),
        case(
            77,
            "204 with chunks",
            Get,
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
            Keep,
            Answer(204, ""),
        ),
        case(
            77,
            "304 with a body",
            Get,
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil",
            Keep,
            Answer(304, ""),
        ),
        case(
            77,
            "HEAD with a body",
            Head,
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
            Keep,
            Answer(200, ""),
        ),
        case(
            77,
            "HEAD with chunks",
            Head,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
            Keep,
            Answer(200, ""),
        ),
    ]
}

/// Bodies that break off or break their own framing, and such as are sound.
fn bodies() -> Vec<Case> {
    let chunked = |body: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    let mut cases = vec![
        case(
            0,
            "control: CL",
            Get,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            Keep,
            Reused(200, "ok"),
        ),
        case(
            0,
            "control: chunked",
            Get,
            chunked("1;a=b\r\no\r\n1\r\nk\r\n0\r\nA: b\r\n\r\n"),
            Keep,
            Reused(200, "ok"),
        ),
        case(0, "control: until close", Get, "HTTP/1.1 200 OK\r\n\r\nok", Close, Answer(200, "ok")),
        case(
            0,
            "control: no reason phrase",
            Get,
            "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
            Keep,
            Reused(200, "ok"),
        ),
        case(0, "control: 204", Get, "HTTP/1.1 204 No Content\r\n\r\n", Keep, Reused(204, "")),
        case(
            3,
            "CL twice, the same",
            Get,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
            Keep,
            Reused(200, "ok"),
        ),
        case(
            5,
            "CL with zeros in front",
            Get,
            "HTTP/1.1 200 OK\r\nContent-Length: 0002\r\n\r\nok",
            Keep,
            Reused(200, "ok"),
        ),
        case(
            0,
            "control: Connection: close",
            Get,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
            Keep,
            Answer(200, "ok"),
        ),
        case(
            0,
            "control: HTTP/1.0",
            Get,
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            Keep,
            Answer(200, "ok"),
        ),
        case(75, "short CL", Get, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", Close, Abort(200)),
        case(
            75,
            "short CL and a reset",
            Post,
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
            Reset,
            BadOrAbort,
        ),
        case(75, "until close and a reset", Post, "HTTP/1.1 200 OK\r\n\r\nhello", Reset, BadOrAbort),
        case(75, "no last chunk", Get, chunked("5\r\nhello\r\n"), Close, Abort(200)),
        case(75, "half a last chunk", Get, chunked("5\r\nhello\r\n0\r\n"), Close, Abort(200)),
        case(75, "half a trailer", Get, chunked("5\r\nhello\r\n0\r\nA: b\r\n"), Close, Abort(200)),
        case(75, "no chunk at all", Get, chunked(""), Close, Abort(200)),
        case(75, "no last chunk for HTTP/1.0", OldGet, chunked("5\r\nhello\r\n"), Close, Abort(200)),
        case(
            75,
            "until close and a reset, for HTTP/1.0",
            OldGet,
            "HTTP/1.1 200 OK\r\n\r\nhello",
            Reset,
            BadOrAbort,
        ),
        case(
            0,
            "control: chunked for HTTP/1.0",
            OldGet,
            chunked("2\r\nok\r\n0\r\n\r\n"),
            Keep,
            Reused(200, "ok"),
        ),
    ];
    for (name, body) in [
        ("0x size", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("signed size", "+5\r\nhello\r\n0\r\n\r\n"),
        ("size with an underscore", "0_5\r\nhello\r\n0\r\n\r\n"),
        ("space before the size", " 5\r\nhello\r\n0\r\n\r\n"),
        ("empty size", "\r\nhello\r\n0\r\n\r\n"),
        ("size of 17 digits", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("size line without CR", "5\nhello\r\n0\r\n\r\n"),
        ("data past the size", "4\r\nhello\r\n0\r\n\r\n"),
        ("data short of the size", "6\r\nhello\r\n0\r\n\r\n"),
        ("LF in an extension", "5;a\n\r\nhello\r\n0\r\n\r\n"),
        ("CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n"),
        ("NUL in an extension", "5;a\0b\r\nhello\r\n0\r\n\r\n"),
        ("malformed trailer", "5\r\nhello\r\n0\r\nA : b\r\nno colon\r\n\r\n"),
    ] {
        cases.push(case(12, &format!("chunks: {name}"), Get, chunked(body), Keep, Abort(200)));
    }
    cases
}

/// What is too large to be split at every byte.
fn large() -> Vec<Case> {
    let good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    vec![
        case(
            76,
            "a head of 10 MiB",
            Get,
            format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: bcdefgh\r\n".repeat(900_000)),
            Keep,
            Bad,
        ),
        case(
            76,
            "a field of 40 KiB",
            Get,
            format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "b".repeat(40 << 10)),
            Keep,
            Bad,
        ),
        case(76, "101 fields", Get, format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(101)), Keep, Bad),
        case(
            76,
            "a million 1xx",
            Get,
            "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1_000_000) + good,
            Keep,
            Bad,
        ),
        case(
            76,
            "a head of 10 MiB without a line's end",
            Get,
            "HTTP/1.1 200 OK".to_owned() + &"x".repeat(10 << 20),
            Keep,
            Bad,
        ),
        case(
            16,
            "extensions of 20 KiB",
            Get,
            format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;{}\r\nok\r\n0\r\n\r\n",
                "a".repeat(20 << 10)
            ),
            Keep,
            Abort(200),
        ),
        case(
            16,
            "endless trailers",
            Get,
            format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n{}",
                "A: b\r\n".repeat(100_000)
            ),
            Keep,
            Abort(200),
        ),
        case(
            0,
            "control: 20 KiB of head",
            Get,
            format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: {}\r\n\r\nok", "b".repeat(20 << 10)),
            Keep,
            Reused(200, "ok"),
        ),
    ]
}

/// An upstream that answers `/case` as it is told, and markers as it should; it watches its own connections.
struct Hostile {
    upstream: Upstream,
    seen: Arc<Mutex<Seen>>,
}

/// What the upstream is to do, and what it has seen.
#[derive(Default)]
struct Seen {
    /// The next answer: its bytes, where they are split, what follows.
    next: Option<(Vec<u8>, usize, Then)>,
    /// Whether all of the last case is on its way.
    sent: bool,
    /// The connection of the last case, and of the last marker.
    case_at: usize,
    marker_at: usize,
    /// Connections that have carried a case, and must not carry anything again.
    spoiled: BTreeSet<usize>,
    /// Those of them whose end was seen.
    ended: BTreeSet<usize>,
    /// Requests that came over a connection that was spoiled.
    wrong: Vec<String>,
}

impl Hostile {
    fn new() -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let all = Arc::clone(&seen);
        let upstream = Upstream::new(move |number, visit| {
            visit_hostile(number, visit, &all);
            all.lock().unwrap().ended.insert(number);
        });
        Self { upstream, seen }
    }
}

fn visit_hostile(number: usize, mut visit: Visit, shared: &Mutex<Seen>) {
    while let Some(request) = visit.request() {
        let mut seen = shared.lock().unwrap();
        if seen.spoiled.contains(&number) {
            seen.wrong.push(request.head.clone());
        }
        if let Some(marker) = request.line().split(' ').nth(1).and_then(|path| path.strip_prefix("/marker/"))
        {
            seen.marker_at = number;
            drop(seen);
            visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{marker}", marker.len()));
            continue;
        }
        let (bytes, split, then) = seen.next.take().expect("a request that is no case");
        seen.spoiled.insert(number);
        seen.case_at = number;
        drop(seen);
        let (first, second) = bytes.split_at(split);
        // Large ones are cut off by the edge before they are through.
        let sent = visit.client.stream.write_all(first).and_then(|()| {
            // So that the edge reads the two apart, as far as the machine goes along; nothing hangs on it.
            std::thread::sleep(Duration::from_micros(if second.is_empty() { 0 } else { 150 }));
            visit.client.stream.write_all(second)
        });
        shared.lock().unwrap().sent = true;
        match then {
            Keep if sent.is_ok() => {}
            Keep | Close => return,
            Reset => {
                SockRef::from(&visit.client.stream).set_linger(Some(Duration::ZERO)).unwrap();
                return;
            }
        }
    }
}

/// What a client got.
#[derive(Debug, PartialEq, Eq)]
enum Got {
    Whole(u16, String),
    Abort(u16),
}

/// Asks, and reads the answer as a strict client does.
fn got(address: SocketAddr, ask: Ask) -> (Client, Got) {
    let mut client = Client::to(address);
    let head = "Host: shop.test\r\n";
    client.send(match ask {
        Get => format!("GET /case HTTP/1.1\r\n{head}\r\n"),
        OldGet => format!("GET /case HTTP/1.0\r\n{head}\r\n"),
        Head => format!("HEAD /case HTTP/1.1\r\n{head}\r\n"),
        Post => format!("POST /case HTTP/1.1\r\n{head}Content-Length: 2\r\n\r\nhi"),
        WebSocket => format!(
            "GET /case HTTP/1.1\r\n{head}Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ),
    });
    let head = client.head().expect("some answer");
    let status: u16 = head[9..12].parse().unwrap();
    let field = |name: &str| {
        let mut values = head
            .lines()
            .filter_map(|line| line.to_lowercase().strip_prefix(&format!("{name}: ")).map(str::to_owned));
        let first = values.next();
        assert_eq!(values.next(), None, "{name} twice: {head}");
        first
    };
    let (length, encoding) = (field("content-length"), field("transfer-encoding"));
    assert!(length.is_none() || encoding.is_none(), "both framings: {head}");
    let body = if ask == Head || matches!(status, 204 | 304) {
        Some(Vec::new())
    } else if let Some(length) = length {
        let wanted: usize = length.parse().unwrap();
        while client.unread.len() < wanted && client.fill().is_ok_and(|count| count > 0) {}
        (client.unread.len() >= wanted).then(|| client.unread.drain(..wanted).collect())
    } else if encoding.is_some() {
        client.chunks()
    } else {
        // To the end of the connection: only a clean one is one.
        client.rest().ok()
    };
    let got = match body {
        Some(body) => Got::Whole(status, String::from_utf8(body).unwrap()),
        None => Got::Abort(status),
    };
    (client, got)
}

fn judge(case: &Case, got: &Got) -> bool {
    match (&case.owed, got) {
        (Answer(status, body) | Reused(status, body), Got::Whole(s, b)) => s == status && b == body,
        (Bad | BadOrAbort, Got::Whole(502, _)) => true,
        (Abort(_) | BadOrAbort, Got::Abort(200)) => true,
        _ => false,
    }
}

/// Plays cases, each split at these places; how many variants there were.
fn play(cases: &[Case], splits: impl Fn(&Case) -> Vec<usize>) -> usize {
    let mut played = 0;
    let hostile = Hostile::new();
    let rig = Rig::on(&[hostile.upstream.address]);
    let mut other = rig.client();
    let mut marker = |wanted: String| {
        other.send(format!("GET /marker/{wanted} HTTP/1.1\r\nHost: shop.test\r\n\r\n"));
        let response = other.response();
        assert_eq!((response.status, response.text(), other.unread.len()), (200, &*wanted, 0));
    };
    for case in cases {
        for split in splits(case) {
            played += 1;
            let told = format!("line {}, {}, split at {split}", case.line, case.name);
            {
                let mut seen = hostile.seen.lock().unwrap();
                seen.next = Some((case.bytes.clone(), split, case.then));
                seen.sent = false;
            }
            let (mut client, got) = got(rig.address(), case.ask);
            assert!(judge(case, &got), "{told}: {got:?}");
            let reused = matches!(case.owed, Reused(..));
            {
                let mut seen = hostile.seen.lock().unwrap();
                assert!(seen.next.is_none(), "{told}: it never came");
                if reused {
                    let at = seen.case_at;
                    seen.spoiled.remove(&at);
                }
            }
            // What comes behind an answer is noticed if it comes before the next request goes out. What crosses
            // that on the wire cannot be told from its answer, by nobody.
            while !hostile.seen.lock().unwrap().sent {
                std::thread::yield_now();
            }
            marker(format!("{played}-{split}"));
            if case.ask != OldGet && matches!(got, Got::Whole(..)) {
                // The same client, whose connection stays: not a byte is left of the case.
                client.send("GET /marker/same HTTP/1.1\r\nHost: shop.test\r\n\r\n");
                let response = client.response();
                assert_eq!((response.status, response.text()), (200, "same"), "{told}");
            }
            let seen = hostile.seen.lock().unwrap();
            assert!(seen.wrong.is_empty(), "{told}: {:?}", seen.wrong);
            assert_eq!(seen.case_at == seen.marker_at, reused, "{told}: whether its connection served again");
        }
    }
    // What was spoiled has been closed by us, too: none is left open.
    until("spoiled connections stay open", || {
        let seen = hostile.seen.lock().unwrap();
        seen.spoiled.is_subset(&seen.ended)
    });
    played
}

fn everywhere(case: &Case) -> Vec<usize> {
    // Whole, and in two pieces at every byte.
    (1..=case.bytes.len().max(1)).rev().map(|at| at.min(case.bytes.len())).collect()
}

fn report(what: &str, cases: &[Case], played: usize) {
    let lines: BTreeSet<u8> = cases.iter().map(|case| case.line).filter(|line| *line > 0).collect();
    let lines: Vec<String> = lines.iter().map(u8::to_string).collect();
    row(&lines.join(", "), &format!("{what}, {} cases, {played} variants", cases.len()));
}

#[test]
fn malformed_heads() {
    let cases = malformed();
    let played = play(&cases, everywhere);
    report("malformed heads", &cases, played);
}

#[test]
fn interim_responses_and_switches() {
    let cases = interim();
    let played = play(&cases, everywhere);
    report("interim responses", &cases, played);
}

#[test]
fn bytes_behind_the_end() {
    let cases = behind();
    let played = play(&cases, everywhere);
    report("bytes behind the end", &cases, played);
}

#[test]
fn bodies_that_break() {
    let cases = bodies();
    let played = play(&cases, everywhere);
    report("bodies", &cases, played);
}

#[test]
fn heads_and_trailers_without_end() {
    let cases = large();
    let played = play(&cases, |case| vec![case.bytes.len(), case.bytes.len() / 2]);
    report("large", &cases, played);
}

#[test]
fn responses_that_end_at_every_byte() {
    let mut cases = Vec::new();
    for (name, ask, head, body) in [
        ("CL", Post, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello"),
        (
            "chunked",
            Post,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        ),
        (
            "chunked for HTTP/1.0",
            OldGet,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
        ),
    ] {
        let whole = format!("{head}{body}");
        // A GET without an answer is asked once more, elsewhere: that is another test's matter.
        for end in usize::from(ask == OldGet)..whole.len() {
            for then in [Close, Reset] {
                let owed = match (end < head.len(), then) {
                    (true, _) => Bad,
                    (false, Close) => Abort(200),
                    (false, _) => BadOrAbort,
                };
                cases.push(case(
                    75,
                    &format!("{name}, {end} bytes, {then:?}"),
                    ask,
                    &whole[..end],
                    then,
                    owed,
                ));
            }
        }
    }
    let played = play(&cases, |case| vec![case.bytes.len()]);
    report("responses that end at every byte", &cases, played);
}

#[test]
fn a_response_that_comes_too_slowly_is_a_504_however_it_dribbles() {
    // Nothing; half a head; a byte now and then; interim responses for ever.
    for manner in 0..4 {
        let upstream = Upstream::new(move |_, mut visit| {
            visit.request().unwrap();
            let piece: &[u8] = match manner {
                0 => b"",
                1 => b"HTTP/1.1 200 OK\r\nContent-",
                2 => b"x",
                _ => b"HTTP/1.1 102 Processing\r\n\r\n",
            };
            if manner == 2 {
                visit.send("HTTP/1.1 200 OK\r\nA: ");
            }
            while visit.client.stream.write_all(piece).is_ok() {
                if manner < 2 {
                    assert!(visit.client.is_ended(), "no further byte, and its end");
                    return;
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        let limits = Limits { response: Duration::from_millis(500), ..Limits::default() };
        let rig = Rig::with(Config { workers: 1, limits, ..Config::default() }, &[upstream.address]);
        let mut client = rig.client();
        for turn in 1..3 {
            client.send("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 2\r\n\r\nhi");
            assert_eq!(client.response().status, 504, "manner {manner}");
            assert_eq!(upstream.connections(), turn);
        }
    }
}

#[test]
fn what_an_upstream_says_unasked_reaches_nobody() {
    // Behind a whole answer, while the connection waits in the pool.
    let (said, heard) = std::sync::mpsc::channel();
    let said = Mutex::new(said);
    let upstream = Upstream::new(move |number, mut visit| {
        while let Some(request) = visit.request() {
            let path = request.line().split(' ').nth(1).unwrap().to_owned();
            visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()));
            if number == 0 {
                visit.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
                said.lock().unwrap().send(()).unwrap();
            }
        }
    });
    let rig = Rig::on(&[upstream.address]);
    let (mut client, mut other) = (rig.client(), rig.client());
    client.send("GET /first HTTP/1.1\r\nHost: shop.test\r\n\r\n");
    assert_eq!(client.response().text(), "/first");
    heard.recv().unwrap();
    for turn in 0..10 {
        let path = format!("/{turn}");
        other.send(format!("GET {path} HTTP/1.1\r\nHost: shop.test\r\n\r\n"));
        assert_eq!(other.response().text(), path);
    }
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn an_endpoint_that_answers_503_is_not_asked_twice() {
    let upstream =
        Upstream::answering(|_| b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno".to_vec());
    let other =
        Upstream::answering(|_| b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno".to_vec());
    let rig = Rig::on(&[upstream.address, other.address]);
    let mut client = rig.client();
    for _ in 0..200 {
        client.send("GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n");
        assert_eq!(client.response().status, 503);
    }
    assert_eq!(upstream.requests() + other.requests(), 200, "no request more than clients have made");
    assert_eq!(rig.metric("synkronic_edge_retries_total"), 0.0);
    row("80", "503 of all");
}

#[test]
fn the_page_for_a_bad_answer_has_the_form_that_the_client_asks_for() {
    let upstream = Upstream::answering(|_| {
        b"HTTP/1.1 200 OK\r\nAccept: text/html\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec()
    });
    let rig = Rig::on(&[upstream.address]);
    for (accept, form) in [
        ("", "text/plain"),
        ("Accept: application/json\r\n", "application/problem+json"),
        ("Accept: text/html\r\n", "text/html"),
    ] {
        let response = rig.ask(format!("GET / HTTP/1.1\r\nHost: shop.test\r\n{accept}\r\n"));
        assert_eq!(response.status, 502);
        assert!(response.field("content-type").unwrap().starts_with(form), "{accept}{}", response.head);
    }
}
