//! A request's head: read as hyper reads it, judged by the guard, written for the upstream, and read again by a strict
//! reader that shares nothing with either. What the guard lets in must come out as one request, and as the one meant.
#![no_main]

use http::request::Parts;
use http::{Request, Version};
use libfuzzer_sys::fuzz_target;
use synkronic::wire::Scheme;
use synkronic::wire::forward::Peer;
use synkronic::wire::framing::RequestBody;
use synkronic::wire::guard::{Admission, Admitted, Terms, examine};
use synkronic::wire::prefix::Prefix;
use synkronic::wire::request::{Head, ours};

#[allow(dead_code)]
#[path = "../../hostile/reading.rs"]
mod reading;

/// As hyper makes it of the bytes.
fn parts(bytes: &[u8]) -> Option<Parts> {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut head = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(_) = head.parse(bytes).ok()? else { return None };
    let version = if head.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let mut request = Request::builder().method(head.method?).uri(head.path?.as_bytes()).version(version);
    for field in head.headers {
        request = request.header(field.name, field.value);
    }
    Some(request.body(()).ok()?.into_parts().0)
}

fuzz_target!(|data: &[u8]| {
    let Some((flags, bytes)) = data.split_first() else { return };
    let Some(parts) = parts(bytes) else { return };
    let terms = Terms::new(Scheme::Http, "synkronic-7f3a".to_owned());
    let Ok(Admission::Route(admitted)) = examine(&parts, &terms) else { return };
    // With the first segments taken off, as path mode does, and with all there is.
    let ends = admitted.path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0).take(2);
    for length in std::iter::once(0).chain(ends) {
        write(&parts, &admitted, length, flags & 1 == 1);
    }
});

fn write(parts: &Parts, admitted: &Admitted<'_>, length: usize, trusted: bool) {
    let split = Prefix::split(&admitted.path, length);
    let path = split.map_or(&*admitted.path, |(_, path)| path);
    let mut out = Vec::new();
    Head {
        parts,
        admitted,
        path,
        query: admitted.query,
        prefix: split.map(|(prefix, _)| prefix),
        peer: Peer { address: "192.0.2.1", trusted, scheme: Scheme::Http },
        request_id: admitted.request_id.unwrap_or("made-up").as_bytes(),
        pseudonym: "synkronic-7f3a",
        version: "version-1",
        ours: &ours("synkronic-7f3a", "version-1"),
    }
    .write(&mut out);
    let body = match admitted.body {
        RequestBody::None => 0,
        RequestBody::Length(length) if length > 1 << 16 => return,
        RequestBody::Length(length) => {
            out.resize(out.len() + length as usize, b'x');
            length as usize
        }
        RequestBody::Chunked => {
            out.extend_from_slice(b"3\r\nabc\r\n0\r\n\r\n");
            3
        }
    };
    let reading::Read::Whole(read, whole) = reading::request(&out) else {
        panic!("{:?} for {:?}", reading::request(&out), String::from_utf8_lossy(&out));
    };
    assert_eq!(whole, out.len(), "more than one request: {:?}", String::from_utf8_lossy(&out));
    assert_eq!(read.method, parts.method.as_str());
    let target = admitted.query.map_or(path.to_owned(), |query| format!("{path}?{query}"));
    let latin: Vec<u8> = read.target.chars().map(|c| c as u8).collect();
    assert_eq!(latin, target.as_bytes());
    let host = admitted.port.map_or(admitted.host.to_string(), |port| format!("{}:{port}", admitted.host));
    assert_eq!(read.one("host"), Some(&*host));
    assert_eq!(read.body.len(), body);
    assert!(read.one("via").unwrap().ends_with(" synkronic-7f3a"));
    assert_eq!(read.one("x-synkronic-version"), Some("version-1"));
    let from = read.one("x-forwarded-for").unwrap();
    assert!(if trusted { from.ends_with("192.0.2.1") } else { from == "192.0.2.1" }, "{from}");
    for gone in ["te", "trailer", "keep-alive", "proxy-connection", "proxy-authorization", "expect", "http2-settings"] {
        assert!(read.all(gone).is_empty(), "{gone} went along");
    }
    let upgrades = if admitted.websocket { vec!["websocket"] } else { Vec::new() };
    assert_eq!(read.all("upgrade"), upgrades);
}
