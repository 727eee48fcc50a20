//! May a path be matched and forwarded as it stands? (CVE-2019-9901, CVE-2021-29492, CVE-2025-66490)
//!
//! Whoever matches one reading of a path and forwards another is bypassed. So a path of which servers
//! have more than one reading is refused, never repaired, with one exception that RFC 3986 6.2.2.2 calls
//! equivalent: percent-encoded letters, digits, `-`, `.`, `_`, `~` are decoded before matching, and the
//! decoded path is what goes on. Queries are not looked into: nothing in them changes the path.

use std::borrow::Cow;

use super::refusal::Refusal;

/// How a byte of a path is read, as bits, so that a whole path's can be gathered.
type Class = u8;
/// Stands for itself.
const PLAIN: Class = 0;
/// `/`.
const SLASH: Class = 1;
/// `.`, which after a slash may begin a dot segment.
const DOT: Class = 2;
/// `%`.
const PERCENT: Class = 4;
/// Not in a path.
const BAD: Class = 8;

/// RFC 3986's `pchar` and `/`, and `[ ] ^ |`, which browsers send as they are (WHATWG URL, path percent-encode
/// set). `;` stands for itself: `/index;jsessionid=1` is one segment, to us and to whom we send it.
const fn class(b: u8) -> Class {
    match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => PLAIN,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => PLAIN,
        b':' | b'@' | b'[' | b']' | b'^' | b'|' => PLAIN,
        b'/' => SLASH,
        b'.' => DOT,
        b'%' => PERCENT,
        _ => BAD,
    }
}

const CLASSES: [Class; 256] = {
    let mut classes = [BAD; 256];
    let mut b = 0_u8;
    #[allow(clippy::indexing_slicing, reason = "evaluated while compiling, bounds included")]
    while b < 128 {
        classes[b as usize] = class(b);
        b += 1;
    }
    classes
};

/// Judges a path that begins with `/`; what comes back is what is matched and what is forwarded.
///
/// # Errors
/// Where it has more than one reading, or a byte that no path has.
pub fn judge(path: &str) -> Result<Cow<'_, str>, Refusal> {
    if !path.starts_with('/') {
        return Err(Refusal::TargetForm);
    }
    if path.starts_with("//") {
        return Err(Refusal::PathEmptySegment);
    }
    let (mut all, mut dots, mut before) = (0, 0, SLASH);
    for b in path.bytes() {
        #[allow(clippy::indexing_slicing, reason = "a u8 is always below 256")]
        let class = CLASSES[b as usize];
        all |= class;
        // A dot behind a slash: the slash's bit moved up to the dot's.
        dots |= (before << 1) & class & DOT;
        before = class;
    }
    if all & BAD != 0 {
        return Err(Refusal::PathCharacter);
    }
    let (dots, escapes) = (dots != 0, all & PERCENT != 0);
    let path = if escapes { decode_unreserved(path)? } else { Cow::Borrowed(path) };
    if (dots || escapes) && path.split('/').any(is_dot_segment) {
        return Err(Refusal::PathDotSegment);
    }
    Ok(path)
}

/// `.` and `..`, also with parameters: servlet containers read `/..;a=b/` as `/../`.
fn is_dot_segment(segment: &str) -> bool {
    matches!(segment.split(';').next(), Some("." | ".."))
}

/// Decodes what need not have been encoded, and refuses escapes that hide a delimiter.
fn decode_unreserved(path: &str) -> Result<Cow<'_, str>, Refusal> {
    let mut decoded = String::new();
    let mut copied = 0;
    for percent in memchr::memchr_iter(b'%', path.as_bytes()) {
        let byte = escape_at(path.as_bytes(), percent)?;
        match byte {
            0..=0x1f | 0x7f | b'/' | b'\\' | b';' | b'?' | b'#' => {
                return Err(Refusal::PathEncodedDelimiter);
            }
            b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                decoded.push_str(path.get(copied..percent).unwrap_or_default());
                decoded.push(char::from(byte));
                copied = percent + 3;
            }
            _ => {}
        }
    }
    if copied == 0 {
        return Ok(Cow::Borrowed(path));
    }
    decoded.push_str(path.get(copied..).unwrap_or_default());
    Ok(Cow::Owned(decoded))
}

/// The byte that the escape at `percent` stands for.
fn escape_at(path: &[u8], percent: usize) -> Result<u8, Refusal> {
    let digit = |at: usize| path.get(at).and_then(|b| char::from(*b).to_digit(16));
    match (digit(percent + 1), digit(percent + 2)) {
        (Some(high), Some(low)) => u8::try_from(high * 16 + low).map_err(|_| Refusal::PathEncoding),
        _ => Err(Refusal::PathEncoding),
    }
}

#[cfg(test)]
mod tests;
