//! A response head cut into its lines. Syntax only: what the lines say is `response`'s matter.
//!
//! httparse does this too, and tells each byte of names and values, which the `http` crate then tells again. Here eight
//! bytes at a time are asked for control characters: in a sound head there are none but the ends of its lines, and
//! now and then a tab. Whoever takes a name or a value checks the rest as it becomes a `HeaderName` or `HeaderValue`. A
//! bare LF ends a line, as in RFC 9112 2.2; folded lines begin with a blank, which no name does.

use http::header::HeaderName;
use http::{StatusCode, Version};

use super::response::{MAX_FIELDS, ResponseFault};

/// Where the lines of a whole head end.
pub(super) struct Lines {
    /// The places of their LFs; as many as there are lines, the empty one included.
    ends: [u16; MAX_FIELDS + 2],
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
    let mut cut = Cut { lines: Lines { ends: [0; MAX_FIELDS + 2], count: 0 }, from: 0, cr: None };
    let (words, rest) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let mut controls = controls(word);
        while controls != 0 {
            let place = (controls.trailing_zeros() / 8) as usize;
            controls &= controls - 1;
            // The lowest byte of what is shifted.
            #[allow(clippy::cast_possible_truncation)]
            if cut.control(at + place, (word >> (8 * place)) as u8)? {
                return Ok(Some(cut.lines));
            }
        }
        at += 8;
    }
    for (place, byte) in rest.iter().enumerate().filter(|(_, byte)| **byte < b' ') {
        if cut.control(at + place, *byte)? {
            return Ok(Some(cut.lines));
        }
    }
    Ok(None)
}

/// The highest bit of each byte that is below 0x20; no other bit.
const fn controls(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // With its highest bit apart a byte cannot carry into the next.
    let low = word & (0x7f * EACH);
    !((low + 0x60 * EACH) | word) & (0x80 * EACH)
}

/// A head that is being cut.
struct Cut {
    lines: Lines,
    /// Where the current line begins.
    from: usize,
    /// A CR that no LF has followed yet.
    cr: Option<usize>,
}

impl Cut {
    /// Takes in a control character; whether it ends the head.
    fn control(&mut self, at: usize, byte: u8) -> Result<bool, ResponseFault> {
        // A CR is nothing but half of a line's end.
        let cr = self.cr.take();
        if cr.is_some_and(|cr| byte != b'\n' || cr + 1 != at) {
            return Err(ResponseFault::Syntax);
        }
        match byte {
            b'\n' => {
                // A status line, the fields, an empty line.
                let place = self.lines.ends.get_mut(self.lines.count).ok_or(ResponseFault::FieldsTooMany)?;
                *place = u16::try_from(at).map_err(|_| ResponseFault::TooLarge)?;
                self.lines.count += 1;
                let empty = cr.unwrap_or(at) == self.from;
                self.from = at + 1;
                Ok(empty)
            }
            b'\r' => {
                self.cr = Some(at);
                Ok(false)
            }
            b'\t' => Ok(false),
            _ => Err(ResponseFault::Syntax),
        }
    }
}

impl Lines {
    /// How long the head is, its empty line included.
    pub(super) fn length(&self) -> usize {
        self.count.checked_sub(1).and_then(|last| self.ends.get(last)).map_or(0, |end| usize::from(*end) + 1)
    }

    /// The status line.
    pub(super) fn status(&self, head: &[u8]) -> Option<(Version, StatusCode)> {
        let line = without_cr(head.get(..usize::from(*self.ends.first()?))?);
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

    /// The lines of the fields, without their ends, and where they begin.
    pub(super) fn fields<'h>(&self, head: &'h [u8]) -> impl Iterator<Item = (usize, &'h [u8])> {
        let ends = self.ends.get(..self.count.saturating_sub(1)).unwrap_or_default();
        ends.windows(2).map(move |ends| match ends {
            [before, end] => {
                let start = usize::from(*before) + 1;
                (start, without_cr(head.get(start..usize::from(*end)).unwrap_or_default()))
            }
            _ => (0, &[][..]),
        })
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A field's line: what stands before its colon, and behind; `None` without one.
pub(super) fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    // Names are short: a loop finds their end sooner than a search that must be set up.
    let colon = line.iter().position(|b| *b == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    Some((name, value.get(1..)?))
}

pub(super) fn without_blanks_before(mut value: &[u8]) -> &[u8] {
    // As nearly all write it: one blank.
    if let [b' ', rest @ ..] = value
        && rest.first().is_some_and(|first| *first > b' ')
    {
        return rest;
    }
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    value
}

pub(super) fn without_blanks_after(mut value: &[u8]) -> &[u8] {
    if let [.., last] = value
        && *last > b' '
    {
        return value;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Whether a field's line is what it must be.
pub(super) fn is_sound(line: &[u8]) -> bool {
    split(line).is_some_and(|(name, value)| HeaderName::from_bytes(name).is_ok() && is_text(value))
}

/// Whether bytes of a head that was cut may stand in a field's value or a reason (RFC 9110 5.5): no control character
/// but DEL has come through.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| *b != 0x7f)
}

#[cfg(test)]
mod tests;
