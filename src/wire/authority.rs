//! `Host` and the authority of a request target, in one comparable form (RFC 9110 4.2.3, 7.2).
//!
//! Only what can be a host in the routing table is let through: DNS names in letters, digits and inner
//! dashes, IPv4, `[IPv6]`. User names, lists, escapes, underscores and non-ASCII are not repaired.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A host, and the port where one is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority<'a> {
    /// Lower-case, without trailing dot; IPv6 in brackets, in its shortest form (RFC 5952).
    ///
    /// Borrowed where the text was in this form already.
    pub host: Cow<'a, str>,
    /// The port, 1 to 65535, where one is written.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Parses the value of `Host`, or a target's authority without user name; `None` where it is neither
    /// a name nor an address.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        if let Some(rest) = text.strip_prefix('[') {
            let (address, after) = rest.split_once(']')?;
            return Some(Self { host: ipv6(text, address)?, port: port_after(after)? });
        }
        match memchr::memchr(b':', text.as_bytes()) {
            None => Some(Self { host: name(text)?, port: None }),
            Some(colon) => {
                let (host, after) = text.split_at_checked(colon)?;
                Some(Self { host: name(host)?, port: port_after(after)? })
            }
        }
    }
}

/// What follows the host: nothing, or `:` and a port in decimal without leading zeros.
///
/// RFC 3986 lets `host:` stand for the default port; nothing of repute sends it, and it reads in two ways.
fn port_after(text: &str) -> Option<Option<u16>> {
    if text.is_empty() {
        return Some(None);
    }
    let digits = text.strip_prefix(':')?;
    if digits.starts_with('0') || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(Some)
}

/// A DNS name or IPv4 address, normalised.
fn name(text: &str) -> Option<Cow<'_, str>> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.len() > 253 {
        return None;
    }
    let mut in_label = 0_u8;
    let mut before = b'.';
    let mut upper = false;
    let mut only_digits = true;
    for b in text.bytes() {
        match b {
            b'a'..=b'z' => only_digits = false,
            b'A'..=b'Z' => {
                upper = true;
                only_digits = false;
            }
            b'0'..=b'9' => {}
            b'-' if in_label > 0 => only_digits = false,
            b'.' if in_label > 0 && before != b'-' => {
                in_label = 0;
                before = b;
                only_digits = true;
                continue;
            }
            _ => return None,
        }
        in_label += 1;
        if in_label > 63 {
            return None;
        }
        before = b;
    }
    if in_label == 0 || before == b'-' {
        return None;
    }
    // A last label of digits makes it an address (WHATWG URL, "ends in a number"), or nothing.
    if only_digits && text.parse::<Ipv4Addr>().is_err() {
        return None;
    }
    Some(if upper { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) })
}

/// An IPv6 address in brackets; `whole` is the text from `[` on. Zones and IPvFuture are refused.
fn ipv6<'a>(whole: &'a str, address: &str) -> Option<Cow<'a, str>> {
    let parsed: Ipv6Addr = address.parse().ok()?;
    let shortest = format!("[{parsed}]");
    match whole.get(..shortest.len()) {
        Some(same) if same == shortest => Some(Cow::Borrowed(same)),
        _ => Some(Cow::Owned(shortest)),
    }
}

#[cfg(test)]
mod tests;
