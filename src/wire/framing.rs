//! How long a message is (RFC 9112 6.3), decided from its framing fields and nothing else.
//!
//! There is one framing in a message or it is refused: no field is repaired, preferred or dropped. What is
//! sent on is never a copy of these fields, but written anew from what was decided here.

use http::{HeaderValue, StatusCode, Version};

use super::refusal::Refusal;

/// How a request's body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestBody {
    /// Neither field: there is no body.
    None,
    /// `Content-Length`, in bytes; 0 where the client said so.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

impl RequestBody {
    /// Whether no byte of a body can follow.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        matches!(self, Self::None | Self::Length(0))
    }
}

/// How a response's body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseBody {
    /// There is none, by the method or the status, whatever the fields say.
    None,
    /// `Content-Length`, in bytes.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// Until the connection closes.
    UntilClose,
    /// No message any more: 101, and what follows belongs to both ends.
    Tunnel,
}

/// The framing fields of one message, as they are met.
#[derive(Debug, Default, Clone, Copy)]
pub struct Fields<'a> {
    transfer_encoding: Option<&'a [u8]>,
    transfer_encodings: usize,
    content_length: Option<u64>,
    content_length_bad: bool,
    content_lengths: usize,
}

/// Why framing fields do not add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// `Transfer-Encoding` that is anything but `chunked`, once, in HTTP/1.1.
    TransferEncoding,
    /// `Content-Length` that is no number, or two that differ.
    ContentLength,
    /// Both.
    Both,
}

impl<'a> Fields<'a> {
    /// Takes in a `Transfer-Encoding` line.
    pub fn transfer_encoding(&mut self, value: &'a [u8]) {
        self.transfer_encoding = Some(value);
        self.transfer_encodings += 1;
    }

    /// Takes in a `Content-Length` line.
    pub fn content_length(&mut self, value: &[u8]) {
        let length = parse_length(value);
        self.content_length_bad |=
            length.is_none() || (self.content_lengths > 0 && length != self.content_length);
        self.content_length = length;
        self.content_lengths += 1;
    }

    /// Whether a `Transfer-Encoding` line was met.
    #[must_use]
    pub const fn encoded(&self) -> bool {
        self.transfer_encodings > 0
    }

    /// How many bytes `Content-Length` tells, where it is sound.
    #[must_use]
    pub const fn length(&self) -> Option<u64> {
        if self.content_length_bad { None } else { self.content_length }
    }

    /// Whether the message is chunked; `Ok(None)` where no field says anything, else chunked or a length.
    fn decide(&self, version: Version) -> Result<Option<Framed>, Conflict> {
        match (self.transfer_encoding, self.content_lengths) {
            (Some(_), 1..) => Err(Conflict::Both),
            (Some(coding), 0) => {
                let once = self.transfer_encodings == 1 && coding.eq_ignore_ascii_case(b"chunked");
                // RFC 9112 6.1: HTTP/1.0 has no chunked coding; such a message is taken to be broken.
                if once && version == Version::HTTP_11 {
                    Ok(Some(Framed::Chunked))
                } else {
                    Err(Conflict::TransferEncoding)
                }
            }
            (None, 0) => Ok(None),
            (None, 1..) => match self.length() {
                Some(length) => Ok(Some(Framed::Length(length))),
                None => Err(Conflict::ContentLength),
            },
        }
    }

    /// How a request's body is delimited.
    ///
    /// hyper shows us at most what it has not decided: of both fields it drops `Content-Length`, reads
    /// chunks and closes the connection after the answer, so that case cannot be seen here.
    ///
    /// # Errors
    /// Where the fields do not add up.
    pub fn of_request(&self, version: Version) -> Result<RequestBody, Refusal> {
        if self.content_lengths > 1 {
            return Err(Refusal::ContentLength);
        }
        match self.decide(version) {
            Ok(None) => Ok(RequestBody::None),
            Ok(Some(Framed::Length(length))) => Ok(RequestBody::Length(length)),
            Ok(Some(Framed::Chunked)) => Ok(RequestBody::Chunked),
            Err(Conflict::TransferEncoding) => Err(Refusal::TransferEncoding),
            Err(Conflict::ContentLength) => Err(Refusal::ContentLength),
            Err(Conflict::Both) => Err(Refusal::FramingConflict),
        }
    }

    /// How the body of a final response is delimited.
    ///
    /// # Errors
    /// Where the fields do not add up.
    pub fn of_response(
        &self,
        head_request: bool,
        status: StatusCode,
        version: Version,
    ) -> Result<ResponseBody, Conflict> {
        // Fields that contradict one another are refused even where no body follows: the sender is broken.
        let framed = self.decide(version)?;
        let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if head_request || bodiless {
            return Ok(ResponseBody::None);
        }
        Ok(match framed {
            None => ResponseBody::UntilClose,
            Some(Framed::Length(length)) => ResponseBody::Length(length),
            Some(Framed::Chunked) => ResponseBody::Chunked,
        })
    }
}

/// What the fields say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framed {
    Length(u64),
    Chunked,
}

/// `Content-Length`: digits only, no sign, no list (RFC 9110 8.6); leading zeros are read, and not sent on.
#[must_use]
pub fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    let mut length = 0_u64;
    for b in value {
        if !b.is_ascii_digit() {
            return None;
        }
        length = length.checked_mul(10)?.checked_add(u64::from(b - b'0'))?;
    }
    Some(length)
}

/// Whether `value` is one token equal to `wanted`, without case.
pub(super) fn is_token(value: &HeaderValue, wanted: &[u8]) -> bool {
    value.as_bytes().trim_ascii().eq_ignore_ascii_case(wanted)
}

#[cfg(test)]
mod tests;
