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
    for field in lines.fields(head) {
        let field = field.ok_or(())?;
        let name = HeaderName::from_bytes(field.name).map_err(drop)?;
        let value = HeaderValue::from_bytes(&head[field.value.clone()]).map_err(drop)?;
        assert!(field.is_sound(head));
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
