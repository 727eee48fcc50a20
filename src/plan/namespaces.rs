//! Whether a `namespaceSelector` means a version's own namespace.
//!
//! Of a namespace's labels its name alone is known here: Synkronic watches no namespaces.

use serde_json::Value;

use crate::inventory::selector::{Labels, Selector};

/// The label that every namespace bears, with its name.
const NAME: &str = "kubernetes.io/metadata.name";

/// Whether a namespace is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meant {
    Yes,
    No,
    /// It is asked for labels that are not known.
    Perhaps,
}

/// Whether a selector of namespaces means the one of this name.
pub(super) fn meant(selector: &Value, namespace: &str) -> Meant {
    let Ok(selector) = serde_json::from_value::<Selector>(selector.clone()) else { return Meant::No };
    let mut known = selector.clone();
    known.match_labels.retain(|key, _| key == NAME);
    known.match_expressions.retain(|requirement| requirement.key == NAME);
    let labels = Labels::from([(NAME.to_owned(), namespace.to_owned())]);
    match (known.matches(&labels), known == selector) {
        (false, _) => Meant::No,
        (true, true) => Meant::Yes,
        (true, false) => Meant::Perhaps,
    }
}
