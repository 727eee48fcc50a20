//! What an update of the inventory changed, in the terms in which other rooms ask.
//!
//! Each set is as small as what is known before and after an edit allows, so that a room that works
//! incrementally looks at little; none is ever too small, so that it misses nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::key::{Key, Kind};

/// What an update changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The objects that came, went or differ.
    pub objects: BTreeSet<(Kind, Key)>,
    /// The bases whose set of versions differs, or one of whose versions is being deleted.
    pub bases: BTreeSet<Key>,
    /// The Services whose endpoints differ.
    pub services: BTreeSet<Key>,
    /// The DeploymentVersions that came, went or resolve otherwise.
    pub resolutions: BTreeSet<Key>,
    /// The DeploymentVersions whose clones or pods differ.
    pub running: BTreeSet<Key>,
    /// The Deployments that came or went, or have another uid or generation.
    pub generations: BTreeSet<Key>,
    /// The bases whose versions may have other addresses.
    pub addresses: BTreeSet<Key>,
    /// The Routers that may hold other hosts.
    pub claims: BTreeSet<Key>,
    /// The namespaces where a Service that is no clone came, went, or has another selector or other ports.
    pub selections: BTreeSet<Arc<str>>,
}

impl Changes {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.bases.is_empty() && self.services.is_empty()
    }

    /// Takes in the changes of a later update.
    pub fn extend(&mut self, later: Self) {
        self.objects.extend(later.objects);
        self.bases.extend(later.bases);
        self.services.extend(later.services);
        self.resolutions.extend(later.resolutions);
        self.running.extend(later.running);
        self.generations.extend(later.generations);
        self.addresses.extend(later.addresses);
        self.claims.extend(later.claims);
        self.selections.extend(later.selections);
    }
}
