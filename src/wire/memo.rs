//! Field values that upstreams repeat in response after response, kept so that each response takes one more reference
//! to them in place of a check and a copy.
//!
//! One value a field: who serves one application sees the same `Server`, `Date` (for a second) and `Content-Type` again
//! and again. It decides nothing: what it gives is byte for byte what it was asked for.

use http::HeaderValue;
use http::header::InvalidHeaderValue;

use super::field_name::Known;

/// Longer values are not kept.
const LONGEST: usize = 128;

/// The values seen last.
#[derive(Debug, Default)]
pub struct Memo([Option<HeaderValue>; Known::REPEATING]);

impl Memo {
    /// The value with these bytes, of the field at this place.
    pub(super) fn value(&mut self, place: usize, bytes: &[u8]) -> Result<HeaderValue, InvalidHeaderValue> {
        match self.0.get_mut(place) {
            Some(Some(known)) if known.as_bytes() == bytes => Ok(known.clone()),
            Some(slot) if bytes.len() <= LONGEST => {
                let value = HeaderValue::from_bytes(bytes)?;
                *slot = Some(value.clone());
                Ok(value)
            }
            Some(_) | None => HeaderValue::from_bytes(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_out_is_what_was_asked_for() {
        let mut memo = Memo::default();
        let long = "x".repeat(LONGEST + 1);
        for bytes in ["a", "a", "b", "", "a", &long, "a"] {
            assert_eq!(memo.value(3, bytes.as_bytes()).unwrap(), bytes);
        }
        assert!(memo.value(3, b"\n").is_err());
        assert_eq!(memo.value(3, b"a").unwrap(), "a", "what is refused is not kept");
        assert_eq!(memo.value(Known::REPEATING, b"a").unwrap(), "a");
    }
}
