//! What each DeploymentVersion comes to: inventory in, the objects to create and what became of it out.
//!
//! Pure: the same inventory and settings give the same plan, to the byte. It writes nothing and asks nothing;
//! whoever applies a plan compares it with what is there. A DeploymentVersion that is refused has no desired
//! objects and stands in [`Plan::kept`]: whatever was made for it before stays as it is.

mod clone;
mod follow;
mod json;
mod labels;
pub mod merge;
mod pods;
mod rights;
mod selection;
mod service;
mod strip;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::inventory::names;
use crate::inventory::object::{ServiceFacts, VersionFacts};
use crate::inventory::report::CloneReport;
use crate::inventory::versions::Resolution;
use crate::inventory::{Finding, Inventory, Key, Kind, ObjectReference, Settings};
use clone::Clone as VersionClone;
use labels::Catcher;

/// One object that is to be there.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// Its kind and key.
    pub reference: ObjectReference,
    /// The DeploymentVersion it belongs to.
    pub version: Key,
    /// The whole of it.
    pub object: Arc<Value>,
}

/// What is to be there for all DeploymentVersions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The objects, by DeploymentVersion in order of their keys; of one, in the order of creation: Services
    /// by name, then the Deployment.
    pub objects: Vec<Desired>,
    /// What became of each DeploymentVersion.
    pub reports: BTreeMap<Key, CloneReport>,
    /// DeploymentVersions that are refused, or whose base is gone for now: nothing is wanted for them anew,
    /// and nothing that was made for them goes.
    pub kept: BTreeSet<Key>,
}

/// Works out every clone.
#[must_use]
pub fn plan(inventory: &Inventory, settings: &Settings) -> Plan {
    let mut plan = Plan::default();
    let mut of_version: BTreeMap<Key, Vec<Desired>> = BTreeMap::new();
    let mut by_age: Vec<&VersionFacts> = inventory.dpvs.iter().collect();
    by_age.sort_by_key(|dpv| (dpv.meta.key.namespace.clone(), dpv.meta.age()));
    let mut place = Place::default();
    for dpv in by_age {
        let key = &dpv.meta.key;
        if place.namespace.as_deref() != Some(&*key.namespace) {
            place = Place::new(inventory, &key.namespace);
        }
        let (report, objects) = one(inventory, settings, dpv, &mut place);
        if objects.is_empty() {
            plan.kept.insert(key.clone());
        }
        plan.reports.insert(key.clone(), report);
        of_version.insert(key.clone(), objects);
    }
    plan.objects = of_version.into_values().flatten().collect();
    plan
}

/// A namespace while its versions are worked out, the oldest first.
#[derive(Default)]
struct Place {
    namespace: Option<Arc<str>>,
    /// Everything that selects pods there.
    catchers: Vec<Catcher>,
    /// The Services that select a base's pods, by base.
    services: BTreeMap<Key, Vec<Arc<ServiceFacts>>>,
    /// Names given out already, by kind, and the value of `kyaninus.com/dpv`.
    taken: BTreeMap<(Option<Kind>, String), Key>,
}

impl Place {
    fn new(inventory: &Inventory, namespace: &Arc<str>) -> Self {
        Self {
            namespace: Some(namespace.clone()),
            catchers: labels::catchers(inventory, namespace),
            services: BTreeMap::new(),
            taken: BTreeMap::new(),
        }
    }

    /// Looked up once for all versions of a base: a namespace holds many more clones than bases.
    fn services_of(&mut self, inventory: &Inventory, base: &Key) -> Vec<Arc<ServiceFacts>> {
        let find = || {
            let base = inventory.deployments.get(base);
            let found = base.into_iter().flat_map(|base| inventory.services_of(base));
            found.filter_map(|service| inventory.services.shared(&service.meta.key)).collect()
        };
        self.services.entry(base.clone()).or_insert_with(find).clone()
    }
}

fn one(
    inventory: &Inventory,
    settings: &Settings,
    dpv: &VersionFacts,
    place: &mut Place,
) -> (CloneReport, Vec<Desired>) {
    let outcome = match inventory.resolution(&dpv.meta.key) {
        Some(Resolution::Resolved(resolved)) => {
            let services = place.services_of(inventory, &resolved.base);
            clone::clone(inventory, settings, dpv, resolved, &services, &place.catchers)
                .and_then(|clone| claim_names(inventory, dpv, clone, place))
        }
        Some(Resolution::Refused(finding)) => Err(vec![finding.clone()]),
        // An inventory resolves whatever DeploymentVersion it takes in.
        None => Err(Vec::new()),
    };
    match outcome {
        Ok(clone) => {
            let mut report = CloneReport { findings: clone.findings, ..CloneReport::default() };
            report.findings.sort();
            let mut objects = Vec::new();
            for (reference, object) in clone.objects {
                match reference.kind {
                    Kind::Deployment => report.deployment = Some(reference.key.name.to_string()),
                    _ => report.services.push(reference.key.name.to_string()),
                }
                objects.push(Desired { reference, version: dpv.meta.key.clone(), object: Arc::new(object) });
            }
            (report, objects)
        }
        Err(mut findings) => {
            findings.sort();
            (CloneReport { findings, ..CloneReport::default() }, Vec::new())
        }
    }
}

/// Refuses a name that another version has, or an object that isn't ours.
fn claim_names(
    inventory: &Inventory,
    dpv: &VersionFacts,
    clone: VersionClone,
    place: &mut Place,
) -> Result<VersionClone, Vec<Finding>> {
    let key = &dpv.meta.key;
    let mut wanted: Vec<(Option<Kind>, String)> = clone
        .objects
        .iter()
        .map(|(reference, _)| (Some(reference.kind), reference.key.name.to_string()))
        .collect();
    wanted.push((None, names::dpv_label(&key.name)));
    let refused: Vec<Finding> = wanted
        .iter()
        .filter_map(|(kind, name)| {
            if let Some(holder) = place.taken.get(&(*kind, name.clone())) {
                return Some(name_taken(dpv, *kind, name, holder));
            }
            let stranger = kind.is_some_and(|kind| is_strangers(inventory, dpv, kind, name));
            stranger.then(|| strangers_name(dpv, *kind, name))
        })
        .collect();
    if !refused.is_empty() {
        return Err(refused);
    }
    place.taken.extend(wanted.into_iter().map(|name| (name, key.clone())));
    Ok(clone)
}

fn name_taken(dpv: &VersionFacts, kind: Option<Kind>, name: &str, holder: &Key) -> Finding {
    let (field, message) = match kind {
        Some(Kind::Service) => (
            "spec.version",
            format!(
                "its Service would be called `{name}`, and so is the one of the older DeploymentVersion `{}`; \
                 choose another id in `spec.version`",
                holder.name
            ),
        ),
        _ => (
            "metadata.name",
            format!(
                "its name comes to the same `{name}` as that of the older DeploymentVersion `{}`; choose \
                 another name",
                holder.name
            ),
        ),
    };
    Finding::rejected(dpv.reference(), "NameTaken", field, message)
}

fn strangers_name(dpv: &VersionFacts, kind: Option<Kind>, name: &str) -> Finding {
    let kind = kind.map_or("object", Kind::as_str);
    let (field, what) =
        if kind == "Service" { ("spec.version", "version id") } else { ("metadata.name", "name") };
    Finding::rejected(
        dpv.reference(),
        "NameTaken",
        field,
        format!(
            "there is a {kind} `{name}` already that wasn't made for this DeploymentVersion, and it is left \
             alone; choose another {what}, or delete the {kind}"
        ),
    )
}

/// Whether an object of that name is there and was not made for this DeploymentVersion.
fn is_strangers(inventory: &Inventory, dpv: &VersionFacts, kind: Kind, name: &str) -> bool {
    let key = dpv.meta.key.sibling(name);
    let meta = match kind {
        Kind::Deployment => inventory.deployments.get(&key).map(|found| &found.meta),
        Kind::Service => inventory.services.get(&key).map(|found| &found.meta),
        _ => None,
    };
    meta.is_some_and(|meta| {
        !meta.controller.as_ref().is_some_and(|owner| {
            owner.kind == "DeploymentVersion"
                && *owner.name == *dpv.meta.key.name
                && (owner.uid.is_empty() || dpv.meta.uid.as_ref().is_none_or(|uid| *uid == owner.uid))
        })
    })
}
