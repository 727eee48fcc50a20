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
    /// More than one `Authorization`: one server would go by the first, another by the last (nginx refuses it).
    AuthorizationRepeated,
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
        let (status, name) = match self {
            Self::HostMissing => (BAD, "host_missing"),
            Self::HostRepeated => (BAD, "host_repeated"),
            Self::HostMalformed => (BAD, "host_malformed"),
            Self::TargetForm => (BAD, "target_form"),
            Self::TargetScheme => (BAD, "target_scheme"),
            Self::TargetUserinfo => (BAD, "target_userinfo"),
            Self::TargetTooLong => (StatusCode::URI_TOO_LONG, "target_too_long"),
            Self::PathCharacter => (BAD, "path_character"),
            Self::PathEncoding => (BAD, "path_encoding"),
            Self::PathEncodedDelimiter => (BAD, "path_encoded_delimiter"),
            Self::PathDotSegment => (BAD, "path_dot_segment"),
            Self::PathEmptySegment => (BAD, "path_empty_segment"),
            Self::MethodConnect => (StatusCode::METHOD_NOT_ALLOWED, "method_connect"),
            Self::MethodTrace => (StatusCode::METHOD_NOT_ALLOWED, "method_trace"),
            Self::MethodTooLong => (StatusCode::NOT_IMPLEMENTED, "method_too_long"),
            Self::MethodPri => (StatusCode::NOT_IMPLEMENTED, "method_pri"),
            Self::FieldUnderscore => (BAD, "field_underscore"),
            Self::FieldsTooMany => (LARGE, "fields_too_many"),
            Self::FieldsTooLarge => (LARGE, "fields_too_large"),
            Self::ConnectionOptions => (BAD, "connection_options"),
            Self::AuthorizationRepeated => (BAD, "authorization_repeated"),
            Self::TransferEncoding => (BAD, "transfer_encoding"),
            Self::FramingConflict => (BAD, "framing_conflict"),
            Self::ContentLength => (BAD, "content_length"),
            Self::ExpectUnknown => (StatusCode::EXPECTATION_FAILED, "expect_unknown"),
            Self::Loop => (StatusCode::LOOP_DETECTED, "loop"),
        };
        // Of a refused message nobody knows where it ends (nor whether the body of one that expected something
        // follows): whatever comes is not to be read as a request. One that has gone round is sound.
        let close = !matches!(self, Self::Loop);
        Told { status, name, sentence: self.sentence(), close }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::HostMissing => "The request names no host.",
            Self::HostRepeated => "The request has more than one Host field.",
            Self::HostMalformed => "The host is no DNS name or IP address with an optional port.",
            Self::TargetForm => {
                "The request target must be a path that begins with a slash, or an absolute URL."
            }
            Self::TargetScheme => "The URL's scheme is not the one that this port speaks.",
            Self::TargetUserinfo => "The URL carries a user name, which HTTP does not allow.",
            Self::TargetTooLong => "The request target is too long.",
            Self::PathCharacter => "The path has a character that must be percent-encoded or left out.",
            Self::PathEncoding => "The path has a % that two hexadecimal digits do not follow.",
            Self::PathEncodedDelimiter => {
                "The path has a percent-encoded slash, backslash, semicolon, question mark, hash or control \
                 character."
            }
            Self::PathDotSegment => "The path has a . or .. segment.",
            Self::PathEmptySegment => "The path begins with two slashes.",
            Self::MethodConnect => "CONNECT is not served here.",
            Self::MethodTrace => "TRACE is not served here.",
            Self::MethodTooLong => "The method's name is too long.",
            Self::MethodPri => "PRI is no method of HTTP/1.1.",
            Self::FieldUnderscore => "A header field has an underscore in its name.",
            Self::FieldsTooMany => "The request has too many header fields.",
            Self::FieldsTooLarge => "The request's header is too large.",
            Self::ConnectionOptions => "The Connection field names too many options.",
            Self::AuthorizationRepeated => "The request has more than one Authorization field.",
            Self::TransferEncoding => "Transfer-Encoding must be chunked, once, or absent.",
            Self::FramingConflict => "The request has both Transfer-Encoding and Content-Length.",
            Self::ContentLength => "Content-Length must be one whole number.",
            Self::ExpectUnknown => "The only expectation that is met here is 100-continue.",
            Self::Loop => "The request has passed through this proxy before: an upstream sends it back here.",
        }
    }
}
