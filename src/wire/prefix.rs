//! Path mode: a version's prefix is taken off a request's path, and given back in its response, so that an
//! application that knows nothing of it works under it.
//!
//! `Location`, `Content-Location` and `Refresh` that lead to the same host get the prefix, and the paths of
//! cookies; `Service-Worker-Allowed` is dropped, for it could only widen a worker's scope beyond the version.
//! What has the prefix already, since the application heeds `X-Forwarded-Prefix`, keeps it as it is. Bodies
//! are not looked into; relative references need nothing.

use http::HeaderValue;
use http::header::{self, HeaderMap, HeaderName};

use super::Scheme;
use super::authority::Authority;
use super::target;

/// A path prefix of whole segments: begins with a slash, does not end with one, has nothing to normalise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix<'a>(&'a str);

/// What the client calls the server, for telling its own URLs from others'.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// What the client speaks to us.
    pub scheme: Scheme,
    /// The host, as the guard admitted it.
    pub host: &'a str,
    /// The port, where one was written.
    pub port: Option<u16>,
}

impl<'a> Prefix<'a> {
    /// Parses a prefix such as `/version-2`; a slash at its end is left out.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let judged = target::judge(text).ok()?;
        let whole = judged == text && text.len() > 1 && !text.contains("//") && !text.ends_with('/');
        whole.then_some(Self(text))
    }

    pub(super) fn parse_bytes(text: &'a [u8]) -> Option<Self> {
        Self::parse(std::str::from_utf8(text).ok()?)
    }

    /// The prefix as text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Splits an admitted path behind its first `length` bytes, as routing tells them: the prefix, and the path that
    /// goes upstream, as [`Prefix::strip`] has it. `None` where `length` is 0 or splits no segment off.
    #[must_use]
    pub fn split(path: &'a str, length: usize) -> Option<(Self, &'a str)> {
        if length == 0 {
            return None;
        }
        let prefix = Self::parse(path.get(..length)?).filter(|prefix| prefix.0.len() == length)?;
        Some((prefix, prefix.strip(path)?))
    }

    /// What is left of a path under the prefix; `None` where it is not under it, or is the prefix itself without
    /// a slash behind it, which is to be redirected.
    ///
    /// Of several slashes behind the prefix one is left: a path that begins with two reads as a host.
    #[must_use]
    pub fn strip(self, path: &str) -> Option<&str> {
        let mut rest = path.strip_prefix(self.0)?;
        if !rest.starts_with('/') {
            return None;
        }
        while rest.starts_with("//") {
            rest = rest.strip_prefix('/')?;
        }
        Some(rest)
    }

    /// Whether a path, perhaps with a query behind it, is the prefix or under it.
    fn holds(self, path: &str) -> bool {
        path.strip_prefix(self.0)
            .is_some_and(|rest| matches!(rest.bytes().next(), None | Some(b'/' | b'?' | b'#')))
    }

    /// Gives the prefix back in a response's fields.
    pub fn give_back(self, fields: &mut HeaderMap, origin: &Origin<'_>) {
        for name in [header::LOCATION, header::CONTENT_LOCATION] {
            edit(fields, &name, |value| self.in_reference(value, origin));
        }
        edit(fields, &header::REFRESH, |value| self.in_refresh(value, origin));
        edit(fields, &header::SET_COOKIE, |value| self.in_cookie(value));
        fields.remove("service-worker-allowed");
    }

    /// A URL reference with the prefix in it, where it needs one.
    fn in_reference(self, reference: &str, origin: &Origin<'_>) -> Option<String> {
        let reference = reference.trim_ascii();
        let path_at = path_of(reference, origin)?;
        let (before, path) = reference.split_at_checked(path_at)?;
        if self.holds(path) {
            return None;
        }
        // `http://host` and `http://host?query` have an empty path, which means `/` (RFC 9110 4.2.3).
        let slash = if path.starts_with('/') { "" } else { "/" };
        Some(format!("{before}{}{slash}{path}", self.0))
    }

    /// `5; url=/path`, with or without quotes (HTML, "shared declarative refresh steps").
    fn in_refresh(self, value: &str, origin: &Origin<'_>) -> Option<String> {
        let seconds = value.find([';', ','])?;
        let (_, rest) = value.split_at_checked(seconds + 1)?;
        let mut at = value.len() - rest.trim_ascii_start().len();
        let url = value.get(at..)?;
        if url.get(..3).is_some_and(|word| word.eq_ignore_ascii_case("url")) {
            let equals = url.get(3..)?.trim_ascii_start().strip_prefix('=')?;
            at = value.len() - equals.trim_ascii_start().len();
        }
        let url = value.get(at..)?;
        let quote = url.chars().next().filter(|c| matches!(c, '"' | '\''));
        let start = at + quote.map_or(0, char::len_utf8);
        let length = match quote {
            Some(quote) => value.get(start..)?.find(quote),
            None => None,
        };
        let end = length.map_or(value.len(), |length| start + length);
        let edited = self.in_reference(value.get(start..end)?, origin)?;
        Some(format!("{}{edited}{}", value.get(..start)?, value.get(end..)?))
    }

    /// `Path` of a cookie. A browser takes a `__Host-` cookie with the path `/` only, so those stay: they work,
    /// and are shared with the versions on the same host, as all of path mode shares its origin.
    fn in_cookie(self, cookie: &str) -> Option<String> {
        if cookie.trim_ascii_start().get(..7).is_some_and(|name| name.eq_ignore_ascii_case("__Host-")) {
            return None;
        }
        let mut edited = String::new();
        let mut changed = false;
        for (place, attribute) in cookie.split(';').enumerate() {
            if place > 0 {
                edited.push(';');
            }
            let path = attribute
                .split_once('=')
                .filter(|(name, _)| place > 0 && name.trim_ascii().eq_ignore_ascii_case("path"));
            match path.map(|(_, path)| path.trim_ascii()) {
                Some(path) if path.starts_with('/') && !self.holds(path) => {
                    edited.push_str(" Path=");
                    edited.push_str(self.0);
                    edited.push_str(path);
                    changed = true;
                }
                Some(_) | None => edited.push_str(attribute),
            }
        }
        changed.then_some(edited)
    }
}

/// Replaces the values of a field that `new` has another for.
fn edit(fields: &mut HeaderMap, name: &HeaderName, new: impl Fn(&str) -> Option<String>) {
    let header::Entry::Occupied(mut entry) = fields.entry(name) else { return };
    for value in entry.iter_mut() {
        let edited = match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => new(text).map(String::into_bytes),
            Err(_) => edit_bytes(value.as_bytes(), &new),
        };
        // Only visible text is put in, so that the conversion holds; where it does not, the value stays.
        if let Some(edited) = edited.and_then(|bytes| HeaderValue::try_from(bytes).ok()) {
            *value = edited;
        }
    }
}

/// The same for a value that is no text: each byte as the character of its number, and back. All that is looked for,
/// and put in, is ASCII.
fn edit_bytes(value: &[u8], new: impl Fn(&str) -> Option<String>) -> Option<Vec<u8>> {
    let text: String = value.iter().copied().map(char::from).collect();
    new(&text)?.chars().map(|c| u8::try_from(c).ok()).collect()
}

/// Where the path of a reference begins, if it leads to a path of this origin; `None` for relative references
/// and other servers.
fn path_of(reference: &str, origin: &Origin<'_>) -> Option<usize> {
    // Browsers read `\` as `/` in such places; whatever has one is left alone.
    if reference.contains('\\') {
        return None;
    }
    if reference.starts_with('/') && !reference.starts_with("//") {
        return Some(0);
    }
    let (scheme, rest) = if let Some(rest) = reference.strip_prefix("//") {
        (origin.scheme, rest)
    } else {
        let (scheme, rest) = reference.split_once("://")?;
        let scheme = if scheme.eq_ignore_ascii_case("http") {
            Scheme::Http
        } else if scheme.eq_ignore_ascii_case("https") {
            Scheme::Https
        } else {
            return None;
        };
        (scheme, rest)
    };
    let length = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = Authority::parse(rest.get(..length)?.as_bytes())?;
    is_same(&authority, scheme, origin).then_some(reference.len() - rest.len() + length)
}

/// The same host at the same port; or, where the scheme differs, both at their default ports: an application
/// behind a TLS edge may not know that it is.
fn is_same(authority: &Authority<'_>, scheme: Scheme, origin: &Origin<'_>) -> bool {
    let here = origin.port.unwrap_or(origin.scheme.default_port());
    let there = authority.port.unwrap_or(scheme.default_port());
    let both_default = here == origin.scheme.default_port() && there == scheme.default_port();
    authority.host == origin.host && (both_default || (scheme == origin.scheme && here == there))
}

#[cfg(test)]
mod tests;
