//! The head writer, looked at as bytes and read back.

use proptest::prelude::*;

use super::*;
use crate::wire::Scheme;
use crate::wire::guard::{Admission, Terms, examine};
use crate::wire::sample::parts;

/// The head that goes upstream for it.
fn written(parts: &Parts, trusted: bool, prefix: Option<&str>) -> String {
    let terms = Terms::new(Scheme::Http, "synkronic-1".to_owned());
    let Ok(Admission::Route(admitted)) = examine(parts, &terms) else { panic!("not admitted: {parts:?}") };
    let prefix = prefix.map(|text| Prefix::parse(text).unwrap());
    let path = prefix.as_ref().map_or(&*admitted.path, |prefix| prefix.strip(&admitted.path).unwrap());
    let head = Head {
        parts,
        admitted: &admitted,
        path,
        query: admitted.query,
        prefix,
        peer: Peer { address: "192.0.2.1", trusted, scheme: Scheme::Http },
        request_id: admitted.request_id.unwrap_or("new-id").as_bytes(),
        pseudonym: &terms.pseudonym,
        version: "version-2",
        ours: &ours(&terms.pseudonym, "version-2"),
    };
    let mut out = Vec::new();
    head.write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_plain_request() {
    let parts = parts("GET", "/version-2/a?b=c", &[("host", "Shop.Example.COM.:8080"), ("accept", "*/*")]);
    assert_eq!(
        written(&parts, false, Some("/version-2")),
        "GET /a?b=c HTTP/1.1\r\nhost: shop.example.com:8080\r\naccept: */*\r\n\
         x-forwarded-for: 192.0.2.1\r\nx-forwarded-proto: http\r\nx-forwarded-host: shop.example.com:8080\r\n\
         x-forwarded-port: 8080\r\nx-forwarded-prefix: /version-2\r\nx-request-id: new-id\r\n\
         via: 1.1 synkronic-1\r\nx-synkronic-version: version-2\r\nbaggage: synkronic-version=version-2\r\n\r\n"
    );
}

/// The fields of a written head, in order.
fn fields(head: &str) -> Vec<(&str, &str)> {
    let (_, fields) = head.strip_suffix("\r\n\r\n").unwrap().split_once("\r\n").unwrap();
    fields.split("\r\n").map(|line| line.split_once(": ").unwrap()).collect()
}

/// What goes upstream of these fields, beside `host` and what is always ours.
fn passed(trusted: bool, sent: &[(&str, &str)]) -> Vec<(String, String)> {
    let sent: Vec<_> = [("host", "a.example")].iter().chain(sent).copied().collect();
    let parts = parts("GET", "/", &sent);
    let always = [
        ("host", "a.example"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "a.example"),
        ("x-forwarded-port", "80"),
        ("x-request-id", "new-id"),
        ("via", "1.1 synkronic-1"),
        ("x-synkronic-version", "version-2"),
        ("baggage", "synkronic-version=version-2"),
    ];
    let head = written(&parts, trusted, None);
    let rest = fields(&head).into_iter().filter(|field| !always.contains(field));
    rest.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn owned(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn line_41_what_connection_names_goes_first_and_ours_comes_after() {
    let sent = [
        ("connection", "close, X-Forwarded-For, X-Real-IP, Authorization, Cookie, Host"),
        ("connection", "Content-Length, X-Synkronic-Version, Via, Baggage, X-Request-Id"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-real-ip", "6.6.6.6"),
        ("authorization", "Basic x"),
        ("cookie", "a=b"),
        ("content-length", "3"),
        ("x-synkronic-version", "version-9"),
        ("via", "1.1 fred"),
        ("baggage", "a=b"),
        ("x-request-id", "theirs"),
        ("accept", "*/*"),
    ];
    // `x-request-id` is ours to write; the id that was admitted is a sound one, wherever it came from.
    let expected = owned(&[("accept", "*/*"), ("x-request-id", "theirs"), ("content-length", "3")]);
    assert_eq!(passed(false, &sent), expected);
    assert_eq!(passed(true, &sent), expected);
}

#[test]
fn line_42_every_connection_line_counts() {
    let sent = [
        ("connection", "keep-alive"),
        ("connection", ",,x-a , é"),
        ("connection", "X-B"),
        ("x-a", "1"),
        ("x-b", "2"),
        ("x-c", "3"),
    ];
    assert_eq!(passed(false, &sent), owned(&[("x-c", "3")]));
}

#[test]
fn line_43_forged_forwarding_fields_are_replaced() {
    let sent = [
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-port", "1"),
        ("x-forwarded-prefix", "/evil"),
        ("x-forwarded-server", "evil"),
        ("forwarded", "for=6.6.6.6"),
        ("x-real-ip", "6.6.6.6"),
        ("x-original-url", "/admin"),
        ("x-rewrite-url", "/admin"),
    ];
    assert_eq!(passed(false, &sent), owned(&[]));
    assert_eq!(
        passed(true, &sent),
        owned(&[
            ("x-forwarded-server", "evil"),
            ("forwarded", "for=6.6.6.6"),
            ("x-real-ip", "6.6.6.6"),
            ("x-original-url", "/admin"),
            ("x-rewrite-url", "/admin"),
            ("x-forwarded-for", "6.6.6.6, 192.0.2.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-port", "1"),
            ("x-forwarded-prefix", "/evil"),
        ])
    );
}

#[test]
fn lines_44_and_45_internal_and_hop_by_hop_fields() {
    let sent = [
        ("x-synkronic-version", "version-9"),
        ("x-synkronic-reason", "rule:qa"),
        ("x-synkronic-anything", "x"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("proxy-authorization", "Basic x"),
        ("proxy", "http://evil.example"),
        ("te", "gzip"),
        ("trailer", "x-t"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAMAAABkAAQCAAAAAAIAAAAA"),
        ("expect", "100-continue"),
        ("x-synkronics", "passes"),
    ];
    assert_eq!(passed(false, &sent), owned(&[("x-synkronics", "passes")]));
}

#[test]
fn line_46_cookies_become_one_line_and_singletons_pass_as_they_are() {
    let sent = [
        ("cookie", "a=1; b=2"),
        ("content-type", "a/b"),
        ("cookie", ""),
        ("cookie", "c=3"),
        ("content-type", "c/d"),
    ];
    let expected = [("cookie", "a=1; b=2; c=3"), ("content-type", "a/b"), ("content-type", "c/d")];
    assert_eq!(passed(false, &sent), owned(&expected));
    assert_eq!(passed(false, &[("cookie", "")]), owned(&[]));
}

#[test]
fn via_and_baggage_are_added_to() {
    let sent = [
        ("via", "1.0 fred"),
        ("via", "1.1 ginger"),
        ("baggage", "a=1"),
        ("traceparent", "00-x"),
        ("baggage", "b=2,synkronic-version=x"),
    ];
    let expected = [
        ("traceparent", "00-x"),
        ("via", "1.0 fred, 1.1 ginger, 1.1 synkronic-1"),
        ("baggage", "synkronic-version=version-2,a=1,b=2"),
    ];
    assert_eq!(passed(false, &sent), owned(&expected));
}

#[test]
fn one_framing_written_anew() {
    assert_eq!(passed(false, &[("content-length", "0005")]), owned(&[("content-length", "5")]));
    assert_eq!(passed(false, &[("content-length", "0")]), owned(&[("content-length", "0")]));
    let chunked = owned(&[("transfer-encoding", "chunked")]);
    assert_eq!(passed(false, &[("transfer-encoding", "Chunked")]), chunked, "line 11: also for GET");
}

#[test]
fn only_a_websocket_is_upgraded() {
    let sent = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-key", "x"),
        ("content-length", "0"),
    ];
    let expected = [("sec-websocket-key", "x"), ("connection", "upgrade"), ("upgrade", "websocket")];
    assert_eq!(passed(false, &sent), owned(&expected));
    let sent = [("connection", "Upgrade"), ("upgrade", "h2c, websocket")];
    assert_eq!(passed(false, &sent), owned(&[]), "line 50");
}

#[test]
fn request_lines() {
    let line = |method: &str, target: &str, prefix: Option<&str>| {
        let head = written(&parts(method, target, &[("host", "a.example")]), false, prefix);
        head.split("\r\n").next().unwrap().to_owned()
    };
    assert_eq!(line("GET", "/", None), "GET / HTTP/1.1");
    assert_eq!(line("get", "/?", None), "get /? HTTP/1.1");
    assert_eq!(line("PUT", "http://a.example/x?a=/../b", None), "PUT /x?a=/../b HTTP/1.1");
    assert_eq!(line("GET", "/%76ersion-2/x%2E", Some("/version-2")), "GET /x. HTTP/1.1");
    assert_eq!(line("GET", "/version-2//evil.example/", Some("/version-2")), "GET /evil.example/ HTTP/1.1");
}

#[test]
fn max_forwards_is_counted_down_for_options_only() {
    let head = |method: &str, hops: &str| {
        let parts = parts(method, "/", &[("host", "a"), ("max-forwards", hops)]);
        let head = written(&parts, false, None);
        fields(&head)
            .iter()
            .find(|(name, _)| *name == "max-forwards")
            .map(|(_, value)| (*value).to_owned())
            .unwrap()
    };
    assert_eq!(head("OPTIONS", "5"), "4");
    assert_eq!(head("OPTIONS", "x"), "x");
    assert_eq!(head("GET", "5"), "5");
}

#[test]
fn the_received_protocol_stands_in_via() {
    let mut old = parts("GET", "/", &[("host", "a")]);
    old.version = Version::HTTP_10;
    assert!(written(&old, false, None).contains("\r\nvia: 1.0 synkronic-1\r\n"));
    old.version = Version::HTTP_2;
    assert!(written(&old, false, None).contains("\r\nvia: 2 synkronic-1\r\n"));
}

/// Names that pass as they are, names that do not, and names close to both.
const NAMES: &[&str] = &[
    "accept",
    "accept-encoding",
    "authorization",
    "cookie",
    "content-type",
    "range",
    "x-custom",
    "x-other",
    "date",
    "te",
    "trailer",
    "keep-alive",
    "proxy-connection",
    "upgrade",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-fo",
    "x-forwarded-proto-x",
    "x-real-ip",
    "x-real-ipx",
    "x-synkronic-version",
    "x-synkronic",
    "x-request-id",
    "via",
    "baggage",
    "traceparent",
    "proxy",
    "a",
];
/// Of those, what only this hop may say or hear.
const ENDS_HERE: &[&str] = &[
    "te",
    "trailer",
    "keep-alive",
    "proxy-connection",
    "upgrade",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-fo",
    "x-forwarded-proto-x",
    "x-real-ip",
    "x-synkronic-version",
    "x-request-id",
    "via",
    "baggage",
    "proxy",
    "connection",
    "cookie",
];

proptest! {
    /// What is written reads back, by another's parser, as the same end-to-end fields.
    #[test]
    fn reads_back(
        sent in prop::collection::vec((prop::sample::select(NAMES), "[!-~]([ -~]{0,20}[!-~])?"), 0..20),
        named in prop::collection::vec(prop::sample::select(NAMES), 0..4),
        path in "(/[a-z0-9.]{1,8}){1,4}",
        query in prop::option::of("[a-z0-9=&/?]{0,12}"),
    ) {
        // Two would be refused.
        prop_assume!(sent.iter().filter(|(name, _)| *name == "authorization").count() < 2);
        let named = named.join(", ");
        let mut all = vec![("host", "a.example")];
        all.extend(sent.iter().map(|(name, value)| (*name, value.as_str())));
        all.push(("connection", &named));
        let target = query.as_ref().map_or(path.clone(), |query| format!("{path}?{query}"));
        prop_assume!(crate::wire::target::judge(&path).is_ok());
        let parts = parts("GET", &target, &all);
        let head = written(&parts, false, None);

        let mut slots = [httparse::EMPTY_HEADER; 64];
        let mut read = httparse::Request::new(&mut slots);
        let length = read.parse(head.as_bytes()).unwrap().unwrap();
        prop_assert_eq!(length, head.len());
        prop_assert_eq!(read.path, Some(&*target));
        let got: Vec<(String, Vec<u8>)> = read
            .headers
            .iter()
            .filter(|field| NAMES.contains(&field.name) && !ENDS_HERE.contains(&field.name))
            .map(|field| (field.name.to_owned(), field.value.to_vec()))
            .collect();
        let mut expected: Vec<(String, Vec<u8>)> = sent
            .iter()
            .filter(|(name, _)| !ENDS_HERE.contains(name) && !named.split(", ").any(|n| n == *name))
            .map(|(name, value)| ((*name).to_owned(), value.clone().into_bytes()))
            .collect();
        let mut got_sorted = got.clone();
        // `HeaderMap` keeps the order of one name's values, not that of names.
        got_sorted.sort_by(|a, b| a.0.cmp(&b.0));
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        prop_assert_eq!(got_sorted, expected);
        let cookies: Vec<&str> = sent.iter().filter(|(name, _)| *name == "cookie").map(|(_, v)| v.as_str()).collect();
        let cookie = read.headers.iter().find(|field| field.name == "cookie").map(|field| field.value.to_vec());
        let kept = !cookies.is_empty() && !named.split(", ").any(|n| n == "cookie");
        prop_assert_eq!(cookie, kept.then(|| cookies.join("; ").into_bytes()));
    }
}
