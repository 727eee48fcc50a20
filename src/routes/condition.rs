//! One condition of a rule, and whether a request meets it.
//!
//! A header, cookie or parameter that comes several times meets a condition with any of its values.
//! Nothing here allocates but a regular expression's scratch memory, on its first uses in a thread.

use std::fmt;

use http::header::{COOKIE, HeaderName};
use http::{HeaderMap, Method};
use ipnet::IpNet;
use percent_encoding::percent_decode_str;

use super::table::Facts;
use super::value::{PathTest, ValueTest};

/// One condition; all of its kind are alternatives where it lists several.
#[derive(Debug, PartialEq)]
pub(super) enum Condition {
    /// The method is one of these, case and all.
    Method(Vec<Method>),
    /// One of these holds for the path as it came.
    Path(Vec<PathTest>),
    /// A query parameter, decoded (`+` is a space).
    Query(String, ValueTest),
    /// A request header.
    Header(HeaderName, ValueTest),
    /// A request header that only trusted proxies may set ([`is_forwarding`]): of others it is not there.
    Forwarding(HeaderName, ValueTest),
    /// A cookie.
    Cookie(String, ValueTest),
    /// The client's address is in one of these.
    Client(Vec<IpNet>),
}

impl Condition {
    /// Whether a request meets it.
    pub(super) fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::Method(methods) => methods.contains(facts.method),
            Self::Path(tests) => tests.iter().any(|test| test.holds(facts.path)),
            Self::Query(name, test) => query_holds(name, test, facts.query.unwrap_or_default()),
            Self::Header(name, test) => {
                test.holds_for_any(facts.headers.get_all(name).iter().map(|value| value.as_bytes()))
            }
            Self::Forwarding(name, test) => {
                let believed = facts.headers.get_all(name).iter().filter(|_| facts.trusted);
                test.holds_for_any(believed.map(|value| value.as_bytes()))
            }
            Self::Cookie(name, test) => test.holds_for_any(cookies(facts.headers, name)),
            Self::Client(ranges) => {
                let client = facts.client.to_canonical();
                ranges.iter().any(|range| range.contains(&client))
            }
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method(methods) => write!(f, "method is {}", any_of(methods)),
            Self::Path(tests) => write!(f, "path {}", any_of(tests)),
            Self::Query(name, test) => write!(f, "query parameter `{name}` {test}"),
            Self::Header(name, test) => write!(f, "header `{name}` {test}"),
            Self::Forwarding(name, test) => write!(f, "header `{name}`, of a trusted proxy, {test}"),
            Self::Cookie(name, test) => write!(f, "cookie `{name}` {test}"),
            Self::Client(ranges) => write!(f, "client is in {}", any_of(ranges)),
        }
    }
}

/// Whether a field says where a request comes from or what it was for, which the edge passes on for trusted proxies
/// alone (`edge::guard_tests` holds the two together).
pub(crate) fn is_forwarding(name: &HeaderName) -> bool {
    matches!(name.as_str(), "forwarded" | "x-real-ip" | "x-original-url" | "x-rewrite-url")
        || name.as_str().starts_with("x-forwarded-")
}

fn any_of<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

/// The values of a cookie, in every `Cookie` line (RFC 6265 5.4, and HTTP/2 splits them: RFC 9113 8.2.3).
/// Quotes are part of a value, as browsers keep them; a pair without `=` has no name and is passed over.
fn cookies<'r>(headers: &'r HeaderMap, name: &str) -> impl Iterator<Item = &'r [u8]> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(move |pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (key, value) = pair.split_at_checked(at)?;
        let value = value.get(1..)?;
        (key.trim_ascii() == name.as_bytes()).then(|| value.trim_ascii())
    })
}

/// The longest decoded value that a regular expression is tried on: no target is longer (edge's limit).
const LONGEST_DECODED: usize = 8 * 1024;

fn query_holds(name: &str, test: &ValueTest, query: &str) -> bool {
    let mut values = query.split('&').filter(|pair| !pair.is_empty()).filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        decoded(key).eq(name.bytes()).then_some(value)
    });
    match test {
        ValueTest::Absent => values.next().is_none(),
        ValueTest::Present => values.next().is_some(),
        ValueTest::Exact(wanted) => values.any(|value| decoded(value).eq(wanted.bytes())),
        ValueTest::Prefix(wanted) => values.any(|value| decoded(value).take(wanted.len()).eq(wanted.bytes())),
        ValueTest::Regex(regex) => values.any(|value| {
            if !value.contains(['%', '+']) {
                return regex.matches(value.as_bytes());
            }
            let mut buffer = [0; LONGEST_DECODED];
            let mut length = 0;
            for byte in decoded(value) {
                let Some(place) = buffer.get_mut(length) else { return false };
                *place = byte;
                length += 1;
            }
            buffer.get(..length).is_some_and(|value| regex.matches(value))
        }),
    }
}

/// The bytes of a form-encoded text; what is no escape stands for itself.
fn decoded(text: &str) -> impl Iterator<Item = u8> {
    // The `+` is undone before the escapes, so that `%2B` stays a plus: each run between pluses on its own.
    text.split('+')
        .enumerate()
        .flat_map(|(place, run)| (place > 0).then_some(b' ').into_iter().chain(percent_decode_str(run)))
}
