//! `X-Forwarded-For`, `-Proto`, `-Host`, `-Port`, `-Prefix`: what the upstream learns of the client.
//!
//! A peer that is a trusted proxy is believed and added to; whatever any other peer says of this is dropped
//! and replaced, so that no client chooses its own address (hostile-input class "forged forwarding fields").

use std::io::Write as _;
use std::net::IpAddr;

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

use super::Scheme;
use super::authority::Authority;
use super::hop_by_hop;
use super::prefix::Prefix;

static FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
static PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// Who sent the request, and how it reached us.
#[derive(Debug, Clone, Copy)]
pub struct Peer<'a> {
    /// The peer's address as text (an IPv4-mapped one as IPv4); written once a connection.
    pub address: &'a str,
    /// Whether it is one of the trusted proxies.
    pub trusted: bool,
    /// What it spoke to us.
    pub scheme: Scheme,
}

/// The client's address: the peer's, or, as far as trusted proxies tell it, the last one of `X-Forwarded-For` that is
/// not a trusted proxy's own. What stands before that one anybody may have written.
pub fn client(headers: &HeaderMap, peer: IpAddr, trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    let mut client = peer;
    if !trusted(peer) {
        return client;
    }
    let lines: Vec<&HeaderValue> = said_in(headers, &FOR).collect();
    let members = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|b| *b == b','));
    for member in members {
        let Some(address) = address(member.trim_ascii()) else { return client };
        client = address;
        if !trusted(address) {
            return client;
        }
    }
    client
}

/// An address as proxies write it: bare, in brackets, or with a port (Azure's gateways).
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = text.parse::<IpAddr>().ok();
    let bracketed = || text.strip_prefix('[')?.split_once(']')?.0.parse().ok();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    bare.or_else(with_port).or_else(bracketed).map(|address| address.to_canonical())
}

/// What a forwarding field is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// One of the five that we write ourselves.
    Ours,
    /// Another that only a trusted peer may say, passed on as it is.
    Theirs,
}

/// Sorts out field names (lower-case) that say where a request comes from or what it was for.
pub(super) fn said(name: &str) -> Option<Said> {
    match name {
        "x-forwarded-for" | "x-forwarded-proto" | "x-forwarded-host" | "x-forwarded-port"
        | "x-forwarded-prefix" => Some(Said::Ours),
        "x-real-ip" | "x-original-url" | "x-rewrite-url" => Some(Said::Theirs),
        _ if name.starts_with("x-forwarded-") => Some(Said::Theirs),
        _ => None,
    }
}

/// Writes the five fields; `earlier` holds those that came along from a trusted peer, and is `None` where there
/// are none or they are not to be believed.
pub(super) fn write(
    out: &mut Vec<u8>,
    peer: &Peer<'_>,
    host: &str,
    port: Option<u16>,
    prefix: Option<Prefix<'_>>,
    earlier: Option<&HeaderMap>,
) {
    match earlier {
        None => write_ours(out, peer, host, port, prefix),
        Some(headers) => write_after(out, peer, host, port, prefix, headers),
    }
}

/// The usual case: nobody before us.
fn write_ours(out: &mut Vec<u8>, peer: &Peer<'_>, host: &str, port: Option<u16>, prefix: Option<Prefix<'_>>) {
    out.extend_from_slice(b"x-forwarded-for: ");
    out.extend_from_slice(peer.address.as_bytes());
    out.extend_from_slice(match peer.scheme {
        Scheme::Http => b"\r\nx-forwarded-proto: http\r\nx-forwarded-host: ".as_slice(),
        Scheme::Https => b"\r\nx-forwarded-proto: https\r\nx-forwarded-host: ",
    });
    write_host(out, host, port);
    // The port of the client's URL. The listener's own (nginx's `$server_port`) is wrong behind a Service that maps 80 to
    // 8080: applications that build links from it would lead clients to a port that is not open.
    out.extend_from_slice(b"\r\nx-forwarded-port: ");
    out.extend_from_slice(itoa::Buffer::new().format(port.unwrap_or(peer.scheme.default_port())).as_bytes());
    if let Some(prefix) = prefix {
        out.extend_from_slice(b"\r\nx-forwarded-prefix: ");
        out.extend_from_slice(prefix.as_str().as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// Behind a trusted proxy: its list with the peer behind it; its word on scheme, host and port where it is sound;
/// its prefix before ours.
fn write_after(
    out: &mut Vec<u8>,
    peer: &Peer<'_>,
    host: &str,
    port: Option<u16>,
    prefix: Option<Prefix<'_>>,
    earlier: &HeaderMap,
) {
    out.extend_from_slice(b"x-forwarded-for: ");
    for line in said_in(earlier, &FOR) {
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b", ");
    }
    out.extend_from_slice(peer.address.as_bytes());

    let scheme = first(earlier, &PROTO).and_then(scheme);
    let their_host = first(earlier, &HOST).and_then(Authority::parse);
    out.extend_from_slice(b"\r\nx-forwarded-proto: ");
    out.extend_from_slice(scheme.unwrap_or(peer.scheme).as_str().as_bytes());
    out.extend_from_slice(b"\r\nx-forwarded-host: ");
    let (host, port) = match &their_host {
        Some(theirs) => (&*theirs.host, theirs.port),
        None => (host, port),
    };
    write_host(out, host, port);
    let their_port = first(earlier, &PORT).and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
    let port = their_port.filter(|port| *port != 0).or(port);
    out.extend_from_slice(b"\r\nx-forwarded-port: ");
    let port: u16 = port.unwrap_or(scheme.unwrap_or(peer.scheme).default_port());
    out.extend_from_slice(itoa::Buffer::new().format(port).as_bytes());

    let before = first(earlier, &PREFIX).and_then(Prefix::parse_bytes);
    if before.is_some() || prefix.is_some() {
        out.extend_from_slice(b"\r\nx-forwarded-prefix: ");
        for part in [before, prefix].into_iter().flatten() {
            out.extend_from_slice(part.as_str().as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes `host` and `:port`, where there is one.
pub(super) fn write_host(out: &mut Vec<u8>, host: &str, port: Option<u16>) {
    out.extend_from_slice(host.as_bytes());
    if let Some(port) = port {
        // Writing to a `Vec` cannot fail.
        let _ = write!(out, ":{port}");
    }
}

/// The first element of a field: what the proxy nearest to the client said.
fn first<'h>(headers: &'h HeaderMap, name: &'static HeaderName) -> Option<&'h [u8]> {
    let value = said_in(headers, name).next()?;
    value.as_bytes().split(|b| *b == b',').next().map(<[u8]>::trim_ascii)
}

/// The lines of a field, none where `Connection` takes it away (CVE-2024-45410).
fn said_in<'h>(headers: &'h HeaderMap, name: &'static HeaderName) -> impl Iterator<Item = &'h HeaderValue> {
    let kept = !hop_by_hop::names(headers, name);
    headers.get_all(name).iter().filter(move |line| kept && !line.is_empty())
}

fn scheme(text: &[u8]) -> Option<Scheme> {
    if text.eq_ignore_ascii_case(b"https") || text.eq_ignore_ascii_case(b"wss") {
        Some(Scheme::Https)
    } else if text.eq_ignore_ascii_case(b"http") || text.eq_ignore_ascii_case(b"ws") {
        Some(Scheme::Http)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
