//! The name routes use for a version.

use std::fmt;
use std::sync::Arc;

/// A version id: a DNS label (RFC 1123: 1 to 63 of `a-z`, `0-9`, `-`; no dash first or last).
///
/// It can stand as one label of a host name and as one path segment; `base` is the base's own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionId(Arc<str>);

/// Why a text is no version id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionIdError {
    /// Nothing at all.
    #[error("a version id cannot be empty")]
    Empty,
    /// More than 63 characters.
    #[error("`{0}` has {1} characters; a version id has at most 63")]
    TooLong(String, usize),
    /// A character that no DNS label has, or a dash at an end.
    #[error("`{0}` is no DNS label: use lower-case letters, digits and inner dashes, as in `version-2`")]
    NotALabel(String),
}

impl VersionId {
    /// The base's own id.
    pub const BASE: &'static str = "base";

    /// Parses a version id; `base` is accepted here, whoever gives ids out refuses it.
    ///
    /// # Errors
    /// Where `text` is no DNS label.
    pub fn parse(text: &str) -> Result<Self, VersionIdError> {
        if text.is_empty() {
            return Err(VersionIdError::Empty);
        }
        if text.len() > 63 {
            return Err(VersionIdError::TooLong(text.to_owned(), text.chars().count()));
        }
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !text.bytes().all(inner) || text.starts_with('-') || text.ends_with('-') {
            return Err(VersionIdError::NotALabel(text.to_owned()));
        }
        Ok(Self(text.into()))
    }

    /// The base's own id, `base`.
    #[must_use]
    pub fn base() -> Self {
        Self(Self::BASE.into())
    }

    /// Whether this is the base's own id.
    #[must_use]
    pub fn is_base(&self) -> bool {
        &*self.0 == Self::BASE
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl std::borrow::Borrow<str> for VersionId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_ids_and_nothing_else_is() {
        for good in ["version-2", "pr-123", "0", "a", "base", &"a".repeat(63)] {
            assert_eq!(VersionId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "A", "a.b", "-a", "a-", "ü", "a b", "a/b", &"a".repeat(64)] {
            assert!(VersionId::parse(bad).is_err(), "{bad:?}");
        }
    }
}
