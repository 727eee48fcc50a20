//! Hosts by table, and as a property. The numbers are lines of the list of hostile inputs.

use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Option<(String, Option<u16>)> {
    Authority::parse(text.as_bytes()).map(|authority| (authority.host.into_owned(), authority.port))
}

#[test]
fn lines_33_and_34_have_one_form() {
    for (text, host, port) in [
        ("example.com", "example.com", None),
        ("EXAMPLE.COM.:443", "example.com", Some(443)),
        ("Version-1.Shop.example.com:8080", "version-1.shop.example.com", Some(8080)),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", None),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example", None),
        ("localhost", "localhost", None),
        ("127.0.0.1:1", "127.0.0.1", Some(1)),
        ("a:65535", "a", Some(65535)),
        ("1a.2b", "1a.2b", None),
        ("[::1]", "[::1]", None),
        ("[2001:DB8:0:0:0:0:0:1]:80", "[2001:db8::1]", Some(80)),
        ("[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]", None),
    ] {
        assert_eq!(parsed(text), Some((host.to_owned(), port)), "{text}");
    }
    let longest = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
    assert_eq!(longest.len(), 253);
    assert_eq!(parsed(&longest), Some((longest.clone(), None)));
}

#[test]
fn lines_26_27_and_34_are_refused() {
    let label = "a".repeat(64);
    let name = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(62));
    let labels = "a.".repeat(128);
    for text in [
        "",
        ".",
        "..",
        ":",
        ":80",
        "a..b",
        ".a",
        "a..",
        "u@b",
        "u:p@b",
        "a/b",
        "a,b",
        "a b",
        " a",
        "a ",
        "a\0.b",
        "a\tb",
        "[::1",
        "::1",
        "[::1]x",
        "[::1]:",
        "[::1%25eth0]",
        "[v1.x]",
        "[]",
        "a:",
        "a:0",
        "a:65536",
        "a:99999999999999999999",
        "a:x",
        "a:+1",
        "a:-1",
        "a:080",
        "a:80:80",
        "a:8 0",
        "a_b",
        "_a.b",
        "-a.b",
        "a-.b",
        "a.-b",
        "a.b-",
        "version-.example.com",
        "xn--example-.org",
        "*.a",
        "a%2eb",
        "ü.de",
        "a\\b",
        "a?b",
        "a#b",
        "256.1.1.1",
        "1.2.3",
        "1.2.3.4.5",
        "01.2.3.4",
        "1",
        &label,
        &name,
        &labels,
    ] {
        assert_eq!(parsed(text), None, "{text:?}");
    }
    assert_eq!(Authority::parse(b"a\xff.b"), None);
}

#[test]
fn a_normal_host_is_not_copied() {
    for text in ["shop.example.com", "shop.example.com:80", "shop.example.com.", "[::1]:80", "10.0.0.1"] {
        assert!(matches!(Authority::parse(text.as_bytes()).unwrap().host, Cow::Borrowed(_)), "{text}");
    }
}

proptest! {
    /// Normalising twice is normalising once, and no text makes it panic.
    #[test]
    fn normalising_is_idempotent(text in "([a-zA-Z0-9-]{1,6}\\.){0,4}[a-zA-Z0-9-]{1,6}\\.?(:[0-9]{1,5})?|\\[[0-9a-fA-F:.]{2,20}\\]|\\PC{0,20}") {
        if let Some(once) = Authority::parse(text.as_bytes()) {
            let twice = Authority::parse(once.host.as_bytes());
            prop_assert_eq!(twice, Some(Authority { host: once.host.clone(), port: None }));
            prop_assert!(once.host.is_ascii() && !once.host.ends_with('.'));
            prop_assert_eq!(once.host.to_ascii_lowercase(), once.host.as_ref());
        }
    }

    /// The same host, however its case and dots are written.
    #[test]
    fn spelling_does_not_matter(labels in prop::collection::vec("[a-z][a-z0-9]{0,8}", 1..5), upper in any::<u64>(), dot in any::<bool>()) {
        let plain = labels.join(".");
        let mut spelled: String = plain
            .chars()
            .enumerate()
            .map(|(at, c)| if upper >> (at % 64) & 1 == 1 { c.to_ascii_uppercase() } else { c })
            .collect();
        if dot {
            spelled.push('.');
        }
        let authority = Authority::parse(spelled.as_bytes()).unwrap();
        prop_assert_eq!(authority.host, plain);
    }
}
