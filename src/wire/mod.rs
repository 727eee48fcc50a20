//! Bytes to HTTP/1.1 heads and back: what is let in, what goes upstream, what comes back.
//!
//! Everything here is a pure function or a state machine that is fed bytes: no socket, no clock, no
//! randomness, no log. It knows nothing of routes, versions in the table, pools or Kubernetes; who
//! calls it says which path, prefix and version a request goes out with.
//!
//! | module | what it answers |
//! | --- | --- |
//! | [`guard`] | is what hyper parsed one well-formed request that we serve? |
//! | [`refusal`] | why not: status, short name, sentence |
//! | [`authority`] | `Host` and the authority of a target, in one comparable form |
//! | [`target`] | may this path be matched and forwarded as it stands? |
//! | [`hop_by_hop`] | which fields end at this hop (RFC 9110 7.6.1) |
//! | [`framing`] | how long is the message (RFC 9112 6.3) |
//! | [`forward`] | `X-Forwarded-*`, trusted or replaced |
//! | [`baggage`] | the W3C `baggage` field with the version in it |
//! | [`request`] | the upstream request head as bytes |
//! | [`response`], [`memo`] | the upstream response head, as it comes in; what upstreams repeat in it |
//! | [`prefix`] | path mode: the prefix taken off, and given back |
//! | [`body`], [`chunked`] | message bodies, on arbitrary splits of the bytes |

pub mod authority;
pub mod baggage;
pub mod body;
pub mod chunked;
mod field_name;
pub mod forward;
pub mod framing;
pub mod guard;
mod head_lines;
pub mod hop_by_hop;
pub mod memo;
pub mod prefix;
pub mod refusal;
pub mod request;
pub mod response;
pub mod target;

#[cfg(test)]
pub(crate) mod sample;

/// What a port of ours speaks, as the scheme of a URL says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The scheme as URLs and `X-Forwarded-Proto` spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that a URL of this scheme means where it names none (RFC 9110 4.2).
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}
