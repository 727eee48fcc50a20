//! Message bodies without I/O: a response's read as ranges of what came in, a request's framed as it goes out.
//!
//! A body ends where its framing says, or it has broken off; neither side is ever told that a body that broke
//! off was whole (RFC 9112 8).

use std::ops::Range;

use super::chunked::{CHUNK_END, Decoder, LAST_CHUNK, SizeLine};
use super::framing::{RequestBody, ResponseBody};

/// Why a body cannot be read or written on. The connection that it was on is not used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BodyFault {
    /// A chunk's size line is not one.
    #[error("a chunk's size line is malformed")]
    ChunkSize,
    /// A chunk's data is not followed by CRLF.
    #[error("a chunk is longer than its size says")]
    ChunkEnd,
    /// Chunk extensions beyond 16 KiB.
    #[error("the chunk extensions are too large")]
    ExtensionsTooLarge,
    /// A trailer line is not one.
    #[error("the trailers are malformed")]
    Trailer,
    /// Trailers beyond 8 KiB.
    #[error("the trailers are too large")]
    TrailersTooLarge,
    /// The connection closed before the body's end.
    #[error("the body broke off before its end")]
    BrokenOff,
    /// More bytes than `Content-Length` said.
    #[error("the body is longer than its Content-Length")]
    TooLong,
}

impl BodyFault {
    /// A stable short name for the log and for metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChunkSize => "chunk_size",
            Self::ChunkEnd => "chunk_end",
            Self::ExtensionsTooLarge => "extensions_too_large",
            Self::Trailer => "trailer",
            Self::TrailersTooLarge => "trailers_too_large",
            Self::BrokenOff => "broken_off",
            Self::TooLong => "too_long",
        }
    }
}

/// How far one call of [`Reader::read`] came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// How many bytes of the input are done with, data included.
    pub consumed: usize,
    /// Where in the input the data is; perhaps empty. It ends at `consumed`.
    pub data: Range<usize>,
    /// Whether the body is at its end. Bytes behind `consumed` are then not the body's: the connection is not
    /// to be used again.
    pub done: bool,
}

/// Reads a response's body.
#[derive(Debug, Clone)]
pub struct Reader(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Length(u64),
    Chunked(Decoder),
    UntilClose,
}

impl Reader {
    /// A reader for a body delimited so; that of [`ResponseBody::Tunnel`] reads until the end.
    #[must_use]
    pub fn new(body: ResponseBody) -> Self {
        Self(match body {
            ResponseBody::None => Kind::Length(0),
            ResponseBody::Length(length) => Kind::Length(length),
            ResponseBody::Chunked => Kind::Chunked(Decoder::default()),
            ResponseBody::UntilClose | ResponseBody::Tunnel => Kind::UntilClose,
        })
    }

    /// Reads on in `input`, up to the end of its first run of data. Call again with what is behind `consumed`,
    /// until that is nothing or the body is done.
    ///
    /// # Errors
    /// Where the body is malformed.
    pub fn read(&mut self, input: &[u8]) -> Result<Step, BodyFault> {
        match &mut self.0 {
            Kind::Length(left) => {
                let take = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                *left -= take as u64;
                Ok(Step { consumed: take, data: 0..take, done: *left == 0 })
            }
            Kind::Chunked(decoder) => decoder.read(input),
            Kind::UntilClose => Ok(Step { consumed: input.len(), data: 0..input.len(), done: false }),
        }
    }

    /// Whether the body has been read to its end, so that nothing more need be read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match &self.0 {
            Kind::Length(left) => *left == 0,
            Kind::Chunked(decoder) => decoder.is_done(),
            Kind::UntilClose => false,
        }
    }

    /// How many bytes are still to come, where that is known: what a body tells hyper as its exact size.
    #[must_use]
    pub fn left(&self) -> Option<u64> {
        match &self.0 {
            Kind::Length(left) => Some(*left),
            Kind::Chunked(decoder) if decoder.is_done() => Some(0),
            Kind::Chunked(_) | Kind::UntilClose => None,
        }
    }

    /// The connection was closed.
    ///
    /// # Errors
    /// Where the body was not at its end.
    pub fn closed(&self) -> Result<(), BodyFault> {
        match &self.0 {
            Kind::UntilClose => Ok(()),
            Kind::Length(_) | Kind::Chunked(_) if self.is_done() => Ok(()),
            Kind::Length(_) | Kind::Chunked(_) => Err(BodyFault::BrokenOff),
        }
    }
}

/// Frames a request's body on its way upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// Bytes still owed.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// What stands before and behind a run of data on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    before: SizeLine,
    after: &'static [u8],
}

impl Frame {
    /// What goes out before the data.
    #[must_use]
    pub fn before(&self) -> &[u8] {
        self.before.as_bytes()
    }

    /// What goes out behind the data.
    #[must_use]
    pub const fn after(&self) -> &'static [u8] {
        self.after
    }
}

impl Writer {
    /// A writer for a body delimited so.
    #[must_use]
    pub const fn new(body: RequestBody) -> Self {
        match body {
            RequestBody::None => Self::Length(0),
            RequestBody::Length(length) => Self::Length(length),
            RequestBody::Chunked => Self::Chunked,
        }
    }

    /// What goes before and behind the next `length` bytes of data; nothing around none.
    ///
    /// # Errors
    /// Where they are more than was announced: none of them may be written.
    pub fn frame(&mut self, length: usize) -> Result<Frame, BodyFault> {
        match self {
            Self::Length(left) => {
                *left = left.checked_sub(length as u64).ok_or(BodyFault::TooLong)?;
                Ok(Frame { before: SizeLine::new(0), after: b"" })
            }
            Self::Chunked if length == 0 => Ok(Frame { before: SizeLine::new(0), after: b"" }),
            Self::Chunked => Ok(Frame { before: SizeLine::new(length as u64), after: CHUNK_END }),
        }
    }

    /// What ends the body, once the client has ended it cleanly. On any error of the client's side this is not
    /// to be called: the upstream connection is closed instead, so that nobody takes a part for the whole.
    ///
    /// # Errors
    /// Where less came than was announced.
    pub const fn finish(self) -> Result<&'static [u8], BodyFault> {
        match self {
            Self::Length(0) => Ok(b""),
            Self::Length(_) => Err(BodyFault::BrokenOff),
            Self::Chunked => Ok(LAST_CHUNK),
        }
    }
}

#[cfg(test)]
mod tests;
