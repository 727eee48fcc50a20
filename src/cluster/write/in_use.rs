//! The finalizer of a DeploymentVersion that traffic is sent to.
//!
//! It is there while a Router's `active` or a rule names the version, or the version is what plain requests
//! get. When such a version is deleted, its pods stay until the traffic has left: the Router's active version
//! has moved (a version whose deletion has begun is active no longer), that is written, and the edges had
//! [`DRAIN`] to follow. A rule that goes on naming it holds nothing up: what its requests get is the Router's
//! `onUnavailable`. Nothing waits longer than [`LONGEST`], and nothing at all where no Router names it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::api::names;
use crate::inventory::object::{Meta, RouterFacts, VersionFacts};
use crate::inventory::versions::Resolution;
use crate::inventory::{Inventory, Key};

/// So long every edge has had to follow, and requests that had begun to end.
pub const DRAIN: SignedDuration = SignedDuration::from_secs(5);
/// No deletion waits longer than this, whatever cannot be written.
pub const LONGEST: SignedDuration = SignedDuration::from_secs(60);

/// Whether an object bears our finalizer.
#[must_use]
pub fn is_held(meta: &Meta) -> bool {
    meta.finalizers.iter().any(|it| it == names::FINALIZER_IN_USE)
}

/// How a Router uses a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// Not at all.
    None,
    /// Its specification names it.
    Named,
    /// Plain requests get it, or got it by what is written last.
    Active,
}

/// How a DeploymentVersion is used.
#[must_use]
pub fn usage(inventory: &Inventory, dpv: &VersionFacts) -> Use {
    let Some(Resolution::Resolved(resolved)) = inventory.resolution(&dpv.meta.key) else { return Use::None };
    let id = resolved.version.as_str();
    let of = |router: &RouterFacts| {
        let written = router.status.active.as_deref() == Some(id);
        if written || inventory.effective_active(router).as_str() == id {
            return Use::Active;
        }
        let named = router.spec.active.as_deref() == Some(id);
        if named || router.spec.rules.iter().any(|rule| rule.send == id) { Use::Named } else { Use::None }
    };
    let routers = inventory.routers_of(&resolved.base).filter(|router| !router.meta.deleting);
    routers.map(of).max().unwrap_or(Use::None)
}

/// The DeploymentVersions that a Router names or leads to.
pub fn named_by(inventory: &Inventory, router: &Key) -> BTreeSet<Key> {
    let Some(router) = inventory.routers.get(router) else { return BTreeSet::new() };
    let Some(versions) = inventory.versions_of(&router.base()) else { return BTreeSet::new() };
    let effective = inventory.effective_active(router);
    let written = [router.spec.active.as_deref(), router.status.active.as_deref(), Some(effective.as_str())];
    let rules = router.spec.rules.iter().map(|rule| rule.send.as_str());
    let ids: BTreeSet<&str> = written.into_iter().flatten().chain(rules).collect();
    let of = |id: &str| versions.values().find(|version| version.id.as_str() == id)?.dpv.clone();
    ids.into_iter().filter_map(of).collect()
}

/// What is to become of the finalizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it should be.
    Stays,
    /// It is added.
    Add,
    /// It is taken away.
    Remove,
    /// It is looked at again at this time.
    Until(Timestamp),
}

/// When a DeploymentVersion began to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaving {
    /// When its deletion was first seen.
    pub since: Timestamp,
    /// When plain requests were first seen to get another; none while they get it.
    pub moved: Option<Timestamp>,
}

/// What is to become of a DeploymentVersion's finalizer.
#[must_use]
pub fn judge(dpv: &VersionFacts, usage: Use, leaving: Leaving, now: Timestamp) -> Verdict {
    let held = is_held(&dpv.meta);
    if !dpv.meta.deleting {
        return match (usage, held) {
            (Use::None, true) => Verdict::Remove,
            (Use::None, false) | (Use::Named | Use::Active, true) => Verdict::Stays,
            (Use::Named | Use::Active, false) => Verdict::Add,
        };
    }
    let end = match usage {
        _ if !held => return Verdict::Stays,
        Use::None => return Verdict::Remove,
        Use::Named => leaving.moved.unwrap_or(now).checked_add(DRAIN),
        Use::Active => leaving.since.checked_add(LONGEST),
    };
    match end {
        Ok(end) if end > now => Verdict::Until(end),
        Ok(_) | Err(_) => Verdict::Remove,
    }
}

/// The finalizers afterwards.
#[must_use]
pub fn finalizers(meta: &Meta, held: bool) -> Vec<String> {
    let others = meta.finalizers.iter().filter(|it| *it != names::FINALIZER_IN_USE).cloned();
    others.chain(held.then(|| names::FINALIZER_IN_USE.to_owned())).collect()
}

#[cfg(test)]
#[path = "in_use_tests.rs"]
mod tests;
