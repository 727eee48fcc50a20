//! Cookies that stay with the host that set them, where the administrator wants it.
//!
//! A version at `version-2.shop.example.com` may set a cookie for `shop.example.com`, or for `example.com`, and the
//! browser then sends it to the active version and to other teams' hosts: a branch's code, or another tenant's, can
//! so toss cookies at them. With `--confine-cookies` a `Domain` that is wider than the host is taken out of every
//! answer, which leaves a cookie of the host alone. It is off by default: single sign-on over subdomains needs such
//! cookies. A `Domain` that has nothing to do with the host is left to the browser, which refuses it.

use http::header::{self, HeaderMap};
use http::{HeaderValue, header::Entry};

/// Takes a `Domain` wider than the host out of every cookie.
pub(crate) fn confine(fields: &mut HeaderMap, host: &str) {
    let Entry::Occupied(mut cookies) = fields.entry(header::SET_COOKIE) else { return };
    for cookie in cookies.iter_mut() {
        if let Some(confined) = confined(cookie.as_bytes(), host)
            && let Ok(value) = HeaderValue::from_bytes(&confined)
        {
            *cookie = value;
        }
    }
}

/// The cookie without the attributes that widen it; `None` where it has none.
fn confined(cookie: &[u8], host: &str) -> Option<Vec<u8>> {
    let widens = |(place, attribute): (usize, &[u8])| place > 0 && is_wider(attribute, host);
    if !cookie.split(|byte| *byte == b';').enumerate().any(widens) {
        return None;
    }
    let kept = cookie.split(|byte| *byte == b';').enumerate().filter(|part| !widens(*part));
    let parts: Vec<&[u8]> = kept.map(|(_, part)| part).collect();
    Some(parts.join(&b";"[..]))
}

/// Whether an attribute is a `Domain` above the host (RFC 6265 5.1.3, 5.2.3).
fn is_wider(attribute: &[u8], host: &str) -> bool {
    let Some(equals) = attribute.iter().position(|byte| *byte == b'=') else { return false };
    let (name, value) = attribute.split_at(equals);
    if !name.trim_ascii().eq_ignore_ascii_case(b"domain") {
        return false;
    }
    let domain = value.get(1..).unwrap_or_default().trim_ascii();
    let domain = domain.strip_prefix(b".").unwrap_or(domain);
    let Some(above) = host.len().checked_sub(domain.len()) else { return false };
    let Some((labels, tail)) = host.as_bytes().split_at_checked(above) else { return false };
    !domain.is_empty() && labels.ends_with(b".") && tail.eq_ignore_ascii_case(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(cookie: &[u8]) -> Vec<u8> {
        let mut fields = HeaderMap::new();
        fields.append(header::SET_COOKIE, HeaderValue::from_static("first=1; Path=/"));
        fields.append(header::SET_COOKIE, HeaderValue::from_bytes(cookie).unwrap());
        confine(&mut fields, "version-2.shop.example.com");
        let mut all = fields.get_all(header::SET_COOKIE).iter();
        assert_eq!(all.next().unwrap(), "first=1; Path=/");
        all.next().unwrap().as_bytes().to_vec()
    }

    #[test]
    fn a_wider_domain_goes() {
        for domain in ["shop.example.com", ".shop.example.com", "EXAMPLE.com", ".com", " example.com\t"] {
            for name in ["Domain", "domain", " DOMAIN "] {
                let cookie = format!("a=b; {name}={domain}; Path=/; Secure");
                assert_eq!(after(cookie.as_bytes()), b"a=b; Path=/; Secure", "{cookie}");
            }
        }
        // The last one counts for browsers: all go.
        assert_eq!(
            after(b"a=b;domain=version-2.shop.example.com;domain=example.com"),
            b"a=b;domain=version-2.shop.example.com"
        );
        assert_eq!(
            after(b"a=\xff\xfe; Domain=example.com"),
            b"a=\xff\xfe",
            "bytes beyond ASCII are no way round"
        );
    }

    #[test]
    fn what_is_not_wider_stays() {
        for cookie in [
            "a=b",
            "domain=example.com",
            "a=b; Domain=version-2.shop.example.com",
            "a=b; Domain=other.example",
            "a=b; Domain=hop.example.com",
            "a=b; Domain=x.version-2.shop.example.com",
            "a=b; Domain=",
            "a=b; Domain",
            "a=b; xDomain=example.com",
        ] {
            assert_eq!(after(cookie.as_bytes()), cookie.as_bytes());
        }
    }
}
