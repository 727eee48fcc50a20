//! The prefix taken off, and given back.

use super::*;

const ORIGIN: Origin<'static> = Origin { scheme: Scheme::Http, host: "shop.example.com", port: None };

fn prefix() -> Prefix<'static> {
    Prefix::parse("/version-2").unwrap()
}

fn given_back_to(origin: &Origin<'_>, name: &'static str, value: &str) -> String {
    let mut fields = HeaderMap::new();
    fields.insert(name, value.parse().unwrap());
    prefix().give_back(&mut fields, origin);
    fields.get(name).map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

fn given_back(name: &'static str, value: &str) -> String {
    given_back_to(&ORIGIN, name, value)
}

#[test]
fn prefixes_are_whole_segments() {
    for good in ["/version-2", "/version-2/", "/a/b"] {
        assert_eq!(Prefix::parse(good).unwrap().as_str(), good.trim_end_matches('/'));
    }
    for bad in ["", "/", "//", "a", "/a//b", "/a//", "/..", "/a/../b", "/%61", "/a?b", "/a b"] {
        assert_eq!(Prefix::parse(bad), None, "{bad}");
    }
}

#[test]
fn stripped() {
    for (path, rest) in [
        ("/version-2/", Some("/")),
        ("/version-2/a/b", Some("/a/b")),
        ("/version-2//evil.example", Some("/evil.example")),
        ("/version-2///", Some("/")),
        ("/version-2", None),
        ("/version-20/", None),
        ("/version-2x", None),
        ("/a/version-2/", None),
    ] {
        assert_eq!(prefix().strip(path), rest, "{path}");
        let split = Prefix::split(path, "/version-2".len()).map(|(_, rest)| rest);
        assert_eq!(split, rest.filter(|_| path.starts_with("/version-2/")), "{path}");
    }
    assert_eq!(Prefix::split("/version-2/x", 0), None);
    assert_eq!(Prefix::split("/version-2/x", 11), None);
    assert_eq!(Prefix::split("/version-2/x", 99), None);
}

#[test]
fn locations_of_the_same_host() {
    for (value, edited) in [
        ("/", "/version-2/"),
        ("/login?next=/a#b", "/version-2/login?next=/a#b"),
        ("http://shop.example.com/a", "http://shop.example.com/version-2/a"),
        ("HTTP://Shop.Example.COM:80/a", "HTTP://Shop.Example.COM:80/version-2/a"),
        ("https://shop.example.com/a", "https://shop.example.com/version-2/a"),
        ("//shop.example.com/a", "//shop.example.com/version-2/a"),
        ("http://shop.example.com", "http://shop.example.com/version-2/"),
        ("http://shop.example.com?a=/", "http://shop.example.com/version-2/?a=/"),
        ("/version-20/a", "/version-2/version-20/a"),
        ("/version-2x", "/version-2/version-2x"),
    ] {
        assert_eq!(given_back("location", value), edited, "{value}");
        assert_eq!(given_back("content-location", value), edited, "{value}");
    }
}

#[test]
fn locations_that_stay() {
    for value in [
        "a",
        "../a",
        "?a",
        "#a",
        "",
        "//evil.example/a",
        "http://evil.example/",
        "http://shop.example.com:8080/",
        "http://shop.example.com.evil.example/",
        "http://u@shop.example.com/",
        "ftp://shop.example.com/",
        "https://shop.example.com:8443/",
        "mailto:a@shop.example.com",
        "javascript:alert(1)",
        "/\\evil.example",
        "http:/a",
        "/version-2",
        "/version-2/",
        "/version-2/a",
        "/version-2?a",
        "http://shop.example.com/version-2/a",
    ] {
        assert_eq!(given_back("location", value), value, "{value}");
    }
}

#[test]
fn locations_where_the_client_wrote_a_port() {
    let origin = Origin { port: Some(8080), ..ORIGIN };
    for (value, edited) in [
        ("http://shop.example.com:8080/a", "http://shop.example.com:8080/version-2/a"),
        ("http://shop.example.com/a", "http://shop.example.com/a"),
        ("https://shop.example.com:8080/a", "https://shop.example.com:8080/a"),
        ("/a", "/version-2/a"),
    ] {
        assert_eq!(given_back_to(&origin, "location", value), edited, "{value}");
    }
    let tls = Origin { scheme: Scheme::Https, ..ORIGIN };
    assert_eq!(
        given_back_to(&tls, "location", "http://shop.example.com/a"),
        "http://shop.example.com/version-2/a"
    );
}

#[test]
fn refreshes() {
    for (value, edited) in [
        ("5; url=/a", "5; url=/version-2/a"),
        ("0;URL='/a'", "0;URL='/version-2/a'"),
        ("0; url = \"http://shop.example.com/a\"", "0; url = \"http://shop.example.com/version-2/a\""),
        ("0, /a", "0, /version-2/a"),
        ("5", "5"),
        ("5; url=http://evil.example/", "5; url=http://evil.example/"),
        ("5; url", "5; url"),
        ("5; url='", "5; url='"),
        ("5;", "5;"),
    ] {
        assert_eq!(given_back("refresh", value), edited, "{value}");
    }
}

#[test]
fn cookies() {
    for (value, edited) in [
        ("a=b; Path=/", "a=b; Path=/version-2/"),
        ("a=b;path=/x;Secure", "a=b; Path=/version-2/x;Secure"),
        ("a=b; HttpOnly; PATH = /x ; Max-Age=1", "a=b; HttpOnly; Path=/version-2/x; Max-Age=1"),
        ("a=b", "a=b"),
        ("a=b; Path=", "a=b; Path="),
        ("a=b; Path=x", "a=b; Path=x"),
        ("a=b; Path=/version-2/x", "a=b; Path=/version-2/x"),
        ("a=b; Path=/version-20", "a=b; Path=/version-2/version-20"),
        ("path=/x", "path=/x"),
        ("a=b; pathx=/", "a=b; pathx=/"),
        ("__Host-a=b; Secure; Path=/", "__Host-a=b; Secure; Path=/"),
        ("__Secure-a=b; Secure; Path=/", "__Secure-a=b; Secure; Path=/version-2/"),
    ] {
        assert_eq!(given_back("set-cookie", value), edited, "{value}");
    }
}

#[test]
fn every_cookie_line_and_nothing_else() {
    let mut fields = HeaderMap::new();
    fields.append("set-cookie", "a=1; Path=/".parse().unwrap());
    fields.append("set-cookie", "b=2; Path=/x".parse().unwrap());
    fields.append("link", "</a>; rel=next".parse().unwrap());
    fields.append("location", HeaderValue::from_bytes(b"/\xff").unwrap());
    fields.append("service-worker-allowed", "/".parse().unwrap());
    prefix().give_back(&mut fields, &ORIGIN);
    let cookies: Vec<_> = fields.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1; Path=/version-2/", "b=2; Path=/version-2/x"]);
    assert_eq!(fields["link"], "</a>; rel=next");
    assert_eq!(fields["location"].as_bytes(), b"/version-2/\xff");
    assert!(!fields.contains_key("service-worker-allowed"));
}

#[test]
fn what_is_no_utf8_gets_the_prefix_all_the_same() {
    for (name, value, edited) in [
        ("location", &b"/caf\xe9?q=\xff"[..], &b"/version-2/caf\xe9?q=\xff"[..]),
        ("location", b"http://shop.example.com/\xe9", b"http://shop.example.com/version-2/\xe9"),
        ("location", b"http://\xe9.example.com/a", b"http://\xe9.example.com/a"),
        ("refresh", b"5; url='/\xe9'", b"5; url='/version-2/\xe9'"),
        ("set-cookie", b"a=\xe9; Path=/; HttpOnly", b"a=\xe9; Path=/version-2/; HttpOnly"),
        (
            "set-cookie",
            b"\xe9\xe9\xe9\xe9\xe9\xe9\xe9=1; path=/x",
            b"\xe9\xe9\xe9\xe9\xe9\xe9\xe9=1; Path=/version-2/x",
        ),
    ] {
        let mut fields = HeaderMap::new();
        fields.insert(name, HeaderValue::from_bytes(value).unwrap());
        prefix().give_back(&mut fields, &ORIGIN);
        assert_eq!(fields[name].as_bytes(), edited, "{name} {}", value.escape_ascii());
    }
}
