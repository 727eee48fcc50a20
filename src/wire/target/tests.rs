//! Paths by table, and against a second, naive judge. The numbers are lines of the list of hostile inputs.

use proptest::prelude::*;
use regex::Regex;

use super::*;

#[test]
fn paths_that_pass_as_they_are() {
    for path in [
        "/",
        "/a",
        "/a/",
        "/a//b",
        "/version-2/",
        "/.well-known/acme",
        "/a.b/..c/...",
        "/a/.b",
        "/index;jsessionid=1",
        "/version-1;x",
        "/a:b@c,d=e!$&'()*+",
        "/chunks/[slug].js",
        "/a|b^c",
        "/%E2%82%AC",
        "/%ff",
        "/100%25",
        "/%20%22%3C",
        "/%252e%252e/",
    ] {
        assert!(matches!(judge(path), Ok(Cow::Borrowed(same)) if same == path), "{path}: {:?}", judge(path));
    }
}

#[test]
fn needless_escapes_are_decoded_before_matching() {
    for (path, decoded) in [
        ("/%76ersion-2/x", "/version-2/x"),
        ("/%7euser", "/~user"),
        ("/a%2Eb%2dc", "/a.b-c"),
        ("/%41%20%42", "/A%20B"),
        ("/..%41", "/..A"),
    ] {
        assert_eq!(judge(path).as_deref(), Ok(decoded), "{path}");
    }
}

#[test]
fn line_36_where_normalising_would_change_the_route() {
    for (path, refusal) in [
        ("/version-2/../version-1/x", Refusal::PathDotSegment),
        ("/version-1/%2e%2e/", Refusal::PathDotSegment),
        ("/version-1/%2E.", Refusal::PathDotSegment),
        ("/version-1/.%2e/x", Refusal::PathDotSegment),
        ("/..", Refusal::PathDotSegment),
        ("/.", Refusal::PathDotSegment),
        ("/./", Refusal::PathDotSegment),
        ("/a/./b", Refusal::PathDotSegment),
        ("/a/..;/b", Refusal::PathDotSegment),
        ("/a/%2e%2e;v=1/b", Refusal::PathDotSegment),
        ("//version-1", Refusal::PathEmptySegment),
        ("///", Refusal::PathEmptySegment),
        ("/version-1%2Fadmin", Refusal::PathEncodedDelimiter),
        ("/version-1%2fadmin", Refusal::PathEncodedDelimiter),
        ("/version-1%3Bx", Refusal::PathEncodedDelimiter),
    ] {
        assert_eq!(judge(path), Err(refusal), "{path}");
    }
}

#[test]
fn line_37_bytes_and_escapes_that_no_path_has() {
    for (path, refusal) in [
        ("/a\\b", Refusal::PathCharacter),
        ("/a\"b", Refusal::PathCharacter),
        ("/{a}", Refusal::PathCharacter),
        ("/<a>", Refusal::PathCharacter),
        ("/a`b", Refusal::PathCharacter),
        ("/ü", Refusal::PathCharacter),
        ("/a b", Refusal::PathCharacter),
        ("/a\0", Refusal::PathCharacter),
        ("/a\x7f", Refusal::PathCharacter),
        ("/a#b", Refusal::PathCharacter),
        ("/a?b", Refusal::PathCharacter),
        ("/%00", Refusal::PathEncodedDelimiter),
        ("/%0d%0aa", Refusal::PathEncodedDelimiter),
        ("/%5c", Refusal::PathEncodedDelimiter),
        ("/%5C..", Refusal::PathEncodedDelimiter),
        ("/%3F", Refusal::PathEncodedDelimiter),
        ("/%23", Refusal::PathEncodedDelimiter),
        ("/%7F", Refusal::PathEncodedDelimiter),
        ("/%zz", Refusal::PathEncoding),
        ("/%", Refusal::PathEncoding),
        ("/a%4", Refusal::PathEncoding),
        ("/%%41", Refusal::PathEncoding),
        ("/%+1", Refusal::PathEncoding),
        ("", Refusal::TargetForm),
        ("a", Refusal::TargetForm),
        ("*", Refusal::TargetForm),
    ] {
        assert_eq!(judge(path), Err(refusal), "{path:?}");
    }
}

/// The judge once more, by regular expressions over the whole path and without regard to speed.
fn naive(path: &str) -> Option<String> {
    let shape = Regex::new(r"^(/([A-Za-z0-9\-._~!$&'()*+,;=:@\[\]^|]|%[0-9A-Fa-f]{2})*)+$").unwrap();
    let hidden = Regex::new(r"(?i)%(2f|5c|3b|3f|23|7f|[01].)").unwrap();
    if !shape.is_match(path) || hidden.is_match(path) || path.starts_with("//") {
        return None;
    }
    let mut decoded = path.to_owned();
    for b in (b'0'..=b'9').chain(b'a'..=b'z').chain(b'A'..=b'Z').chain(*b"-._~") {
        // One pass over what was there from the start: `%` itself is never decoded, so none can come about.
        for escape in [format!("%{b:02x}"), format!("%{b:02X}"), format!("%{:X}{:x}", b >> 4, b & 15)] {
            decoded = decoded.replace(&escape, &char::from(b).to_string());
        }
    }
    let dots = Regex::new(r"/\.\.?(;[^/]*)?(/|$)").unwrap();
    (!dots.is_match(&decoded)).then_some(decoded)
}

proptest! {
    #[test]
    fn agrees_with_the_naive_judge(path in "/?([/.;%aAzZ0-9]|\\.\\.|%2[eEfF]|%[0-9a-fA-F]{2}|[!-~]|\\PC){0,12}") {
        let judged = judge(&path).ok().map(Cow::into_owned);
        prop_assert_eq!(judged, naive(&path), "{}", path);
    }

    /// What was let through is let through again, unchanged: what is matched is what the next one reads.
    #[test]
    fn judging_is_idempotent(path in "/([a-z/.;]|%[0-9a-fA-F]{2}){0,12}") {
        if let Ok(once) = judge(&path) {
            let twice = judge(&once).map(Cow::into_owned);
            prop_assert_eq!(twice, Ok(once.clone().into_owned()));
        }
    }
}
