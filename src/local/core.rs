//! The loop without its clock: files to inventory, plan to clones, pods, standing, table. Every input comes
//! through a method, and [`Core::settle`] brings all that follows from it about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value;

use super::defaults;
use super::manifests::{Reading, Remark};
use super::picture::{Picture, Scene, picture};
use super::pods::herd::Herd;
use super::pods::life::Phase;
use super::shelf::{Placed, Shelf};
use super::world::{Origin, Put, World};
use crate::inventory::object::RouterFacts;
use crate::inventory::report::Reports;
use crate::inventory::{Changes, Edit, Inventory, Key, Kind, Settings, names};
use crate::plan::plan;
use crate::routes::{Compiled, Table, compile};
use crate::standing;

/// Puts a table in service.
pub type Publish = Box<dyn FnMut(&Arc<Table>)>;

/// Statuses feed the table and the table's verdicts feed statuses; two rounds settle it, more would be a
/// fault in one of them.
const ROUNDS: usize = 8;

/// Everything that `local` knows, and what follows from it.
pub struct Core {
    settings: Settings,
    shelf: Shelf,
    world: World,
    inventory: Inventory,
    herd: Herd,
    reports: Reports,
    compiled: Option<Compiled>,
    /// Puts a table in service.
    publish: Publish,
    /// What changed since the last compilation.
    changes: Changes,
    /// Whether the files have to be looked at.
    files_changed: bool,
    /// The manifests as they were put in last.
    applied: BTreeMap<(Kind, Key), Placed>,
    /// What is wrong with files and objects.
    remarks: Vec<Remark>,
    /// Clones whose name a manifest's object has.
    taken: Vec<String>,
    /// Whether something changed that clones are made from.
    plan_due: bool,
    /// The addresses that the clones were told.
    planned_with: Vec<String>,
    again: Option<Instant>,
}

impl Core {
    /// Nothing known yet. `publish` puts every table that differs from the one before in service.
    #[must_use]
    pub fn new(settings: Settings, herd: Herd, publish: Publish) -> Self {
        Self {
            settings,
            shelf: Shelf::default(),
            world: World::default(),
            inventory: Inventory::default(),
            herd,
            reports: Reports::default(),
            compiled: None,
            publish,
            changes: Changes::default(),
            files_changed: true,
            applied: BTreeMap::new(),
            remarks: Vec::new(),
            taken: Vec::new(),
            plan_due: true,
            planned_with: Vec::new(),
            again: None,
        }
    }

    /// A file reads so now.
    pub fn read(&mut self, source: &str, reading: Reading) {
        self.shelf.put(source, reading);
        self.files_changed = true;
    }

    /// A file is gone.
    pub fn forget(&mut self, source: &str) {
        self.shelf.forget(source);
        self.files_changed = true;
    }

    /// A pod reports.
    pub fn hear(&mut self, id: u64, phase: Phase) {
        self.herd.hear(id, phase);
    }

    /// Brings about what follows from all that was said since. Call it again at the time it returns.
    pub fn settle(&mut self, now: Timestamp, instant: Instant) -> Option<Instant> {
        if self.files_changed || self.again.is_some_and(|again| again <= instant) {
            self.files_changed = false;
            self.take_files(now, instant);
        }
        for _ in 0..ROUNDS {
            let addresses = self.addresses();
            if std::mem::take(&mut self.plan_due) || self.planned_with != addresses {
                self.make_clones(now);
                self.planned_with = addresses;
            }
            self.herd.reconcile(&self.inventory, &mut self.world, now);
            let edits = self.herd.show(&self.inventory, &mut self.world, now);
            self.update(edits);
            self.route(now);
            // Who holds a host is a status; clones are told their addresses.
            if self.planned_with == self.addresses() {
                break;
            }
        }
        // Nothing leads to them any more.
        self.herd.dismiss();
        self.again
    }

    /// What of the Routers a plan depends on: which addresses versions have. A plan reads every
    /// DeploymentVersion, and most changes of a Router (its active version, its rules) change none.
    fn addresses(&self) -> Vec<String> {
        let of = |router: &RouterFacts| {
            let held: Vec<_> =
                router.hosts().into_iter().filter(|host| self.inventory.holds(router, host)).collect();
            let spec = &router.spec;
            format!("{} {held:?} {:?} {:?} {:?}", router.base(), spec.subdomain, spec.path, spec.versions)
        };
        self.inventory.routers.iter().map(of).collect()
    }

    fn update(&mut self, edits: Vec<Edit>) {
        let changes = self.inventory.update(edits);
        for (kind, key) in &changes.objects {
            self.tell_herd(*kind, key);
        }
        self.changes.extend(changes);
    }

    /// What of a change concerns pods.
    fn tell_herd(&mut self, kind: Kind, key: &Key) {
        match kind {
            Kind::Deployment => self.herd.touch(key.clone()),
            // Its annotations may say how its clone runs here.
            Kind::DeploymentVersion => self.herd.touch(key.sibling(names::deployment(&key.name))),
            Kind::Service | Kind::ConfigMap | Kind::Secret => self.herd.touch_namespace(&key.namespace),
            Kind::EndpointSlice
            | Kind::Pod
            | Kind::Router
            | Kind::PodDisruptionBudget
            | Kind::HorizontalPodAutoscaler
            | Kind::NetworkPolicy => {}
        }
    }

    fn take_files(&mut self, now: Timestamp, instant: Instant) {
        let wanted = self.shelf.wanted(instant);
        self.again = wanted.again;
        self.remarks = wanted.remarks;
        let mut edits = Vec::new();
        let mut there = BTreeSet::new();
        let mut applied = BTreeMap::new();
        for placed in wanted.objects {
            there.insert(placed.id.clone());
            let before = self.applied.get(&placed.id);
            let same = before.is_some_and(|before| Arc::ptr_eq(&before.manifest, &placed.manifest));
            if same || self.put_file(&placed, now, &mut edits) {
                applied.insert(placed.id.clone(), placed);
            }
        }
        let gone: Vec<(Kind, Key)> =
            self.world.of(Origin::File).filter(|id| !there.contains(*id)).cloned().collect();
        edits.extend(gone.iter().filter_map(|(kind, key)| self.world.remove(*kind, key)));
        self.applied = applied;
        self.plan_due |= edits.iter().any(concerns_clones);
        self.update(edits);
        self.add_defaults(now);
    }

    /// Puts in what a manifest says; tells whether it could be read. Where not, what was there stays.
    fn put_file(&mut self, placed: &Placed, now: Timestamp, edits: &mut Vec<Edit>) -> bool {
        // An API server would refuse it.
        if placed.refused {
            return false;
        }
        let put = |world: &mut World| world.put(placed.manifest.value.clone(), Origin::File, now);
        let mut outcome = put(&mut self.world);
        if let Ok(Put::Taken(_)) = outcome {
            // What was made here gives way to what somebody wrote.
            let (kind, key) = &placed.id;
            edits.extend(self.world.remove(*kind, key));
            outcome = put(&mut self.world);
        }
        match outcome {
            Ok(Put::Changed(edit)) => edits.push(edit),
            Ok(Put::Same | Put::Taken(_) | Put::Foreign) => {}
            Err(message) => {
                let manifest = &placed.manifest;
                let field = message.split('`').nth(1).unwrap_or_default();
                let line = Some(manifest.line_of(field));
                self.remarks.push(Remark { source: manifest.source.clone(), line, text: message });
                return false;
            }
        }
        true
    }

    fn add_defaults(&mut self, now: Timestamp) {
        let before: BTreeSet<(Kind, Key)> = self.world.of(Origin::Default).cloned().collect();
        let is_default = |kind: Kind, key: &Key| before.contains(&(kind, key.clone()));
        let mut edits = Vec::new();
        let mut there = BTreeSet::new();
        for mut value in defaults::defaults(&self.inventory, is_default) {
            there.extend(super::world::identify(&mut value));
            if let Ok(Put::Changed(edit)) = self.world.put(value, Origin::Default, now) {
                edits.push(edit);
            }
        }
        let stale = before.difference(&there);
        edits.extend(stale.filter_map(|(kind, key)| self.world.remove(*kind, key)));
        self.plan_due |= edits.iter().any(concerns_clones);
        self.update(edits);
    }

    /// The clones that the plan wants, and none that it does not.
    fn make_clones(&mut self, now: Timestamp) {
        let plan = plan(&self.inventory, &self.settings);
        self.taken.clear();
        let mut edits = Vec::new();
        let mut there = BTreeSet::new();
        for desired in &plan.objects {
            let id = (desired.reference.kind, desired.reference.key.clone());
            match self.world.put((*desired.object).clone(), Origin::Clone, now) {
                Ok(Put::Changed(edit)) => edits.push(edit),
                Ok(Put::Same | Put::Foreign) => {}
                Ok(Put::Taken(_)) => self.taken.push(format!(
                    "{}: the {} is there already and not its clone; rename one of them",
                    desired.version.name, desired.reference
                )),
                Err(message) => self.taken.push(format!("{}: {message}", desired.version.name)),
            }
            there.insert(id);
        }
        let clones: Vec<(Kind, Key)> = self.world.of(Origin::Clone).cloned().collect();
        let stays = |id: &(Kind, Key)| {
            let owner = self.owner(id);
            there.contains(id) || owner.is_some_and(|dpv| plan.kept.contains(&dpv))
        };
        let gone: Vec<_> = clones.into_iter().filter(|id| !stays(id)).collect();
        edits.extend(gone.iter().filter_map(|(kind, key)| self.world.remove(*kind, key)));
        self.reports.clones = plan.reports;
        self.update(edits);
    }

    /// The DeploymentVersion that an object belongs to, as long as it is there.
    fn owner(&self, (kind, key): &(Kind, Key)) -> Option<Key> {
        let object = self.world.get(*kind, key)?;
        let name = object.pointer("/metadata/ownerReferences/0/name").and_then(Value::as_str)?;
        let dpv = key.sibling(name);
        self.inventory.dpvs.get(&dpv).map(|_| dpv)
    }

    /// Statuses and table, until neither changes the other.
    fn route(&mut self, now: Timestamp) {
        for _ in 0..ROUNDS {
            let statuses = standing::decide(&self.inventory, &self.reports, &self.settings, now);
            let statuses = statuses.differing(&self.inventory);
            let mut edits = Vec::new();
            for (key, status) in statuses.dpvs {
                let status = serde_json::to_value(status).unwrap_or_default();
                edits.extend(self.world.put_status(Kind::DeploymentVersion, &key, status));
            }
            for (key, status) in statuses.routers {
                let status = serde_json::to_value(status).unwrap_or_default();
                edits.extend(self.world.put_status(Kind::Router, &key, status));
            }
            let settled = edits.is_empty();
            self.update(edits);
            if settled && self.changes.is_empty() && self.compiled.is_some() {
                return;
            }
            let changes = std::mem::take(&mut self.changes);
            let before = self.compiled.as_ref().map(|compiled| compiled.table.clone());
            let compiled = compile(&self.inventory, &self.settings, self.compiled.take(), &changes);
            if before.is_none_or(|before| !Arc::ptr_eq(&before, &compiled.table)) {
                (self.publish)(&compiled.table);
            }
            for endpoint in &compiled.retired {
                endpoint.retired.store(true, Ordering::Release);
            }
            self.reports.routers.clone_from(&compiled.reports);
            self.compiled = Some(compiled);
        }
    }

    /// The generation of the table in service.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.compiled.as_ref().map_or(0, |compiled| compiled.table.generation)
    }

    /// What there is to see.
    #[must_use]
    pub fn picture(&self) -> Picture {
        let troubles = self.herd.troubles();
        let added =
            self.world.of(Origin::Default).filter(|(kind, _)| *kind == Kind::Router).map(|(_, key)| {
                let is_plain = |router: &Value| router.pointer("/spec/subdomain").is_some_and(|it| it == "");
                let router = self.world.get(Kind::Router, key).filter(|router| !is_plain(router));
                (key.clone(), router.map(defaults::how_to_write).unwrap_or_default())
            });
        let scene = Scene {
            inventory: &self.inventory,
            settings: &self.settings,
            reports: &self.reports,
            troubles: &troubles,
            remarks: &self.remarks,
            added: &added.collect(),
        };
        let mut picture = picture(&scene);
        picture.notes.extend(self.taken.iter().cloned());
        picture
    }

    /// The pods, to end them.
    #[must_use]
    pub fn into_herd(self) -> Herd {
        self.herd
    }
}

/// Whether clones are made from such an object; of Routers see [`Core::addresses`].
fn concerns_clones(edit: &Edit) -> bool {
    let kind = match edit {
        Edit::Apply(object) => object.kind(),
        Edit::Remove(kind, _) => *kind,
    };
    match kind {
        Kind::Deployment
        | Kind::Service
        | Kind::DeploymentVersion
        | Kind::PodDisruptionBudget
        | Kind::HorizontalPodAutoscaler
        | Kind::NetworkPolicy => true,
        Kind::Router | Kind::ConfigMap | Kind::Secret | Kind::EndpointSlice | Kind::Pod => false,
    }
}

#[cfg(test)]
#[path = "core_tests.rs"]
mod tests;
