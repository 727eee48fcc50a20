//! How far the watches can be believed, as far as a write depends on it.

use std::collections::BTreeSet;

use crate::inventory::Kind;

/// What a watch is about: a kind, in one namespace or in all.
pub type Place = (Kind, Option<String>);

/// Of which objects something may be amiss that the inventory does not show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    /// Those of which no list was ever complete.
    pub unlisted: BTreeSet<Place>,
    /// Those of which the API server tells nothing now.
    pub failing: BTreeSet<Place>,
}

impl Sight {
    /// Whether objects of a kind may be there in a namespace that nobody has ever seen.
    #[must_use]
    pub fn is_unlisted(&self, kind: Kind, namespace: &str) -> bool {
        holds(&self.unlisted, kind, namespace)
    }

    /// Whether objects of a kind may have come and gone in a namespace without a word.
    #[must_use]
    pub fn is_failing(&self, kind: Kind, namespace: &str) -> bool {
        holds(&self.failing, kind, namespace)
    }
}

fn holds(places: &BTreeSet<Place>, kind: Kind, namespace: &str) -> bool {
    let here = |place: &Option<String>| place.as_deref().is_none_or(|name| name == namespace);
    places.iter().any(|(of, place)| *of == kind && here(place))
}
