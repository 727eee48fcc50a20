//! The response fields that nearly all upstreams send, told by how their lines begin.
//!
//! `HeaderName::from_bytes` copies a name into lower case and then looks it up, some 120 instructions each, and
//! before it the colon must be found. Here a line is held against whole spellings, `Date:` and `date:`, a word at a
//! time; the colon is then behind the name. Other fields, and other spellings of these, go the long way.

/// A field told by its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    AcceptRanges,
    CacheControl,
    Connection,
    ContentEncoding,
    ContentLength,
    ContentType,
    Date,
    Etag,
    KeepAlive,
    LastModified,
    Location,
    Server,
    SetCookie,
    TransferEncoding,
    Vary,
}

/// The line's field, and what stands behind its colon.
pub(super) fn tell(line: &[u8]) -> Option<(Known, &[u8])> {
    // Its arms are compared with constant lengths, so that no arm calls a function.
    macro_rules! first_of {
        ($($upper:literal $lower:literal $known:ident),+) => {{
            $(if let Some(behind) = line.strip_prefix($upper).or_else(|| line.strip_prefix($lower)) {
                return Some((Known::$known, behind));
            })+
            None
        }};
    }
    match line.first()? {
        b'D' | b'd' => first_of!(b"Date:" b"date:" Date),
        b'S' | b's' => first_of!(b"Server:" b"server:" Server, b"Set-Cookie:" b"set-cookie:" SetCookie),
        b'C' | b'c' => first_of!(
            b"Content-Type:" b"content-type:" ContentType,
            b"Content-Length:" b"content-length:" ContentLength,
            b"Connection:" b"connection:" Connection,
            b"Cache-Control:" b"cache-control:" CacheControl,
            b"Content-Encoding:" b"content-encoding:" ContentEncoding
        ),
        b'L' | b'l' => {
            first_of!(b"Last-Modified:" b"last-modified:" LastModified, b"Location:" b"location:" Location)
        }
        b'E' | b'e' => first_of!(b"ETag:" b"etag:" Etag),
        b'A' | b'a' => first_of!(b"Accept-Ranges:" b"accept-ranges:" AcceptRanges),
        b'T' | b't' => first_of!(b"Transfer-Encoding:" b"transfer-encoding:" TransferEncoding),
        b'K' | b'k' => first_of!(b"Keep-Alive:" b"keep-alive:" KeepAlive),
        b'V' | b'v' => first_of!(b"Vary:" b"vary:" Vary),
        _ => None,
    }
}

impl Known {
    /// Those whose values an upstream repeats in response after response, for [`super::memo::Memo`]: their place in it.
    pub(super) const fn repeats(self) -> Option<usize> {
        match self {
            Self::AcceptRanges => Some(0),
            Self::CacheControl => Some(1),
            Self::ContentEncoding => Some(2),
            Self::ContentType => Some(3),
            Self::Date => Some(4),
            Self::Server => Some(5),
            Self::Vary => Some(6),
            Self::Connection
            | Self::ContentLength
            | Self::Etag
            | Self::KeepAlive
            | Self::LastModified
            | Self::Location
            | Self::SetCookie
            | Self::TransferEncoding => None,
        }
    }

    /// How many [`Known::repeats`] tells apart.
    pub(super) const REPEATING: usize = 7;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_what_stands_there() {
        for (name, known) in [
            ("Accept-Ranges", Known::AcceptRanges),
            ("Cache-Control", Known::CacheControl),
            ("Connection", Known::Connection),
            ("Content-Encoding", Known::ContentEncoding),
            ("Content-Length", Known::ContentLength),
            ("Content-Type", Known::ContentType),
            ("Date", Known::Date),
            ("ETag", Known::Etag),
            ("Keep-Alive", Known::KeepAlive),
            ("Last-Modified", Known::LastModified),
            ("Location", Known::Location),
            ("Server", Known::Server),
            ("Set-Cookie", Known::SetCookie),
            ("Transfer-Encoding", Known::TransferEncoding),
            ("Vary", Known::Vary),
        ] {
            for spelled in [name.to_owned(), name.to_lowercase()] {
                let line = format!("{spelled}: x");
                assert_eq!(tell(line.as_bytes()), Some((known, &b" x"[..])), "{line}");
                assert_eq!(tell(spelled.as_bytes()), None, "no colon, no field: {spelled}");
            }
            for other in [format!("{name}-X: x"), format!("{name} : x"), format!(" {name}: x")] {
                assert_eq!(tell(other.as_bytes()), None, "{other}");
            }
        }
        assert_eq!(tell(b""), None);
    }

    #[test]
    fn each_that_repeats_has_a_place_of_its_own() {
        let all = [
            Known::AcceptRanges,
            Known::CacheControl,
            Known::ContentEncoding,
            Known::ContentType,
            Known::Date,
            Known::Server,
            Known::Vary,
        ];
        let mut places: Vec<_> = all.iter().filter_map(|known| known.repeats()).collect();
        places.sort_unstable();
        assert_eq!(places, (0..Known::REPEATING).collect::<Vec<_>>());
    }
}
