//! Hosts: one comparable form, which is its own; and the client's address as trusted proxies tell it.
#![no_main]

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use synkronic::wire::authority::Authority;
use synkronic::wire::forward;

fuzz_target!(|data: &[u8]| {
    if let Ok(value) = HeaderValue::from_bytes(data) {
        let mut fields = HeaderMap::new();
        fields.insert("x-forwarded-for", value);
        let peer = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(forward::client(&fields, peer, |_| false), peer);
        let _ = forward::client(&fields, peer, |address| address.is_ipv4());
    }
    let Some(read) = Authority::parse(data) else { return };
    let host: &str = &read.host;
    let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match literal {
        Some(address) => assert_eq!(address.parse::<std::net::Ipv6Addr>().unwrap().to_string(), address),
        None => {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            assert!(!host.is_empty() && host.len() <= 253);
            for label in host.split('.') {
                assert!(!label.is_empty() && label.len() <= 63 && label.bytes().all(plain), "{host:?}");
                assert!(!label.starts_with('-') && !label.ends_with('-'), "{host:?}");
            }
        }
    }
    assert_ne!(read.port, Some(0));
    let written = read.port.map_or(host.to_owned(), |port| format!("{host}:{port}"));
    let again = Authority::parse(written.as_bytes());
    assert_eq!(again.as_ref(), Some(&read), "{written:?}");
    // A name is what was written, but for its case and its last dot.
    let text = std::str::from_utf8(data).unwrap().to_ascii_lowercase();
    assert!(literal.is_some() || text.starts_with(host), "{text:?} became {host:?}");
});
