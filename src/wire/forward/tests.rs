//! Who the client is, and what the upstream is told of it. The numbers are lines of the list of hostile inputs.

use super::*;

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    headers
}

fn told(trusted: bool, prefix: Option<&str>, fields: &[(&str, &str)]) -> String {
    let headers = headers(fields);
    let peer = Peer { address: "10.0.0.9", trusted, scheme: Scheme::Http };
    let mut out = Vec::new();
    write(&mut out, &peer, "a.example", None, prefix.and_then(Prefix::parse), trusted.then_some(&headers));
    String::from_utf8(out).unwrap()
}

#[test]
fn from_anybody() {
    assert_eq!(
        told(false, Some("/version-2"), &[("x-forwarded-for", "1.1.1.1")]),
        "x-forwarded-for: 10.0.0.9\r\nx-forwarded-proto: http\r\nx-forwarded-host: a.example\r\n\
         x-forwarded-port: 80\r\nx-forwarded-prefix: /version-2\r\n"
    );
}

#[test]
fn from_a_trusted_proxy() {
    assert_eq!(
        told(
            true,
            Some("/version-2"),
            &[
                ("x-forwarded-for", "192.0.2.7, 198.51.100.1"),
                ("x-forwarded-for", "198.51.100.2"),
                ("x-forwarded-proto", "HTTPS, http"),
                ("x-forwarded-host", "Shop.example"),
                ("x-forwarded-prefix", "/eu/"),
            ]
        ),
        "x-forwarded-for: 192.0.2.7, 198.51.100.1, 198.51.100.2, 10.0.0.9\r\nx-forwarded-proto: https\r\n\
         x-forwarded-host: shop.example\r\nx-forwarded-port: 443\r\nx-forwarded-prefix: /eu/version-2\r\n"
    );
    assert!(told(true, None, &[("x-forwarded-prefix", "/eu")]).ends_with("x-forwarded-prefix: /eu\r\n"));
    assert!(told(true, None, &[("x-forwarded-port", "8443")]).contains("x-forwarded-port: 8443\r\n"));
}

#[test]
fn what_a_trusted_proxy_says_unsoundly_is_replaced() {
    assert_eq!(
        told(
            true,
            None,
            &[
                ("x-forwarded-proto", "gopher"),
                ("x-forwarded-host", "a/b"),
                ("x-forwarded-port", "0"),
                ("x-forwarded-prefix", "/a/../b"),
            ]
        ),
        "x-forwarded-for: 10.0.0.9\r\nx-forwarded-proto: http\r\nx-forwarded-host: a.example\r\nx-forwarded-port: 80\r\n"
    );
}

#[test]
fn line_41_what_connection_names_is_not_believed() {
    let fields = [
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-proto", "https"),
        ("connection", "close"),
        ("connection", "X-Forwarded-For"),
    ];
    let out = told(true, None, &fields);
    assert!(out.starts_with("x-forwarded-for: 10.0.0.9\r\nx-forwarded-proto: https\r\n"), "{out}");
}

#[test]
fn the_client_behind_trusted_proxies() {
    let trusted =
        |address: IpAddr| address.to_string().starts_with("10.") || address.to_string() == "fd00::1";
    for (peer, lines, client) in [
        ("192.0.2.1", &["1.1.1.1"][..], "192.0.2.1"),
        ("10.0.0.1", &[], "10.0.0.1"),
        ("10.0.0.1", &["192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", &["6.6.6.6, 192.0.2.7, 10.0.0.3"], "192.0.2.7"),
        ("10.0.0.1", &["6.6.6.6", "192.0.2.7,10.0.0.3", "fd00::1"], "192.0.2.7"),
        ("10.0.0.1", &["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
        ("10.0.0.1", &["6.6.6.6, unknown, 10.0.0.3"], "10.0.0.3"),
        ("10.0.0.1", &["192.0.2.7:4711"], "192.0.2.7"),
        ("10.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
        ("10.0.0.1", &["::ffff:192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", &[""], "10.0.0.1"),
    ] {
        let fields: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
        let found = super::client(&headers(&fields), peer.parse().unwrap(), trusted);
        assert_eq!(found.to_string(), client, "{peer} {lines:?}");
    }
}
