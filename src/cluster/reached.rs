//! Up to which version a table holds what it watches. Pure.
//!
//! Versions of one kind grow over all namespaces, but each namespace that is watched alone is heard of by itself: what
//! came last from one of them says nothing of the others. So a process that watches several says so of each.

use std::collections::BTreeMap;
use std::fmt;

/// The highest version of a Router that a table holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// One watch sees all namespaces.
    All(u64),
    /// One watch for each of these namespaces.
    Each(BTreeMap<String, u64>),
}

impl Reached {
    /// By the watches, each of one namespace or of all.
    pub fn by(watches: impl IntoIterator<Item = (Option<String>, u64)>) -> Self {
        let mut each = BTreeMap::new();
        for (namespace, version) in watches {
            match namespace {
                Some(namespace) => each.insert(namespace, version),
                None => return Self::All(version),
            };
        }
        Self::Each(each)
    }

    /// The version reached in a namespace; none where it is not watched.
    #[must_use]
    pub fn of(&self, namespace: &str) -> Option<u64> {
        match self {
            Self::All(version) => Some(*version),
            Self::Each(each) => each.get(namespace).copied(),
        }
    }

    /// Reads what [`fmt::Display`] writes; another text has reached nothing.
    #[must_use]
    pub fn read(text: &str) -> Self {
        if let Ok(version) = text.parse() {
            return Self::All(version);
        }
        let one = |part: &str| {
            let (namespace, version) = part.split_once('=')?;
            Some((namespace.to_owned(), version.parse().ok()?))
        };
        let each: BTreeMap<String, u64> = text.split(' ').filter_map(one).collect();
        if each.is_empty() { Self::All(0) } else { Self::Each(each) }
    }
}

/// `90`, or `a=90 b=7`.
impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(version) => write!(f, "{version}"),
            Self::Each(each) => {
                let parts: Vec<String> =
                    each.iter().map(|(namespace, version)| format!("{namespace}={version}")).collect();
                f.write_str(&parts.join(" "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_written() {
        let each = Reached::by([(Some("b".to_owned()), 7), (Some("a".to_owned()), 90)]);
        for (reached, text) in [(Reached::by([(None, 12)]), "12"), (each.clone(), "a=90 b=7")] {
            assert_eq!(reached.to_string(), text);
            assert_eq!(Reached::read(text), reached);
        }
        assert_eq!((each.of("b"), each.of("c")), (Some(7), None));
        assert_eq!(Reached::All(12).of("c"), Some(12));
        for text in ["", "x", "a=b"] {
            assert_eq!(Reached::read(text), Reached::All(0));
        }
    }
}
