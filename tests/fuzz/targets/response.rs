//! A response from a hostile upstream: its head and body come out the same however its bytes are cut, and its fields
//! hold nothing of the upstream's connection.
#![no_main]

use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use synkronic::wire::body::Reader;
use synkronic::wire::framing::ResponseBody;
use synkronic::wire::memo::Memo;
use synkronic::wire::response::{Asked, Head, Parser, Progress};

/// The head, its fields, and the body as far as it is sound; whether it ended, and whether it was malformed.
type Whole = (Head, HeaderMap, Vec<u8>, bool, bool);

fn read(bytes: &[u8], asked: Asked, cuts: &[usize], memo: &mut Memo) -> Option<Whole> {
    let mut parser = Parser::new(asked);
    let mut fields = HeaderMap::new();
    let ends = cuts.iter().copied().chain([bytes.len()]);
    let mut head = None;
    for end in ends {
        match parser.parse(&bytes[..end], &mut fields, memo) {
            Ok(Progress::Partial) => {}
            Ok(Progress::Complete(found)) => {
                head = Some(found);
                break;
            }
            Err(_) => return None,
        }
    }
    let head = head?;
    let mut reader = Reader::new(head.body);
    let (mut data, mut at) = (Vec::new(), head.length);
    for end in cuts.iter().copied().chain([bytes.len()]).filter(|end| *end > head.length) {
        while at < end && !reader.is_done() {
            match reader.read(&bytes[at..end]) {
                Ok(step) => {
                    assert!(step.consumed <= end - at && step.data.end <= step.consumed);
                    assert_eq!(step.done, reader.is_done());
                    data.extend_from_slice(&bytes[at..end][step.data.clone()]);
                    at += step.consumed;
                    if step.consumed == 0 {
                        break;
                    }
                }
                Err(_) => return Some((head, fields, data, false, true)),
            }
        }
    }
    Some((head, fields, data, reader.is_done(), false))
}

fuzz_target!(|data: &[u8]| {
    let [flags, first, second, bytes @ ..] = data else { return };
    let asked = Asked { head: flags & 1 == 1, websocket: flags & 2 == 2 };
    // What is remembered of earlier responses changes nothing: the same one serves them all.
    let mut memo = Memo::default();
    let whole = read(bytes, asked, &[], &mut memo);
    let mut cuts = [first, second].map(|cut| usize::from(*cut) * (bytes.len() + 1) / 256);
    cuts.sort_unstable();
    assert_eq!(read(bytes, asked, &cuts, &mut memo), whole);
    if bytes.len() < 200 {
        let every: Vec<usize> = (0..bytes.len()).collect();
        assert_eq!(read(bytes, asked, &every, &mut memo), whole);
    }
    let Some((head, fields, ..)) = whole else { return };
    assert!(!head.status.is_informational() || head.body == ResponseBody::Tunnel);
    let switched = head.body == ResponseBody::Tunnel;
    for name in ["connection", "upgrade"] {
        assert!(switched || !fields.contains_key(name), "{name} in {fields:?}");
    }
    for name in ["keep-alive", "proxy-authenticate", "transfer-encoding", "te", "trailer", "proxy-connection"] {
        assert!(!fields.contains_key(name), "{name} in {fields:?}");
    }
    assert!(!fields.keys().any(|name| name.as_str().starts_with("x-synkronic-")), "{fields:?}");
    let told = asked.head || head.status == 304;
    assert!(told || !fields.contains_key("content-length"), "{fields:?}");
});
