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

/// Where the lines of a whole head end.
pub(super) struct Lines {
    /// The places of their LFs; as many as there are lines, the empty one included.
    ends: [u32; MAX_FIELDS + 2],
    count: usize,
}

/// Cuts a head; `None` where its empty line has not come.
pub(super) fn cut(bytes: &[u8]) -> Result<Option<Lines>, ResponseFault> {
    // Whoever speaks another protocol is not waited for.
    const BEGIN: &[u8] = b"HTTP/1.";
    let begun = bytes.len().min(BEGIN.len());
    if bytes.get(..begun) != BEGIN.get(..begun) {
        return Err(ResponseFault::Syntax);
    }
    let mut lines = Lines { ends: [0; MAX_FIELDS + 2], count: 0 };
    let mut from = 0;
    for end in memchr::memchr_iter(b'\n', bytes) {
        // A status line, the fields, an empty line.
        let place = lines.ends.get_mut(lines.count).ok_or(ResponseFault::FieldsTooMany)?;
        *place = u32::try_from(end).map_err(|_| ResponseFault::TooLarge)?;
        lines.count += 1;
        if let Some([] | [b'\r']) = bytes.get(from..end) {
            return Ok(Some(lines));
        }
        from = end + 1;
    }
    Ok(None)
}

impl Lines {
    /// How long the head is, its empty line included.
    pub(super) fn length(&self) -> usize {
        self.count.checked_sub(1).and_then(|last| self.ends.get(last)).map_or(0, |end| *end as usize + 1)
    }

    /// The status line.
    pub(super) fn status(&self, head: &[u8]) -> Option<(Version, StatusCode)> {
        let line = without_cr(head.get(..*self.ends.first()? as usize)?);
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
        sound.then_some((version, code))
    }

    /// The fields; `None` for a line without a colon.
    pub(super) fn fields<'h>(&self, head: &'h [u8]) -> impl Iterator<Item = Option<Field<'h>>> {
        let ends = self.ends.get(..self.count.saturating_sub(1)).unwrap_or_default();
        ends.windows(2).map(move |ends| match ends {
            [before, end] => field(head, *before as usize + 1, *end as usize),
            _ => None,
        })
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
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

fn field(head: &[u8], start: usize, end: usize) -> Option<Field<'_>> {
    let line = without_cr(head.get(start..end)?);
    // Names are short: a loop finds their end sooner than a search that must be set up.
    let colon = line.iter().position(|b| *b == b':')?;
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
