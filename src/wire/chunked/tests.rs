//! Chunked bodies: by table, at every split, and there and back. The numbers are lines of the list of hostile inputs.

use proptest::prelude::*;

use super::*;

/// Feeds `pieces` one after the other; the data, and how many bytes were consumed when the body ended.
fn decoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(Vec<u8>, Option<usize>), BodyFault> {
    let mut decoder = Decoder::default();
    let (mut data, mut consumed) = (Vec::new(), 0);
    for mut piece in pieces {
        loop {
            let step = decoder.read(piece)?;
            assert!(step.data.end <= step.consumed && step.consumed <= piece.len());
            data.extend_from_slice(&piece[step.data.clone()]);
            consumed += step.consumed;
            if step.done {
                assert!(decoder.is_done());
                return Ok((data, Some(consumed)));
            }
            assert!(step.consumed > 0 || piece.is_empty(), "no progress");
            piece = &piece[step.consumed..];
            if piece.is_empty() {
                break;
            }
        }
    }
    Ok((data, None))
}

/// The outcome of a message, which must be the same at every split and byte by byte.
fn at_every_split(message: &[u8]) -> Result<(Vec<u8>, Option<usize>), BodyFault> {
    let whole = decoded([message]);
    for at in 0..=message.len() {
        let (a, b) = message.split_at(at);
        assert_eq!(decoded([a, b]), whole, "split at {at}");
    }
    assert_eq!(decoded(message.chunks(1)), whole, "byte by byte");
    whole
}

#[test]
fn bodies_that_end() {
    for (message, data) in [
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("3\r\nabc\r\nA\r\n0123456789\r\n000\r\n\r\n", "abc0123456789"),
        ("0000000000000005\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n", "hello"),
        ("5 ;a\r\nhello\r\n0\t;\r\n\r\n", "hello"),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
        ("0\r\nA: b\r\nC:\r\n\r\n", ""),
    ] {
        let (out, end) = at_every_split(message.as_bytes()).unwrap();
        assert_eq!(out, data.as_bytes(), "{message:?}");
        assert_eq!(end, Some(message.len()), "{message:?}");
    }
}

#[test]
fn line_77_what_follows_the_body_is_not_consumed() {
    let message = b"1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n";
    assert_eq!(at_every_split(message), Ok((b"a".to_vec(), Some(11))));
}

#[test]
fn line_17_trailers_are_checked_and_dropped() {
    let message = b"0\r\nContent-Length: 5\r\nHost: evil\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(at_every_split(message), Ok((Vec::new(), Some(message.len()))));
    for bad in [
        "0\r\n a: b\r\n\r\n",
        "0\r\n: b\r\n\r\n",
        "0\r\na b: c\r\n\r\n",
        "0\r\na\r\n\r\n",
        "0\r\na: b\n\r\n",
        "0\r\na: b\rc\r\n\r\n",
        "0\r\na: \0\r\n\r\n",
        "0\r\n\n",
        "0\r\n\rx",
    ] {
        assert_eq!(at_every_split(bad.as_bytes()), Err(BodyFault::Trailer), "{bad:?}");
    }
}

#[test]
fn lines_12_14_and_15_sizes_that_are_none() {
    for bad in [
        "0x1\r\na\r\n",
        "+1\r\na\r\n",
        "-1\r\n",
        "1_0\r\n",
        " 1\r\na\r\n",
        "\r\n",
        ";a\r\n",
        "g\r\n",
        "00000000000000001\r\n",
        "1\na\n0\n\n",
        "1\r\r\na",
        "1\rXa",
        "1 \r\na\r\n",
        "1 1\r\na",
        "1;a\nb\r\n",
        "1;a\0\r\n",
        "1;a\x1b\r\n",
        "1;a\rb\r\n",
        "1\x0b\r\n",
        "1;a\x7f\r\n",
    ] {
        assert_eq!(at_every_split(bad.as_bytes()), Err(BodyFault::ChunkSize), "{bad:?}");
    }
    for bad in ["1\r\nab", "1\r\na\n0\r\n\r\n", "1\r\na\rb", "5\r\nhello!\r\n"] {
        assert_eq!(at_every_split(bad.as_bytes()), Err(BodyFault::ChunkEnd), "{bad:?}");
    }
}

#[test]
fn line_18_a_body_that_breaks_off_has_no_end() {
    let message = b"3\r\nabc\r\n0\r\nA: b\r\n\r\n";
    for at in 0..message.len() {
        assert_eq!(decoded([&message[..at]]).unwrap().1, None, "cut at {at}");
    }
}

#[test]
fn line_16_extensions_and_trailers_are_bounded() {
    let chunk = format!("1;{}\r\na\r\n", "x".repeat(999));
    let (within, beyond) = (chunk.repeat(16), chunk.repeat(17));
    assert_eq!(decoded([within.as_bytes()]).unwrap().0, b"a".repeat(16));
    assert_eq!(decoded([beyond.as_bytes()]), Err(BodyFault::ExtensionsTooLarge));
    let trailers = format!("0\r\na: {}\r\n\r\n", "x".repeat(MAX_TRAILERS as usize));
    assert_eq!(decoded([trailers.as_bytes()]), Err(BodyFault::TrailersTooLarge));
    let million = "1\r\na\r\n".repeat(1_000_000);
    assert_eq!(decoded([million.as_bytes()]).unwrap().0.len(), 1_000_000);
}

#[test]
fn the_largest_chunk() {
    let mut decoder = Decoder::default();
    let step = decoder.read(b"ffffffffffffffff\r\nabc").unwrap();
    assert_eq!((step.consumed, step.data, step.done), (21, 18..21, false));
    assert_eq!(decoder.left, u64::MAX - 3);
}

#[test]
fn size_lines() {
    for (length, line) in [
        (0, ""),
        (1, "1\r\n"),
        (15, "f\r\n"),
        (16, "10\r\n"),
        (65_536, "10000\r\n"),
        (u64::MAX, "ffffffffffffffff\r\n"),
    ] {
        assert_eq!(SizeLine::new(length).as_bytes(), line.as_bytes(), "{length}");
    }
}

proptest! {
    /// What is written in any chunks is read back from any pieces.
    #[test]
    fn there_and_back(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut wire = Vec::new();
        for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
            wire.extend_from_slice(SizeLine::new(chunk.len() as u64).as_bytes());
            wire.extend_from_slice(chunk);
            wire.extend_from_slice(CHUNK_END);
        }
        wire.extend_from_slice(LAST_CHUNK);
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len())).collect();
        at.extend([0, wire.len()]);
        at.sort_unstable();
        let pieces = at.windows(2).map(|ends| &wire[ends[0]..ends[1]]);
        prop_assert_eq!(decoded(pieces), Ok((chunks.concat(), Some(wire.len()))));
    }

    /// No bytes make it panic, stall, or answer otherwise when they come one by one.
    #[test]
    fn any_bytes(message in prop::collection::vec(prop_oneof![
        Just(b'\r'), Just(b'\n'), Just(b'0'), Just(b'1'), Just(b'a'), Just(b';'), Just(b' '), Just(b':'), any::<u8>()
    ], 0..40)) {
        prop_assert_eq!(decoded(message.chunks(1)), decoded([&message[..]]));
    }

    /// hyper's strictness is not ours, but whatever we take as a size, httparse reads as the same size.
    #[test]
    fn sizes_agree_with_httparse(size in "[0-9a-fA-F]{0,17}([ \t]{0,2}(;[ -~]{0,5})?)\r\n") {
        let mut decoder = Decoder::default();
        if decoder.read(size.as_bytes()).is_ok() {
            let theirs = httparse::parse_chunk_size(size.as_bytes()).unwrap().unwrap();
            prop_assert_eq!(theirs, (size.len(), decoder.left));
        }
    }
}
