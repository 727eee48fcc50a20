//! The plan, kept up to date change by change.
//!
//! A [`Planner`] remembers of each version what it was made from. A change of the inventory makes anew only the
//! versions that it can concern; what comes out is, to the byte, what a fresh planner makes of the same
//! inventory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::clone::{self, Around, Given};
use super::concern::{Bases, Made};
use super::labels::Catcher;
use super::place::{Place, Turn};
use super::wanted_names::{Name, WantedNames};
use super::{Desired, Planned, wanted_names};
use crate::inventory::object::VersionFacts;
use crate::inventory::report::CloneReport;
use crate::inventory::selector::Labels;
use crate::inventory::versions::{Resolution, Resolved};
use crate::inventory::{
    Changes, Document, Exemplars, Finding, Inventory, Key, Kind, ObjectReference, Settings, names,
};

/// What is planned, and what each version was made from.
#[derive(Debug, Default)]
pub struct Planner {
    /// What the rest was made with; without, nothing is made yet.
    settings: Option<Settings>,
    planned: BTreeMap<Key, Arc<Planned>>,
    made: BTreeMap<Key, Made>,
    places: BTreeMap<Arc<str>, Place>,
    names: WantedNames,
    /// Labels that many versions ask for alike.
    labels: BTreeSet<Arc<Labels>>,
    /// What the objects of a base's versions are kept as differences from.
    exemplars: Exemplars,
}

/// What a version comes to where it gets its names.
struct Draft {
    objects: Vec<Desired>,
    findings: Vec<Finding>,
}

/// What is to be made in one update.
#[derive(Default)]
struct Task {
    versions: BTreeSet<Key>,
    /// Names whose holder may differ.
    names: BTreeSet<Name>,
}

impl Planner {
    /// What is planned, by DeploymentVersion.
    #[must_use]
    pub fn planned(&self) -> &BTreeMap<Key, Arc<Planned>> {
        &self.planned
    }

    /// Brings the plan up to date with the inventory, which differs from the one of the update before by
    /// `changes`; the first update, and one with other settings, looks at everything. Returns the
    /// DeploymentVersions whose plan differs now, or that are gone.
    pub fn update(&mut self, inventory: &Inventory, settings: &Settings, changes: &Changes) -> BTreeSet<Key> {
        let task = if self.settings.as_ref() == Some(settings) {
            self.task(inventory, settings, changes)
        } else {
            self.begin(inventory, settings)
        };
        let differing = self.make(inventory, settings, task);
        if self.labels.len() > 2 * self.made.len() + 64 {
            self.labels.retain(|labels| Arc::strong_count(labels) > 1);
        }
        differing
    }

    /// Everything is to be made.
    fn begin(&mut self, inventory: &Inventory, settings: &Settings) -> Task {
        self.settings = Some(settings.clone());
        self.made.clear();
        self.names = WantedNames::default();
        self.places.clear();
        for dpv in inventory.dpvs.iter() {
            let namespace = &dpv.meta.key.namespace;
            if !self.places.contains_key(namespace) {
                self.places.insert(namespace.clone(), Place::of(inventory, namespace));
            }
        }
        let known = self.planned.keys();
        let versions = inventory.dpvs.iter().map(|dpv| &dpv.meta.key).chain(known).cloned().collect();
        Task { versions, names: BTreeSet::new() }
    }

    /// What these changes make necessary.
    fn task(&mut self, inventory: &Inventory, settings: &Settings, changes: &Changes) -> Task {
        let mut task = Task { versions: changes.resolutions.clone(), names: BTreeSet::new() };
        let mut turns: BTreeMap<Arc<str>, Vec<Turn>> = BTreeMap::new();
        for (kind, key) in &changes.objects {
            match kind {
                Kind::DeploymentVersion => {
                    if self.is_edited(inventory, key) {
                        task.versions.insert(key.clone());
                    }
                }
                Kind::Deployment | Kind::Service | Kind::PodDisruptionBudget | Kind::NetworkPolicy => {
                    let name = (Some(*kind), key.clone());
                    if self.names.is_wanted(&name) {
                        task.names.insert(name);
                    }
                    // A clone turns for nobody, but who names it is told that it is one.
                    if *kind == Kind::Service {
                        task.versions.extend(inventory.dpvs_naming(key));
                    }
                    let place = self.places.entry(key.namespace.clone());
                    let place = place.or_insert_with(|| Place::of(inventory, &key.namespace));
                    if let Some(turn) = place.renew(inventory, *kind, key) {
                        turns.entry(key.namespace.clone()).or_default().push(turn);
                    }
                }
                Kind::Router
                | Kind::EndpointSlice
                | Kind::Pod
                | Kind::HorizontalPodAutoscaler
                | Kind::ConfigMap
                | Kind::Secret => {}
            }
        }
        self.find_caught(inventory, changes, &mut task);
        self.find_addressed(inventory, settings, changes, &mut task);
        for (namespace, turns) in turns {
            self.find_concerned(inventory, &namespace, &turns, &mut task);
        }
        task
    }

    /// Whether a DeploymentVersion differs in what its clones are made from. A status is none of it.
    fn is_edited(&mut self, inventory: &Inventory, key: &Key) -> bool {
        match (self.made.get_mut(key), inventory.dpvs.shared(key)) {
            (Some(made), Some(now)) => {
                let same = made.is_of(&now);
                // The old one is let go in any case.
                made.dpv = now;
                !same
            }
            _ => true,
        }
    }

    /// Versions of which other selectors than before catch the pods that run now.
    fn find_caught(&mut self, inventory: &Inventory, changes: &Changes, task: &mut Task) {
        for key in &changes.running {
            let Some(made) = self.made.get_mut(key) else { continue };
            made.note_running(running_labels(inventory, key));
            let catchers = self.places.get(&key.namespace).map_or(&[][..], Place::catchers);
            let Some((base, _)) = &made.version else { continue };
            if made.caught != caught(inventory, key, base, catchers) {
                task.versions.insert(key.clone());
            }
        }
    }

    /// Versions whose address differs.
    fn find_addressed(&self, inventory: &Inventory, settings: &Settings, changes: &Changes, task: &mut Task) {
        for base in &changes.addresses {
            for (id, version) in inventory.versions_of(base).into_iter().flatten() {
                let Some((dpv, made)) = version.dpv.as_ref().and_then(|dpv| self.made.get_key_value(dpv))
                else {
                    continue;
                };
                if made.url != inventory.urls_of(base, id, settings).into_iter().next() {
                    task.versions.insert(dpv.clone());
                }
            }
        }
    }

    /// Versions that were made from, or with a view to, something that came, went or differs.
    fn find_concerned(&self, inventory: &Inventory, namespace: &str, turns: &[Turn], task: &mut Task) {
        let first = Key::new(namespace, "");
        let there = self.made.range(first..).take_while(|(key, _)| &*key.namespace == namespace);
        let mut bases = Bases::new(inventory, turns);
        for (key, made) in there {
            let Some((base, _)) = &made.version else { continue };
            // What a refused one would be made from was never told.
            let refused = || self.planned.get(key).is_none_or(|planned| planned.kept);
            if !task.versions.contains(key) && (bases.concern(base) || refused() || made.is_concerned(turns))
            {
                task.versions.insert(key.clone());
            }
        }
    }

    /// Makes the versions of a task, gives out names, and tells whose plan differs.
    fn make(&mut self, inventory: &Inventory, settings: &Settings, task: Task) -> BTreeSet<Key> {
        let mut around = Around::new(inventory, settings);
        let mut new: BTreeMap<Key, Planned> = BTreeMap::new();
        let mut drafts: BTreeMap<Key, Draft> = BTreeMap::new();
        let mut contested = task.names;
        let mut differing = BTreeSet::new();
        for key in task.versions {
            contested.extend(self.names.forget(&key));
            let Some(dpv) = inventory.dpvs.shared(&key) else {
                self.made.remove(&key);
                if self.planned.remove(&key).is_some() {
                    differing.insert(key);
                }
                continue;
            };
            match self.draft(&mut around, dpv) {
                Ok(draft) => {
                    let names = wanted_names::of(&key, draft.objects.iter().map(|it| &it.reference));
                    contested.extend(names.iter().cloned());
                    self.names.want(&key, names);
                    drafts.insert(key, draft);
                }
                Err(findings) => {
                    new.insert(key, refused(findings));
                }
            }
        }
        for (key, outcome) in self.names.give(inventory, contested) {
            let planned = match outcome {
                Err(findings) => refused(findings),
                Ok(()) => match drafts.remove(&key) {
                    Some(draft) => admitted(draft),
                    None if self.planned.get(&key).is_some_and(|planned| !planned.kept) => continue,
                    // It was held back by a name that is free now.
                    None => match inventory.dpvs.shared(&key).map(|dpv| self.draft(&mut around, dpv)) {
                        Some(Ok(draft)) => admitted(draft),
                        Some(Err(findings)) => refused(findings),
                        None => continue,
                    },
                },
            };
            new.insert(key, planned);
        }
        for (key, planned) in new {
            if self.planned.get(&key).is_none_or(|before| **before != planned) {
                self.planned.insert(key.clone(), Arc::new(planned));
                differing.insert(key);
            }
        }
        differing
    }

    /// Works out one version, but for its names, and remembers what from.
    fn draft(&mut self, around: &mut Around<'_>, dpv: Arc<VersionFacts>) -> Result<Draft, Vec<Finding>> {
        let key = dpv.meta.key.clone();
        let resolved = match around.inventory.resolution(&key) {
            Some(Resolution::Resolved(resolved)) => resolved,
            Some(Resolution::Refused(finding)) => {
                self.made.insert(key, Made::of_nothing(dpv));
                return Err(vec![finding.clone()]);
            }
            // An inventory resolves whatever DeploymentVersion it takes in.
            None => return Err(Vec::new()),
        };
        let place = self.places.entry(key.namespace.clone());
        let place = place.or_insert_with(|| Place::of(around.inventory, &key.namespace));
        let caught = caught(around.inventory, &key, &resolved.base, place.catchers());
        let url = url(around, resolved);
        let catchers = place.catchers();
        let given = Given { dpv: &dpv, resolved, catchers, caught: &caught, url: url.as_deref() };
        let drafted = clone::clone(around, &given);
        let (asked, changed) = match &drafted {
            Ok(draft) => (self.shared_labels(&draft.asked), draft.changed.clone()),
            Err(_) => (Arc::default(), Box::default()),
        };
        let version = Some((resolved.base.clone(), resolved.version.clone()));
        let mut made = Made { dpv, version, url, asked, changed, caught, odd: None };
        made.note_running(running_labels(around.inventory, &key));
        self.made.insert(key.clone(), made);
        let drafted = drafted?;
        // As text at once: of ten thousand versions at a time, values would be hundreds of MiB.
        let mut keep = |(reference, object): (ObjectReference, Value)| {
            let object = Document::of(&object);
            let object = self.exemplars.keep(reference.kind, resolved.base.clone(), object);
            Desired { reference, version: key.clone(), object }
        };
        Ok(Draft {
            objects: drafted.objects.into_iter().map(&mut keep).collect(),
            findings: drafted.findings,
        })
    }

    fn shared_labels(&mut self, labels: &Labels) -> Arc<Labels> {
        if let Some(known) = self.labels.get(labels) {
            return known.clone();
        }
        let new = Arc::new(labels.clone());
        self.labels.insert(new.clone());
        new
    }
}

/// What a version comes to that gets its names.
fn admitted(draft: Draft) -> Planned {
    let Draft { objects, mut findings } = draft;
    findings.sort();
    let mut report = CloneReport { findings, ..CloneReport::default() };
    for Desired { reference, .. } in &objects {
        let name = reference.key.name.to_string();
        match reference.kind {
            Kind::Deployment => report.deployment = Some(name),
            Kind::NetworkPolicy => report.policies.push(name),
            Kind::PodDisruptionBudget => report.budgets.push(name),
            _ => report.services.push(name),
        }
    }
    Planned { kept: objects.is_empty(), objects, report }
}

/// What a version comes to that is refused.
fn refused(mut findings: Vec<Finding>) -> Planned {
    findings.sort();
    Planned { objects: Vec::new(), report: CloneReport { findings, ..CloneReport::default() }, kept: true }
}

/// The address that a version's pods are told.
fn url(around: &Around<'_>, resolved: &Resolved) -> Option<String> {
    around.inventory.urls_of(&resolved.base, &resolved.version, around.settings).into_iter().next()
}

/// What catches the pods that run now, and should not.
fn caught(inventory: &Inventory, dpv: &Key, base: &Key, catchers: &[Catcher]) -> Vec<ObjectReference> {
    let Some(labels) = running_labels(inventory, dpv) else { return Vec::new() };
    let none = Labels::new();
    let of_base = inventory.deployments.get(base).map_or(&none, |base| &base.pod_labels);
    let catching = catchers.iter().filter(|it| it.catches(labels) && it.is_harmful(of_base));
    catching.map(|it| it.who.clone()).collect()
}

/// The labels of the pods that run now.
fn running_labels<'i>(inventory: &'i Inventory, dpv: &Key) -> Option<&'i Labels> {
    let running = inventory.deployments.get(&dpv.sibling(names::deployment(&dpv.name)))?;
    running.is_clone().then_some(&running.pod_labels)
}
