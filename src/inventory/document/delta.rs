//! A text as its difference from another: which stretches of the other it repeats, and what stands between them.
//!
//! Stretches are looked for by their first bytes at every eighth place, so that any of 15 bytes or more is found;
//! of several the longest is taken. It knows no format, and does not choose what to differ from.

/// So many bytes tell where a stretch may begin, and places so far apart are known.
const WORD: usize = 8;
/// So many places that begin alike are tried: what repeats itself more often is found well enough.
const TRIED: usize = 16;

/// What makes `text` of `exemplar`: again and again the number of bytes that are its own, those bytes, then where
/// and how long the stretch is that follows.
pub(super) fn of(exemplar: &[u8], text: &[u8]) -> Vec<u8> {
    let places = Places::of(exemplar);
    let mut delta = Vec::new();
    // The end of what is told of the text, and of the last stretch of the exemplar.
    let (mut told, mut last, mut at) = (0, 0, 0);
    while at + WORD <= text.len() {
        let Some(found) = places.longest(exemplar, text, told, at) else {
            at += 1;
            continue;
        };
        number(&mut delta, found.in_text - told);
        delta.extend_from_slice(text.get(told..found.in_text).unwrap_or_default());
        // Most often it is a little further on.
        let (back, distance) = match found.in_exemplar.checked_sub(last) {
            Some(distance) => (0, distance),
            None => (1, last - found.in_exemplar),
        };
        number(&mut delta, distance << 1 | back);
        number(&mut delta, found.length);
        told = found.in_text + found.length;
        last = found.in_exemplar + found.length;
        at = told;
    }
    let rest = text.get(told..).unwrap_or_default();
    number(&mut delta, rest.len());
    delta.extend_from_slice(rest);
    delta
}

/// The text again; `None` where the delta is not of this exemplar.
pub(super) fn text(exemplar: &[u8], mut delta: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(exemplar.len() + delta.len());
    let mut last = 0_usize;
    while !delta.is_empty() {
        let own = take_number(&mut delta)?;
        let (own, rest) = delta.split_at_checked(own)?;
        text.extend_from_slice(own);
        delta = rest;
        if delta.is_empty() {
            break;
        }
        let distance = take_number(&mut delta)?;
        let begin = if distance & 1 == 0 {
            last.checked_add(distance >> 1)?
        } else {
            last.checked_sub(distance >> 1)?
        };
        last = begin.checked_add(take_number(&mut delta)?)?;
        text.extend_from_slice(exemplar.get(begin..last)?);
    }
    Some(text)
}

/// A stretch that both have.
struct Stretch {
    in_text: usize,
    in_exemplar: usize,
    length: usize,
}

/// Where the words of an exemplar stand.
struct Places {
    /// By the hash of a word the place of the last, plus one; zero for none. As long as a power of two.
    last: Vec<u32>,
    /// By the number of a place the one before it that has the same hash, plus one.
    before: Vec<u32>,
}

impl Places {
    fn of(exemplar: &[u8]) -> Self {
        let words = exemplar.chunks_exact(WORD);
        let mut places = Self { last: vec![0; (words.len() * 2).next_power_of_two()], before: Vec::new() };
        for (number, word) in (1..).zip(words) {
            let slot = places.slot(word);
            let before = places.last.get_mut(slot).map(|it| std::mem::replace(it, number));
            places.before.push(before.unwrap_or_default());
        }
        places
    }

    fn slot(&self, word: &[u8]) -> usize {
        let word = word.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        // Fibonacci hashing: the upper half of the product is mixed best.
        let hash = word.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        usize::try_from(hash).unwrap_or_default() & (self.last.len() - 1)
    }

    /// The longest stretch that goes through `at`, and begins at `told` at the earliest.
    fn longest(&self, exemplar: &[u8], text: &[u8], told: usize, at: usize) -> Option<Stretch> {
        let ahead = text.get(at..)?;
        let word = ahead.get(..WORD)?;
        let own = text.get(told..at)?;
        let mut next = *self.last.get(self.slot(word))?;
        let mut best: Option<Stretch> = None;
        for _ in 0..TRIED {
            let Some(number) = next.checked_sub(1) else { break };
            let number = usize::try_from(number).ok()?;
            next = *self.before.get(number)?;
            let (behind, there) = exemplar.split_at_checked(number * WORD)?;
            if !there.starts_with(word) {
                continue;
            }
            let forth = there.iter().zip(ahead).take_while(|(a, b)| a == b).count();
            let back = behind.iter().rev().zip(own.iter().rev()).take_while(|(a, b)| a == b).count();
            let length = back + forth;
            if best.as_ref().is_none_or(|best| length > best.length) {
                best = Some(Stretch { in_text: at - back, in_exemplar: number * WORD - back, length });
            }
        }
        best
    }
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn number(delta: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        delta.push(u8::try_from(number & 0x7F).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    delta.push(u8::try_from(number).unwrap_or_default());
}

fn take_number(delta: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let (byte, rest) = delta.split_first()?;
        *delta = rest;
        number |= usize::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_both_have_is_not_repeated() {
        let exemplar = br#"{"image":"registry.example.com/web:1.2.3","name":"shop-version-1","ports":[{"containerPort":8080}]}"#;
        let like = br#"{"image":"registry.example.com/web:1.2.10","name":"shop-version-23","ports":[{"containerPort":8080}]}"#;
        let delta = of(exemplar, like);
        assert_eq!(text(exemplar, &delta).unwrap(), like);
        assert!(delta.len() < 20, "{} bytes", delta.len());
        assert!(of(exemplar, exemplar).len() < 6);
    }

    #[test]
    fn what_is_no_delta_makes_no_text() {
        assert_eq!(text(b"abc", &[5]), None);
        assert_eq!(text(b"abc", &[0, 0, 9]), None);
        assert_eq!(text(b"abc", &[0, 3, 1]), None);
        assert_eq!(text(b"abc", &[0x80]), None);
        assert_eq!(text(b"abc", &[]), Some(Vec::new()));
    }

    proptest! {
        #[test]
        fn any_text_comes_back(
            exemplar in proptest::collection::vec(0_u8..4, 0..400),
            text in proptest::collection::vec(0_u8..4, 0..400),
            cut in 0_usize..400,
        ) {
            prop_assert_eq!(super::text(&exemplar, &of(&exemplar, &text)), Some(text.clone()));
            // A text of the exemplar's own pieces, and what is none of it.
            let at = cut.min(exemplar.len());
            let moved: Vec<u8> = [&exemplar[at..], &text, &exemplar[..at], &exemplar].concat();
            prop_assert_eq!(super::text(&exemplar, &of(&exemplar, &moved)), Some(moved));
        }
    }
}
