//! Request ids: the client's, where it is sound, else a new one.

use super::chance::Chance;
use crate::wire::guard::Admitted;

/// The id of one request.
#[derive(Debug, Clone)]
pub(crate) enum RequestId<'r> {
    /// As it came.
    Kept(&'r str),
    /// As it came, kept for longer than the request's fields.
    Owned(Box<str>),
    /// Of our making.
    Made(Digits),
}

impl<'r> RequestId<'r> {
    pub(crate) fn of(admitted: &Admitted<'r>, chance: &Chance) -> Self {
        match admitted.request_id {
            Some(id) => Self::Kept(id),
            None => Self::Made(Digits::of([chance.next(), chance.next()])),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Kept(id) => id,
            Self::Owned(id) => id,
            // Hexadecimal digits only, so that it is text.
            Self::Made(digits) => std::str::from_utf8(&digits.0).unwrap_or_default(),
        }
    }

    /// The same as bytes, for which nothing needs to be told to be text.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Kept(id) => id.as_bytes(),
            Self::Owned(id) => id.as_bytes(),
            Self::Made(digits) => &digits.0,
        }
    }

    /// The id without the request.
    pub(crate) fn owned(&self) -> RequestId<'static> {
        match self {
            Self::Kept(id) => RequestId::Owned((*id).into()),
            Self::Owned(id) => RequestId::Owned(id.clone()),
            Self::Made(digits) => RequestId::Made(*digits),
        }
    }
}

/// 128 bits as hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digits([u8; 32]);

impl Digits {
    fn of(bits: [u64; 2]) -> Self {
        let mut id = [0; 32];
        let quarters = bits.iter().flat_map(|half| [half >> 32, half & 0xffff_ffff]);
        for (eight, quarter) in id.chunks_exact_mut(8).zip(quarters) {
            eight.copy_from_slice(&eight_digits(quarter));
        }
        Self(id)
    }
}

/// 32 bits as digits, all eight at once: each nibble in a byte of its own, then `0` or `a` added to it.
fn eight_digits(bits: u64) -> [u8; 8] {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let mut nibbles = bits;
    for (shift, mask) in [(16, 0x0000_ffff_0000_ffff), (8, 0x00ff_00ff_00ff_00ff), (4, 0x0f0f_0f0f_0f0f_0f0f)]
    {
        nibbles = (nibbles << shift | nibbles) & mask;
    }
    let letters = (nibbles + 6 * EACH) >> 4 & EACH;
    (nibbles + u64::from(b'0') * EACH + letters * u64::from(b'a' - b'0' - 10)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_ids_are_32_digits() {
        for bits in [[0, u64::MAX], [0x0123_4567_89ab_cdef, 1], [1, 2]] {
            let digits = RequestId::Made(Digits::of(bits));
            assert_eq!(digits.as_str(), format!("{:016x}{:016x}", bits[0], bits[1]));
        }
    }
}
