//! Response field names as upstreams spell them, told without lower-casing each byte.
//!
//! `HeaderName::from_bytes` copies a name into lower case and then looks it up, some 120 instructions each. Nearly
//! all names that come are these, in one of two spellings; the others go the long way.

use http::header::{self, HeaderName, InvalidHeaderName};

/// The name, whatever its case.
pub(super) fn parse(text: &str) -> Result<HeaderName, InvalidHeaderName> {
    let name = match text.len() {
        4 => match text {
            "Date" | "date" => header::DATE,
            "ETag" | "etag" => header::ETAG,
            "Vary" | "vary" => header::VARY,
            _ => return HeaderName::from_bytes(text.as_bytes()),
        },
        6 if matches!(text, "Server" | "server") => header::SERVER,
        8 if matches!(text, "Location" | "location") => header::LOCATION,
        10 => match text {
            "Connection" | "connection" => header::CONNECTION,
            "Set-Cookie" | "set-cookie" => header::SET_COOKIE,
            _ => return HeaderName::from_bytes(text.as_bytes()),
        },
        12 if matches!(text, "Content-Type" | "content-type") => header::CONTENT_TYPE,
        13 => match text {
            "Cache-Control" | "cache-control" => header::CACHE_CONTROL,
            "Last-Modified" | "last-modified" => header::LAST_MODIFIED,
            "Accept-Ranges" | "accept-ranges" => header::ACCEPT_RANGES,
            _ => return HeaderName::from_bytes(text.as_bytes()),
        },
        14 if matches!(text, "Content-Length" | "content-length") => header::CONTENT_LENGTH,
        16 if matches!(text, "Content-Encoding" | "content-encoding") => header::CONTENT_ENCODING,
        17 if matches!(text, "Transfer-Encoding" | "transfer-encoding") => header::TRANSFER_ENCODING,
        _ => return HeaderName::from_bytes(text.as_bytes()),
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
                    parse(&spelled).unwrap(),
                    HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    "{spelled}"
                );
            }
        }
        assert!(parse("").is_err() && parse("a b").is_err() && parse("Dat:").is_err());
    }
}
