//! `Connection` by table. The numbers are lines of the list of hostile inputs.

use super::*;

fn headers(lines: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(header::CONNECTION, HeaderValue::from_bytes(line).unwrap());
    }
    headers
}

fn named(lines: &[&[u8]], name: &str) -> bool {
    names(&headers(lines), &HeaderName::try_from(name).unwrap())
}

#[test]
fn line_41_all_but_what_holds_the_message_together_can_be_named() {
    let line: &[u8] =
        b"close, X-Forwarded-For, X-Real-IP, Authorization, Cookie, Host, Content-Length, Transfer-Encoding";
    for name in ["x-forwarded-for", "x-real-ip", "authorization", "cookie", "close"] {
        assert!(named(&[line], name), "{name}");
    }
    for name in ["host", "content-length", "transfer-encoding", "accept", "x-forwarded"] {
        assert!(!named(&[line], name), "{name}");
    }
}

#[test]
fn line_42_every_line_counts_and_odd_tokens_do_no_harm() {
    let lines: [&[u8]; 4] = [b"keep-alive", b",, ,\t,", b"\xff\xfe, X-A\t", b"\tx-b ,close"];
    assert!(named(&lines, "x-a") && named(&lines, "x-b"));
    assert!(!named(&lines, "x-c"));
    let mut said = Options::default();
    for line in lines {
        said.line(line);
    }
    assert_eq!(said, Options { close: true, keep_alive: true, upgrade: false, names: true, count: 5 });
}

#[test]
fn line_45_the_fixed_set() {
    for name in [
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "proxy-authenticate",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "http2-settings",
        "proxy",
    ] {
        assert!(is_fixed(&HeaderName::from_static(name)), "{name}");
    }
    for name in ["host", "content-length", "cookie", "via", "keep-alive-x", "x-proxy", "te-x"] {
        assert!(!is_fixed(&HeaderName::from_static(name)), "{name}");
    }
}
