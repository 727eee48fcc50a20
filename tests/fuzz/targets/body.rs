//! Chunked bodies: the decoder on any cuts of the bytes, against a naive one, and against the writer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use synkronic::wire::body::Writer;
use synkronic::wire::chunked::Decoder;
use synkronic::wire::framing::RequestBody;

/// The data, how many bytes were read, and whether the body ended; nothing where it is malformed.
fn decode(bytes: &[u8], cuts: &[usize]) -> Option<(Vec<u8>, usize, bool)> {
    let mut decoder = Decoder::default();
    let (mut data, mut at) = (Vec::new(), 0);
    for end in cuts.iter().copied().chain([bytes.len()]) {
        while at < end && !decoder.is_done() {
            let step = decoder.read(&bytes[at..end]).ok()?;
            data.extend_from_slice(&bytes[at..end][step.data.clone()]);
            at += step.consumed;
            assert!(step.consumed > 0, "no progress");
        }
    }
    Some((data, at, decoder.is_done()))
}

/// Chunks without extensions, trailers and tricks; nothing where it is not that, or not whole.
fn naive(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut data, mut at) = (Vec::new(), 0);
    loop {
        let end = at + bytes.get(at..)?.windows(2).position(|w| w == b"\r\n")?;
        let digits = std::str::from_utf8(&bytes[at..end]).ok()?;
        if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let size = usize::from_str_radix(digits, 16).ok()?;
        data.extend_from_slice(bytes.get(end + 2..end + 2 + size)?);
        at = end + 2 + size;
        if bytes.get(at..at + 2)? != b"\r\n" {
            return None;
        }
        at += 2;
        if size == 0 {
            return Some((data, at));
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let [first, second, bytes @ ..] = data else { return };
    let whole = decode(bytes, &[]);
    let mut cuts = [first, second].map(|cut| usize::from(*cut) * (bytes.len() + 1) / 256);
    cuts.sort_unstable();
    assert_eq!(decode(bytes, &cuts), whole);
    if let Some((data, length)) = naive(bytes) {
        assert_eq!(whole, Some((data, length, true)));
    }
    // What the writer frames is read as it was.
    let (mut writer, mut framed) = (Writer::new(RequestBody::Chunked), Vec::new());
    for piece in bytes.chunks(1 + usize::from(*first)) {
        let frame = writer.frame(piece.len()).unwrap();
        framed.extend_from_slice(frame.before());
        framed.extend_from_slice(piece);
        framed.extend_from_slice(frame.after());
    }
    framed.extend_from_slice(writer.finish().unwrap());
    assert_eq!(decode(&framed, &cuts), Some((bytes.to_vec(), framed.len(), true)));
    assert_eq!(naive(&framed), Some((bytes.to_vec(), framed.len())));
});
