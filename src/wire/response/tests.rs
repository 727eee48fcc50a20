//! Response heads, whole and split at every byte.

use super::*;

#[test]
fn a_plain_response() {
    let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: b\r\n\r\nhi";
    let mut fields = HeaderMap::new();
    let progress = Parser::new(Asked::default()).parse(bytes, &mut fields).unwrap();
    let Progress::Complete(head) = progress else { panic!("{progress:?}") };
    assert_eq!(head.status, StatusCode::OK);
    assert_eq!(head.body, ResponseBody::Length(2));
    assert!(head.reusable);
    assert_eq!(&bytes[head.length..], b"hi");
    assert_eq!(fields.len(), 1);
    assert_eq!(fields["a"], "b");
}
