//! A response head cut into its lines. Syntax only: what the lines say is `response`'s matter.
//!
//! httparse does this too, in four times the instructions: it tells each byte of names and values, which the
//! `http` crate then tells again. Here lines and colons are found, and whoever takes a name or a value checks
//! it as it becomes a `HeaderName` or `HeaderValue`. A bare LF ends a line, as in RFC 9112 2.2; folded lines
//! begin with a blank, which no name does.

use std::ops::Range;

use http::header::HeaderName;
use http::{StatusCode, Version};

use super::response::{MAX_FIELDS, ResponseFault};

/// How long the head is, its empty line included; `None` where that has not come.
pub(super) fn length(bytes: &[u8]) -> Result<Option<usize>, ResponseFault> {
    // Whoever speaks another protocol is not waited for.
    const BEGIN: &[u8] = b"HTTP/1.";
    let begun = bytes.len().min(BEGIN.len());
    if bytes.get(..begun) != BEGIN.get(..begun) {
        return Err(ResponseFault::Syntax);
    }
    let mut from = 0;
    for (number, end) in memchr::memchr_iter(b'\n', bytes).enumerate() {
        if let Some([] | [b'\r']) = bytes.get(from..end) {
            return Ok(Some(end + 1));
        }
        if number > MAX_FIELDS {
            return Err(ResponseFault::FieldsTooMany);
        }
        from = end + 1;
    }
    Ok(None)
}

/// The status line, and where the fields begin.
pub(super) fn status(head: &[u8]) -> Option<(Version, StatusCode, usize)> {
    let end = memchr::memchr(b'\n', head)?;
    let line = head.get(..end)?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (minor, rest) = line.strip_prefix(b"HTTP/1.")?.split_first()?;
    let version = match minor {
        b'0' => Version::HTTP_10,
        b'1' => Version::HTTP_11,
        _ => return None,
    };
    let (digits, reason) = rest.strip_prefix(b" ")?.split_at_checked(3)?;
    let code = StatusCode::from_bytes(digits).ok()?;
    let sound = match reason {
        [] => true,
        [b' ', text @ ..] => is_text(text),
        [..] => false,
    };
    sound.then_some((version, code, end + 1))
}

/// A field as it stands in a head.
pub(super) struct Field<'h> {
    /// Its name, unchecked.
    pub(super) name: &'h [u8],
    /// Where in the head its value is, without the blanks around it, unchecked.
    pub(super) value: Range<usize>,
}

impl Field<'_> {
    /// Whether name and value are what they must be.
    pub(super) fn is_sound(&self, head: &[u8]) -> bool {
        HeaderName::from_bytes(self.name).is_ok() && head.get(self.value.clone()).is_some_and(is_text)
    }
}

/// The fields of a whole head from `first` on; `None` for a line without a colon.
pub(super) fn fields(head: &[u8], first: usize) -> impl Iterator<Item = Option<Field<'_>>> {
    let mut from = first;
    let ends = memchr::memchr_iter(b'\n', head.get(first..).unwrap_or_default());
    ends.map(move |end| first + end).filter_map(move |end| {
        let start = std::mem::replace(&mut from, end + 1);
        let line = head.get(start..end)?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            // The empty line behind the last field.
            return None;
        }
        Some(field(line, start))
    })
}

fn field(line: &[u8], start: usize) -> Option<Field<'_>> {
    let colon = memchr::memchr(b':', line)?;
    let (name, value) = line.split_at_checked(colon)?;
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let mut value = value.get(1..)?;
    while let [first, rest @ ..] = value
        && blank(first)
    {
        value = rest;
    }
    let begin = start + line.len() - value.len();
    while let [rest @ .., last] = value
        && blank(last)
    {
        value = rest;
    }
    Some(Field { name, value: begin..begin + value.len() })
}

/// Whether these bytes may stand in a field's value or a reason (RFC 9110 5.5).
pub(super) fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| matches!(b, b'\t' | 0x20..=0x7e | 0x80..))
}

#[cfg(test)]
mod tests;
