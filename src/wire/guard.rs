//! The guard: is what hyper parsed one well-formed request that is served here?
//!
//! hyper sees to the syntax of lines and to most of the framing; it has no rules for hosts and targets,
//! and hands over fields that must not reach an upstream. The guard decides before anything else looks at
//! the request. It repairs nothing; what it cannot see stands: hyper cuts a `#fragment` off a target, and
//! of `Content-Length` beside `Transfer-Encoding` it drops the length and then closes the connection.

use std::borrow::Cow;

use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Uri, Version};

use super::authority::Authority;
use super::framing::{self, RequestBody, is_token};
use super::hop_by_hop::{MAX_OPTIONS, Options};
use super::refusal::Refusal;
use super::{Scheme, target};

/// How long a method may be; the longest registered one has 17 characters.
const MAX_METHOD: usize = 32;

/// How long a field may be: its name, its value, and what stands between and behind. No client sends a longer one, and
/// servers of 16 KiB are common behind a proxy.
const MAX_FIELD: usize = 16 << 10;

/// What a port's guard goes by.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What the port speaks.
    pub scheme: Scheme,
    /// The longest request target, in bytes.
    pub max_target: usize,
    /// The largest header block, in bytes, without the request line.
    pub max_fields_bytes: usize,
    /// The most fields in it.
    pub max_fields: usize,
    /// The name of this very instance in `Via`: a token, such as `synkronic-7f3a9c21`.
    pub pseudonym: String,
}

impl Terms {
    /// The defaults of the edge: target 8 KiB, header block 32 KiB, 100 fields.
    #[must_use]
    pub fn new(scheme: Scheme, pseudonym: String) -> Self {
        Self { scheme, max_target: 8 << 10, max_fields_bytes: 32 << 10, max_fields: 100, pseudonym }
    }
}

/// What becomes of a request that the guard lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission<'r> {
    /// It is to be routed.
    Route(Admitted<'r>),
    /// `OPTIONS *`, or `OPTIONS` with `Max-Forwards: 0`: we answer, 204 with `Allow` (RFC 9110 9.3.7, 7.6.2).
    OurOptions,
}

/// One well-formed request: what routing asks of it and what the head writer needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted<'r> {
    /// The host: lower-case, no port, no trailing dot. Borrowed where it was written so.
    pub host: Cow<'r, str>,
    /// The port behind the host, where one was written.
    pub port: Option<u16>,
    /// The path, to be matched and forwarded as it is here; begins with exactly one slash.
    pub path: Cow<'r, str>,
    /// The query behind `?`, where there is one, as it came.
    pub query: Option<&'r str>,
    /// How the body is delimited.
    pub body: RequestBody,
    /// Whether it asks to become a WebSocket: HTTP/1.1 GET without body, `Upgrade: websocket` and nothing else in
    /// it, `Connection: upgrade`. Any other `Upgrade` is an ordinary request.
    pub websocket: bool,
    /// Whether the client waits for 100 before it sends the body. hyper sends it at the body's first poll.
    pub expects_continue: bool,
    /// The request id that came along, where it is a sound one: 1 to 128 of letters, digits and `-_.:/+=@~`.
    pub request_id: Option<&'r str>,
    /// Whether `Connection` names fields to take away, so that the head writer must look.
    pub(super) names_fields: bool,
}

/// Decides on one request as hyper parsed it.
///
/// # Errors
/// Where it is not served; [`Refusal::told`] says what is to be answered.
pub fn examine<'r>(parts: &'r Parts, terms: &Terms) -> Result<Admission<'r>, Refusal> {
    method(&parts.method)?;
    let survey = Survey::of(&parts.headers, terms)?;
    let target = target(&parts.uri, terms)?;
    let host = survey.authority(parts.version, target.authority)?;
    let body = survey.framing.of_request(parts.version)?;
    let expects_continue = survey.expects_continue(parts.version)?;
    let Form::Path { path, query } = target.form else {
        return if parts.method == Method::OPTIONS {
            Ok(Admission::OurOptions)
        } else {
            Err(Refusal::TargetForm)
        };
    };
    if parts.method == Method::OPTIONS && max_forwards(&parts.headers) == Some(0) {
        return Ok(Admission::OurOptions);
    }
    Ok(Admission::Route(Admitted {
        host: host.host,
        port: host.port,
        path,
        query,
        body,
        websocket: survey.asks_for_websocket(parts, body),
        expects_continue,
        request_id: survey.request_id,
        names_fields: survey.connection.names,
    }))
}

fn method(method: &Method) -> Result<(), Refusal> {
    match *method {
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PUT
        | Method::PATCH
        | Method::DELETE
        | Method::OPTIONS => Ok(()),
        Method::CONNECT => Err(Refusal::MethodConnect),
        Method::TRACE => Err(Refusal::MethodTrace),
        _ if method.as_str().len() > MAX_METHOD => Err(Refusal::MethodTooLong),
        _ if method.as_str() == "PRI" => Err(Refusal::MethodPri),
        _ => Ok(()),
    }
}

/// What a target asks for.
enum Form<'r> {
    /// A path and perhaps a query.
    Path { path: Cow<'r, str>, query: Option<&'r str> },
    /// `*`: the server itself.
    Server,
}

struct Target<'r> {
    /// The authority of an absolute-form target.
    authority: Option<&'r str>,
    form: Form<'r>,
}

/// Tells the forms of RFC 9112 3.2 apart; authority-form and whatever else hyper lets through are refused.
fn target<'r>(uri: &'r Uri, terms: &Terms) -> Result<Target<'r>, Refusal> {
    let authority = match (uri.scheme(), uri.authority()) {
        (None, None) => None,
        (Some(scheme), Some(authority)) => {
            if !scheme.as_str().eq_ignore_ascii_case(terms.scheme.as_str()) {
                return Err(Refusal::TargetScheme);
            }
            if authority.as_str().contains('@') {
                return Err(Refusal::TargetUserinfo);
            }
            Some(authority.as_str())
        }
        (None, Some(_)) | (Some(_), None) => return Err(Refusal::TargetForm),
    };
    let (path, query) = (uri.path(), uri.query());
    let written = authority.map_or(0, |a| a.len() + terms.scheme.as_str().len() + 3)
        + path.len()
        + query.map_or(0, |q| q.len() + 1);
    if written > terms.max_target {
        return Err(Refusal::TargetTooLong);
    }
    if path == "*" && authority.is_none() {
        return Ok(Target { authority, form: Form::Server });
    }
    Ok(Target { authority, form: Form::Path { path: target::judge(path)?, query } })
}

/// What the fields of a request say, gathered in one pass.
#[derive(Default)]
struct Survey<'r> {
    host: Option<&'r HeaderValue>,
    framing: framing::Fields<'r>,
    connection: Options,
    upgrades: usize,
    upgrade_to_websocket: bool,
    authorized: bool,
    expect: Option<&'r HeaderValue>,
    expect_other: bool,
    request_ids: usize,
    request_id: Option<&'r str>,
}

impl<'r> Survey<'r> {
    fn of(headers: &'r HeaderMap, terms: &Terms) -> Result<Self, Refusal> {
        if headers.len() > terms.max_fields {
            return Err(Refusal::FieldsTooMany);
        }
        let mut survey = Self::default();
        let mut bytes = 0;
        for (name, value) in headers {
            let length = name.as_str().len() + value.len() + 4;
            if length > MAX_FIELD {
                return Err(Refusal::FieldsTooLarge);
            }
            bytes += length;
            survey.field(name, value, terms)?;
        }
        if bytes > terms.max_fields_bytes {
            return Err(Refusal::FieldsTooLarge);
        }
        if survey.connection.count > MAX_OPTIONS {
            return Err(Refusal::ConnectionOptions);
        }
        Ok(survey)
    }

    fn field(&mut self, name: &HeaderName, value: &'r HeaderValue, terms: &Terms) -> Result<(), Refusal> {
        match *name {
            header::HOST => {
                if self.host.replace(value).is_some() {
                    return Err(Refusal::HostRepeated);
                }
            }
            header::TRANSFER_ENCODING => self.framing.transfer_encoding(value.as_bytes()),
            header::CONTENT_LENGTH => self.framing.content_length(value.as_bytes()),
            header::CONNECTION => self.connection.line(value.as_bytes()),
            header::UPGRADE => {
                self.upgrades += 1;
                self.upgrade_to_websocket = is_token(value, b"websocket");
            }
            header::EXPECT => {
                self.expect_other |= !is_token(value, b"100-continue");
                self.expect = Some(value);
            }
            header::VIA if names_pseudonym(value.as_bytes(), &terms.pseudonym) => return Err(Refusal::Loop),
            header::AUTHORIZATION => {
                if std::mem::replace(&mut self.authorized, true) {
                    return Err(Refusal::AuthorizationRepeated);
                }
            }
            // What most requests bring along, so that it passes without a look at its text.
            header::ACCEPT
            | header::ACCEPT_ENCODING
            | header::ACCEPT_LANGUAGE
            | header::CACHE_CONTROL
            | header::CONTENT_TYPE
            | header::COOKIE
            | header::IF_MODIFIED_SINCE
            | header::IF_NONE_MATCH
            | header::ORIGIN
            | header::REFERER
            | header::UPGRADE_INSECURE_REQUESTS
            | header::USER_AGENT
            | header::VIA => {}
            _ => self.other(name.as_str(), value)?,
        }
        Ok(())
    }

    /// Fields that the `http` crate has no constants for, and all that need no look.
    fn other(&mut self, name: &str, value: &'r HeaderValue) -> Result<(), Refusal> {
        // An alias: servers behind CGI-like interfaces read `X_Forwarded_For` as `X-Forwarded-For`.
        if name.bytes().any(|b| b == b'_') {
            return Err(Refusal::FieldUnderscore);
        }
        if name == "x-request-id" {
            self.request_ids += 1;
            self.request_id = if self.request_ids == 1 { sound_request_id(value) } else { None };
        }
        Ok(())
    }

    /// The authority that counts: the target's, else `Host` (RFC 9112 3.2.2). A `Host` that a target overrules
    /// must be sound all the same (3.2), and HTTP/1.1 must send one.
    fn authority(&self, version: Version, target: Option<&'r str>) -> Result<Authority<'r>, Refusal> {
        let field = match self.host {
            Some(value) => Some(Authority::parse(value.as_bytes()).ok_or(Refusal::HostMalformed)?),
            None => None,
        };
        let target = match target {
            Some(text) => Some(Authority::parse(text.as_bytes()).ok_or(Refusal::HostMalformed)?),
            None => None,
        };
        match (field, target) {
            (Some(_), Some(target)) => Ok(target),
            (Some(field), None) => Ok(field),
            (None, Some(target)) if version == Version::HTTP_10 => Ok(target),
            (None, Some(_) | None) => Err(Refusal::HostMissing),
        }
    }

    /// Whether the client waits for 100. HTTP/1.0 cannot, whatever it says (RFC 9110 10.1.1).
    fn expects_continue(&self, version: Version) -> Result<bool, Refusal> {
        if self.expect.is_none() || version == Version::HTTP_10 {
            return Ok(false);
        }
        if self.expect_other { Err(Refusal::ExpectUnknown) } else { Ok(true) }
    }

    fn asks_for_websocket(&self, parts: &Parts, body: RequestBody) -> bool {
        self.upgrades == 1
            && self.upgrade_to_websocket
            && self.connection.upgrade
            && parts.method == Method::GET
            && parts.version == Version::HTTP_11
            && body.is_empty()
    }
}

/// Whether a member of `Via` (`[name/]version received-by [comment]`) was written by this instance.
fn names_pseudonym(via: &[u8], pseudonym: &str) -> bool {
    via.split(|b| *b == b',').any(|member| {
        let mut words = member.split(|b| matches!(b, b' ' | b'\t')).filter(|word| !word.is_empty());
        words.nth(1).is_some_and(|by| by.eq_ignore_ascii_case(pseudonym.as_bytes()))
    })
}

fn sound_request_id(value: &HeaderValue) -> Option<&str> {
    let text = value.to_str().ok()?;
    let sound = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/+=@~".contains(&b);
    ((1..=128).contains(&text.len()) && text.bytes().all(sound)).then_some(text)
}

/// How many more hops an `OPTIONS` may take; `None` where nothing sound is said.
pub(super) fn max_forwards(headers: &HeaderMap) -> Option<u64> {
    framing::parse_length(headers.get(header::MAX_FORWARDS)?.as_bytes())
}

#[cfg(test)]
mod tests;
