//! The guard by table, on requests as hyper would hand them over. The numbers are lines of the list of hostile
//! inputs; `edge::guard_tests` sends the same through hyper as bytes.

use super::*;
use crate::wire::sample::parts;

fn terms() -> Terms {
    Terms::new(Scheme::Http, "synkronic-7f3a".to_owned())
}

fn refused(parts: &Parts) -> Refusal {
    match examine(parts, &terms()) {
        Err(refusal) => refusal,
        Ok(admission) => panic!("admitted: {admission:?}"),
    }
}

fn admitted(parts: &Parts) -> Admitted<'_> {
    match examine(parts, &terms()) {
        Ok(Admission::Route(admitted)) => admitted,
        other => panic!("not routed: {other:?}"),
    }
}

fn get(target: &str, fields: &[(&str, &str)]) -> Parts {
    parts("GET", target, fields)
}

fn with(field: (&str, &str)) -> Parts {
    get("/", &[("host", "a"), field])
}

fn old(mut parts: Parts) -> Parts {
    parts.version = Version::HTTP_10;
    parts
}

#[test]
fn a_plain_request() {
    let parts = get("/a/b?c=d?e", &[("host", "Shop.example:8080"), ("x-request-id", "a1-b2")]);
    assert_eq!(
        admitted(&parts),
        Admitted {
            host: "shop.example".into(),
            port: Some(8080),
            path: "/a/b".into(),
            query: Some("c=d?e"),
            body: RequestBody::None,
            websocket: false,
            expects_continue: false,
            request_id: Some("a1-b2"),
            names_fields: false,
        }
    );
    assert_eq!(admitted(&get("/?", &[("host", "a")])).query, Some(""));
    assert_eq!(admitted(&get("/", &[("host", "a")])).query, None);
}

#[test]
fn line_46_credentials_come_once() {
    let one = ("authorization", "Basic eA==");
    admitted(&get("/", &[("host", "a"), one]));
    assert_eq!(refused(&get("/", &[("host", "a"), one, one])), Refusal::AuthorizationRepeated);
}

#[test]
fn lines_26_and_27_hosts() {
    assert_eq!(refused(&get("/", &[])), Refusal::HostMissing);
    assert_eq!(refused(&old(get("/", &[]))), Refusal::HostMissing);
    assert_eq!(refused(&get("/", &[("host", "a"), ("host", "a")])), Refusal::HostRepeated);
    assert_eq!(refused(&get("/", &[("host", "a"), ("host", "b")])), Refusal::HostRepeated);
    for bad in ["", "u@b", "a/b", "a,b", "a b", "[::1", "a:0", "a:65536", "a:x", "a_b", "é"] {
        assert_eq!(refused(&get("/", &[("host", bad)])), Refusal::HostMalformed, "{bad:?}");
    }
}

#[test]
fn lines_28_and_29_absolute_form() {
    let parts = get("http://Real.example:81/a?b", &[("host", "other.example")]);
    let request = admitted(&parts);
    assert_eq!((&*request.host, request.port, &*request.path), ("real.example", Some(81), "/a"));
    assert_eq!(admitted(&get("http://a", &[("host", "a")])).path, "/");
    assert_eq!(admitted(&get("http://a?b", &[("host", "a")])).query, Some("b"));
    assert_eq!(admitted(&old(get("http://a/", &[]))).host, "a");
    // RFC 9112 3.2: a request without Host, or with a bad one, is refused whatever its target says.
    assert_eq!(refused(&get("http://a/", &[])), Refusal::HostMissing);
    assert_eq!(refused(&get("http://a/", &[("host", "a,b")])), Refusal::HostMalformed);
    assert_eq!(refused(&get("http://u:p@a/", &[("host", "a")])), Refusal::TargetUserinfo);
    assert_eq!(refused(&get("http://u@a/", &[("host", "a")])), Refusal::TargetUserinfo);
    assert_eq!(refused(&get("http://a_b/", &[("host", "a")])), Refusal::HostMalformed);
    assert_eq!(refused(&get("http://a/../b", &[("host", "a")])), Refusal::PathDotSegment);
    assert_eq!(refused(&get("http://a//b", &[("host", "a")])), Refusal::PathEmptySegment);
    for bad in ["https://a/", "ftp://a/", "ws://a/"] {
        assert_eq!(refused(&get(bad, &[("host", "a")])), Refusal::TargetScheme, "{bad}");
    }
    let tls = Terms::new(Scheme::Https, "x".to_owned());
    assert!(examine(&get("https://a/", &[("host", "a")]), &tls).is_ok());
    assert_eq!(examine(&get("http://a/", &[("host", "a")]), &tls), Err(Refusal::TargetScheme));
}

#[test]
fn lines_30_to_32_forms_and_methods() {
    for target in ["foo", "x:80", "*"] {
        assert_eq!(refused(&get(target, &[("host", "a")])), Refusal::TargetForm, "{target}");
    }
    for target in ["a:80", "/", "http://a/"] {
        assert_eq!(refused(&parts("CONNECT", target, &[("host", "a")])), Refusal::MethodConnect);
    }
    assert_eq!(refused(&parts("TRACE", "/", &[("host", "a")])), Refusal::MethodTrace);
    let star = parts("OPTIONS", "*", &[("host", "a")]);
    assert_eq!(examine(&star, &terms()), Ok(Admission::OurOptions));
    assert_eq!(refused(&parts("OPTIONS", "*", &[])), Refusal::HostMissing);
    let last_hop = parts("OPTIONS", "/a", &[("host", "a"), ("max-forwards", "0")]);
    assert_eq!(examine(&last_hop, &terms()), Ok(Admission::OurOptions));
    assert_eq!(admitted(&parts("OPTIONS", "/a", &[("host", "a"), ("max-forwards", "1")])).path, "/a");
    assert_eq!(admitted(&parts("GET", "/a", &[("host", "a"), ("max-forwards", "0")])).path, "/a");
}

#[test]
fn line_40_odd_methods_pass_as_they_are() {
    for method in ["get", "G!#$%&'*+-.^_|~", "PROPFIND", "UPDATEREDIRECTREF"] {
        assert_eq!(admitted(&parts(method, "/", &[("host", "a")])).path, "/");
    }
    assert_eq!(refused(&parts(&"A".repeat(8192), "/", &[("host", "a")])), Refusal::MethodTooLong);
}

#[test]
fn lines_1_to_9_framing() {
    assert_eq!(admitted(&with(("content-length", "0005"))).body, RequestBody::Length(5));
    assert_eq!(admitted(&with(("transfer-encoding", "chunked"))).body, RequestBody::Chunked);
    assert_eq!(refused(&with(("transfer-encoding", "gzip, chunked"))), Refusal::TransferEncoding);
    assert_eq!(refused(&with(("transfer-encoding", "chunked, chunked"))), Refusal::TransferEncoding);
    assert_eq!(refused(&with(("transfer-encoding", ",chunked"))), Refusal::TransferEncoding);
    assert_eq!(refused(&old(with(("transfer-encoding", "chunked")))), Refusal::TransferEncoding);
    assert_eq!(refused(&with(("content-length", "+1"))), Refusal::ContentLength);
    let both = get("/", &[("host", "a"), ("content-length", "1"), ("transfer-encoding", "chunked")]);
    assert_eq!(refused(&both), Refusal::FramingConflict);
    for alias in ["transfer_encoding", "content_length", "x_forwarded_for", "_", "a_"] {
        assert_eq!(refused(&with((alias, "1"))), Refusal::FieldUnderscore, "{alias}");
    }
}

#[test]
fn line_39_sizes() {
    let path = format!("/{}", "a".repeat(8191));
    assert_eq!(admitted(&get(&path, &[("host", "a")])).path.len(), 8192);
    assert_eq!(refused(&get(&format!("{path}a"), &[("host", "a")])), Refusal::TargetTooLong);
    assert_eq!(refused(&get(&format!("{path}?"), &[("host", "a")])), Refusal::TargetTooLong);
    assert_eq!(refused(&get(&format!("http://a{path}"), &[("host", "a")])), Refusal::TargetTooLong);
    let names: Vec<String> = (0..100).map(|i| format!("x-{i}")).collect();
    let fields = |count: usize| -> Vec<(&str, &str)> {
        std::iter::once(("host", "a")).chain(names.iter().take(count).map(|name| (&**name, "1"))).collect()
    };
    assert_eq!(admitted(&get("/", &fields(99))).host, "a");
    assert_eq!(refused(&get("/", &fields(100))), Refusal::FieldsTooMany);
    let cookie = |length: usize| "x".repeat(length - "cookie: \r\n".len());
    assert_eq!(admitted(&with(("cookie", &cookie(16 << 10)))).host, "a");
    assert_eq!(refused(&with(("cookie", &cookie((16 << 10) + 1)))), Refusal::FieldsTooLarge);
    let block = |last: usize| {
        let (half, rest) = (cookie(16 << 10), cookie(last));
        get("/", &[("host", "a"), ("cookie", &half), ("cookie", &rest)])
    };
    let left = (16 << 10) - "host: a\r\n".len();
    assert_eq!(admitted(&block(left)).host, "a");
    assert_eq!(refused(&block(left + 1)), Refusal::FieldsTooLarge);
}

#[test]
fn line_42_connection_lines() {
    let request = |lines: &[&str]| {
        let fields: Vec<_> =
            [("host", "a")].into_iter().chain(lines.iter().map(|l| ("connection", *l))).collect();
        get("/", &fields)
    };
    assert!(!admitted(&request(&["keep-alive, Upgrade", "close"])).names_fields);
    assert!(admitted(&request(&["keep-alive", ",, é, x-a"])).names_fields);
    assert!(admitted(&request(&[&"a,".repeat(32)])).names_fields);
    assert_eq!(refused(&request(&[&"a,".repeat(32), "a"])), Refusal::ConnectionOptions);
}

#[test]
fn line_48_loops() {
    for via in [
        "1.1 synkronic-7f3a",
        "1.0 fred, 1.1 SYNKRONIC-7F3A (x)",
        "HTTP/1.1  synkronic-7f3a",
        "2\tsynkronic-7f3a",
    ] {
        assert_eq!(refused(&with(("via", via))), Refusal::Loop, "{via}");
    }
    let second = get("/", &[("host", "a"), ("via", "1.1 fred"), ("via", "1.1 synkronic-7f3a")]);
    assert_eq!(refused(&second), Refusal::Loop);
    for via in
        ["1.1 synkronic-7f3b", "1.1 fred (synkronic-7f3a)", "synkronic-7f3a", "", "1.1 synkronic-7f3a:80"]
    {
        assert_eq!(admitted(&with(("via", via))).host, "a", "{via}");
    }
}

#[test]
fn line_49_expectations() {
    assert!(admitted(&with(("expect", "100-Continue"))).expects_continue);
    assert!(!admitted(&with(("accept", "*/*"))).expects_continue);
    for bad in ["200-ok", "", "100-continue, x", "100-continue;a"] {
        assert_eq!(refused(&with(("expect", bad))), Refusal::ExpectUnknown, "{bad:?}");
    }
    let twice = get("/", &[("host", "a"), ("expect", "x"), ("expect", "100-continue")]);
    assert_eq!(refused(&twice), Refusal::ExpectUnknown);
    assert!(!admitted(&old(with(("expect", "x")))).expects_continue);
}

#[test]
fn lines_50_and_51_what_is_a_websocket() {
    let asks = |method: &str, fields: &[(&str, &str)]| {
        let fields: Vec<_> = [("host", "a")].iter().chain(fields).copied().collect();
        admitted(&parts(method, "/", &fields)).websocket
    };
    let upgrade = ("connection", "keep-alive, Upgrade");
    assert!(asks("GET", &[upgrade, ("upgrade", "WebSocket")]));
    assert!(asks("GET", &[("connection", "x"), ("connection", "upgrade"), ("upgrade", "websocket")]));
    assert!(asks("GET", &[upgrade, ("upgrade", "websocket"), ("content-length", "0")]));
    for (method, fields) in [
        ("GET", &[("upgrade", "websocket")][..]),
        ("GET", &[upgrade]),
        ("GET", &[upgrade, ("upgrade", "h2c")]),
        ("GET", &[upgrade, ("upgrade", "H2C"), ("http2-settings", "x")]),
        ("GET", &[upgrade, ("upgrade", "h2c, websocket")]),
        ("GET", &[upgrade, ("upgrade", "websocket"), ("upgrade", "h2c")]),
        ("GET", &[upgrade, ("upgrade", "h2c"), ("upgrade", "websocket")]),
        ("POST", &[upgrade, ("upgrade", "websocket")]),
        ("GET", &[upgrade, ("upgrade", "websocket"), ("content-length", "1")]),
        ("GET", &[upgrade, ("upgrade", "websocket"), ("transfer-encoding", "chunked")]),
    ] {
        assert!(!asks(method, fields), "{method} {fields:?}");
    }
    let http_10 = old(get("/", &[("host", "a"), upgrade, ("upgrade", "websocket")]));
    assert!(!admitted(&http_10).websocket);
}

#[test]
fn request_ids_are_kept_where_they_are_sound() {
    let id = |value: &str| admitted(&with(("x-request-id", value))).request_id.map(str::to_owned);
    for sound in ["a", "4bf92f35-77b3-4da6", "a_b.c:d/e+f=g@h~i", &"a".repeat(128)] {
        assert_eq!(id(sound).as_deref(), Some(sound));
    }
    for unsound in ["", "a b", "a,b", "a\"b", "é", "a\tb", "<x>", &"a".repeat(129)] {
        assert_eq!(id(unsound), None, "{unsound:?}");
    }
    let twice = get("/", &[("host", "a"), ("x-request-id", "a"), ("x-request-id", "b")]);
    assert_eq!(admitted(&twice).request_id, None);
}

#[test]
fn a_usual_request_is_admitted_without_copies() {
    let parts = get("/a/b.html?c", &[("host", "shop.example.com:80")]);
    let request = admitted(&parts);
    assert!(matches!((&request.host, &request.path), (Cow::Borrowed(_), Cow::Borrowed(_))));
}

#[test]
fn every_refusal_is_told_apart() {
    use Refusal::*;
    let all = [
        HostMissing,
        HostRepeated,
        HostMalformed,
        TargetForm,
        TargetScheme,
        TargetUserinfo,
        TargetTooLong,
        PathCharacter,
        PathEncoding,
        PathEncodedDelimiter,
        PathDotSegment,
        PathEmptySegment,
        MethodConnect,
        MethodTrace,
        MethodTooLong,
        MethodPri,
        FieldUnderscore,
        FieldsTooMany,
        FieldsTooLarge,
        ConnectionOptions,
        AuthorizationRepeated,
        TransferEncoding,
        FramingConflict,
        ContentLength,
        ExpectUnknown,
        Loop,
    ];
    let mut names: Vec<_> = all.iter().map(|refusal| refusal.told().name).collect();
    for refusal in all {
        let told = refusal.told();
        assert!(told.status.is_client_error() || told.status.is_server_error());
        assert!(told.sentence.ends_with('.') && told.sentence.len() < 120, "{refusal:?}");
        assert!(told.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len());
}
