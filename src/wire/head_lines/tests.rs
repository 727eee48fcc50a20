use http::HeaderValue;
use proptest::prelude::*;

use super::*;

/// What a head says: version, status, fields.
type Told = (u8, u16, Vec<(Vec<u8>, Vec<u8>)>);

/// As this file and those who take its names and values see it.
fn ours(bytes: &[u8]) -> Result<Option<Told>, ()> {
    let Some(lines) = cut(bytes).map_err(drop)? else { return Ok(None) };
    let head = &bytes[..lines.length()];
    let (version, code) = lines.status(head).ok_or(())?;
    let mut told = Vec::new();
    for (start, line) in lines.fields(head) {
        assert_eq!(&head[start..][..line.len()], line);
        let (name, value) = split(line).ok_or(())?;
        let name = HeaderName::from_bytes(name).map_err(drop)?;
        let value =
            HeaderValue::from_bytes(without_blanks_after(without_blanks_before(value))).map_err(drop)?;
        assert!(is_sound(line));
        told.push((name.as_str().into(), value.as_bytes().into()));
    }
    Ok(Some((u8::from(version == Version::HTTP_11), code.as_u16(), told)))
}

/// As httparse sees it, and the `http` crate after it.
fn theirs(bytes: &[u8]) -> Result<Option<Told>, ()> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut slots);
    if response.parse(bytes).map_err(drop)?.is_partial() {
        return Ok(None);
    }
    let code = StatusCode::from_u16(response.code.unwrap()).map_err(drop)?;
    let fields = response.headers.iter().map(|field| {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(drop)?;
        let value = HeaderValue::from_bytes(field.value).map_err(drop)?;
        Ok((name.as_str().into(), value.as_bytes().into()))
    });
    Ok(Some((response.version.unwrap(), code.as_u16(), fields.collect::<Result<_, ()>>()?)))
}

/// A piece of a line: what lines are made of, and what breaks them.
fn piece() -> impl Strategy<Value = &'static [u8]> {
    prop::sample::select(vec![
        &b"a"[..],
        b"Set-Cookie",
        b"x-y",
        b":",
        b": ",
        b" ",
        b"\t",
        b"\r\n",
        b"\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b"\x7f",
        b"\x80\xff",
        b"\"(),/;",
        b"value of some length, with commas",
    ])
}

fn head() -> impl Strategy<Value = Vec<u8>> {
    let begin = prop::sample::select(vec![
        &b"HTTP/1.1 200 OK\r\n"[..],
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 404 Not Found\r\n",
        b"HTTP/1.1 204\r\n",
        b"HTTP/1.1 204 \r\n",
        b"HTTP/1.1 204 a\xffb\n",
        b"HTTP/1.1 99 No\r\n",
        b"HTTP/1.1 1000 No\r\n",
        b"HTTP/1.1  200 OK\r\n",
        b"HTTP/1.2 200 OK\r\n",
        b"HTTP/1.1\t200 OK\r\n",
        b"HTTP/1.1 200 O\0K\r\n",
        b"HTTP/1.1 200 O\rK\r\n",
        b"http/1.1 200 OK\r\n",
    ]);
    (begin, prop::collection::vec(piece(), 0..24)).prop_map(|(begin, pieces)| {
        let mut head = begin.to_vec();
        head.extend(pieces.concat());
        head.extend(b"\r\n\r\n");
        head
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn whatever_is_taken_httparse_reads_alike(head in head()) {
        if let Ok(Some(told)) = ours(&head) {
            prop_assert_eq!(theirs(&head), Ok(Some(told)));
        }
    }

    #[test]
    fn whatever_httparse_takes_is_taken(head in head()) {
        if let Ok(Some(told)) = theirs(&head) {
            prop_assert_eq!(ours(&head), Ok(Some(told)));
        }
    }

    #[test]
    fn a_part_is_never_taken_for_the_whole(head in head(), cut in 0.0..1.0_f64) {
        if let Ok(Some(lines)) = super::cut(&head) {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let cut = (cut * lines.length() as f64) as usize;
            prop_assert!(matches!(super::cut(&head[..cut]), Ok(None)));
        }
    }
}

#[test]
fn control_characters_are_found_in_every_place() {
    for byte in 0..=u8::MAX {
        for place in 0..8 {
            for beside in [b'a', 0x00, 0x1f, 0x20, 0x7f, 0x80, 0xff] {
                let mut bytes = [beside; 8];
                bytes[place] = byte;
                let found = controls(u64::from_le_bytes(bytes));
                for (place, byte) in bytes.iter().enumerate() {
                    assert_eq!(found >> (8 * place) & 0xff == 0x80, *byte < 0x20, "{bytes:?}");
                }
                assert_eq!(found & !(0x0101_0101_0101_0101 * 0x80), 0);
            }
        }
    }
}
