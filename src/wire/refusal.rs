//! Why a request is not served: one member a reason, one table for what is said about it.
//!
//! It does not write the answer: the edge does, from [`Refusal::told`].

use http::StatusCode;

/// Why the guard lets a request no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No `Host`, and no absolute-form target that HTTP/1.0 may have instead.
    HostMissing,
    /// More than one `Host` line.
    HostRepeated,
    /// `Host`, or the target's authority, is no name or address with an optional port.
    HostMalformed,
    /// The target is neither `/path` nor `http://host/path`.
    TargetForm,
    /// The target's scheme is not the one that this port speaks.
    TargetScheme,
    /// The target carries `user@` or `user:password@`.
    TargetUserinfo,
    /// The target is longer than the limit.
    TargetTooLong,
    /// A byte in the path that no URL path has.
    PathCharacter,
    /// `%` without two hexadecimal digits.
    PathEncoding,
    /// `/`, `\`, `;`, `?`, `#` or a control character, percent-encoded in the path.
    PathEncodedDelimiter,
    /// A `.` or `..` segment, plain or percent-encoded.
    PathDotSegment,
    /// The path begins with two slashes.
    PathEmptySegment,
    /// `CONNECT`.
    MethodConnect,
    /// `TRACE`.
    MethodTrace,
    /// A method of more than 32 characters.
    MethodTooLong,
    /// `PRI`, which HTTP/2 keeps for its preface (RFC 9113 3.4): nginx, HAProxy and Node make errors of it.
    MethodPri,
    /// A field name with `_` in it.
    FieldUnderscore,
    /// More fields than the limit.
    FieldsTooMany,
    /// A header block larger than the limit.
    FieldsTooLarge,
    /// More than 32 options in `Connection`.
    ConnectionOptions,
    /// `Transfer-Encoding` that is anything but `chunked`, once.
    TransferEncoding,
    /// `Transfer-Encoding` and `Content-Length` in one message.
    FramingConflict,
    /// `Content-Length` that is no number, or there twice.
    ContentLength,
    /// `Expect` with anything but `100-continue`.
    ExpectUnknown,
    /// `Via` names this very instance: the request has come round.
    Loop,
}

/// What is said about a [`Refusal`]: to the client, in the log, in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The status of the answer.
    pub status: StatusCode,
    /// A stable short name for the log and for metric labels.
    pub name: &'static str,
    /// One plain sentence for whoever sent it.
    pub sentence: &'static str,
    /// Whether the connection is closed after the answer: its framing is not to be trusted.
    pub close: bool,
}

/// What a 405 must name in `Allow` (RFC 9110 15.5.6): all that is forwarded by name; others pass too.
pub const ALLOW: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

impl Refusal {
    /// What is said about it.
    #[must_use]
    pub const fn told(self) -> Told {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        const LARGE: StatusCode = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        let (status, name, sentence, close) = match self {
            Self::HostMissing => (BAD, "host_missing", "The request names no host.", true),
            Self::HostRepeated => (BAD, "host_repeated", "The request has more than one Host field.", true),
            Self::HostMalformed => {
                (BAD, "host_malformed", "The host is no DNS name or IP address with an optional port.", true)
            }
            Self::TargetForm => (
                BAD,
                "target_form",
                "The request target must be a path that begins with a slash, or an absolute URL.",
                true,
            ),
            Self::TargetScheme => {
                (BAD, "target_scheme", "The URL's scheme is not the one that this port speaks.", true)
            }
            Self::TargetUserinfo => {
                (BAD, "target_userinfo", "The URL carries a user name, which HTTP does not allow.", true)
            }
            Self::TargetTooLong => {
                (StatusCode::URI_TOO_LONG, "target_too_long", "The request target is too long.", true)
            }
            Self::PathCharacter => (
                BAD,
                "path_character",
                "The path has a character that must be percent-encoded or left out.",
                true,
            ),
            Self::PathEncoding => {
                (BAD, "path_encoding", "The path has a % that two hexadecimal digits do not follow.", true)
            }
            Self::PathEncodedDelimiter => (
                BAD,
                "path_encoded_delimiter",
                "The path has a percent-encoded slash, backslash, semicolon, question mark, hash or control \
                 character.",
                true,
            ),
            Self::PathDotSegment => (BAD, "path_dot_segment", "The path has a . or .. segment.", true),
            Self::PathEmptySegment => (BAD, "path_empty_segment", "The path begins with two slashes.", true),
            Self::MethodConnect => {
                (StatusCode::METHOD_NOT_ALLOWED, "method_connect", "CONNECT is not served here.", true)
            }
            Self::MethodTrace => {
                (StatusCode::METHOD_NOT_ALLOWED, "method_trace", "TRACE is not served here.", true)
            }
            Self::MethodTooLong => {
                (StatusCode::NOT_IMPLEMENTED, "method_too_long", "The method's name is too long.", true)
            }
            Self::MethodPri => {
                (StatusCode::NOT_IMPLEMENTED, "method_pri", "PRI is no method of HTTP/1.1.", true)
            }
            Self::FieldUnderscore => {
                (BAD, "field_underscore", "A header field has an underscore in its name.", true)
            }
            Self::FieldsTooMany => {
                (LARGE, "fields_too_many", "The request has too many header fields.", true)
            }
            Self::FieldsTooLarge => (LARGE, "fields_too_large", "The request's header is too large.", true),
            Self::ConnectionOptions => {
                (BAD, "connection_options", "The Connection field names too many options.", true)
            }
            Self::TransferEncoding => {
                (BAD, "transfer_encoding", "Transfer-Encoding must be chunked, once, or absent.", true)
            }
            Self::FramingConflict => {
                (BAD, "framing_conflict", "The request has both Transfer-Encoding and Content-Length.", true)
            }
            Self::ContentLength => (BAD, "content_length", "Content-Length must be one whole number.", true),
            Self::ExpectUnknown => (
                StatusCode::EXPECTATION_FAILED,
                "expect_unknown",
                "The only expectation that is met here is 100-continue.",
                // Whether its body follows is the client's guess: whatever comes is not to be read as a request.
                true,
            ),
            Self::Loop => (
                StatusCode::LOOP_DETECTED,
                "loop",
                "The request has passed through this proxy before: an upstream sends it back here.",
                false,
            ),
        };
        Told { status, name, sentence, close }
    }
}
