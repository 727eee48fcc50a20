//! The upstream request head as bytes: end-to-end fields as they came, one framing, and our own fields.
//!
//! One pass over the client's fields and no map edits: this is the hot path. What the guard admitted
//! is taken as sound; nothing is judged here.

use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Version};

use super::forward::{self, Peer, Said, write_host};
use super::framing::RequestBody;
use super::guard::{Admitted, max_forwards};
use super::prefix::Prefix;
use super::{baggage, hop_by_hop};

/// All that an upstream request head is made of.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The client's request.
    pub parts: &'a Parts,
    /// What the guard made of it.
    pub admitted: &'a Admitted<'a>,
    /// The path that goes upstream: `admitted.path`, or what [`Prefix::strip`] left of it.
    pub path: &'a str,
    /// The query that goes upstream.
    pub query: Option<&'a str>,
    /// The prefix that was taken off the path.
    pub prefix: Option<Prefix<'a>>,
    /// Who sent it.
    pub peer: Peer<'a>,
    /// The request id: `admitted.request_id`, or a new one.
    pub request_id: &'a [u8],
    /// The name of this very instance in `Via`, as the guard's [`super::guard::Terms::pseudonym`].
    pub pseudonym: &'a str,
    /// The version id that serves.
    pub version: &'a str,
    /// What [`ours`] makes of pseudonym and version; what most requests end with.
    pub ours: &'a [u8],
}

/// The fields that are the same for all HTTP/1.1 requests to a version that bring no `Via` and no `baggage` along: made
/// once and then copied whole.
#[must_use]
pub fn ours(pseudonym: &str, version: &str) -> Vec<u8> {
    let mut out = b"\r\nvia: 1.1 ".to_vec();
    out.extend_from_slice(pseudonym.as_bytes());
    behind_via(&mut out, version, None);
    out
}

fn behind_via(out: &mut Vec<u8>, version: &str, theirs: Option<&HeaderMap>) {
    out.extend_from_slice(b"\r\nx-synkronic-version: ");
    out.extend_from_slice(version.as_bytes());
    out.extend_from_slice(b"\r\nbaggage: ");
    baggage::write(out, version, theirs);
    out.extend_from_slice(b"\r\n");
}

impl Head<'_> {
    /// Appends the head to `out`, up to and with its empty line.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.reserve(1024);
        self.request_line(out);
        let seen = self.fields(out);
        self.forwarding(out, &seen);
        self.framing(out);
        out.extend_from_slice(b"\r\n");
    }

    fn request_line(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.parts.method.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.path.as_bytes());
        if let Some(query) = self.query {
            out.push(b'?');
            out.extend_from_slice(query.as_bytes());
        }
        out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
        write_host(out, &self.admitted.host, self.admitted.port);
        out.extend_from_slice(b"\r\n");
    }

    /// The client's end-to-end fields, in its order, and what was met among them on the way.
    fn fields(&self, out: &mut Vec<u8>) -> Seen {
        let mut seen = Seen::default();
        let headers = &self.parts.headers;
        for (name, value) in headers {
            if self.admitted.names_fields && hop_by_hop::names(headers, name) {
                continue;
            }
            match self.fate(name) {
                Fate::Pass => write_field(out, name, value),
                Fate::Drop => {}
                Fate::Cookie => {
                    if !seen.cookie {
                        seen.cookie = true;
                        write_cookies(out, headers);
                    }
                }
                Fate::Via => seen.via = true,
                Fate::Baggage => seen.baggage = true,
                Fate::Forwarding => seen.forwarding = true,
                Fate::MaxForwards => self.max_forwards(out, name, value),
            }
        }
        seen
    }

    fn fate(&self, name: &HeaderName) -> Fate {
        match *name {
            header::HOST
            | header::CONTENT_LENGTH
            | header::TRANSFER_ENCODING
            | header::CONNECTION
            | header::UPGRADE
            | header::TE
            | header::TRAILER
            | header::EXPECT
            | header::PROXY_AUTHENTICATE
            | header::PROXY_AUTHORIZATION => Fate::Drop,
            header::COOKIE => Fate::Cookie,
            header::VIA => Fate::Via,
            header::MAX_FORWARDS => Fate::MaxForwards,
            header::FORWARDED => self.believed(Fate::Pass),
            // What most requests bring along, so that they are passed without a look at their text.
            header::USER_AGENT
            | header::ACCEPT
            | header::ACCEPT_ENCODING
            | header::ACCEPT_LANGUAGE
            | header::AUTHORIZATION
            | header::CACHE_CONTROL
            | header::CONTENT_TYPE
            | header::IF_MODIFIED_SINCE
            | header::IF_NONE_MATCH
            | header::ORIGIN
            | header::PRAGMA
            | header::RANGE
            | header::REFERER
            | header::SEC_WEBSOCKET_KEY
            | header::SEC_WEBSOCKET_VERSION
            | header::UPGRADE_INSECURE_REQUESTS => Fate::Pass,
            _ => self.fate_by_text(name.as_str()),
        }
    }

    fn fate_by_text(&self, name: &str) -> Fate {
        if name == "x-request-id" || name.starts_with("x-synkronic-") || hop_by_hop::is_fixed_by_text(name) {
            return Fate::Drop;
        }
        if name == "baggage" {
            return Fate::Baggage;
        }
        match forward::said(name) {
            None => Fate::Pass,
            Some(Said::Ours) => self.believed(Fate::Forwarding),
            Some(Said::Theirs) => self.believed(Fate::Pass),
        }
    }

    const fn believed(&self, fate: Fate) -> Fate {
        if self.peer.trusted { fate } else { Fate::Drop }
    }

    /// RFC 9110 7.6.2: only for `OPTIONS` (the guard answers a 0, `TRACE` does not come here).
    fn max_forwards(&self, out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
        match max_forwards(&self.parts.headers) {
            Some(hops) if self.parts.method == Method::OPTIONS => {
                out.extend_from_slice(b"max-forwards: ");
                out.extend_from_slice(itoa::Buffer::new().format(hops.saturating_sub(1)).as_bytes());
                out.extend_from_slice(b"\r\n");
            }
            _ => write_field(out, name, value),
        }
    }

    /// What we say ourselves. It comes after the client's, so that no `Connection` of theirs can name it away.
    fn forwarding(&self, out: &mut Vec<u8>, seen: &Seen) {
        let headers = &self.parts.headers;
        let earlier = seen.forwarding.then_some(headers);
        forward::write(out, &self.peer, &self.admitted.host, self.admitted.port, self.prefix, earlier);
        out.extend_from_slice(b"x-request-id: ");
        out.extend_from_slice(self.request_id);
        if self.parts.version == Version::HTTP_11 && !seen.via && !seen.baggage {
            out.extend_from_slice(self.ours);
            return;
        }
        out.extend_from_slice(b"\r\nvia: ");
        if seen.via {
            for line in headers.get_all(header::VIA).iter().filter(|line| !line.is_empty()) {
                out.extend_from_slice(line.as_bytes());
                out.extend_from_slice(b", ");
            }
        }
        out.extend_from_slice(protocol(self.parts.version));
        out.extend_from_slice(self.pseudonym.as_bytes());
        behind_via(out, self.version, seen.baggage.then_some(headers));
    }

    /// The one framing, and what asks for a WebSocket.
    fn framing(&self, out: &mut Vec<u8>) {
        if self.admitted.websocket {
            out.extend_from_slice(b"connection: upgrade\r\nupgrade: websocket\r\n");
            return;
        }
        match self.admitted.body {
            RequestBody::None => {}
            RequestBody::Length(length) => {
                out.extend_from_slice(b"content-length: ");
                out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
                out.extend_from_slice(b"\r\n");
            }
            RequestBody::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        }
    }
}

/// What becomes of one of the client's fields.
enum Fate {
    /// It goes on as it is.
    Pass,
    /// It ends here, or is replaced by ours.
    Drop,
    /// All `Cookie` lines become one (RFC 6265 5.4; RFC 9113 8.2.3).
    Cookie,
    /// Goes before ours.
    Via,
    /// Is merged with ours.
    Baggage,
    /// Said by a trusted peer, to be added to.
    Forwarding,
    /// Is counted down.
    MaxForwards,
}

/// Which fields were met that ours are joined to.
#[derive(Default)]
struct Seen {
    cookie: bool,
    via: bool,
    baggage: bool,
    forwarding: bool,
}

/// `received-protocol` of `Via`, and the blank behind it.
fn protocol(version: Version) -> &'static [u8] {
    match version {
        Version::HTTP_09 | Version::HTTP_10 => b"1.0 ",
        Version::HTTP_2 => b"2 ",
        _ => b"1.1 ",
    }
}

fn write_field(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn write_cookies(out: &mut Vec<u8>, headers: &HeaderMap) {
    let mut between: &[u8] = b"cookie: ";
    for line in headers.get_all(header::COOKIE).iter().filter(|line| !line.is_empty()) {
        out.extend_from_slice(between);
        out.extend_from_slice(line.as_bytes());
        between = b"; ";
    }
    if between == b"; " {
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests;
