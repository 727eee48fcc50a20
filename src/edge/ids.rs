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
    Made([u8; 32]),
}

impl<'r> RequestId<'r> {
    pub(crate) fn of(admitted: &Admitted<'r>, chance: &Chance) -> Self {
        match admitted.request_id {
            Some(id) => Self::Kept(id),
            None => Self::Made(made([chance.next(), chance.next()])),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Kept(id) => id,
            Self::Owned(id) => id,
            // Hexadecimal digits only, so that it is text.
            Self::Made(digits) => std::str::from_utf8(digits).unwrap_or_default(),
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
fn made(bits: [u64; 2]) -> [u8; 32] {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let bytes = bits.iter().flat_map(|half| half.to_be_bytes());
    let mut id = [0; 32];
    for (pair, byte) in id.chunks_exact_mut(2).zip(bytes) {
        for (digit, nibble) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *digit = DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_ids_are_32_digits() {
        assert_eq!(&made([0x0123_4567_89ab_cdef, 1]), b"0123456789abcdef0000000000000001");
        assert_ne!(made([1, 2]), made([2, 1]));
    }
}
