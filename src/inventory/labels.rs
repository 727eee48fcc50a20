//! The labels of an object, or its annotations: texts by texts.
//!
//! Ten thousand clones have a handful each. In a tree every text is an allocation of its own, and the smallest node
//! has room for eleven; here all lie in one text, in order of their keys. It reads as a map does.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Labels or annotations of an object, in order of their keys.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Labels {
    /// Keys and values, one behind the other.
    text: Box<str>,
    /// Where each key and its value end in the text.
    ends: Box<[[u32; 2]]>,
}

impl Labels {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The value of this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// Whether there is this key.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// All, in order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut begin = 0;
        self.ends.iter().map(move |ends| {
            let [key, value] = ends.map(|end| {
                let text = self.text.get(begin..end as usize).unwrap_or_default();
                begin = end as usize;
                text
            });
            (key, value)
        })
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(key, _)| key)
    }

    /// Gives a key this value; returns what it had.
    pub fn insert(&mut self, key: String, value: String) -> Option<String> {
        self.change(|all| all.insert(key, value))
    }

    /// Takes a key away; returns what it had.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        self.change(|all| all.remove(key))
    }

    /// Keeps those of which this says so.
    pub fn retain(&mut self, mut keeps: impl FnMut(&str, &str) -> bool) {
        self.change(|all| all.retain(|key, value| keeps(key, value)));
    }

    fn change<R>(&mut self, change: impl FnOnce(&mut BTreeMap<String, String>) -> R) -> R {
        let mut all: BTreeMap<String, String> = std::mem::take(self).into();
        let result = change(&mut all);
        *self = all.into();
        result
    }
}

impl From<BTreeMap<String, String>> for Labels {
    fn from(all: BTreeMap<String, String>) -> Self {
        let mut text = String::new();
        let ends = all.iter().map(|(key, value)| {
            [key, value].map(|part| {
                text.push_str(part);
                // The API server takes no object of more than a few MiB.
                u32::try_from(text.len()).unwrap_or(u32::MAX)
            })
        });
        Self { ends: ends.collect(), text: text.into() }
    }
}

impl From<Labels> for BTreeMap<String, String> {
    fn from(labels: Labels) -> Self {
        labels.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }
}

impl IntoIterator for Labels {
    type Item = (String, String);
    type IntoIter = std::collections::btree_map::IntoIter<String, String>;

    fn into_iter(self) -> Self::IntoIter {
        BTreeMap::from(self).into_iter()
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<const N: usize> From<[(String, String); N]> for Labels {
    fn from(all: [(String, String); N]) -> Self {
        BTreeMap::from(all).into()
    }
}

impl FromIterator<(String, String)> for Labels {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(all: I) -> Self {
        BTreeMap::from_iter(all).into()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Labels {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(all: I) -> Self {
        all.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }
}

impl Extend<(String, String)> for Labels {
    fn extend<I: IntoIterator<Item = (String, String)>>(&mut self, more: I) {
        self.change(|all| all.extend(more));
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_reads_as_the_map_it_stands_for() {
        let text = |text: &str| text.to_owned();
        let mut labels: Labels = serde_json::from_value(json!({"tier": "web", "app": "shop"})).unwrap();
        assert_eq!(labels.insert(text("run"), text("x")), None);
        assert_eq!(labels.insert(text("tier"), text("db")), Some(text("web")));
        assert_eq!((labels.remove("run"), labels.remove("run")), (Some(text("x")), None));
        labels.extend([(text("b"), text("1")), (text("app"), text("shop-v2"))]);
        assert_eq!(json!(labels), json!({"app": "shop-v2", "b": "1", "tier": "db"}));
        assert_eq!(labels.keys().collect::<Vec<_>>(), ["app", "b", "tier"]);
        assert_eq!((labels.get("b"), labels.get("c"), labels.len()), (Some("1"), None, 3));
        labels.retain(|key, _| key != "b");
        let again = Labels::from([(text("tier"), text("db")), (text("app"), text("shop-v2"))]);
        assert_eq!(labels, again);
        assert!(serde_json::from_value::<Labels>(json!({"a": 1})).is_err());
    }
}
