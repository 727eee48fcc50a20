//! The chunked coding (RFC 9112 7.1), strictly: read on arbitrary splits of the bytes, and written.
//!
//! Data comes out as ranges of what went in, nothing is copied. Extensions are skipped, trailers checked and
//! dropped (they must never become fields, RFC 9110 6.5.1); both are bounded. No bare LF, no sign, no `0x`,
//! no blank that is not in the grammar: whoever reads sizes otherwise than the sender smuggles.

use std::ops::Range;

use super::body::{BodyFault, Step};

/// How many hexadecimal digits a size may have: a `u64`'s.
const MAX_DIGITS: u8 = 16;
/// How many bytes of extensions a whole body may have.
pub const MAX_EXTENSIONS: u32 = 16 << 10;
/// How many bytes of trailers a body may have.
pub const MAX_TRAILERS: u32 = 8 << 10;

/// Reads a chunked body.
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    state: State,
    /// The size being read, then the bytes left of the chunk.
    left: u64,
    digits: u8,
    extensions: u32,
    trailers: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// In the digits of a size.
    #[default]
    Size,
    /// In blanks behind a size, which only `;` may follow.
    Blank,
    /// In the extensions.
    Extension,
    /// Behind the CR of a size line.
    SizeLf,
    /// In the data.
    Data,
    /// Behind the data.
    DataCr,
    /// Behind the CR behind the data.
    DataLf,
    /// At the beginning of a trailer line, or of the empty line.
    Trailer,
    /// In a trailer's name.
    TrailerName,
    /// In a trailer's value.
    TrailerValue,
    /// Behind the CR of a trailer.
    TrailerLf,
    /// Behind the CR of the empty line.
    EndLf,
    /// Behind the body.
    Done,
}

impl Decoder {
    /// Whether the body has been read to its end.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Reads on: up to the end of the first run of data in `input`, of the body, or of `input`.
    ///
    /// Bytes behind `consumed` are to be given again; behind the body they are not the body's.
    ///
    /// # Errors
    /// Where `input` is not chunked coding, or beyond the bounds. Nothing can be read after that.
    pub fn read(&mut self, input: &[u8]) -> Result<Step, BodyFault> {
        let mut at = 0;
        while self.state != State::Done {
            if self.state == State::Data {
                if let Some(data) = self.data(at, input.len()) {
                    return Ok(Step { consumed: data.end, data, done: false });
                }
                break;
            }
            let Some(b) = input.get(at) else { break };
            self.state = self.next(*b)?;
            at += 1;
        }
        Ok(Step { consumed: at, data: at..at, done: self.is_done() })
    }

    /// The data between `from` and `to`, at most as long as what is left of the chunk.
    fn data(&mut self, from: usize, to: usize) -> Option<Range<usize>> {
        let there = to - from;
        if there == 0 {
            return None;
        }
        let take = usize::try_from(self.left).map_or(there, |left| left.min(there));
        self.left -= take as u64;
        if self.left == 0 {
            self.state = State::DataCr;
        }
        Some(from..from + take)
    }

    /// The state behind one byte of anything but data.
    fn next(&mut self, b: u8) -> Result<State, BodyFault> {
        match (self.state, b) {
            (State::Size, _) => self.size(b),
            (State::Blank, b' ' | b'\t' | b';') | (State::Extension, _) if b != b'\r' => self.extension(b),
            (State::Extension, _) => Ok(State::SizeLf),
            (State::SizeLf, b'\n') => {
                self.digits = 0;
                Ok(if self.left == 0 { State::Trailer } else { State::Data })
            }
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size),
            (State::Trailer, b'\r') => Ok(State::EndLf),
            (State::Trailer | State::TrailerName | State::TrailerValue, _) => self.trailer(b),
            (State::TrailerLf, b'\n') => Ok(State::Trailer),
            (State::EndLf, b'\n') => Ok(State::Done),
            (State::Blank | State::SizeLf, _) => Err(BodyFault::ChunkSize),
            (State::DataCr | State::DataLf, _) => Err(BodyFault::ChunkEnd),
            (State::TrailerLf | State::EndLf, _) => Err(BodyFault::Trailer),
            // `read` does not come here in these two.
            (State::Data | State::Done, _) => Err(BodyFault::ChunkEnd),
        }
    }

    fn size(&mut self, b: u8) -> Result<State, BodyFault> {
        if let Some(digit) = char::from(b).to_digit(16) {
            if self.digits == MAX_DIGITS {
                return Err(BodyFault::ChunkSize);
            }
            if self.digits == 0 {
                self.left = 0;
            }
            self.digits += 1;
            self.left = self.left << 4 | u64::from(digit);
            return Ok(State::Size);
        }
        match b {
            _ if self.digits == 0 => Err(BodyFault::ChunkSize),
            b'\r' => Ok(State::SizeLf),
            b' ' | b'\t' | b';' => self.extension(b),
            _ => Err(BodyFault::ChunkSize),
        }
    }

    /// A byte from the blank behind a size on; what the extension says is nobody's business.
    fn extension(&mut self, b: u8) -> Result<State, BodyFault> {
        self.extensions += 1;
        if self.extensions > MAX_EXTENSIONS {
            return Err(BodyFault::ExtensionsTooLarge);
        }
        match b {
            b' ' | b'\t' if self.state != State::Extension => Ok(State::Blank),
            b'\t' | 0x20..=0x7e | 0x80.. => Ok(State::Extension),
            _ => Err(BodyFault::ChunkSize),
        }
    }

    fn trailer(&mut self, b: u8) -> Result<State, BodyFault> {
        self.trailers += 1;
        if self.trailers > MAX_TRAILERS {
            return Err(BodyFault::TrailersTooLarge);
        }
        match (self.state, b) {
            (State::TrailerName, b':') => Ok(State::TrailerValue),
            (State::Trailer | State::TrailerName, _) if is_tchar(b) => Ok(State::TrailerName),
            (State::TrailerValue, b'\r') => Ok(State::TrailerLf),
            (State::TrailerValue, b'\t' | 0x20..=0x7e | 0x80..) => Ok(State::TrailerValue),
            _ => Err(BodyFault::Trailer),
        }
    }
}

/// RFC 9110 5.6.2.
fn is_tchar(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

/// What stands behind a chunk's data.
pub const CHUNK_END: &[u8] = b"\r\n";
/// The last chunk and the end of the body, without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The line before a chunk's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeLine {
    bytes: [u8; 18],
    from: u8,
}

impl SizeLine {
    /// The line for a chunk of `length` bytes; empty for 0, since a chunk of none would end the body.
    #[must_use]
    pub fn new(length: u64) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut bytes = [0; 18];
        let mut from = 18_u8;
        let mut left = length;
        for (place, slot) in bytes.iter_mut().enumerate().rev() {
            let byte = match place {
                17 if length > 0 => b'\n',
                16 if length > 0 => b'\r',
                _ if left > 0 => {
                    let digit = DIGITS.get((left & 15) as usize).copied().unwrap_or(b'0');
                    left >>= 4;
                    digit
                }
                _ => break,
            };
            *slot = byte;
            from -= 1;
        }
        Self { bytes, from }
    }

    /// The line's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(usize::from(self.from)..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
