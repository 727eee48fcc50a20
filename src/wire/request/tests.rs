//! The head writer, looked at as bytes and read back.

use http::Request;

use super::*;
use crate::wire::Scheme;
use crate::wire::guard::{Admission, Terms, examine};

/// A request as hyper would hand it over.
pub(super) fn parts(method: &str, target: &str, fields: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// The head that goes upstream for it.
pub(super) fn written(parts: &Parts, trusted: bool, prefix: Option<&str>) -> String {
    let terms = Terms::new(Scheme::Http, "synkronic-1".to_owned());
    let Ok(Admission::Route(admitted)) = examine(parts, &terms) else { panic!("not admitted: {parts:?}") };
    let prefix = prefix.map(|text| Prefix::parse(text).unwrap());
    let path = prefix.as_ref().map_or(&*admitted.path, |prefix| prefix.strip(&admitted.path).unwrap());
    let head = Head {
        parts,
        admitted: &admitted,
        path,
        query: admitted.query,
        prefix,
        peer: Peer { address: "192.0.2.1", trusted, scheme: Scheme::Http },
        request_id: admitted.request_id.unwrap_or("new-id"),
        pseudonym: &terms.pseudonym,
        version: "version-2",
    };
    let mut out = Vec::new();
    head.write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_plain_request() {
    let parts = parts("GET", "/version-2/a?b=c", &[("host", "Shop.Example.COM.:8080"), ("accept", "*/*")]);
    assert_eq!(
        written(&parts, false, Some("/version-2")),
        "GET /a?b=c HTTP/1.1\r\nhost: shop.example.com:8080\r\naccept: */*\r\n\
         x-forwarded-for: 192.0.2.1\r\nx-forwarded-proto: http\r\nx-forwarded-host: shop.example.com:8080\r\n\
         x-forwarded-port: 8080\r\nx-forwarded-prefix: /version-2\r\nx-request-id: new-id\r\n\
         via: 1.1 synkronic-1\r\nx-synkronic-version: version-2\r\nbaggage: synkronic-version=version-2\r\n\r\n"
    );
}
