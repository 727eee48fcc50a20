//! What can go wrong with a request, and the one table of what follows from it.
//!
//! A [`Failure`] says what happened and what of the request had left us by then; whether it may be tried
//! again is decided from it (`retry`), and status, log level and metric label stand in [`Fault::row`]. It
//! writes no page: `answer` does.

use http::StatusCode;
use tracing::Level;

use crate::wire::refusal::Refusal;

/// Whose fault it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Who sent the request.
    Client,
    /// Who serves the version.
    Upstream,
    /// This proxy, or what it was told.
    Us,
}

impl Side {
    /// The word for the log and for metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Us => "us",
        }
    }
}

/// What of the request had been written when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// No connection came about: no byte.
    Nothing,
    /// Bytes of the request, and no byte of a response came back.
    Request,
    /// The response had begun.
    Answer,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The guard refused the request.
    Refused(Refusal),
    /// The rest of a head, or of a body, came too slowly.
    ClientSlow,
    /// The client went, or broke its body off.
    ClientGone,
    /// The client's body breaks its own framing.
    ClientBody,
    /// No Router holds the host.
    NoHost,
    /// The request names a version that is not on offer.
    NoVersion,
    /// Nothing serves the version now.
    Unavailable,
    /// The version has as many requests in flight as it may have.
    Overloaded,
    /// We have no file descriptor, port or memory left for a connection to the endpoint.
    Exhausted,
    /// What the version speaks is not spoken here.
    Protocol,
    /// The endpoint refused the connection.
    Refusing,
    /// The endpoint cannot be reached.
    Unreachable,
    /// No connection came about in time.
    ConnectSlow,
    /// The connection was reset, or closed, before a whole response head.
    Reset,
    /// What came back is no HTTP.
    Malformed,
    /// No response head in time.
    ResponseSlow,
    /// The response broke off.
    Truncated,
    /// No further piece of the response in time.
    StreamSlow,
    /// The upstream switched protocols without being asked.
    Switched,
}

/// What follows from a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    /// Whose fault it was.
    pub(crate) side: Side,
    /// The answer, where one can still be said.
    pub(crate) status: Option<StatusCode>,
    /// How loud it is logged.
    pub(crate) level: Level,
    /// The word for the access log and for metrics.
    pub(crate) label: &'static str,
    /// One plain sentence for the page.
    pub(crate) sentence: &'static str,
    /// Whether the client's connection ends with the answer.
    pub(crate) close: bool,
}

/// A fault, and how far the request had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) fault: Fault,
    pub(crate) sent: Sent,
}

impl Fault {
    /// The fault, with how far the request had come.
    pub(crate) fn after(self, sent: Sent) -> Failure {
        Failure { fault: self, sent }
    }

    /// The one table: side, status, log level, label, sentence, whether the connection ends.
    pub(crate) fn row(self) -> Row {
        use Side::{Client, Upstream, Us};
        const BAD_REQUEST: Option<StatusCode> = Some(StatusCode::BAD_REQUEST);
        const NOT_FOUND: Option<StatusCode> = Some(StatusCode::NOT_FOUND);
        const TOO_SLOW: Option<StatusCode> = Some(StatusCode::REQUEST_TIMEOUT);
        const BAD_GATEWAY: Option<StatusCode> = Some(StatusCode::BAD_GATEWAY);
        const UNAVAILABLE: Option<StatusCode> = Some(StatusCode::SERVICE_UNAVAILABLE);
        const TIMEOUT: Option<StatusCode> = Some(StatusCode::GATEWAY_TIMEOUT);
        let (side, status, level, label, close) = match self {
            Self::Refused(refusal) => {
                let told = refusal.told();
                (Client, Some(told.status), Level::DEBUG, told.name, told.close)
            }
            Self::ClientSlow => (Client, TOO_SLOW, Level::DEBUG, "client_slow", true),
            Self::ClientGone => (Client, None, Level::DEBUG, "client_gone", true),
            Self::ClientBody => (Client, BAD_REQUEST, Level::DEBUG, "client_body", true),
            Self::NoHost => (Client, NOT_FOUND, Level::DEBUG, "no_host", false),
            Self::NoVersion => (Client, NOT_FOUND, Level::DEBUG, "no_version", false),
            Self::Unavailable => (Us, UNAVAILABLE, Level::INFO, "unavailable", false),
            Self::Overloaded => (Us, UNAVAILABLE, Level::INFO, "overloaded", false),
            Self::Exhausted => (Us, UNAVAILABLE, Level::WARN, "exhausted", false),
            Self::Protocol => (Us, BAD_GATEWAY, Level::WARN, "protocol", false),
            Self::Refusing => (Upstream, BAD_GATEWAY, Level::INFO, "connect_refused", false),
            Self::Unreachable => (Upstream, BAD_GATEWAY, Level::INFO, "connect_unreachable", false),
            Self::ConnectSlow => (Upstream, TIMEOUT, Level::INFO, "connect_slow", false),
            Self::Reset => (Upstream, BAD_GATEWAY, Level::INFO, "reset", false),
            Self::Malformed => (Upstream, BAD_GATEWAY, Level::WARN, "malformed_response", false),
            Self::ResponseSlow => (Upstream, TIMEOUT, Level::INFO, "response_slow", false),
            Self::Truncated => (Upstream, None, Level::INFO, "truncated_response", true),
            Self::StreamSlow => (Upstream, None, Level::INFO, "stream_slow", true),
            Self::Switched => (Upstream, BAD_GATEWAY, Level::WARN, "switched_unasked", false),
        };
        Row { side, status, level, label, sentence: self.sentence(), close }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.told().sentence,
            Self::ClientSlow => "The request came too slowly.",
            Self::ClientGone => "The client closed the connection.",
            Self::ClientBody => "The request's body breaks its own framing.",
            Self::NoHost => "No Router here holds this host.",
            Self::NoVersion => "No such version is on offer here.",
            Self::Unavailable => "Nothing serves this version right now.",
            Self::Overloaded => {
                "This version works on as many requests as it may have at once. Try again in a few seconds."
            }
            Self::Exhausted => "This proxy has no room for a further connection. Try again in a few seconds.",
            Self::Protocol => "This version speaks HTTP/2 without TLS, which is not spoken upstream yet.",
            Self::Refusing => "The version's process refuses connections.",
            Self::Unreachable => "The version's process cannot be reached.",
            Self::ConnectSlow => "The version's process takes no connection in time.",
            Self::Reset => "The version's process closed the connection without an answer.",
            Self::Malformed => "The version's process answered with something that is no HTTP.",
            Self::ResponseSlow => "The version's process did not answer in time.",
            Self::Truncated => "The response broke off.",
            Self::StreamSlow => "The response came to a halt.",
            Self::Switched => "The version's process switched protocols without being asked.",
        }
    }
}
