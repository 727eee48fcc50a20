//! A JSON document, kept as text.
//!
//! What an API server holds for thousands of clones would take ten times the room as maps and texts of its own
//! each (measured with bench/micro/following.rs), and is read once in a while: it is parsed when it is.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

/// A JSON document. Two of them are equal where their text is; maps are written in the order of their keys, so
/// that equal values have equal text.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Document(Option<Arc<str>>);

impl Document {
    /// The document of a value.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        Self(Some(value.to_string().into()))
    }

    /// The value; null where nothing was kept.
    #[must_use]
    pub fn value(&self) -> Value {
        // What was written from a value reads back as one.
        self.0.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// What stands in one field of the outermost map; null where nothing does.
    #[must_use]
    pub fn field(&self, name: &str) -> Value {
        self.value().get_mut(name).map(Value::take).unwrap_or_default()
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or("nothing"))
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
}
