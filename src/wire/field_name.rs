//! Response field names as upstreams spell them, told without lower-casing each byte.
//!
//! `HeaderName::from_bytes` copies a name into lower case and then looks it up, some 120 instructions each. Nearly
//! all names that come are these, in one of two spellings; the others go the long way.

use http::header::{self, HeaderName, InvalidHeaderName};

/// The name, whatever its case.
pub(super) fn parse(text: &[u8]) -> Result<HeaderName, InvalidHeaderName> {
    let name = match text.len() {
        4 => match text {
            b"Date" | b"date" => header::DATE,
            b"ETag" | b"etag" => header::ETAG,
            b"Vary" | b"vary" => header::VARY,
            _ => return HeaderName::from_bytes(text),
        },
        6 if matches!(text, b"Server" | b"server") => header::SERVER,
        8 if matches!(text, b"Location" | b"location") => header::LOCATION,
        10 => match text {
            b"Connection" | b"connection" => header::CONNECTION,
            b"Set-Cookie" | b"set-cookie" => header::SET_COOKIE,
            _ => return HeaderName::from_bytes(text),
        },
        12 if matches!(text, b"Content-Type" | b"content-type") => header::CONTENT_TYPE,
        13 => match text {
            b"Cache-Control" | b"cache-control" => header::CACHE_CONTROL,
            b"Last-Modified" | b"last-modified" => header::LAST_MODIFIED,
            b"Accept-Ranges" | b"accept-ranges" => header::ACCEPT_RANGES,
            _ => return HeaderName::from_bytes(text),
        },
        14 if matches!(text, b"Content-Length" | b"content-length") => header::CONTENT_LENGTH,
        16 if matches!(text, b"Content-Encoding" | b"content-encoding") => header::CONTENT_ENCODING,
        17 if matches!(text, b"Transfer-Encoding" | b"transfer-encoding") => header::TRANSFER_ENCODING,
        _ => return HeaderName::from_bytes(text),
    };
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_whichever_way_it_was_told() {
        for name in [
            "Date",
            "ETag",
            "Vary",
            "Age",
            "Server",
            "Location",
            "Connection",
            "Set-Cookie",
            "Keep-Alive",
            "Content-Type",
            "Cache-Control",
            "Last-Modified",
            "Accept-Ranges",
            "Content-Length",
            "Content-Encoding",
            "Transfer-Encoding",
            "X-Custom",
            "Link",
            "Expires",
            "Alt-Used",
            "Referer-Pol",
            "X-Frame-Opt",
            "Retry-After13",
        ] {
            for spelled in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
                assert_eq!(
                    parse(spelled.as_bytes()).unwrap(),
                    HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    "{spelled}"
                );
            }
        }
        assert!(parse(b"").is_err() && parse(b"a b").is_err() && parse(b"Dat:").is_err());
    }
}
