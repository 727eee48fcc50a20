//! Response heads, whole and split at every byte. The numbers are lines of the list of hostile inputs.

use proptest::prelude::*;

use super::*;

const PLAIN: Asked = Asked { head: false, websocket: false };
const HEAD: Asked = Asked { head: true, websocket: false };
const WEBSOCKET: Asked = Asked { head: false, websocket: true };

type Outcome = Result<Option<(Head, Vec<(String, String)>)>, ResponseFault>;

/// Parses a message that comes in pieces of these lengths, then the rest.
fn in_pieces(asked: Asked, message: &[u8], ends: impl IntoIterator<Item = usize>) -> Outcome {
    let mut parser = Parser::new(asked);
    // A map that was in use: nothing of it may be left.
    let mut fields = HeaderMap::new();
    fields.insert("left-over", HeaderValue::from_static("x"));
    let mut memo = Memo::default();
    for end in ends.into_iter().chain([message.len()]) {
        if let Progress::Complete(head) = parser.parse(&message[..end], &mut fields, &mut memo)? {
            let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            return Ok(Some((head, fields.iter().map(|(n, v)| (n.to_string(), text(v))).collect())));
        }
    }
    Ok(None)
}

fn at_every_split(asked: Asked, message: &str) -> Outcome {
    let message = message.as_bytes();
    let whole = in_pieces(asked, message, []);
    for at in 0..message.len() {
        assert_eq!(in_pieces(asked, message, [at]), whole, "split at {at}");
    }
    assert_eq!(in_pieces(asked, message, 0..message.len()), whole, "byte by byte");
    whole
}

fn head(asked: Asked, message: &str) -> Head {
    at_every_split(asked, message).unwrap().unwrap().0
}

fn fault(asked: Asked, message: &str) -> ResponseFault {
    at_every_split(asked, message).unwrap_err()
}

#[test]
fn end_to_end_fields_and_nothing_else() {
    let message = "HTTP/1.1 200 OK\r\nDate: now\r\nConnection: X-A\r\nSet-Cookie: a=1\r\nX-A: 1\r\nKeep-Alive: max=3, timeout=5\r\n\
                   Set-Cookie: b=2\r\nconnection: keep-alive, x-b,\r\nX-B: 2\r\nTE: trailers\r\nTrailer: X-T\r\nUpgrade: h2c\r\n\
                   Proxy-Authenticate: Basic\r\nContent-Length: 002\r\nX-Synkronic-Version: forged\r\nX-Synkronic-Reason: forged\r\n\
                   Empty:\r\n\r\nhi";
    let (head, fields) = at_every_split(PLAIN, message).unwrap().unwrap();
    let fields: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(fields, [("date", "now"), ("set-cookie", "a=1"), ("set-cookie", "b=2"), ("empty", "")]);
    assert_eq!(
        head,
        Head {
            status: StatusCode::OK,
            body: ResponseBody::Length(2),
            reusable: true,
            idle_seconds: Some(5),
            length: message.len() - 2
        }
    );
}

#[test]
fn line_19_bare_line_feeds_and_odd_bytes_in_values_are_read() {
    let message = "HTTP/1.1 200 OK\nContent-Length: 2\nX:\u{e9}\t \n\nhi";
    let (head, fields) = at_every_split(PLAIN, message).unwrap().unwrap();
    assert_eq!((head.body, head.length), (ResponseBody::Length(2), message.len() - 2));
    assert_eq!(fields, [("x".to_owned(), "\u{e9}".to_owned())]);
}

#[test]
fn framing_cannot_be_named_away() {
    let message = "HTTP/1.1 200 OK\r\nConnection: Content-Length\r\nContent-Length: 2\r\n\r\n";
    assert_eq!(head(PLAIN, message).body, ResponseBody::Length(2));
    let message = "HTTP/1.1 200 OK\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(head(PLAIN, message).body, ResponseBody::Chunked);
}

#[test]
fn which_connections_can_be_used_again() {
    for (fields, body, reusable) in [
        ("1.1 200 OK\r\nContent-Length: 0", ResponseBody::Length(0), true),
        (
            "1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\nConnection: x, Close",
            ResponseBody::Length(0),
            false,
        ),
        ("1.1 200 OK\r\nTransfer-Encoding: chunked", ResponseBody::Chunked, true),
        ("1.1 200 OK\r\nX: y", ResponseBody::UntilClose, false),
        ("1.0 200 OK\r\nContent-Length: 1", ResponseBody::Length(1), false),
        ("1.0 200 OK\r\nContent-Length: 1\r\nConnection: Keep-Alive", ResponseBody::Length(1), true),
        ("1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive, close", ResponseBody::Length(1), false),
        ("1.1 204 No Content\r\nX: y", ResponseBody::None, true),
        ("1.1 204 No Content\r\nContent-Length: 0", ResponseBody::None, true),
        ("1.1 204 No Content\r\nContent-Length: 5", ResponseBody::None, false),
        ("1.1 204 No Content\r\nTransfer-Encoding: chunked", ResponseBody::None, false),
        ("1.1 304 Not Modified\r\nContent-Length: 5", ResponseBody::None, true),
        ("1.1 999 \r\nContent-Length: 5", ResponseBody::Length(5), true),
    ] {
        let head = head(PLAIN, &format!("HTTP/{fields}\r\n\r\n"));
        assert_eq!((head.body, head.reusable), (body, reusable), "{fields}");
    }
}

#[test]
fn line_77_a_head_request_has_no_body_but_its_length() {
    for (fields, length) in [
        ("Content-Length: 007", Some("7")),
        ("Content-Length: 7\r\nContent-Length: 7", Some("7")),
        ("Transfer-Encoding: chunked", None),
        ("X: y", None),
    ] {
        let (head, fields) =
            at_every_split(HEAD, &format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\nbody")).unwrap().unwrap();
        assert_eq!((head.body, head.reusable), (ResponseBody::None, true));
        let lengths: Vec<_> =
            fields.iter().filter(|(n, _)| n == "content-length").map(|(_, v)| v.as_str()).collect();
        assert_eq!(lengths, length.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn line_76_malformed_heads() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(MAX_HEAD));
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(MAX_HEAD));
    assert_eq!(in_pieces(PLAIN, long.as_bytes(), []), Err(ResponseFault::TooLarge));
    assert_eq!(
        in_pieces(PLAIN, endless.as_bytes(), (0..endless.len()).step_by(100)),
        Err(ResponseFault::TooLarge)
    );
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(101));
    assert_eq!(fault(PLAIN, &many), ResponseFault::FieldsTooMany);
    let options = format!("HTTP/1.1 200 OK\r\nConnection: {}\r\n\r\n", "a,".repeat(33));
    assert_eq!(fault(PLAIN, &options), ResponseFault::Syntax);
    for bad in [
        "X: y\r\n z\r\n",
        "X: y\r\n\tz\r\n",
        " X: y\r\n",
        "X : y\r\n",
        ": y\r\n",
        "X\r\n",
        "X: a\rb\r\n",
        "X: a\0b\r\n",
        "X: a\x7fb\r\n",
        "X Y: a\r\n",
    ] {
        assert_eq!(
            fault(PLAIN, &format!("HTTP/1.1 200 OK\r\n{bad}Content-Length: 0\r\n\r\n")),
            ResponseFault::Syntax,
            "{bad:?}"
        );
    }
    for bad in [
        "HTTP/0.9 200 OK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "<html></html>\r\n\r\n",
        "\x16\x03\x01\x02\r\n\r\n",
        "HTTP/1.1 200 O\0K\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
    ] {
        assert_eq!(fault(PLAIN, bad), ResponseFault::Syntax, "{bad:?}");
    }
    for (bad, why) in [
        ("Content-Length: 1\r\nTransfer-Encoding: chunked", ResponseFault::FramingConflict),
        ("Content-Length: 1\r\nContent-Length: 2", ResponseFault::ContentLength),
        ("Content-Length: 1, 1", ResponseFault::ContentLength),
        ("Content-Length: +1", ResponseFault::ContentLength),
        ("Content-Length:", ResponseFault::ContentLength),
        ("Transfer-Encoding: gzip, chunked", ResponseFault::TransferEncoding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", ResponseFault::TransferEncoding),
        ("Transfer-Encoding: identity", ResponseFault::TransferEncoding),
    ] {
        assert_eq!(fault(PLAIN, &format!("HTTP/1.1 200 OK\r\n{bad}\r\n\r\n")), why, "{bad:?}");
    }
    let old = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(fault(PLAIN, old), ResponseFault::TransferEncoding);
}

#[test]
fn line_78_interim_responses_are_swallowed_and_counted() {
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    for count in [1, 2, usize::from(MAX_INTERIM)] {
        let (head, fields) =
            at_every_split(PLAIN, &format!("{}{last}", interim.repeat(count))).unwrap().unwrap();
        assert_eq!(head.status, StatusCode::OK);
        assert_eq!(head.length, interim.len() * count + last.len());
        assert!(fields.is_empty(), "nothing of an interim response is left: {fields:?}");
    }
    let flood = format!("{}{last}", interim.repeat(usize::from(MAX_INTERIM) + 1));
    assert_eq!(fault(PLAIN, &flood), ResponseFault::InterimTooMany);
    let large = format!("HTTP/1.1 102 P\r\nX: {}\r\n\r\n", "x".repeat(MAX_HEAD / 2));
    assert_eq!(in_pieces(PLAIN, large.repeat(3).as_bytes(), []), Err(ResponseFault::TooLarge));
    assert_eq!(at_every_split(PLAIN, "HTTP/1.1 100 Continue\r\n\r\n"), Ok(None));
}

#[test]
fn line_52_switching_protocols_only_where_asked() {
    let good = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade, X-A\r\nX-A: 1\r\nSec-WebSocket-Accept: x\r\n\r\n\x01";
    let (head, fields) = at_every_split(WEBSOCKET, good).unwrap().unwrap();
    assert_eq!((head.body, head.reusable, head.length), (ResponseBody::Tunnel, false, good.len() - 1));
    let fields: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(fields, [("sec-websocket-accept", "x"), ("connection", "upgrade"), ("upgrade", "websocket")]);
    assert_eq!(fault(PLAIN, good), ResponseFault::Upgrade);
    for bad in [
        "HTTP/1.1 101 S\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 101 S\r\nUpgrade: websocket, h2c\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.1 101 S\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.0 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ] {
        assert_eq!(fault(WEBSOCKET, bad), ResponseFault::Upgrade, "{bad:?}");
    }
}

#[test]
fn line_51_a_handshake_that_is_declined_stays_http() {
    let message = "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 3\r\n\r\nno!";
    let (head, fields) = at_every_split(WEBSOCKET, message).unwrap().unwrap();
    assert_eq!((head.status.as_u16(), head.body, head.reusable), (426, ResponseBody::Length(3), true));
    assert!(fields.is_empty());
}

#[test]
fn keep_alive_timeouts() {
    for (value, seconds) in [
        ("timeout=5", Some(5)),
        ("timeout=5, max=100", Some(5)),
        ("max=1,Timeout=0", Some(0)),
        ("timeout=", None),
        ("timeout=x", None),
        ("timeout=-1", None),
        ("timeout=99999999999", None),
        ("max=5", None),
        ("", None),
        ("t", None),
    ] {
        let head =
            head(PLAIN, &format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: {value}\r\n\r\n"));
        assert_eq!(head.idle_seconds, seconds, "{value}");
    }
}

#[test]
fn a_head_that_drips_in_is_not_parsed_for_every_byte() {
    let mut parser = Parser::new(PLAIN);
    let mut fields = HeaderMap::new();
    let message = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: yyyyyyyyyy\r\n".repeat(99));
    let mut tries = 0;
    for end in 1..message.len() {
        tries += usize::from(parser.worth_a_try(&message.as_bytes()[..end]));
        assert_eq!(
            parser.parse(&message.as_bytes()[..end], &mut fields, &mut Memo::default()),
            Ok(Progress::Partial)
        );
    }
    assert!(tries < 16, "{tries} tries for {} bytes", message.len());
    assert!(matches!(
        parser.parse(message.as_bytes(), &mut fields, &mut Memo::default()),
        Ok(Progress::Complete(_))
    ));
}

/// What odd heads are made of.
const PIECES: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "a: b\r\n",
    "Content-Length: 1\r\n",
    "Transfer-Encoding: chunked\r\n",
    "HTTP/1.1 100 C\r\n\r\n",
    "HTTP/1.1 200 OK\r\n",
    " ",
    "\0",
    ":",
    "x",
];

proptest! {
    /// No bytes make it panic, and what ends like a head comes out the same in any pieces. (A fault may be seen late:
    /// a head that drips in is looked at again when it may be at its end.)
    #[test]
    fn any_bytes(
        tail in prop::collection::vec(prop::sample::select(PIECES), 0..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let message = [b"HTTP/1.1 200 OK\r\n", tail.concat().as_bytes(), b"\r\n\r\n"].concat();
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(message.len())).collect();
        ends.sort_unstable();
        prop_assert_eq!(in_pieces(PLAIN, &message, ends), in_pieces(PLAIN, &message, []));
    }
}
