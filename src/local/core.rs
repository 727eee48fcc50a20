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
use crate::inventory::report::{Reports, RouteReport};
use crate::inventory::{Changes, Edit, Inventory, Key, Kind, Settings, names};
use crate::plan::{Planned, Planner};
use crate::routes::{Compiled, Table, compile};
use crate::standing::{self, Affected, Statuses};

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
    planner: Planner,
    /// What changed since the last compilation.
    changes: Changes,
    /// What changed since the last plan.
    unplanned: Changes,
    /// What changed since the last statuses.
    undecided: Changes,
    /// What else needs a status.
    affected: Affected,
    /// The objects made for each DeploymentVersion.
    clones: BTreeMap<Key, BTreeSet<(Kind, Key)>>,
    /// Whether the files have to be looked at.
    files_changed: bool,
    /// The manifests as they were put in last.
    applied: BTreeMap<(Kind, Key), Placed>,
    /// What is wrong with files and objects.
    remarks: Vec<Remark>,
    /// Clones whose name a manifest's object has, by DeploymentVersion.
    taken: BTreeMap<Key, Vec<String>>,
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
            planner: Planner::default(),
            changes: Changes::default(),
            unplanned: Changes::default(),
            undecided: Changes::default(),
            affected: Affected::default(),
            clones: BTreeMap::new(),
            files_changed: true,
            applied: BTreeMap::new(),
            remarks: Vec::new(),
            taken: BTreeMap::new(),
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
        for round in 0..ROUNDS {
            // Who holds a host is a status; clones are told their addresses.
            if !self.make_clones(now) && round > 0 {
                break;
            }
            self.herd.reconcile(&self.inventory, &mut self.world, now);
            let edits = self.herd.show(&self.inventory, &mut self.world, now);
            self.update(edits);
            self.route(now);
        }
        // Nothing leads to them any more.
        self.herd.dismiss();
        self.again
    }

    fn update(&mut self, edits: Vec<Edit>) {
        let changes = self.inventory.update(edits);
        for (kind, key) in &changes.objects {
            self.tell_herd(*kind, key);
        }
        self.unplanned.extend(changes.clone());
        self.undecided.extend(changes.clone());
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
        let refused: BTreeSet<Key> = wanted.objects.iter().filter_map(base_of_refused).collect();
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
        self.update(edits);
        self.add_defaults(&refused, now);
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

    fn add_defaults(&mut self, refused: &BTreeSet<Key>, now: Timestamp) {
        let before: BTreeSet<(Kind, Key)> = self.world.of(Origin::Default).cloned().collect();
        let is_default = |kind: Kind, key: &Key| before.contains(&(kind, key.clone()));
        let mut edits = Vec::new();
        let mut there = BTreeSet::new();
        for mut value in defaults::defaults(&self.inventory, is_default, refused) {
            there.extend(super::world::identify(&mut value));
            if let Ok(Put::Changed(edit)) = self.world.put(value, Origin::Default, now) {
                edits.push(edit);
            }
        }
        let stale = before.difference(&there);
        edits.extend(stale.filter_map(|(kind, key)| self.world.remove(*kind, key)));
        self.update(edits);
    }

    /// The clones that the plan wants, and none that it does not; whether the plan differs.
    fn make_clones(&mut self, now: Timestamp) -> bool {
        let changes = std::mem::take(&mut self.unplanned);
        let mut differing = self.planner.update(&self.inventory, &self.settings, &changes);
        let differs = !differing.is_empty();
        self.affected.dpvs.extend(differing.clone());
        // What could not be made for want of a name may be made now.
        differing.extend(self.taken.keys().cloned());
        let mut edits = Vec::new();
        for dpv in differing {
            let Some(planned) = self.planner.planned().get(&dpv).cloned() else {
                self.reports.clones.remove(&dpv);
                self.taken.remove(&dpv);
                let gone = self.clones.remove(&dpv).unwrap_or_default();
                edits.extend(gone.iter().filter_map(|id| self.remove_clone(id)));
                continue;
            };
            self.put_clones(&dpv, &planned, now, &mut edits);
            self.reports.clones.insert(dpv, planned.report.clone());
        }
        self.update(edits);
        differs
    }

    /// Takes a clone out; a file's object that has its name by now is the file's.
    fn remove_clone(&mut self, (kind, key): &(Kind, Key)) -> Option<Edit> {
        let is_clone = self.world.origin(*kind, key) == Some(Origin::Clone);
        if is_clone { self.world.remove(*kind, key) } else { None }
    }

    /// The clones of one DeploymentVersion; those of one that is refused stay as they are.
    fn put_clones(&mut self, dpv: &Key, planned: &Planned, now: Timestamp, edits: &mut Vec<Edit>) {
        let mut taken = Vec::new();
        let mut there = BTreeSet::new();
        for desired in &planned.objects {
            match self.world.put(desired.object.value(), Origin::Clone, now) {
                Ok(Put::Changed(edit)) => edits.push(edit),
                Ok(Put::Same | Put::Foreign) => {}
                Ok(Put::Taken(_)) => taken.push(format!(
                    "{}: the {} is there already and not its clone; rename one of them",
                    dpv.name, desired.reference
                )),
                Err(message) => taken.push(format!("{}: {message}", dpv.name)),
            }
            there.insert((desired.reference.kind, desired.reference.key.clone()));
        }
        if taken.is_empty() {
            self.taken.remove(dpv);
        } else {
            self.taken.insert(dpv.clone(), taken);
        }
        if !planned.kept {
            let before = self.clones.insert(dpv.clone(), there.clone()).unwrap_or_default();
            edits.extend(before.difference(&there).filter_map(|id| self.remove_clone(id)));
        }
    }

    /// Statuses and table, until neither changes the other.
    fn route(&mut self, now: Timestamp) {
        for _ in 0..ROUNDS {
            let statuses = self.decide(now);
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
            self.hear_verdicts(&compiled.reports);
            self.compiled = Some(compiled);
        }
    }

    /// The statuses that may differ, and do.
    fn decide(&mut self, now: Timestamp) -> Statuses {
        let changes = std::mem::take(&mut self.undecided);
        let mut affected = std::mem::take(&mut self.affected);
        let of_changes = standing::affected(&self.inventory, &changes);
        affected.dpvs.extend(of_changes.dpvs);
        affected.routers.extend(of_changes.routers);
        standing::decide_for(&self.inventory, &affected, &self.reports, &self.settings, now)
            .differing(&self.inventory)
    }

    /// Takes over what the compilation says of each Router.
    fn hear_verdicts(&mut self, verdicts: &BTreeMap<Key, RouteReport>) {
        let known = &mut self.reports.routers;
        known.retain(|key, _| verdicts.contains_key(key));
        for (key, verdict) in verdicts {
            if known.get(key) != Some(verdict) {
                known.insert(key.clone(), verdict.clone());
                self.affected.routers.insert(key.clone());
            }
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
        picture.notes.extend(self.taken.values().flatten().cloned());
        picture
    }

    /// The pods, to end them.
    #[must_use]
    pub fn into_herd(self) -> Herd {
        self.herd
    }
}

/// The base that a Router names which is not taken.
fn base_of_refused(placed: &Placed) -> Option<Key> {
    let (kind, key) = &placed.id;
    let base = placed.manifest.text(&["spec", "base"]).filter(|_| placed.refused && *kind == Kind::Router)?;
    Some(key.sibling(base))
}

#[cfg(test)]
#[path = "core_tests.rs"]
mod tests;
