//! Paths: judged once they stay as they are, have one reading, and lose and regain a prefix without becoming another's.
#![no_main]

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use synkronic::wire::Scheme;
use synkronic::wire::prefix::{Origin, Prefix};
use synkronic::wire::target::judge;

/// All escapes decoded at once, as careless servers do.
fn decoded(text: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(text).collect()
}

fuzz_target!(|data: &[u8]| {
    give_back(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(path) = judge(text) else { return };
    assert_eq!(judge(&path).as_deref(), Ok(&*path), "{text:?}");
    assert!(path.starts_with('/') && !path.starts_with("//"), "{path:?}");
    let careless = decoded(&path);
    assert!(!careless.iter().any(|b| b.is_ascii_control() || matches!(b, b'\\' | b'?' | b'#')), "{path:?}");
    // Decoding moves no border of a segment, and makes no way up.
    let segments: Vec<&[u8]> = careless.split(|b| *b == b'/').collect();
    assert_eq!(segments.len(), path.split('/').count(), "{path:?}");
    for segment in segments {
        let name = segment.split(|b| *b == b';').next().unwrap();
        assert!(name != b"." && name != b"..", "{path:?}");
    }
    for (at, _) in path.match_indices('/').filter(|(at, _)| *at > 0) {
        let Some((prefix, rest)) = Prefix::split(&path, at) else { continue };
        assert_eq!(prefix.as_str(), &path[..at]);
        assert_eq!(judge(rest).as_deref(), Ok(rest), "{path:?}");
        assert!(path.ends_with(rest) && path[at..].trim_start_matches('/') == &rest[1..], "{path:?}");
    }
});

/// What an application says comes back under the prefix, or stays what it was.
fn give_back(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let prefix = Prefix::parse("/version-1").unwrap();
    let origin = Origin { scheme: Scheme::Http, host: "shop.test", port: None };
    for name in ["location", "content-location", "refresh", "set-cookie"] {
        let mut fields = HeaderMap::new();
        fields.insert(name, value.clone());
        prefix.give_back(&mut fields, &origin);
        let once = fields[name].clone();
        prefix.give_back(&mut fields, &origin);
        assert_eq!(fields[name], once, "{name} {value:?} is given the prefix twice");
        let absolute = name == "location" && data.starts_with(b"/") && !data.starts_with(b"//") && data.is_ascii();
        let plain = absolute && data.iter().all(|b| b.is_ascii_graphic() && *b != b'\\');
        assert!(!plain || once.as_bytes().starts_with(b"/version-1"), "{value:?} became {once:?}");
    }
}
