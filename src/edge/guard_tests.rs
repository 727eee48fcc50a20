//! The guard of `wire` where it stands: behind hyper, fed with bytes, whole and split at every byte. The numbers are lines of
//! the list of hostile inputs. Held for every line: what follows a refused message is never answered.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::wire::Scheme;
use crate::wire::guard::{Admission, Terms, examine};
use crate::wire::refusal::Refusal;

/// What came of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The guard let it in; its body was read to the end.
    Admitted,
    /// We answer ourselves.
    Ours,
    /// The guard refused it.
    Refused(Refusal),
    /// The guard let it in, its body turned out malformed.
    BrokenBody,
}

/// One request: what follows a message on its connection, and must be answered only where that was sound.
const NEXT: &str = "GET /next HTTP/1.1\r\nHost: next.example\r\n\r\n";

/// Sends the pieces to hyper with the guard behind it; what the guard saw, and the status lines that came back.
fn sent(pieces: &[&[u8]]) -> (Vec<End>, Vec<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let answers = runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let ends = Arc::clone(&seen);
        let service = service_fn(move |request| {
            let ends = Arc::clone(&ends);
            async move { Ok::<_, Infallible>(served(request, &ends).await) }
        });
        // Half-closed, so that all answers that would ever come are there when the connection ends.
        let connection = http1::Builder::new()
            .half_close(true)
            .max_header_size(32 << 10)
            .serve_connection(TokioIo::new(server), service);
        let talk = async {
            for piece in pieces {
                // The server may have closed already; then there is nobody to write to.
                let _ = client.write_all(piece).await;
                tokio::task::yield_now().await;
            }
            let _ = client.shutdown().await;
            let mut answers = Vec::new();
            client.read_to_end(&mut answers).await.unwrap();
            answers
        };
        tokio::join!(connection, talk).1
    });
    let ends = seen.lock().unwrap().clone();
    let text = String::from_utf8(answers).unwrap();
    (
        ends,
        text.lines().filter(|line| line.starts_with("HTTP/1.")).map(|line| line[9..12].to_owned()).collect(),
    )
}

async fn served(request: Request<Incoming>, ends: &Mutex<Vec<End>>) -> Response<Empty<Bytes>> {
    let (parts, body) = request.into_parts();
    let terms = Terms::new(Scheme::Http, "synkronic-7f3a".to_owned());
    let mut response = Response::new(Empty::new());
    let end = match examine(&parts, &terms) {
        Ok(Admission::OurOptions) => End::Ours,
        Ok(Admission::Route(_)) if body.collect().await.is_err() => {
            response.headers_mut().insert("connection", HeaderValue::from_static("close"));
            End::BrokenBody
        }
        Ok(Admission::Route(_)) => End::Admitted,
        Err(refusal) => {
            let told = refusal.told();
            *response.status_mut() = told.status;
            if told.close {
                response.headers_mut().insert("connection", HeaderValue::from_static("close"));
            }
            End::Refused(refusal)
        }
    };
    ends.lock().unwrap().push(end);
    response
}

/// The outcome of a message and what follows it, which must be the same at every split.
fn at_every_split(message: &str) -> (Vec<End>, Vec<String>) {
    let bytes = [message.as_bytes(), NEXT.as_bytes()].concat();
    let whole = sent(&[&bytes]);
    for at in 1..bytes.len() {
        let (a, b) = bytes.split_at(at);
        assert_eq!(sent(&[a, b]), whole, "{message:?} split at {at}");
    }
    let drops: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(sent(&drops), whole, "{message:?} byte by byte");
    whole
}

fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\n{fields}\r\n")
}

#[test]
fn sound_messages_and_what_follows_are_both_served() {
    for message in [
        get("/", "Host: a\r\n"),
        get("/a?b", "Host: A.\r\nAccept: */*\r\n"),
        get("http://a/", "Host: b\r\n"),
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc".to_owned(),
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_owned(),
        // Line 10: a body that looks like a request is a body.
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 31\r\n\r\nGET /x HTTP/1.1\r\nHost: evil\r\n\r\n"
            .to_owned(),
        // Line 3, merged by hyper.
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na".to_owned(),
        // Line 22.
        format!("\r\n{}", get("/", "Host: a\r\n")),
    ] {
        let (ends, answers) = at_every_split(&message);
        assert_eq!(ends, [End::Admitted, End::Admitted], "{message:?}");
        assert_eq!(answers, ["200", "200"], "{message:?}");
    }
}

#[test]
fn line_32_options_of_the_server_is_ours() {
    let (ends, answers) = at_every_split("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((ends, answers), (vec![End::Ours, End::Admitted], vec!["200".to_owned(), "200".to_owned()]));
}

#[test]
fn line_1_both_framings_are_read_as_chunked_and_the_connection_closed() {
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: +x\r\n",
    ] {
        let message = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n0\r\n\r\n");
        assert_eq!(at_every_split(&message), (vec![End::Admitted], vec!["200".to_owned()]), "{fields:?}");
    }
}

#[test]
fn what_the_guard_refuses() {
    use Refusal::*;
    let chunked =
        |coding: &str| format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n");
    for (message, refusal) in [
        (chunked("gzip, chunked"), TransferEncoding),
        (chunked("chunked, chunked"), TransferEncoding),
        (chunked(",chunked"), TransferEncoding),
        (chunked("chunked\r\nTransfer-Encoding: chunked"), TransferEncoding),
        (get("/", "Host: a\r\nTransfer_Encoding: chunked\r\n"), FieldUnderscore),
        (get("/", "Host: a\r\nContent_Length: 5\r\n"), FieldUnderscore),
        (get("/", ""), HostMissing),
        (get("/", "Host: a\r\nHost: a\r\n"), HostRepeated),
        (get("/", "Host:\r\n"), HostMalformed),
        (get("/", "Host: u@b\r\n"), HostMalformed),
        (get("/", "Host: a/b\r\n"), HostMalformed),
        (get("/", "Host: a,b\r\n"), HostMalformed),
        (get("/", "Host: a:0\r\n"), HostMalformed),
        (get("/", "Host: \u{fc}.de\r\n"), HostMalformed),
        (get("http://u:p@a/", "Host: a\r\n"), TargetUserinfo),
        (get("https://a/", "Host: a\r\n"), TargetScheme),
        (get("ftp://a/", "Host: a\r\n"), TargetScheme),
        (get("foo", "Host: a\r\n"), TargetForm),
        (get("x:80", "Host: a\r\n"), TargetForm),
        (get("*", "Host: a\r\n"), TargetForm),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), MethodConnect),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), MethodTrace),
        (get("/version-2/../version-1/x", "Host: a\r\n"), PathDotSegment),
        (get("/version-1/%2e%2e/", "Host: a\r\n"), PathDotSegment),
        (get("/./", "Host: a\r\n"), PathDotSegment),
        (get("//version-1", "Host: a\r\n"), PathEmptySegment),
        (get("//evil.example/", "Host: a\r\n"), PathEmptySegment),
        (get("/version-1%2Fadmin", "Host: a\r\n"), PathEncodedDelimiter),
        (get("/a%00", "Host: a\r\n"), PathEncodedDelimiter),
        (get("/a%5cb", "Host: a\r\n"), PathEncodedDelimiter),
        (get("/%zz", "Host: a\r\n"), PathEncoding),
        (get("/a\\b", "Host: a\r\n"), PathCharacter),
        (get("/\"{}", "Host: a\r\n"), PathCharacter),
        (get("/\u{fc}", "Host: a\r\n"), PathCharacter),
    ] {
        let (ends, answers) = at_every_split(&message);
        assert_eq!(ends, [End::Refused(refusal)], "{message:?}");
        assert_eq!(answers, [refusal.told().status.as_str()], "{message:?}");
    }
}

#[test]
fn what_hyper_refuses_never_reaches_the_guard() {
    for message in [
        get("/", "Host: a\r\nContent-Length: 1, 1\r\n"),
        get("/", "Host: a\r\nContent-Length: +1\r\n"),
        get("/", "Host: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n"),
        get("/", "Host: a\r\nTransfer-Encoding: xchunked\r\n"),
        get("/", "Host: a\r\nTransfer-Encoding: chunked;a=b\r\n"),
        "GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
        get("/", "Host: a\r\nX: a\rb\r\n"),
        get("/", "Host: a\r\nX: a\0b\r\n"),
        get("/", "Host: a\r\n X: folded\r\n"),
        get("/", "Host : a\r\n"),
        get("/", "Host: a\r\n: x\r\n"),
        get("/", "Host: a\0.b\r\n"),
        "GET / HTTP/1.2\r\nHost: a\r\n\r\n".to_owned(),
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(),
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n".to_owned(),
    ] {
        let (ends, answers) = at_every_split(&message);
        assert_eq!(ends, [], "{message:?}");
        assert_eq!(answers, ["400"], "{message:?}");
    }
}

#[test]
fn lines_12_and_15_malformed_chunks_break_the_body() {
    for body in [
        "0x1\r\na\r\n0\r\n\r\n",
        "1\na\n0\n\n",
        "1\r\nab\r\n0\r\n\r\n",
        "1;a\nb\r\na\r\n0\r\n\r\n",
        "11111111111111111\r\na",
    ] {
        let message = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        let (ends, _) = at_every_split(&message);
        assert_eq!(ends, [End::BrokenBody], "{body:?}");
    }
}

#[test]
fn line_24_pipelined_requests_up_to_a_malformed_one() {
    let good = get("/", "Host: a\r\n");
    let message = format!("{}{}{}", good.repeat(49), get("/", "Host: a,b\r\n"), good.repeat(50));
    let (ends, answers) = sent(&[message.as_bytes()]);
    assert_eq!(ends.len(), 50);
    assert!(ends.iter().take(49).all(|end| *end == End::Admitted));
    assert_eq!(ends.last(), Some(&End::Refused(Refusal::HostMalformed)));
    assert_eq!(answers.len(), 50);
    assert_eq!(answers.last().map(String::as_str), Some("400"));
}

#[test]
fn line_38_hyper_cuts_fragments_off_and_so_do_we() {
    let (ends, _) = at_every_split(&get("/a#frag", "Host: a\r\n"));
    assert_eq!(ends, [End::Admitted, End::Admitted]);
    let parts = crate::wire::sample::parts("GET", "/a#frag", &[("host", "a")]);
    let terms = Terms::new(Scheme::Http, "x".to_owned());
    let Ok(Admission::Route(admitted)) = examine(&parts, &terms) else { panic!() };
    assert_eq!((&*admitted.path, admitted.query), ("/a", None));
}
