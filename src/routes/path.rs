//! Path mode: how a version's path begins.

use std::fmt;

/// `/{version}`, or the same behind literal segments, as `/preview/{version}`.
pub(super) struct PathPattern {
    text: String,
    paths: matchit::Router<()>,
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PathReading<'r> {
    /// The segment in the version's place.
    pub segment: &'r str,
    /// The bytes of the path up to the segment's end.
    pub prefix: usize,
    /// Whether the path ends there, without a slash.
    pub bare: bool,
}

const VERSION: &str = "{version}";

impl PathPattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// One sentence, where it does not read `/…/{version}` with plain literal segments.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "`{text}` has to read `/{VERSION}`, or the same behind literal segments, as \
                 `/preview/{VERSION}`"
            )
        };
        let literal = text.strip_suffix(VERSION).filter(|rest| rest.starts_with('/')).ok_or_else(refused)?;
        let mut segments = literal.trim_matches('/').split('/');
        let plain = |segment: &str| {
            !segment.is_empty()
                && segment != "."
                && segment != ".."
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
        };
        if literal != "/" && !(literal.ends_with('/') && !literal.contains("//") && segments.all(plain)) {
            return Err(refused());
        }
        let mut paths = matchit::Router::new();
        for end in ["", "/", "/{*rest}"] {
            paths.insert(format!("{text}{end}"), ()).map_err(|error| format!("`{text}`: {error}"))?;
        }
        Ok(Self { text: text.to_owned(), paths })
    }

    /// What a path names; whole segments only, as it came, no escapes undone.
    pub(super) fn read<'r>(&self, path: &'r str) -> Option<PathReading<'r>> {
        let found = self.paths.at(path).ok()?;
        let segment = found.params.get("version")?;
        let prefix = self.text.len() - VERSION.len() + segment.len();
        Some(PathReading { segment, prefix, bare: prefix == path.len() })
    }

    /// The pattern as written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for PathPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_segments() {
        let pattern = PathPattern::parse("/{version}").unwrap();
        let read = |path| pattern.read(path).map(|it| (it.segment, it.prefix, it.bare));
        assert_eq!(read("/version-2/a/b"), Some(("version-2", 10, false)));
        assert_eq!(read("/version-2/"), Some(("version-2", 10, false)));
        assert_eq!(read("/version-2"), Some(("version-2", 10, true)));
        assert_eq!(read("/version-2//a"), Some(("version-2", 10, false)));
        for nothing in ["/", "", "*", "//version-2/", "version-2"] {
            assert_eq!(read(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn behind_literal_segments() {
        let pattern = PathPattern::parse("/preview/v/{version}").unwrap();
        let read = |path| pattern.read(path).map(|it| (it.segment, it.prefix, it.bare));
        assert_eq!(read("/preview/v/x/y"), Some(("x", 12, false)));
        assert_eq!(read("/preview/v/x"), Some(("x", 12, true)));
        assert_eq!(read("/preview/x/y"), None);
        assert_eq!(read("/preview/v/"), None);
    }

    #[test]
    fn what_is_no_pattern() {
        for bad in [
            "",
            "{version}",
            "/",
            "/a",
            "/{version}/a",
            "/a{version}",
            "//{version}",
            "/../{version}",
            "/{a}/{version}",
        ] {
            assert!(PathPattern::parse(bad).is_err(), "{bad:?}");
        }
    }
}
