//! Bodies read and framed.

use super::*;

/// Reads `pieces` and then the end of the connection.
fn read<'a>(
    body: ResponseBody,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Vec<u8>, usize), BodyFault> {
    let mut reader = Reader::new(body);
    let (mut data, mut left_over) = (Vec::new(), 0);
    for mut piece in pieces {
        while !piece.is_empty() && !reader.is_done() {
            let step = reader.read(piece)?;
            data.extend_from_slice(&piece[step.data]);
            piece = &piece[step.consumed..];
        }
        left_over += piece.len();
    }
    reader.closed()?;
    Ok((data, left_over))
}

#[test]
fn every_framing_at_every_split() {
    let message = b"5\r\nhello\r\n0\r\n\r\n";
    for at in 0..=message.len() {
        let (a, b) = message.split_at(at);
        assert_eq!(read(ResponseBody::Chunked, [a, b]), Ok((b"hello".to_vec(), 0)), "{at}");
        assert_eq!(read(ResponseBody::Length(3), [a, b]), Ok((b"5\r\n".to_vec(), 12)), "{at}");
        assert_eq!(read(ResponseBody::UntilClose, [a, b]), Ok((message.to_vec(), 0)), "{at}");
        assert_eq!(read(ResponseBody::None, [a, b]), Ok((Vec::new(), 15)), "{at}");
    }
}

#[test]
fn line_75_what_breaks_off_is_never_whole() {
    assert_eq!(read(ResponseBody::Length(3), [&b"ab"[..]]), Err(BodyFault::BrokenOff));
    assert_eq!(read(ResponseBody::Chunked, [&b"2\r\nab\r\n"[..]]), Err(BodyFault::BrokenOff));
    assert_eq!(read(ResponseBody::Chunked, [&b"2\r\nab\r\n0\r\n"[..]]), Err(BodyFault::BrokenOff));
    assert_eq!(read(ResponseBody::Length(0), []), Ok((Vec::new(), 0)));
    assert_eq!(read(ResponseBody::UntilClose, []), Ok((Vec::new(), 0)));
}

#[test]
fn what_is_left_is_told_where_it_is_known() {
    let mut length = Reader::new(ResponseBody::Length(5));
    assert_eq!(length.left(), Some(5));
    assert_eq!(length.read(b"abc").unwrap(), Step { consumed: 3, data: 0..3, done: false });
    assert_eq!(length.left(), Some(2));
    assert_eq!(length.read(b"defg").unwrap(), Step { consumed: 2, data: 0..2, done: true });
    assert!(length.is_done());
    assert_eq!(Reader::new(ResponseBody::None).left(), Some(0));
    assert_eq!(Reader::new(ResponseBody::UntilClose).left(), None);
    let mut chunked = Reader::new(ResponseBody::Chunked);
    assert_eq!(chunked.left(), None);
    chunked.read(b"0\r\n\r\n").unwrap();
    assert_eq!(chunked.left(), Some(0));
}

#[test]
fn requests_are_framed() {
    let mut chunked = Writer::new(RequestBody::Chunked);
    let frame = chunked.frame(26).unwrap();
    assert_eq!((frame.before(), frame.after()), (&b"1a\r\n"[..], &b"\r\n"[..]));
    let none = chunked.frame(0).unwrap();
    assert_eq!((none.before(), none.after()), (&b""[..], &b""[..]), "a chunk of none would end the body");
    assert_eq!(chunked.finish(), Ok(&b"0\r\n\r\n"[..]));

    let mut length = Writer::new(RequestBody::Length(5));
    let frame = length.frame(3).unwrap();
    assert_eq!((frame.before(), frame.after()), (&b""[..], &b""[..]));
    assert_eq!(length.finish(), Err(BodyFault::BrokenOff), "a short upload is never ended cleanly");
    assert_eq!(length.frame(3), Err(BodyFault::TooLong));
    length.frame(2).unwrap();
    assert_eq!(length.finish(), Ok(&b""[..]));
    assert_eq!(Writer::new(RequestBody::None).finish(), Ok(&b""[..]));
    assert_eq!(Writer::new(RequestBody::None).frame(1), Err(BodyFault::TooLong));
}
