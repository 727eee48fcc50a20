//! Bodies: every framing, both ways, whole and byte by byte; back-pressure; what breaks off.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::rig::{Rig, Upstream, get, row, until};

/// Bytes that are not all alike, so that a piece in the wrong place is seen.
fn pattern(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at * 7 + at / 251) as u8).collect()
}

fn chunked(data: &[u8], piece: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for chunk in data.chunks(piece) {
        body.extend(format!("{:x}\r\n", chunk.len()).bytes());
        body.extend(chunk);
        body.extend(b"\r\n");
    }
    body.extend(b"0\r\n\r\n");
    body
}

#[test]
fn requests_byte_by_byte_read_as_in_one_piece() {
    let upstream = Upstream::echo();
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    for request in [
        get("/a"),
        "POST /b HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\n\r\nhello".to_owned(),
        "POST /c HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n".to_owned(),
        "DELETE /d HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_owned(),
    ] {
        client.send(&request);
        let whole = client.response();
        client.dribble(&request);
        assert_eq!(client.response().body, whole.body);
        assert_eq!(whole.status, 200);
        assert_eq!(whole.text().contains("hello"), !request.starts_with("GET"));
    }
    row("25", "four requests whole and byte by byte");
}

#[test]
fn responses_in_every_framing_whole_and_byte_by_byte() {
    let bodies: [(&str, &[u8]); 3] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"hello"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nx: y\r\n\r\n",
        ),
        ("HTTP/1.0 200 OK\r\n\r\n", b"hello"),
    ];
    for (head, body) in bodies {
        for dribble in [false, true] {
            let upstream = Upstream::new(move |_, mut visit| {
                while visit.request().is_some() {
                    let message = [head.as_bytes(), body].concat();
                    if dribble {
                        visit.client.dribble(message)
                    } else {
                        visit.send(message)
                    }
                    if head.starts_with("HTTP/1.0") {
                        return;
                    }
                }
            });
            let rig = Rig::on(&[upstream.address]);
            let mut client = rig.client();
            for _ in 0..3 {
                client.send(get("/"));
                let response = client.response();
                assert_eq!((response.status, response.text()), (200, "hello"), "{head} {dribble}");
            }
            let expected = if head.starts_with("HTTP/1.0") { 3 } else { 1 };
            assert_eq!(upstream.connections(), expected, "{head} {dribble}");
        }
    }
}

#[test]
fn an_http_1_0_client_gets_bodies_it_understands() {
    let upstream = Upstream::answering(|_| {
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice(), &chunked(b"hello", 2)].concat()
    });
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    client.send("GET / HTTP/1.0\r\nHost: shop.test\r\n\r\n");
    let response = client.response();
    assert_eq!((response.field("transfer-encoding"), response.text()), (None, "hello"));
}

#[test]
fn an_http_1_0_client_is_told_one_thing_about_its_connection() {
    let upstream = Upstream::answering(|request| match request.line().split(' ').nth(1).unwrap() {
        "/length" => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec(),
        "/chunked" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".to_vec(),
        _ => b"no HTTP".to_vec(),
    });
    let rig = Rig::on(&[upstream.address]);
    let ask = |path: &str| {
        rig.ask(format!("GET {path} HTTP/1.0\r\nHost: shop.test\r\nConnection: keep-alive\r\n\r\n"))
    };
    for (path, status, said) in [
        ("/length", 200, "keep-alive"),
        ("/chunked", 200, "close"),
        ("/no", 502, "keep-alive"),
        ("//refused", 400, "close"),
    ] {
        let response = ask(path);
        assert_eq!(
            (response.status, response.field("connection").as_deref()),
            (status, Some(said)),
            "{path}"
        );
        assert!(response.head.starts_with("HTTP/1.0"), "{}", response.head);
    }
    let mut client = rig.client();
    rig.await_metric("synkronic_edge_connections", |n| n >= 1.0);
    rig.bound.handle().drain();
    thread::sleep(Duration::from_millis(50));
    client.send("GET /length HTTP/1.0\r\nHost: shop.test\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(client.response().field("connection").as_deref(), Some("close"));
}

#[test]
fn megabytes_go_both_ways() {
    let upstream = Upstream::echo();
    let rig = Rig::on(&[upstream.address]);
    let data = pattern(3 << 20);
    for framed in [
        [format!("Content-Length: {}\r\n\r\n", data.len()).into_bytes(), data.clone()].concat(),
        [b"Transfer-Encoding: chunked\r\n\r\n".to_vec(), chunked(&data, 70_000)].concat(),
    ] {
        let mut client = rig.client();
        let mut writer = client.stream.try_clone().unwrap();
        let sending = thread::spawn(move || {
            writer.write_all(b"POST / HTTP/1.1\r\nHost: shop.test\r\n").unwrap();
            writer.write_all(&framed).unwrap();
        });
        let response = client.response();
        sending.join().unwrap();
        assert!(response.body[b"POST / HTTP/1.1\n".len()..] == data);
        assert!(!response.closed, "the body was whole before its answer");
    }
}

#[test]
fn a_slow_reader_slows_the_upstream_down() {
    const LARGE: usize = 64 << 20;
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let upstream = Upstream::new(move |_, mut visit| {
        visit.request().unwrap();
        visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n"));
        for piece in pattern(LARGE).chunks(64 << 10) {
            visit.send(piece);
            count.fetch_add(piece.len(), Ordering::SeqCst);
        }
    });
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    client.send(get("/"));
    client.head().unwrap();
    // Until nothing moves any more: what was written by then is in buffers of kernels, and a little in ours.
    let mut before = usize::MAX;
    until("the upstream never blocks", || {
        thread::sleep(Duration::from_millis(100));
        std::mem::replace(&mut before, written.load(Ordering::SeqCst)) == before
    });
    assert!(before < LARGE / 2, "{before} bytes were taken of a response that nobody reads");
    assert!(client.exactly(LARGE) == pattern(LARGE));
    row("60", "64 MiB for a reader that stops");
}

#[test]
fn head_204_and_304_have_no_body_whatever_they_say() {
    let upstream = Upstream::answering(|request| match request.line().split(' ').nth(1).unwrap() {
        "/204" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        "/304" => b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\n".to_vec(),
        _ => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_vec(),
    });
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    for (method, path, status) in
        [("HEAD", "/", 200), ("GET", "/204", 204), ("GET", "/304", 304), ("HEAD", "/304", 304)]
    {
        client.send(format!("{method} {path} HTTP/1.1\r\nHost: shop.test\r\n\r\n"));
        let response = client.response_to(method);
        assert_eq!(response.status, status);
        if path == "/" {
            assert_eq!(response.field("content-length").as_deref(), Some("5"));
        }
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn bytes_behind_a_message_reach_nobody() {
    for behind in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil",
        "HTTP/1.1 304 Not Modified\r\n\r\nevil",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nevil",
    ] {
        let upstream = Upstream::new(move |number, mut visit| {
            while let Some(request) = visit.request() {
                if number == 0 {
                    visit.send(behind);
                } else {
                    visit.send(format!(
                        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{}",
                        &request.line()[4..8]
                    ));
                }
            }
        });
        let rig = Rig::on(&[upstream.address]);
        let mut client = rig.client();
        client.send(get("/"));
        assert!(!client.response().text().contains("evil"));
        for _ in 0..3 {
            client.send(get("/abc"));
            assert_eq!(client.response().text(), "/abc");
        }
        assert_eq!(upstream.connections(), 2, "{behind}");
    }
}

#[test]
fn an_early_answer_is_relayed_while_the_body_still_comes() {
    let upstream = Upstream::new(|_, mut visit| {
        visit.head().unwrap();
        visit.send("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlong");
        // What the client still sends is read by nobody.
        while visit.client.stream.read_to_null() {}
    });
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    client.send("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 100000000\r\n\r\n");
    client.send(vec![b'x'; 1000]);
    let response = client.response();
    assert_eq!((response.status, response.text()), (413, "long"));
}

#[test]
fn an_answer_before_the_end_of_its_request_says_that_it_is_the_last() {
    let answers: [&[&str]; 3] = [
        &["HTTP/1.1 413 Payload Too Large\r\nContent-Length: 4\r\n\r\nlong"],
        &["HTTP/1.1 413 Payload Too Large\r\nContent-Length: 4\r\n\r\n", "lo", "ng"],
        &[
            "HTTP/1.1 413 Payload Too Large\r\nTransfer-Encoding: chunked\r\n\r\n",
            "4\r\nlong\r\n",
            "0\r\n\r\n",
        ],
    ];
    for answer in answers {
        for (head, rest) in
            [("Content-Length: 10", "hello"), ("Transfer-Encoding: chunked", "hello\r\n0\r\nx: y\r\n\r\n")]
        {
            let upstream = Upstream::new(move |_, mut visit| {
                visit.head().unwrap();
                for piece in answer {
                    visit.send(piece);
                    thread::sleep(Duration::from_millis(20));
                }
                while visit.client.stream.read_to_null() {}
            });
            let rig = Rig::on(&[upstream.address]);
            let mut client = rig.client();
            client.send(format!("POST / HTTP/1.1\r\nHost: shop.test\r\n{head}\r\n\r\n"));
            client.send(if head.starts_with('T') { "a\r\nhello" } else { "hello" });
            let head = client.head().unwrap();
            assert!(head.starts_with("HTTP/1.1 413") && head.contains("connection: close"), "{head}");
            // What comes behind is a body and a request that were on their way: nobody answers them.
            let _ = client.stream.write_all(&[rest.as_bytes(), get("/next").as_bytes()].concat());
            let body = String::from_utf8(client.rest().unwrap()).unwrap();
            assert!(body.ends_with("long") || body.ends_with("4\r\nlong\r\n0\r\n\r\n"), "{body}");
            assert_eq!(upstream.requests(), 1);
        }
    }
    row("49", "six early answers, and the request behind them");
}

#[test]
fn an_answer_may_stream_while_the_body_streams() {
    // Each piece is answered before the next is sent: full duplex.
    let upstream = Upstream::new(|_, mut visit| {
        visit.head().unwrap();
        visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for _ in 0..3 {
            let piece = visit.client.exactly(b"2\r\nhi\r\n".len());
            visit.send(piece);
        }
        visit.client.exactly(5);
        visit.send("0\r\n\r\n");
    });
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    client.send("POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert!(client.head().unwrap().starts_with("HTTP/1.1 200"));
    for _ in 0..3 {
        client.send("2\r\nhi\r\n");
        assert_eq!(client.exactly(7), b"2\r\nhi\r\n");
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.exactly(5), b"0\r\n\r\n");
}

#[test]
fn chunks_that_come_together_go_up_together() {
    // Tells how many chunks it took, and what they held.
    let upstream = Upstream::new(|_, mut visit| {
        while visit.head().is_some() {
            let (mut count, mut body) = (0, Vec::new());
            loop {
                while !visit.client.unread.windows(2).any(|w| w == b"\r\n") {
                    visit.client.fill().unwrap();
                }
                let end = visit.client.unread.windows(2).position(|w| w == b"\r\n").unwrap();
                let line = String::from_utf8(visit.client.exactly(end + 2)).unwrap();
                let size = usize::from_str_radix(line.trim(), 16).unwrap();
                body.extend(&visit.client.exactly(size + 2)[..size]);
                if size == 0 {
                    break;
                }
                count += 1;
            }
            let told = format!("{count} ").into_bytes();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", told.len() + body.len());
            visit.send([head.as_bytes(), &told, &body].concat());
        }
    });
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    for (length, piece, most) in [(5_000, 1, 20), (5_000, 5_000, 1), (40_000, 100, 20), (1, 1, 1), (0, 1, 0)]
    {
        let data = pattern(length);
        let head = "POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n";
        client.send([head.as_bytes(), &chunked(&data, piece)].concat());
        let response = client.response();
        let space = response.body.iter().position(|b| *b == b' ').unwrap();
        let count: usize = std::str::from_utf8(&response.body[..space]).unwrap().parse().unwrap();
        assert!(response.body[space + 1..] == data);
        assert!(count <= most, "{length} bytes in pieces of {piece} went up in {count} chunks");
    }
}

#[test]
fn an_upload_that_breaks_off_never_ends_cleanly_upstream() {
    for head in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
        let clean = Arc::new(AtomicUsize::new(0));
        let broken = Arc::new(AtomicUsize::new(0));
        let (ends, breaks) = (Arc::clone(&clean), Arc::clone(&broken));
        let upstream = Upstream::new(move |_, mut visit| {
            let which = if visit.request().is_some() { &ends } else { &breaks };
            which.fetch_add(1, Ordering::SeqCst);
        });
        let rig = Rig::on(&[upstream.address]);
        let mut client = rig.client();
        client.send(format!("POST / HTTP/1.1\r\nHost: shop.test\r\n{head}\r\n\r\n"));
        client.send(if head.starts_with('T') { "5\r\nhello\r\n" } else { "hello" });
        until("the request never reaches the upstream", || upstream.requests() == 1);
        drop(client);
        until("the upstream is never told", || broken.load(Ordering::SeqCst) == 1);
        assert_eq!(clean.load(Ordering::SeqCst), 0);
    }
    row("18", "uploads that break off, both framings");
}

#[test]
fn a_body_that_breaks_its_own_framing_is_refused_and_not_passed_on_as_whole() {
    let whole = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&whole);
    let upstream = Upstream::new(move |_, mut visit| {
        while visit.request().is_some() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let rig = Rig::on(&[upstream.address]);
    for body in ["5\r\nhelloX", "zz\r\n", "0x5\r\nhello\r\n", "5\r\nhell\r\n0\r\n\r\n", "-1\r\n"] {
        let mut client = rig.client();
        client
            .send(format!("POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n{body}"));
        let response = client.response();
        assert_eq!(response.status, 400, "{body}");
        assert!(response.closed);
    }
    assert_eq!(whole.load(Ordering::SeqCst), 0);
    row("13", "five bodies that break their framing before an answer");
}

#[test]
fn a_body_that_breaks_its_framing_beside_its_answer_breaks_both_off() {
    let (whole, broken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (wholes, breaks) = (Arc::clone(&whole), Arc::clone(&broken));
    let upstream = Upstream::new(move |_, mut visit| {
        visit.head().unwrap();
        visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
        let count = if visit.client.chunks().is_some() { &wholes } else { &breaks };
        count.fetch_add(1, Ordering::SeqCst);
        let _ = visit.client.stream.write_all(b"0\r\n\r\n");
    });
    let rig = Rig::on(&[upstream.address]);
    let bodies = ["X", "\r\nzz\r\n", "\r\n0x5\r\nhello\r\n", "\r\n5\r\nhell\r\n0\r\n\r\n"];
    for (turn, body) in bodies.iter().enumerate() {
        let mut client = rig.client();
        client.send("POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello");
        assert!(client.head().unwrap().starts_with("HTTP/1.1 200"), "{body:?}");
        client.send(body);
        assert_eq!(client.chunks(), None, "{body:?}");
        until("the upstream is never told", || broken.load(Ordering::SeqCst) == turn + 1);
    }
    assert_eq!(whole.load(Ordering::SeqCst), 0);
    row("13", "four bodies that break their framing beside their answer");
}

#[test]
fn a_response_that_breaks_off_breaks_the_clients_off() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    ] {
        let upstream = Upstream::new(move |_, mut visit| {
            visit.request().unwrap();
            visit.send(head);
        });
        let rig = Rig::on(&[upstream.address]);
        let mut client = rig.client();
        client.send(get("/"));
        let head = client.head().unwrap();
        if head.contains("content-length") {
            // Fewer than announced, then the end.
            assert!(client.rest().unwrap_or_default().len() < 10);
        } else {
            assert_eq!(client.chunks(), None);
        }
        rig.await_metric(r#"synkronic_edge_faults_total{side="upstream",fault="truncated_response"}"#, |n| {
            n == 1.0
        });
    }
}

#[test]
fn a_client_that_goes_takes_its_upstream_request_along() {
    // While the head is awaited, and while the body streams.
    for head in ["", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"] {
        let gone = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&gone);
        let upstream = Upstream::new(move |_, mut visit| {
            visit.request().unwrap();
            visit.send(head);
            while visit.client.stream.read_to_null() {}
            count.fetch_add(1, Ordering::SeqCst);
        });
        let rig = Rig::on(&[upstream.address]);
        let mut client = rig.client();
        client.send(get("/"));
        until("the request never reaches the upstream", || upstream.requests() == 1);
        if !head.is_empty() {
            client.head().unwrap();
        }
        drop(client);
        until("the upstream is never told", || gone.load(Ordering::SeqCst) == 1);
        rig.await_metric("synkronic_edge_connections", |n| n == 0.0);
        rig.await_metric(r#"synkronic_edge_faults_total{side="client",fault="client_gone"}"#, |n| n == 1.0);
    }
    row("71", "before the head and in the body");
}

#[test]
fn one_hundred_continue_comes_when_the_body_is_wanted() {
    let upstream = Upstream::echo();
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    client.send("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.response().status, 100);
    client.send("hello");
    assert_eq!(client.response().text(), "POST / HTTP/1.1\nhello");
    assert_eq!(upstream.heads.lock().unwrap()[0].to_lowercase().matches("expect").count(), 0);
}

trait ReadToNull {
    /// Reads and forgets; false at the end.
    fn read_to_null(&mut self) -> bool;
}

impl ReadToNull for std::net::TcpStream {
    fn read_to_null(&mut self) -> bool {
        std::io::Read::read(self, &mut [0; 4096]).is_ok_and(|count| count > 0)
    }
}
