//! Who is a version of what, kept up to date change by change.
//!
//! A DeploymentVersion is looked at again where it changed itself, or where a Deployment came or went that it
//! could mean: one that it names, whose name it has, or whose name it begins with. Its id is then its own where nobody who claims the
//! same comes before it: who has it already, as its status says, and then the oldest. It decides nothing else than [`super::versions`] says of one DeploymentVersion.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Inventory;
use super::changes::Changes;
use super::key::Key;
use super::object::VersionFacts;
use super::update::News;
use super::versions::{Resolution, Version, version_taken};
use crate::api::VersionId;

/// A DeploymentVersion that asks for an id of a base. The order is that of giving: who has it already, then the oldest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    base: Key,
    id: VersionId,
    /// Whether it did not have the id before.
    is_new: bool,
    created: Timestamp,
    dpv: Key,
}

/// Who claims which id of which base.
#[derive(Debug, Clone, Default)]
pub(super) struct Ids {
    claims: BTreeSet<Claim>,
    of: BTreeMap<Key, Claim>,
    /// DeploymentVersions that name their base: the base, then the DeploymentVersion.
    named: BTreeSet<(Key, Key)>,
}

impl Ids {
    pub fn name(&mut self, base: Key, dpv: &Key) {
        self.named.insert((base, dpv.clone()));
    }

    pub fn unname(&mut self, base: &Key, dpv: &Key) {
        self.named.remove(&(base.clone(), dpv.clone()));
    }

    fn naming(&self, base: &Key) -> impl Iterator<Item = &Key> {
        let first = (base.clone(), base.sibling(""));
        self.named.range(first..).take_while(move |(named, _)| named == base).map(|(_, dpv)| dpv)
    }

    fn claim(&mut self, claim: Claim) {
        self.claims.insert(claim.clone());
        self.of.insert(claim.dpv.clone(), claim);
    }

    fn give_up(&mut self, dpv: &Key) -> Option<Claim> {
        let claim = self.of.remove(dpv)?;
        self.claims.remove(&claim);
        Some(claim)
    }

    fn claimants(&self, base: &Key, id: &VersionId) -> impl Iterator<Item = &Key> {
        let first = Claim {
            base: base.clone(),
            id: id.clone(),
            is_new: false,
            created: Timestamp::MIN,
            dpv: base.sibling(""),
        };
        let asks = move |claim: &&Claim| claim.base == *base && claim.id == *id;
        self.claims.range(first..).take_while(asks).map(|claim| &claim.dpv)
    }
}

impl Inventory {
    /// Resolves what the news leave unresolved.
    pub(super) fn resolve_anew(&mut self, news: &mut News) {
        for deployment in &news.deployments {
            self.renew_base(deployment, &mut news.changes);
            news.unresolved.extend(self.ids.naming(deployment).cloned());
            news.unresolved.extend(self.dpvs.get(deployment).map(|dpv| dpv.meta.key.clone()));
            let beginning = format!("{}-", deployment.name);
            let of_name = self.dpvs.beginning(&deployment.namespace, &beginning);
            news.unresolved.extend(of_name.map(|dpv| dpv.meta.key.clone()));
        }
        // The ids that may go to another, with those who ask for them anew.
        let mut open: BTreeMap<(Key, VersionId), Vec<Key>> = BTreeMap::new();
        for dpv in std::mem::take(&mut news.unresolved) {
            if let Some(Claim { base, id, .. }) = self.ids.give_up(&dpv) {
                open.entry((base, id)).or_default();
            }
            match self.dpvs.shared(&dpv).map(|facts| (self.resolve(&facts), facts)) {
                None => {
                    if self.resolutions.remove(&dpv).is_some() {
                        news.changes.resolutions.insert(dpv);
                    }
                }
                Some((Err(finding), _)) => self.note(dpv, Resolution::Refused(finding), &mut news.changes),
                Some((Ok(resolved), facts)) => {
                    let (created, _) = facts.meta.age();
                    let (base, id) = (resolved.base, resolved.version);
                    let is_new = !facts.status.holds(&base.name, &id);
                    open.entry((base.clone(), id.clone())).or_default().push(dpv.clone());
                    self.ids.claim(Claim { base, id, is_new, created, dpv });
                }
            }
        }
        for ((base, id), asking) in open {
            self.give(&base, &id, asking, &mut news.changes);
        }
        for dpv in &news.leaving {
            if let Some(Resolution::Resolved(resolved)) = self.resolutions.get(dpv) {
                news.changes.bases.insert(resolved.base.clone());
            }
        }
        for dpv in &news.rewired {
            if let Some(Resolution::Resolved(resolved)) = self.resolutions.get(dpv) {
                news.changes.addresses.insert(resolved.base.clone());
            }
        }
    }

    /// A base is a version of itself.
    fn renew_base(&mut self, base: &Key, changes: &mut Changes) {
        let is_base = self.deployments.get(base).is_some_and(|found| !found.is_clone());
        let id = VersionId::base();
        let version = Version { id: id.clone(), deployment: base.name.clone(), dpv: None };
        self.set_version_of(base, &id, is_base.then_some(version), changes);
    }

    /// Gives an id to the first of its claimants. Where that is the one who had it, only those who ask anew
    /// hear of it.
    fn give(&mut self, base: &Key, id: &VersionId, asking: Vec<Key>, changes: &mut Changes) {
        let holder = self.ids.claimants(base, id).next().cloned();
        let before = self.versions.get(base).and_then(|of_base| of_base.get(id)?.dpv.as_ref());
        let told =
            if before == holder.as_ref() { asking } else { self.ids.claimants(base, id).cloned().collect() };
        for dpv in told {
            let Some(facts) = self.dpvs.shared(&dpv) else { continue };
            let resolution = match (self.resolve(&facts), &holder) {
                (Ok(_), Some(holder)) if *holder != dpv => {
                    Resolution::Refused(version_taken(&facts, holder, base, id))
                }
                (Ok(resolved), _) => Resolution::Resolved(resolved),
                (Err(finding), _) => Resolution::Refused(finding),
            };
            self.note(dpv, resolution, changes);
        }
        let version = holder.and_then(|dpv| match self.resolutions.get(&dpv)? {
            Resolution::Resolved(resolved) => {
                Some(Version { id: id.clone(), deployment: resolved.deployment.clone(), dpv: Some(dpv) })
            }
            Resolution::Refused(_) => None,
        });
        self.set_version_of(base, id, version, changes);
    }

    fn note(&mut self, dpv: Key, resolution: Resolution, changes: &mut Changes) {
        if self.resolutions.get(&dpv) != Some(&resolution) {
            self.resolutions.insert(dpv.clone(), resolution);
            changes.resolutions.insert(dpv);
        }
    }

    fn set_version_of(&mut self, base: &Key, id: &VersionId, new: Option<Version>, changes: &mut Changes) {
        let before = self.versions.get(base).and_then(|of_base| of_base.get(id));
        if before == new.as_ref() {
            return;
        }
        changes.bases.insert(base.clone());
        let of_base = self.versions.entry(base.clone()).or_default();
        match new {
            Some(version) => {
                of_base.insert(id.clone(), version);
            }
            None => {
                of_base.remove(id);
                if of_base.is_empty() {
                    self.versions.remove(base);
                }
            }
        }
    }
}

impl VersionFacts {
    /// The base that it names itself, where it names one: a name that repeats its own is none.
    #[must_use]
    pub fn named_base(&self) -> Option<Key> {
        let own = &self.meta.key;
        let name = self.spec.name.as_deref().filter(|name| **name != *own.name && !name.is_empty())?;
        Some(own.sibling(name))
    }
}
