//! Which fields end at this hop: a fixed set, and whatever a `Connection` line names (RFC 9110 7.6.1).
//!
//! Every `Connection` line counts, empty and odd tokens do no harm, and no line can take away what holds
//! the message together: `Host` and the framing (CVE-2024-45410, CVE-2026-26365).

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue};

/// More options than this in one message is no request that any client sends; it bounds the comparisons.
pub const MAX_OPTIONS: usize = 32;

/// What the `Connection` lines of one message say.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// `close`.
    pub close: bool,
    /// `keep-alive`.
    pub keep_alive: bool,
    /// `upgrade`.
    pub upgrade: bool,
    /// Names of fields besides these, which end here too.
    pub names: bool,
    /// How many options there are, for [`MAX_OPTIONS`].
    pub count: usize,
}

impl Options {
    /// Takes in one `Connection` line.
    pub fn line(&mut self, value: &[u8]) {
        // What nearly every message says that says anything.
        if value == b"keep-alive" || value.eq_ignore_ascii_case(b"keep-alive") {
            self.count += 1;
            self.keep_alive = true;
            return;
        }
        for option in options(value) {
            self.count += 1;
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade = true;
            } else {
                self.names = true;
            }
        }
    }
}

/// The options of one `Connection` line; empty ones left out (RFC 9110 5.6.1).
pub fn options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|b| *b == b',').map(<[u8]>::trim_ascii).filter(|option| !option.is_empty())
}

/// Whether some `Connection` line names the field; never so for `Host` and the framing fields.
#[must_use]
pub fn names(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(header::CONNECTION).iter().any(|line| line_names(line, name))
}

fn line_names(line: &HeaderValue, name: &HeaderName) -> bool {
    options(line.as_bytes()).any(|option| option_is(option, name.as_str()))
}

/// Whether an option of `Connection` takes the field `name` (lower-case) away.
fn option_is(option: &[u8], name: &str) -> bool {
    option.eq_ignore_ascii_case(name.as_bytes())
        && !matches!(name, "host" | "content-length" | "transfer-encoding")
}

/// Removes the fields that one `Connection` line names.
pub(super) fn remove_named(fields: &mut HeaderMap, line: &[u8]) {
    for option in options(line) {
        if let Some(name) =
            HeaderName::from_bytes(option).ok().filter(|name| option_is(option, name.as_str()))
        {
            fields.remove(name);
        }
    }
}

/// Whether the field ends at this hop whether or not `Connection` names it.
///
/// RFC 9110's set, and what is sent to a proxy alone: `Proxy-*` credentials, `HTTP2-Settings`. `Trailer` is in
/// it since trailers are dropped, and `Proxy` since CGI programs take it for their own setting (httpoxy).
#[must_use]
pub fn is_fixed(name: &HeaderName) -> bool {
    match *name {
        header::CONNECTION
        | header::TE
        | header::TRAILER
        | header::TRANSFER_ENCODING
        | header::UPGRADE
        | header::PROXY_AUTHENTICATE
        | header::PROXY_AUTHORIZATION => true,
        _ => is_fixed_by_text(name.as_str()),
    }
}

/// The part of the fixed set that the `http` crate has no constants for.
pub(super) fn is_fixed_by_text(name: &str) -> bool {
    matches!(
        name,
        "keep-alive" | "proxy-connection" | "proxy-authentication-info" | "http2-settings" | "proxy"
    )
}

#[cfg(test)]
mod tests;
