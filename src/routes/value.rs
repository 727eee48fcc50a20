//! Tests on one value: of a header, a cookie, a parameter, a path.

use std::fmt;

use regex::bytes;

/// What a value must be.
#[derive(Debug, PartialEq)]
pub(super) enum ValueTest {
    /// The whole value.
    Exact(String),
    /// How it begins.
    Prefix(String),
    /// A regular expression for the whole value.
    Regex(WholeRegex),
    /// It is there.
    Present,
    /// It is not there.
    Absent,
}

impl ValueTest {
    /// Whether any of the values meets it; for [`Absent`](Self::Absent): whether there is none.
    pub(super) fn holds_for_any<'r>(&self, mut values: impl Iterator<Item = &'r [u8]>) -> bool {
        match self {
            Self::Exact(wanted) => values.any(|value| value == wanted.as_bytes()),
            Self::Prefix(wanted) => values.any(|value| value.starts_with(wanted.as_bytes())),
            Self::Regex(regex) => values.any(|value| regex.matches(value)),
            Self::Present => values.next().is_some(),
            Self::Absent => values.next().is_none(),
        }
    }
}

impl fmt::Display for ValueTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(wanted) => write!(f, "is `{wanted}`"),
            Self::Prefix(wanted) => write!(f, "begins with `{wanted}`"),
            Self::Regex(regex) => write!(f, "matches `{}`", regex.text),
            Self::Present => f.write_str("is present"),
            Self::Absent => f.write_str("is absent"),
        }
    }
}

/// What a path must be; as it came, no escapes undone.
#[derive(Debug, PartialEq)]
pub(super) enum PathTest {
    /// The whole path.
    Exact(String),
    /// Its first segments, whole ones; held without a slash at the end, so empty for every path.
    Prefix(String),
    /// A regular expression for the whole path.
    Regex(WholeRegex),
}

impl PathTest {
    /// Whether a path meets it.
    pub(super) fn holds(&self, path: &str) -> bool {
        match self {
            Self::Exact(wanted) => path == wanted,
            Self::Prefix(wanted) => path
                .strip_prefix(&**wanted)
                .is_some_and(|rest| rest.starts_with('/') || (rest.is_empty() && !wanted.is_empty())),
            Self::Regex(regex) => regex.matches(path.as_bytes()),
        }
    }
}

impl fmt::Display for PathTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(wanted) => write!(f, "is `{wanted}`"),
            Self::Prefix(wanted) if wanted.is_empty() => f.write_str("is under `/`"),
            Self::Prefix(wanted) => write!(f, "is under `{wanted}`"),
            Self::Regex(regex) => write!(f, "matches `{}`", regex.text),
        }
    }
}

/// A regular expression that matches whole values, in linear time and bounded memory.
pub(super) struct WholeRegex {
    text: String,
    regex: bytes::Regex,
}

/// The most memory that one compiled expression takes, and its cache: 64 rules of 16 matches stay bounded.
const SIZE_LIMIT: usize = 256 * 1024;

impl WholeRegex {
    /// Compiles an expression.
    ///
    /// # Errors
    /// One sentence, where it is none or too large.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        // On its own first: `a)|(b` is no expression, although it would be one between brackets.
        compile(text)?;
        let regex = compile(&format!(r"\A(?:{text})\z"))?;
        Ok(Self { text: text.to_owned(), regex })
    }

    /// Whether it matches the whole value.
    pub(super) fn matches(&self, value: &[u8]) -> bool {
        self.regex.is_match(value)
    }
}

fn compile(text: &str) -> Result<bytes::Regex, String> {
    let built = bytes::RegexBuilder::new(text).size_limit(SIZE_LIMIT).dfa_size_limit(SIZE_LIMIT).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "it is too large: use fewer or smaller repetitions".to_owned(),
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        }
    })
}

impl PartialEq for WholeRegex {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for WholeRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}
