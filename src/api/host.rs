//! Host names as routes hold and compare them.

use std::fmt;
use std::sync::Arc;

/// A host name in its one comparable form: lower-case, without port and trailing dot (RFC 9110 4.2.3).
///
/// Either exact (`shop.example.com`) or a one-level wildcard (`*.example.com`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(Arc<str>);

/// Why a text is no host name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Nothing at all.
    #[error("a host cannot be empty")]
    Empty,
    /// More than 253 characters in all.
    #[error("`{0}` is longer than the 253 characters a host name may have")]
    TooLong(String),
    /// One label is empty, longer than 63 characters or has a character that no label has.
    #[error("`{0}` is no host name: `{1}` is not a DNS label (letters, digits, inner dashes)")]
    BadLabel(String, String),
}

impl Host {
    /// Parses a configured host: case and one trailing dot are forgiven, a port is not.
    ///
    /// # Errors
    /// Where `text` is no DNS name of at most 253 characters.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        let lower = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if lower.is_empty() {
            return Err(HostError::Empty);
        }
        if lower.len() > 253 {
            return Err(HostError::TooLong(lower));
        }
        let labels = lower.strip_prefix("*.").unwrap_or(&lower);
        for label in labels.split('.') {
            if !is_label(label) {
                return Err(HostError::BadLabel(lower.clone(), label.to_owned()));
            }
        }
        Ok(Self(lower.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part behind `*.` where this is a wildcard.
    #[must_use]
    pub fn wildcard_suffix(&self) -> Option<&str> {
        self.0.strip_prefix("*.")
    }
}

fn is_label(label: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&label.len())
        && label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl std::borrow::Borrow<str> for Host {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_per_name() {
        assert_eq!(Host::parse("Shop.Example.COM.").unwrap().as_str(), "shop.example.com");
        assert_eq!(Host::parse("*.example.com").unwrap().wildcard_suffix(), Some("example.com"));
        for bad in ["", ".", "a..b", "a_b", "a b", "a:80", "*.*.a", "a.*", "-a.b", "ü.de", "[::1]"] {
            assert!(Host::parse(bad).is_err(), "{bad:?}");
        }
    }
}
