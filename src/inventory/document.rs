//! A JSON document, kept as text.
//!
//! What an API server holds for thousands of clones would take ten times the room as maps and texts of its own
//! each (bench/micro/weight.rs measures it), and is read once in a while: it is parsed when it is. The clones of
//! one base say nearly the same as one another: of all but a few only the difference from one of those is kept,
//! which is a tenth of the text.

mod delta;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::key::{Key, Kind};

/// A JSON document. Two of them are equal where their text is; maps are written in the order of their keys, so
/// that equal values have equal text.
#[derive(Clone, Default)]
pub struct Document(Form);

#[derive(Clone, Default)]
enum Form {
    /// Nothing was kept.
    #[default]
    Nothing,
    Whole(Arc<str>),
    /// Another's text, and the difference from it.
    Like(Arc<str>, Arc<[u8]>),
}

impl Document {
    /// The document of a value.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        Self(Form::Whole(value.to_string().into()))
    }

    /// The value; null where nothing was kept.
    #[must_use]
    pub fn value(&self) -> Value {
        // What was written from a value reads back as one.
        self.text().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// What stands in one field of the outermost map; null where nothing does.
    #[must_use]
    pub fn field(&self, name: &str) -> Value {
        self.value().get_mut(name).map(Value::take).unwrap_or_default()
    }

    fn text(&self) -> Option<Cow<'_, [u8]>> {
        match &self.0 {
            Form::Nothing => None,
            Form::Whole(text) => Some(text.as_bytes().into()),
            Form::Like(exemplar, delta) => delta::text(exemplar.as_bytes(), delta).map(Cow::from),
        }
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Form::Like(exemplar, delta), Form::Like(of, other)) if Arc::ptr_eq(exemplar, of) => {
                delta == other
            }
            _ => self.text() == other.text(),
        }
    }
}

impl Eq for Document {}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(text) => f.write_str(&String::from_utf8_lossy(&text)),
            None => f.write_str("nothing"),
        }
    }
}

/// Documents that others are kept as differences from: of the objects of a kind that were made from one base, a
/// few each.
#[derive(Debug, Clone, Default)]
pub struct Exemplars(BTreeMap<(Kind, Key), Vec<Arc<str>>>);

/// So many of a group, so that a few Services, or a base before and after a change, all have one.
const EXEMPLARS: usize = 8;
/// A difference that is a larger part of the text than this is none worth keeping.
const WORTH: usize = 4;

impl Exemplars {
    /// A document of an object of this kind that was made from `base`, kept as the difference from one that is
    /// much like it, where there is one.
    pub fn keep(&mut self, kind: Kind, base: Key, document: Document) -> Document {
        let Form::Whole(text) = document.0 else { return document };
        let group = (kind, base);
        let known = self.0.get(&group).map_or(&[][..], Vec::as_slice);
        // The newest is the likeliest.
        for exemplar in known.iter().rev() {
            let delta = delta::of(exemplar.as_bytes(), text.as_bytes());
            if delta.len() <= text.len() / WORTH {
                return Document(Form::Like(exemplar.clone(), delta.into()));
            }
        }
        // What nothing is kept by any more is let go.
        self.0.retain(|_, known| {
            known.retain(|exemplar| Arc::strong_count(exemplar) > 1);
            !known.is_empty()
        });
        let known = self.0.entry(group).or_default();
        if known.len() >= EXEMPLARS {
            known.remove(0);
        }
        known.push(text.clone());
        Document(Form::Whole(text))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_kept_reads_back_the_same() {
        let value =
            json!({"b": [1, 2.5, -3, 18_446_744_073_709_551_615_u64], "a": {"x": null, "y": "\u{1F980}\n"}});
        let document = Document::of(&value);
        assert_eq!(document.value(), value);
        assert_eq!(document.field("a"), json!({"x": null, "y": "\u{1F980}\n"}));
        assert_eq!(document, Document::of(&document.value()));
        assert_eq!((Document::default().value(), document.field("c")), (Value::Null, Value::Null));
    }

    #[test]
    fn the_like_are_kept_as_differences_and_are_equal_all_the_same() {
        let value = |name: &str| {
            json!({"metadata": {"name": name, "labels": {"app": "sh\u{F6}p", "tier": "web"}},
                "spec": {"containers": [{"name": "web", "image": format!("registry.example.com/shop:{name}"),
                    "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}]}]}})
        };
        let base = Key::new("n", "shop");
        let mut exemplars = Exemplars::default();
        let mut keep = |value: &Value| exemplars.keep(Kind::Deployment, base.clone(), Document::of(value));
        let (one, two, again) = (keep(&value("one")), keep(&value("two")), keep(&value("two")));
        assert!(matches!((&one.0, &two.0), (Form::Whole(_), Form::Like(..))), "{:?}", two.0.size());
        assert_eq!((two.value(), &two), (value("two"), &again));
        assert_eq!(two, Document::of(&value("two")));
        assert_ne!(two, one);
        assert_ne!(two, keep(&value("three")));
        // Something else altogether begins a new one.
        let other = keep(&json!({"x": "nothing of that"}));
        assert!(matches!(other.0, Form::Whole(_)));
        assert!(matches!(keep(&value("four")).0, Form::Like(..)));
    }

    #[test]
    fn exemplars_go_with_what_is_kept_by_them() {
        let mut exemplars = Exemplars::default();
        let mut keep = |base: &str| {
            let document = Document::of(&json!({"a": base.repeat(20)}));
            exemplars.keep(Kind::Service, Key::new("n", base), document)
        };
        let kept = keep("a");
        drop(keep("b"));
        let more = keep("c");
        let groups = exemplars.0.keys().map(|(_, base)| base.name.to_string()).collect::<Vec<_>>();
        assert_eq!(groups, ["a", "c"]);
        drop((kept, more));
    }

    impl Form {
        fn size(&self) -> usize {
            match self {
                Self::Nothing => 0,
                Self::Whole(text) => text.len(),
                Self::Like(_, delta) => delta.len(),
            }
        }
    }
}
