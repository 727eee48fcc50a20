//! The upstream's response head, as it comes in: status, end-to-end fields, framing, and what becomes of the
//! connection. The upstream is not trusted: whatever is malformed or ambiguous is a fault, answered with 502.
//!
//! Interim responses are swallowed, within bounds: hyper's server sends 100 by itself and cannot relay others
//! (102, 103). 101 counts only where a WebSocket was asked for. Lines that end in a bare LF are read (RFC 9112 2.2
//! allows it, and old CGI programs write them); what goes on to the client is written by hyper, with CRLF.

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode, Version};

use super::field_name::{self, Known};
use super::framing::{self, Conflict, ResponseBody};
use super::head_lines::{self, Lines};
use super::hop_by_hop::{self, MAX_OPTIONS, Options};
use super::memo::Memo;

/// How large the heads of one response may be, interim ones included, in bytes.
pub const MAX_HEAD: usize = 32 << 10;
/// How many fields a head may have.
pub const MAX_FIELDS: usize = 100;
/// How many interim responses may come before the final one.
pub const MAX_INTERIM: u8 = 16;

/// What the request was, as far as its response's framing depends on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// It was `HEAD`.
    pub head: bool,
    /// It asked for a WebSocket.
    pub websocket: bool,
}

/// Parses the head of one response from a growing buffer.
#[derive(Debug, Clone)]
pub struct Parser {
    asked: Asked,
    /// Where the current head begins, behind interim ones.
    start: usize,
    interim: u8,
    /// How much had come when the current head was last tried.
    tried: usize,
}

/// How far a head has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// More bytes are needed.
    Partial,
    /// The final head is there.
    Complete(Head),
}

/// A final response head. Its fields are in the map that was given to [`Parser::parse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The status.
    pub status: StatusCode,
    /// How the body is delimited.
    pub body: ResponseBody,
    /// Whether the connection may be used again once the body has been read to its end and no byte came behind it.
    pub reusable: bool,
    /// For how many seconds the upstream keeps an idle connection, where it says so (`Keep-Alive: timeout=5`).
    pub idle_seconds: Option<u32>,
    /// Where the body begins in the buffer.
    pub length: usize,
}

/// Why a response head is answered with 502, and its connection closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ResponseFault {
    /// Not the syntax of HTTP/1.1.
    #[error("the upstream's response head is not well-formed HTTP/1.1")]
    Syntax,
    /// A head beyond 32 KiB.
    #[error("the upstream's response head is larger than 32 KiB")]
    TooLarge,
    /// More than 100 fields.
    #[error("the upstream's response has more than 100 header fields")]
    FieldsTooMany,
    /// More than 16 interim responses.
    #[error("the upstream sent more than 16 interim responses")]
    InterimTooMany,
    /// `Transfer-Encoding` that is anything but `chunked`, once.
    #[error("the upstream's Transfer-Encoding is not chunked, once")]
    TransferEncoding,
    /// `Content-Length` that is no number, or two that differ.
    #[error("the upstream's Content-Length is no number, or is there twice and differs")]
    ContentLength,
    /// `Transfer-Encoding` and `Content-Length` in one message.
    #[error("the upstream's response has both Transfer-Encoding and Content-Length")]
    FramingConflict,
    /// 101 that was not asked for, or not to a WebSocket.
    #[error("the upstream switched protocols, which was not asked for")]
    Upgrade,
    /// The connection closed in the middle of a head: said by whoever sees the connection.
    #[error("the upstream closed the connection in the middle of its response head")]
    BrokenOff,
}

impl ResponseFault {
    /// A stable short name for the log and for metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syntax => "response_syntax",
            Self::TooLarge => "response_too_large",
            Self::FieldsTooMany => "response_fields_too_many",
            Self::InterimTooMany => "response_interim_too_many",
            Self::TransferEncoding => "response_transfer_encoding",
            Self::ContentLength => "response_content_length",
            Self::FramingConflict => "response_framing_conflict",
            Self::Upgrade => "response_upgrade",
            Self::BrokenOff => "response_broken_off",
        }
    }
}

impl From<Conflict> for ResponseFault {
    fn from(conflict: Conflict) -> Self {
        match conflict {
            Conflict::TransferEncoding => Self::TransferEncoding,
            Conflict::ContentLength => Self::ContentLength,
            Conflict::Both => Self::FramingConflict,
        }
    }
}

impl Parser {
    /// A parser for the response to a request that has just been sent.
    #[must_use]
    pub const fn new(asked: Asked) -> Self {
        Self { asked, start: 0, interim: 0, tried: 0 }
    }

    /// Looks at all that has been received since the request was sent; `received` only grows from call to call.
    ///
    /// `memo` is who has many responses parsed to keep from one to the next.
    ///
    /// Once complete, `fields` holds the end-to-end fields and nothing else: no framing (hyper takes it from the
    /// body; a `HEAD`'s `Content-Length` stays), no hop-by-hop field (a WebSocket's 101 has its `Connection` and
    /// `Upgrade`), no `x-synkronic-*`. Before that its content is undefined; a map that was in use is welcome.
    ///
    /// # Errors
    /// Where it is no response that can be relayed.
    pub fn parse(
        &mut self,
        received: &[u8],
        fields: &mut HeaderMap,
        memo: &mut Memo,
    ) -> Result<Progress, ResponseFault> {
        loop {
            if !self.worth_a_try(received) {
                return if received.len() > MAX_HEAD {
                    Err(ResponseFault::TooLarge)
                } else {
                    Ok(Progress::Partial)
                };
            }
            let head = received.get(self.start..).unwrap_or_default();
            match parse_one(head, self.asked, fields, memo)? {
                One::Partial if received.len() >= MAX_HEAD => return Err(ResponseFault::TooLarge),
                One::Partial => {
                    self.tried = received.len();
                    return Ok(Progress::Partial);
                }
                One::Interim(length) => self.interim(length)?,
                One::Final(mut head) => {
                    head.length += self.start;
                    return if head.length > MAX_HEAD {
                        Err(ResponseFault::TooLarge)
                    } else {
                        Ok(Progress::Complete(head))
                    };
                }
            }
        }
    }

    /// A head that comes byte by byte must not be parsed anew for every byte: only when its end may be there, or
    /// when it has doubled.
    fn worth_a_try(&self, received: &[u8]) -> bool {
        if self.tried == 0 || received.len() >= self.tried.saturating_mul(2) || received.len() >= MAX_HEAD {
            return true;
        }
        let new = received.get(self.tried.saturating_sub(3)..).unwrap_or_default();
        memchr::memchr_iter(b'\n', new)
            .any(|at| matches!(new.get(at + 1..), Some([b'\n', ..] | [b'\r', b'\n', ..])))
    }

    fn interim(&mut self, length: usize) -> Result<(), ResponseFault> {
        self.interim += 1;
        self.start += length;
        self.tried = 0;
        if self.interim > MAX_INTERIM {
            return Err(ResponseFault::InterimTooMany);
        }
        if self.start > MAX_HEAD { Err(ResponseFault::TooLarge) } else { Ok(()) }
    }
}

/// What one head turned out to be.
enum One {
    Partial,
    /// An interim response of so many bytes.
    Interim(usize),
    Final(Head),
}

fn parse_one(
    bytes: &[u8],
    asked: Asked,
    fields: &mut HeaderMap,
    memo: &mut Memo,
) -> Result<One, ResponseFault> {
    let Some(lines) = head_lines::cut(bytes)? else { return Ok(One::Partial) };
    let length = lines.length();
    let head = bytes.get(..length).unwrap_or_default();
    let (version, code) = lines.status(head).ok_or(ResponseFault::Syntax)?;
    if code.is_informational() && code != StatusCode::SWITCHING_PROTOCOLS {
        // What is passed over must be sound all the same: else the next head is not where it seems to be.
        return if lines.fields(head).all(|(_, line)| head_lines::is_sound(line)) {
            Ok(One::Interim(length))
        } else {
            Err(ResponseFault::Syntax)
        };
    }
    let survey = Survey::fill(fields, head, &lines, memo)?;
    if code == StatusCode::SWITCHING_PROTOCOLS && !(asked.websocket && survey.switches_to_websocket(version))
    {
        return Err(ResponseFault::Upgrade);
    }
    let head = survey.head(code, version, length, asked)?;
    // What a GET would have been answered with; hyper sends it, and no body.
    if let (true, Some(length)) = (asked.head && code != StatusCode::NO_CONTENT, survey.framing.length()) {
        fields.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    if head.body == ResponseBody::Tunnel {
        fields.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        fields.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
    Ok(One::Final(head))
}

/// So many values of a head are copied one by one; a head with more of its own is copied as a whole.
const SINGLE: usize = 2;

/// One field of a head.
enum Field {
    Known(Known),
    Other(HeaderName),
}

impl Field {
    /// The field of a line, and what stands behind its colon.
    fn of(line: &[u8]) -> Result<(Self, &[u8]), ResponseFault> {
        if let Some((known, behind)) = field_name::tell(line) {
            return Ok((Self::Known(known), behind));
        }
        let (name, behind) = head_lines::split(line).ok_or(ResponseFault::Syntax)?;
        let name = HeaderName::from_bytes(name).map_err(|_| ResponseFault::Syntax)?;
        Ok((Self::Other(name), behind))
    }

    fn repeats(&self) -> Option<usize> {
        match self {
            Self::Known(known) => known.repeats(),
            Self::Other(_) => None,
        }
    }
}

/// What the fields of a response say about message and connection.
#[derive(Default)]
struct Survey<'b> {
    framing: framing::Fields<'b>,
    connection: Options,
    upgrades: usize,
    upgrade_to_websocket: bool,
    idle_seconds: Option<u32>,
}

impl<'b> Survey<'b> {
    /// Gathers what the fields say, and fills the map with the end-to-end ones, in one pass. The values in it are the
    /// memo's, or slices of one copy of the head.
    fn fill(
        fields: &mut HeaderMap,
        head: &'b [u8],
        lines: &Lines,
        memo: &mut Memo,
    ) -> Result<Self, ResponseFault> {
        let mut survey = Self::default();
        fields.clear();
        let (mut single, mut copy) = (0, Bytes::new());
        for (start, line) in lines.fields(head) {
            let (field, behind) = Field::of(line)?;
            let behind = head_lines::without_blanks_before(behind);
            let from = start + line.len() - behind.len();
            let value = head_lines::without_blanks_after(behind);
            let repeats = field.repeats();
            let Some(name) = survey.take(field, value)? else { continue };
            let value = match repeats {
                Some(place) => memo.value(place, value),
                None if single < SINGLE => {
                    single += 1;
                    HeaderValue::from_bytes(value)
                }
                None => {
                    if copy.is_empty() {
                        copy = Bytes::copy_from_slice(head);
                    }
                    HeaderValue::from_maybe_shared(copy.slice(from..from + value.len()))
                }
            };
            fields.append(name, value.map_err(|_| ResponseFault::Syntax)?);
        }
        if survey.connection.count > MAX_OPTIONS {
            return Err(ResponseFault::Syntax);
        }
        if survey.connection.names {
            for (name, value) in lines.fields(head).filter_map(|(_, line)| head_lines::split(line)) {
                if name.eq_ignore_ascii_case(b"connection") {
                    hop_by_hop::remove_named(fields, value);
                }
            }
        }
        Ok(survey)
    }

    /// Takes a field in; its name, where it goes on to the client.
    fn take(&mut self, field: Field, value: &'b [u8]) -> Result<Option<HeaderName>, ResponseFault> {
        let goes_on = match field {
            Field::Known(known) => self.known(known, value),
            Field::Other(name) => self.keeps(&name, value).then_some(name),
        };
        // What goes on is checked as it becomes a value.
        if goes_on.is_none() && !head_lines::is_text(value) {
            return Err(ResponseFault::Syntax);
        }
        Ok(goes_on)
    }

    fn known(&mut self, known: Known, value: &'b [u8]) -> Option<HeaderName> {
        match known {
            Known::AcceptRanges => return Some(header::ACCEPT_RANGES),
            Known::CacheControl => return Some(header::CACHE_CONTROL),
            Known::ContentEncoding => return Some(header::CONTENT_ENCODING),
            Known::ContentType => return Some(header::CONTENT_TYPE),
            Known::Date => return Some(header::DATE),
            Known::Etag => return Some(header::ETAG),
            Known::LastModified => return Some(header::LAST_MODIFIED),
            Known::Location => return Some(header::LOCATION),
            Known::Server => return Some(header::SERVER),
            Known::SetCookie => return Some(header::SET_COOKIE),
            Known::Vary => return Some(header::VARY),
            Known::Connection => self.connection.line(value),
            Known::ContentLength => self.framing.content_length(value),
            Known::KeepAlive => self.idle_seconds = idle_seconds(value),
            Known::TransferEncoding => self.framing.transfer_encoding(value),
        }
        None
    }

    /// Whether a field goes on that is none of the known, or one of them in an odd spelling.
    fn keeps(&mut self, name: &HeaderName, value: &'b [u8]) -> bool {
        match *name {
            header::TRANSFER_ENCODING => self.framing.transfer_encoding(value),
            header::CONTENT_LENGTH => self.framing.content_length(value),
            header::CONNECTION => self.connection.line(value),
            header::UPGRADE => {
                self.upgrades += 1;
                self.upgrade_to_websocket = value.eq_ignore_ascii_case(b"websocket");
            }
            _ if hop_by_hop::is_fixed(name) => {
                if name == "keep-alive" {
                    self.idle_seconds = idle_seconds(value);
                }
            }
            _ => return !name.as_str().starts_with("x-synkronic-"),
        }
        false
    }

    fn switches_to_websocket(&self, version: Version) -> bool {
        self.upgrades == 1
            && self.upgrade_to_websocket
            && self.connection.upgrade
            && version == Version::HTTP_11
    }

    fn head(
        &self,
        status: StatusCode,
        version: Version,
        length: usize,
        asked: Asked,
    ) -> Result<Head, ResponseFault> {
        let body = if status == StatusCode::SWITCHING_PROTOCOLS {
            ResponseBody::Tunnel
        } else {
            self.framing.of_response(asked.head, status, version)?
        };
        let kept = match version {
            Version::HTTP_11 => !self.connection.close,
            _ => self.connection.keep_alive && !self.connection.close,
        };
        let delimited = match body {
            ResponseBody::None | ResponseBody::Length(_) | ResponseBody::Chunked => true,
            ResponseBody::UntilClose | ResponseBody::Tunnel => false,
        };
        // A 204 that announces a body has a sender who may well send it.
        let announced =
            status == StatusCode::NO_CONTENT && (self.framing.encoded() || self.framing.length() > Some(0));
        Ok(Head {
            status,
            body,
            reusable: kept && delimited && !announced,
            idle_seconds: self.idle_seconds,
            length,
        })
    }
}

/// `timeout=5, max=100`: the seconds.
fn idle_seconds(value: &[u8]) -> Option<u32> {
    value.split(|b| *b == b',').map(<[u8]>::trim_ascii).find_map(|parameter| {
        let (name, digits) = parameter.split_at_checked(8)?;
        if !name.eq_ignore_ascii_case(b"timeout=") {
            return None;
        }
        std::str::from_utf8(digits).ok()?.parse().ok()
    })
}

#[cfg(test)]
mod tests;
