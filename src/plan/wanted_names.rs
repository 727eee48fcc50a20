//! Who gets which name: the oldest that asks, and nobody one that a stranger's object has.
//!
//! A version gets all of its names or none, so that whether it gets them hangs on older versions that want one
//! of them too, and on nobody else.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::object::VersionFacts;
use crate::inventory::{Finding, Inventory, Key, Kind, ObjectReference, names};

/// A name of an object of a kind; without a kind, a value of the label `kyaninus.com/dpv`.
pub(super) type Name = (Option<Kind>, Key);

/// All the names that a version wants with these objects.
pub(super) fn of<'r>(dpv: &Key, objects: impl Iterator<Item = &'r ObjectReference>) -> Box<[Name]> {
    let objects = objects.map(|reference| (Some(reference.kind), reference.key.clone()));
    objects.chain([(None, dpv.sibling(names::dpv_label(&dpv.name)))]).collect()
}

/// Who wants which name.
#[derive(Debug, Default)]
pub(super) struct WantedNames {
    by_name: BTreeSet<(Name, Key)>,
    of: BTreeMap<Key, Box<[Name]>>,
}

impl WantedNames {
    pub fn is_wanted(&self, name: &Name) -> bool {
        self.wanting(name).next().is_some()
    }

    /// A version wants nothing any more; returns what it wanted.
    pub fn forget(&mut self, dpv: &Key) -> Box<[Name]> {
        let names = self.of.remove(dpv).unwrap_or_default();
        for name in &names {
            self.by_name.remove(&(name.clone(), dpv.clone()));
        }
        names
    }

    pub fn want(&mut self, dpv: &Key, names: Box<[Name]>) {
        self.by_name.extend(names.iter().map(|name| (name.clone(), dpv.clone())));
        self.of.insert(dpv.clone(), names);
    }

    fn wanting(&self, name: &Name) -> impl Iterator<Item = &Key> {
        let first = (name.clone(), name.1.sibling(""));
        self.by_name.range(first..).take_while(move |(wanted, _)| wanted == name).map(|(_, dpv)| dpv)
    }

    /// Gives out these names, and whatever hangs on them: what becomes of each version that wants one.
    pub fn give(
        &self,
        inventory: &Inventory,
        contested: BTreeSet<Name>,
    ) -> BTreeMap<Key, Result<(), Vec<Finding>>> {
        let mut by_age: Vec<&VersionFacts> =
            self.closure(contested).into_iter().filter_map(|dpv| inventory.dpvs.get(&dpv)).collect();
        by_age.sort_by(|a, b| {
            (&a.meta.key.namespace, a.meta.age()).cmp(&(&b.meta.key.namespace, b.meta.age()))
        });
        let mut taken: BTreeMap<&Name, &Key> = BTreeMap::new();
        let mut outcomes = BTreeMap::new();
        for dpv in by_age {
            let key = &dpv.meta.key;
            let wanted: &[Name] = self.of.get(key).map_or(&[], |names| names);
            let refused: Vec<Finding> = wanted
                .iter()
                .filter_map(|name| match (taken.get(name), name.0) {
                    (Some(holder), _) => Some(name_taken(dpv, name, holder)),
                    (None, Some(kind)) if is_strangers(inventory, dpv, kind, &name.1) => {
                        Some(strangers_name(dpv, kind, &name.1))
                    }
                    (None, _) => None,
                })
                .collect();
            if refused.is_empty() {
                taken.extend(wanted.iter().map(|name| (name, key)));
                outcomes.insert(key.clone(), Ok(()));
            } else {
                outcomes.insert(key.clone(), Err(refused));
            }
        }
        outcomes
    }

    /// Who wants one of these names, or a name that one of those wants, and so on.
    fn closure(&self, contested: BTreeSet<Name>) -> BTreeSet<Key> {
        let mut members = BTreeSet::new();
        let mut seen = contested.clone();
        let mut open: Vec<Name> = contested.into_iter().collect();
        while let Some(name) = open.pop() {
            for dpv in self.wanting(&name) {
                if members.insert(dpv.clone()) {
                    let more = self.of.get(dpv).into_iter().flatten();
                    open.extend(more.filter(|name| seen.insert((*name).clone())).cloned());
                }
            }
        }
        members
    }
}

fn name_taken(dpv: &VersionFacts, (kind, name): &Name, holder: &Key) -> Finding {
    let (field, message) = match kind {
        Some(kind) if *kind != Kind::Deployment => (
            "spec.version",
            format!(
                "its {kind} would be called `{}`, and so is the one of the older DeploymentVersion `{}`; \
                 choose another id in `spec.version`",
                name.name, holder.name
            ),
        ),
        _ => (
            "metadata.name",
            format!(
                "its name comes to the same `{}` as that of the older DeploymentVersion `{}`; choose \
                 another name",
                name.name, holder.name
            ),
        ),
    };
    Finding::rejected(dpv.reference(), "NameTaken", field, message)
}

fn strangers_name(dpv: &VersionFacts, kind: Kind, name: &Key) -> Finding {
    let (field, what) =
        if kind == Kind::Deployment { ("metadata.name", "name") } else { ("spec.version", "version id") };
    Finding::rejected(
        dpv.reference(),
        "NameTaken",
        field,
        format!(
            "there is a {kind} `{}` already that wasn't made for this DeploymentVersion, and it is left \
             alone; choose another {what}, or delete the {kind}",
            name.name
        ),
    )
}

/// Whether an object of that name is there and was not made for this DeploymentVersion.
fn is_strangers(inventory: &Inventory, dpv: &VersionFacts, kind: Kind, key: &Key) -> bool {
    let meta = match kind {
        Kind::Deployment => inventory.deployments.get(key).map(|found| &found.meta),
        Kind::Service => inventory.services.get(key).map(|found| &found.meta),
        Kind::PodDisruptionBudget => inventory.disruption_budgets.get(key).map(|found| &found.meta),
        Kind::NetworkPolicy => inventory.network_policies.get(key).map(|found| &found.meta),
        _ => None,
    };
    meta.is_some_and(|meta| {
        !meta.controller.as_ref().is_some_and(|owner| {
            owner.name == dpv.meta.key.name
                && (owner.uid.is_empty() || dpv.meta.uid.as_ref().is_none_or(|uid| **uid == *owner.uid))
        })
    })
}
