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
        // A port has five digits at most; a colon before that is in no name.
        match text.bytes().rev().take(6).position(|b| b == b':') {
            None => Some(Self { host: name(text)?, port: None }),
            Some(behind) => {
                let (host, after) = text.split_at_checked(text.len() - behind - 1)?;
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
    let state = text.bytes().fold(BEGIN, after);
    // A label ends with a letter or digit.
    if state & !UPPER != INSIDE {
        return None;
    }
    if text.len() > LONGEST_LABEL && text.split('.').any(|label| label.len() > LONGEST_LABEL) {
        return None;
    }
    // A last label of digits makes it an address (WHATWG URL, "ends in a number"), or nothing.
    if text.ends_with(|last: char| last.is_ascii_digit()) {
        let last = text.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|b| b.is_ascii_digit()) && text.parse::<Ipv4Addr>().is_err() {
            return None;
        }
    }
    Some(if state & UPPER != 0 { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) })
}

/// RFC 1035 2.3.4.
const LONGEST_LABEL: usize = 63;

/// How far a name has been read, in bits, so that a state is a place in [`NEXT`]'s words.
type State = u32;
/// At a label's first byte.
const BEGIN: State = 0;
/// Behind a letter or digit.
const INSIDE: State = 8;
/// Behind a hyphen.
const HYPHEN: State = 16;
/// It is no name.
const NONE: State = 24;
/// Beside these: some letter was a capital.
const UPPER: State = 32;

const fn next(state: State, b: u8) -> State {
    let place = state & !UPPER;
    let capitals = (state & UPPER) | if b.is_ascii_uppercase() { UPPER } else { 0 };
    capitals
        | match b {
            _ if place == NONE => NONE,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => INSIDE,
            b'-' if place != BEGIN => HYPHEN,
            b'.' if place == INSIDE => BEGIN,
            _ => NONE,
        }
}

/// For each byte the next state of every state, eight bits each.
const NEXT: [u64; 256] = {
    let mut table = [0; 256];
    let mut b = 0_u8;
    #[allow(clippy::indexing_slicing, reason = "evaluated while compiling, bounds included")]
    loop {
        let mut state = 0;
        while state < 64 {
            table[b as usize] |= (next(state, b) as u64) << state;
            state += 8;
        }
        if b == u8::MAX {
            break table;
        }
        b += 1;
    }
};

#[allow(clippy::indexing_slicing, reason = "a u8 is always below 256")]
#[allow(clippy::cast_possible_truncation, reason = "states have six bits")]
fn after(state: State, b: u8) -> State {
    (NEXT[b as usize] >> (state & 63)) as State & 63
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
