//! Inputs that take a scene of their own: many requests, an upstream that plays a part, logs and metrics.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use synkronic::edge::{AccessLog, Config, Limits};
use synkronic::routes::Table;

use super::rig;
use super::scene::{Rig, Upstream, endpoint, get, route, row, until};

#[test]
fn line_16_a_body_in_chunks_of_one_byte_costs_in_proportion() {
    const CHUNKS: usize = 100_000;
    let upstream = Upstream::new(|_, mut visit| {
        visit.head().unwrap();
        let mut all = std::mem::take(&mut visit.client.unread);
        let mut piece = vec![0; 64 << 10];
        while !all.ends_with(b"\r\n0\r\n\r\n") {
            let count = visit.client.stream.read(&mut piece).unwrap();
            all.extend_from_slice(&piece[..count]);
        }
        let letters = all.iter().filter(|b| **b == b'x').count();
        visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n{letters:06}"));
    });
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    let body = "1\r\nx\r\n".repeat(CHUNKS) + "0\r\n\r\n";
    let begun = Instant::now();
    let mut out = client.stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        out.write_all(b"POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        out.write_all(body.as_bytes()).unwrap();
    });
    assert_eq!(client.response().text(), format!("{CHUNKS:06}"));
    sending.join().unwrap();
    assert!(begun.elapsed() < rig::HANGS);
    row("16", &format!("{CHUNKS} chunks of one byte in {:.1} s", begun.elapsed().as_secs_f64()));
}

#[test]
fn line_24_a_pipeline_up_to_its_malformed_request() {
    for (place, bad) in [
        (49, "GET / HTTP/1.1\r\nHost: shop.test, a\r\n\r\n"),
        (49, "GET / HTTP/1.1\r\nHost: shop.test\r\nA : b\r\n\r\n"),
        (1, "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        (99, "GET / HTTP/3.0\r\nHost: shop.test\r\n\r\n"),
    ] {
        let rig = rig::Rig::new(&Config { workers: 1, ..Config::default() });
        let good = get("/");
        let pipeline = format!("{}{bad}{}", good.repeat(place), good.repeat(100 - place));
        let bytes = pipeline.as_bytes();
        let splits: Vec<Vec<&[u8]>> =
            (1..bytes.len()).step_by(13).map(|at| vec![&bytes[..at], &bytes[at..]]).collect();
        for outcome in rig.send(&splits, false) {
            let statuses: Vec<u16> = outcome.answers.iter().map(|answer| answer.status).collect();
            assert_eq!(statuses, [vec![200; place], vec![400]].concat(), "{bad:?}");
            assert_eq!(outcome.seen.whole.len(), place, "{bad:?}");
            assert!(outcome.rest.is_empty() && !outcome.reset, "{bad:?}");
        }
    }
    row("24", "pipelines of 100 with a malformed request at 1, 49 and 99");
}

#[test]
fn line_33_hosts_are_the_same_among_ten_and_among_ten_thousand() {
    let upstream = Upstream::echo();
    for count in [10, 10_000] {
        let rig = Rig::on(&[]);
        let hosts = (0..count).map(|number| {
            let route = Arc::new(route("base", vec![endpoint(upstream.address)]));
            (format!("shop-{number}.test").into(), route)
        });
        rig.table.store(Arc::new(Table::of_hosts(2, hosts)));
        for host in ["shop-7.test", "SHOP-7.TEST", "Shop-7.test.", "shop-7.test:80", "SHOP-7.TEST.:443"] {
            let response = rig.ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
            assert_eq!(response.status, 200, "{host} of {count}");
        }
        assert_eq!(rig.ask("GET / HTTP/1.1\r\nHost: shop-7x.test\r\n\r\n").status, 404);
    }
    row("33", "five spellings of a host among 10 and among 10,000");
}

#[test]
fn line_48_a_proxy_that_is_its_own_upstream_says_so() {
    let rig = Rig::on(&[]);
    let own: SocketAddr = rig.address();
    let route = Arc::new(route("base", vec![endpoint(own)]));
    rig.table.store(Arc::new(Table::of_hosts(2, [("shop.test".into(), route)])));
    let mut client = rig.client();
    client.send(get("/"));
    assert_eq!(client.response().status, 508);
    // Through another proxy in between, too; and the connection is as good as before.
    client.send("GET / HTTP/1.1\r\nHost: shop.test\r\nVia: 1.1 other\r\n\r\n");
    assert_eq!(client.response().status, 508);
    row("48", "508 after one hop");
}

#[test]
fn line_49_an_expected_100_is_never_mistaken() {
    // Answers before it has read the body, without 100; then reads it.
    let early = |answer: &'static str| {
        Upstream::new(move |_, mut visit| {
            while visit.head().is_some() {
                visit.send(answer);
                let mut left = vec![0; 43 - visit.client.unread.len().min(43)];
                visit.client.unread.clear();
                if answer.contains("close") || visit.client.stream.read_exact(&mut left).is_err() {
                    return;
                }
            }
        })
    };
    let ask = "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 43\r\nExpect: 100-continue\r\n\r\n";
    let body = "GET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n";
    for (answer, status) in [
        ("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n", 417),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 200),
        ("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n", 413),
    ] {
        let upstream = early(answer);
        let rig = Rig::on(&[upstream.address]);
        // A client that waits for 100 gets it from us; then the upstream's answer, and its body is never a request.
        let mut client = rig.client();
        client.send(ask);
        let first = client.response().status;
        assert!(first == 100 || first == status, "{first}");
        client.send(body);
        let after = if first == 100 { client.response().status } else { first };
        assert_eq!(after, status);
        drop(client);
        // One that does not wait.
        let mut client = rig.client();
        client.send([ask, body].concat());
        let mut statuses = vec![client.response().status];
        if statuses == [100] {
            statuses.push(client.response().status);
        }
        assert_eq!(statuses.last(), Some(&status));
        assert_eq!(upstream.requests(), 2, "{:?}", upstream.heads.lock().unwrap());
    }
    // One that never answers: the client waits no longer than it would without.
    let upstream = Upstream::new(|_, mut visit| {
        visit.head();
        // The body comes, and then the end.
        while !visit.client.is_ended() {}
    });
    let limits = Limits {
        response: Duration::from_millis(500),
        stream_idle: Duration::from_millis(500),
        ..Limits::default()
    };
    let rig = Rig::with(Config { workers: 1, limits, ..Config::default() }, &[upstream.address]);
    let mut client = rig.client();
    client.send(ask);
    assert_eq!(client.response().status, 100);
    client.send(body);
    assert_eq!(client.response().status, 504);
    row("49", "417, 200 and 413 early, and no answer at all");
}

const HANDSHAKE: &str = "GET /socket HTTP/1.1\r\nHost: shop.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

#[test]
fn line_51_a_handshake_that_is_not_accepted_stays_http() {
    for (answer, status) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200),
        ("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", 400),
        (
            "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n",
            426,
        ),
        ("HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n", 200),
        ("", 502),
    ] {
        let upstream = Upstream::new(move |_, mut visit| {
            while visit.head().is_some() && !answer.is_empty() {
                visit.send(answer);
            }
        });
        let rig = Rig::on(&[upstream.address]);
        let mut client = rig.client();
        client.send([HANDSHAKE, &get("/next")].concat());
        let responses = [client.response(), client.response()];
        assert_eq!(responses.each_ref().map(|response| response.status), [status; 2], "{answer:?}");
        assert!(responses.iter().all(|response| response.field("upgrade").is_none()), "{responses:?}");
        for head in upstream.heads.lock().unwrap().iter() {
            let request_line = head.lines().next().unwrap();
            assert!(
                ["GET /socket HTTP/1.1", "GET /next HTTP/1.1"].contains(&request_line),
                "{request_line:?}"
            );
        }
    }
    row("51", "handshakes answered 200, 400, 426 and by a close");
}

#[test]
fn line_52_a_101_that_was_not_asked_for_is_a_502() {
    for (ask, switch) in [
        (get("/"), "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
        (
            HANDSHAKE.to_owned(),
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        ),
        (HANDSHAKE.to_owned(), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
        (HANDSHAKE.to_owned(), "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n"),
        (HANDSHAKE.to_owned(), "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    ] {
        let upstream = Upstream::new(move |_, mut visit| {
            visit.head();
            visit.send(switch);
            visit.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
            visit.client.is_ended();
        });
        let rig = Rig::on(&[upstream.address]);
        let mut client = rig.client();
        client.send(&ask);
        let response = client.response();
        assert_eq!(response.status, 502, "{ask:?} {switch:?}");
        client.send(get("/next"));
        assert_eq!(client.response().status, 502);
        assert_eq!(upstream.connections(), 2, "{switch:?}");
    }
    row("52", "101 unasked, to another protocol, and without its fields");
}

#[test]
fn line_54_a_log_line_stays_one_line_and_says_nothing_to_terminals() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let config = Config { workers: 1, access_log: AccessLog::File(path.clone()), ..Config::default() };
    let rig = rig::Rig::new(&config);
    let agents: [&[u8]; 8] = [
        b"a\"b\\c",
        b"a\tb",
        b"\xff\xfe\x80",
        "\u{9b}31m".as_bytes(),
        "\u{2028}\u{85}\u{202e}".as_bytes(),
        b"\\n{\"status\":200}",
        b"\xc2",
        b"</script>",
    ];
    let head =
        b"GET /a?b=%0a%1b[31m HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\nUser-Agent: ".as_slice();
    let logged = agents.map(|agent| ([head, agent, b"\r\n\r\n"].concat(), 200));
    let long = b"\xff".repeat(16_000);
    let long = [
        ([head, &long, b"\r\n\r\n"].concat(), 200),
        ([b"GET /\x1b HTTP/1.1\r\nHost: ".as_slice(), &long, b"\r\n\r\n"].concat(), 400),
        (format!("{} /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", "M".repeat(30_000)).into_bytes(), 501),
        (get(&"/\"".repeat(4_000)).into_bytes(), 400),
    ];
    let refused = [
        "GET /\u{1b}[31m HTTP/1.1\r\nHost: a\r\n\r\n",
        "\u{1b}[2J\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\nb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: a\u{1b}[2Jb\r\n\r\n",
        "GET /\u{9b} HTTP/1.1\r\nHost: a\r\n\r\n",
    ]
    .map(|text| (text.as_bytes().to_vec(), 400));
    let all: Vec<(Vec<u8>, u16)> = logged.into_iter().chain(refused).chain(long).collect();
    let outcomes = rig.send(&all.iter().map(|(bytes, _)| vec![bytes.as_slice()]).collect::<Vec<_>>(), false);
    for ((bytes, status), outcome) in all.iter().zip(outcomes) {
        assert_eq!(outcome.answers[0].status, *status, "{:?}", String::from_utf8_lossy(bytes));
    }
    drop(rig);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.split_terminator('\n').collect();
    assert_eq!(lines.len(), all.len(), "{text}");
    for line in &lines {
        let read: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(read["status"] == 200 || read["status"] == 400 || read["status"] == 501, "{line}");
        assert!(line.len() < 4_000, "{} bytes: {line}", line.len());
        let refused = read["fault"] == "path_character" && read["method"] == "GET";
        assert!(refused || read["target"] != "/\u{9b}", "{line}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    row("54", &format!("{} attempts at the log", all.len()));
}

#[test]
fn line_55_labels_come_from_the_configuration() {
    let upstream = Upstream::echo();
    let rig = Rig::on(&[upstream.address]);
    let ask = |number: usize| {
        let mut client = rig.client();
        let mut all = String::new();
        for turn in 0..50 {
            let one = number * 50 + turn;
            let status = ["shop.test".to_owned(), format!("h{one}.test")][turn % 2].clone();
            all +=
                &format!("M{one} /p{one}?q={one} HTTP/1.1\r\nHost: {status}\r\nUser-Agent: u{one}\r\n\r\n");
        }
        client.send(all);
        for _ in 0..50 {
            client.response();
        }
    };
    ask(0);
    let names = || {
        let text = rig.meter.scrape();
        let mut names: Vec<String> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned()))
            .collect();
        names.sort();
        names
    };
    let before = names();
    (1..100).for_each(ask);
    assert_eq!(names(), before);
    row("55", &format!("5,000 methods, paths, hosts and agents, {} series before and after", before.len()));
}

#[test]
fn line_70_an_early_answer_reaches_a_client_that_only_writes() {
    const LARGE: usize = 64 << 20;
    for connection in ["", "Connection: close\r\n"] {
        let upstream = Upstream::new(move |_, mut visit| {
            visit.head().unwrap();
            visit
                .send(format!("HTTP/1.1 413 Content Too Large\r\n{connection}Content-Length: 4\r\n\r\nlong"));
            // Closed with bytes unread: a reset, as from a server that has had enough.
        });
        let rig = Rig::on(&[upstream.address]);
        let mut client = rig.client();
        client.send(format!("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: {LARGE}\r\n\r\n"));
        let piece = vec![b'x'; 64 << 10];
        let mut written = 0;
        // It reads nothing before it has written all, or cannot write on.
        while written < LARGE && client.stream.write_all(&piece).is_ok() {
            written += piece.len();
        }
        let response = client.response();
        assert_eq!((response.status, response.text()), (413, "long"));
    }
    row("70", "413 while 64 MiB are written, with and without a close");
}

#[test]
fn heads_that_hyper_refuses_are_counted_by_what_was_wrong() {
    let limits = Limits { head_bytes: 200 << 10, target_bytes: 100 << 10, ..Limits::default() };
    let upstream = Upstream::echo();
    let rig = Rig::with(Config { workers: 1, limits, ..Config::default() }, &[upstream.address]);
    for (ask, status, label) in [
        (format!("GET /{} HTTP/1.1\r\nHost: shop.test\r\n\r\n", "a".repeat(70_000)), 414, "target_too_long"),
        (
            format!("GET / HTTP/1.1\r\nHost: shop.test\r\nA: {}\r\n\r\n", "a".repeat(210_000)),
            431,
            "head_too_large",
        ),
        ("GET / HTTP/4.2\r\n\r\n".to_owned(), 400, "head"),
    ] {
        assert_eq!(rig.ask(ask).status, status);
        let line = format!(r#"synkronic_edge_faults_total{{side="client",fault="{label}"}}"#);
        rig.await_metric(&line, |n| n == 1.0);
        let line = format!(r#"synkronic_edge_requests_total{{router="",version="",code="{status}"}}"#);
        rig.await_metric(&line, |n| n == 1.0);
    }
}

#[test]
fn line_18_a_body_that_the_client_ends_early_is_no_request() {
    // As in the table, but with the client's whole connection gone, reset and not.
    let whole = Arc::new(AtomicUsize::new(0));
    let broken = Arc::new(AtomicUsize::new(0));
    let (wholes, breaks) = (Arc::clone(&whole), Arc::clone(&broken));
    let upstream = Upstream::new(move |_, mut visit| {
        let count = if visit.request().is_some() { &wholes } else { &breaks };
        count.fetch_add(1, Ordering::SeqCst);
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let config = Config { workers: 1, access_log: AccessLog::File(path.clone()), ..Config::default() };
    let rig = Rig::with(config, &[upstream.address]);
    let mut sent = 0;
    for framed in ["Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"] {
        for reset in [false, true] {
            let mut client = rig.client();
            client.send(format!("POST / HTTP/1.1\r\nHost: shop.test\r\n{framed}"));
            sent += 1;
            until("the request never reaches the upstream", || upstream.requests() == sent);
            if reset {
                socket2::SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
            } else {
                client.stream.shutdown(Shutdown::Both).unwrap();
            }
            drop(client);
            until("the upstream is never told", || broken.load(Ordering::SeqCst) == sent);
        }
    }
    assert_eq!(whole.load(Ordering::SeqCst), 0);
    drop(rig);
    let log = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), sent, "{log}");
    assert!(lines.iter().all(|line| line["status"] == 499 && line["fault"] == "client_gone"), "{log}");
    row("18", "uploads whose client went, by a close and by a reset; none is logged as a success");
}

#[test]
fn a_body_that_nobody_read_is_no_request_when_the_edge_leaves() {
    let upstream = Upstream::echo();
    let limits = Limits { linger: Duration::from_millis(100), ..Limits::default() };
    for apart in [false, true] {
        let rig = Rig::with(
            Config { workers: 1, limits: limits.clone(), ..Config::default() },
            &[upstream.address],
        );
        // Whoever has just connected is served all the same.
        let mut clients: Vec<_> = (0..16).map(|_| rig.client()).collect();
        until("the clients never arrive", || rig.metric("synkronic_edge_connections") >= 16.0);
        rig.bound.handle().drain();
        std::thread::sleep(Duration::from_millis(50));
        let body = get("/smuggled");
        let head = format!("POST / HTTP/1.1\r\nHost: nobody.test\r\nContent-Length: {}\r\n\r\n", body.len());
        for client in &mut clients {
            if apart {
                client.send(&head);
            } else {
                client.send([head.as_str(), &body].concat());
            }
        }
        for client in &mut clients {
            if apart {
                // Answered before it has come; it may find the connection closed.
                let _ = client.stream.write_all(body.as_bytes());
            }
            let all = client.rest().unwrap_or_default();
            let text = String::from_utf8_lossy(&all).into_owned();
            assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
            assert!(text.starts_with("HTTP/1.1 404"), "{text}");
        }
    }
    assert_eq!(upstream.requests(), 0, "{:?}", upstream.heads.lock().unwrap());
}
