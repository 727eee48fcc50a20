//! Everything known of the cluster, and what follows from it. No clock, no I/O: every input comes through a
//! method, and [`Core::settle`] draws the conclusions. Who may write asks it what to write.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `hear` | what the watches tell, into what is known |
//! | here | what follows from it: plan, table, statuses, writes |
//! | `tell` | what others ask of it |

mod hear;
mod tell;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use jiff::Timestamp;

use super::books::Book;
use super::clock::Now;
use super::edges::{Edges, Served};
use super::kinds::{Roles, Subject, Watched};
use super::write::{Outcome, Planned, Write, Writer};
use crate::inventory::report::{CloneReport, Reports};
use crate::inventory::{Changes, Edit, Inventory, Key, Kind, Settings};
use crate::plan::{self, Planner};
use crate::routes::{Compiled, Table, compile};
use crate::standing::{self, Affected, Statuses};

/// Puts a table in service.
pub type Publish = Box<dyn FnMut(&Arc<Table>)>;

/// The EndpointSlice in which the API server writes its own addresses: namespace and name. Not whatever
/// slice has the label of its Service: a tenant could have others' pods refused.
const API_SERVER: (&str, &str) = ("default", "kubernetes");

/// So many versions of a base follow its change at a time, unless told otherwise.
pub const MAX_ROLLING: usize = 5;

/// Everything known, and what follows from it.
pub struct Core {
    roles: Roles,
    settings: Settings,
    /// The addresses of the API server that the configuration names.
    configured: BTreeSet<SocketAddr>,
    /// What has been heard of each watch, in the order of their places.
    books: Vec<Book>,
    inventory: Inventory,
    /// What changed since the last compilation.
    changes: Changes,
    /// When the oldest of it was heard.
    since: Option<Instant>,
    reports: Reports,
    planner: Planner,
    /// The statuses that differ from what is written.
    statuses: Statuses,
    /// Those that may differ although nothing that was heard says so.
    affected: Affected,
    compiled: Option<Compiled>,
    publish: Publish,
    /// Whether this process may write.
    leads: bool,
    /// Who decides what is written; nobody while this process does not.
    writer: Option<Writer>,
    max_rolling: usize,
    /// What edges say, and what is wanted of them.
    edges: Edges,
    /// When they have to be looked at again.
    edges_due: Option<Instant>,
    /// What the table in service holds.
    served: Served,
    /// Specifications of Routers that were new.
    specifications: u64,
}

/// Something worth a line in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// The server does not answer a watch, or does again.
    Watch {
        /// What is followed.
        title: String,
        /// What is wrong and the way out; none where it answers again.
        trouble: Option<String>,
    },
    /// An object cannot be read.
    Unreadable(String),
}

/// What a settling has come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// When to settle again although nothing was heard.
    pub again: Option<Instant>,
    /// When the oldest change was heard that the table in service holds now, where that is a new one.
    pub published: Option<Instant>,
}

impl Core {
    /// Nothing known yet. `publish` puts every table that differs from the one before in service.
    #[must_use]
    pub fn new(
        roles: Roles,
        settings: Settings,
        watches: &[(Watched, Option<String>)],
        publish: Publish,
    ) -> Self {
        Self {
            roles,
            configured: settings.refused.clone(),
            books: watches
                .iter()
                .map(|(watched, namespace)| Book::new(*watched, namespace.clone()))
                .collect(),
            inventory: Inventory::with(settings.host_owners.clone()),
            settings,
            changes: Changes::default(),
            since: None,
            reports: Reports::default(),
            planner: Planner::default(),
            statuses: Statuses::default(),
            affected: Affected::default(),
            compiled: None,
            publish,
            leads: false,
            writer: None,
            max_rolling: MAX_ROLLING,
            edges: Edges::default(),
            edges_due: None,
            served: Served::default(),
            specifications: 0,
        }
    }

    /// Takes in what was known before the start, and puts it in service until the lists are complete: they
    /// then replace it. What nobody watches any more is left out, for nobody would ever take it out again.
    pub fn remember(&mut self, edits: Vec<Edit>) {
        let watched = |edit: &Edit| {
            let (kind, key) = match edit {
                Edit::Apply(object) => (object.kind(), object.key()),
                Edit::Remove(kind, key) => (*kind, key),
            };
            self.books.iter().any(|book| {
                book.watched.subject == Subject::Objects(kind)
                    && book.namespace.as_deref().is_none_or(|name| *name == *key.namespace)
            })
        };
        let edits = edits.into_iter().filter(watched).collect();
        self.update(edits);
        self.affected = Affected::all(&self.inventory);
        let changes = std::mem::take(&mut self.changes);
        self.route(&changes);
    }

    /// So many versions of a base follow its change at a time.
    #[must_use]
    pub fn with_max_rolling(mut self, max_rolling: usize) -> Self {
        self.max_rolling = max_rolling;
        self
    }

    /// Whether this process holds the Lease now. Who lost it forgets what it wrote: another goes on.
    pub fn lead(&mut self, leads: bool) {
        self.leads = leads;
        if !leads && self.writer.take().is_some() {
            let plain = |(key, planned): (&Key, &Arc<_>)| (key.clone(), plain_report(planned));
            self.reports.clones = self.planner.planned().iter().map(plain).collect();
            self.affected.dpvs.extend(self.reports.clones.keys().cloned());
        }
    }

    /// The next writes; none while this process may not write. Each is answered by [`Core::learned`].
    pub fn writes(&mut self, now: Now) -> Vec<Write> {
        if !self.may_write() || !self.is_complete() || self.compiled.is_none() {
            return Vec::new();
        }
        let sight = self.sight();
        let writer = self.writer.get_or_insert_with(|| {
            let mut writer = Writer::new(&self.inventory, self.max_rolling);
            writer.want(&self.statuses, &self.inventory);
            writer
        });
        let planned = |key: &Key| {
            let planned = self.planner.planned().get(key)?;
            Some(Planned { objects: &planned.objects, kept: planned.kept })
        };
        writer.writes(&self.inventory, &planned, &sight, now)
    }

    /// Takes in what came of writes, at that time of the steady clock.
    pub fn learned(&mut self, done: Vec<(Write, Outcome)>, now: Timestamp) {
        if let Some(writer) = &mut self.writer {
            writer.learned(done, now);
        }
    }

    /// When to ask for writes again although nothing has changed, on the steady clock.
    #[must_use]
    pub fn again(&self) -> Option<Timestamp> {
        self.writer.as_ref().filter(|_| self.may_write()).and_then(Writer::again)
    }

    /// Brings about what follows from all that was heard since. Nothing does before the first complete list
    /// of every kind that cannot be done without.
    pub fn settle(&mut self, now: Timestamp, instant: Instant) -> Settled {
        let since = self.since.take();
        if !self.is_complete() {
            return Settled::default();
        }
        let again = self.ask_edges(instant);
        self.hear_writer();
        // What is new of a Router beside what is kept of it is served as well.
        let served = Served { routers: Some(self.reached()), specifications: self.specifications };
        if self.changes.is_empty() && self.compiled.is_some() && self.affected.is_empty() {
            self.served = served;
            return Settled { published: None, again };
        }
        let changes = std::mem::take(&mut self.changes);
        if self.roles.controller {
            self.follow_plan(&changes);
        }
        let published = self.route(&changes);
        self.served = served;
        if self.roles.controller {
            self.decide(&changes, now);
        }
        Settled { published: since.filter(|_| published), again }
    }

    /// Takes in what the writer has to tell of clones.
    fn hear_writer(&mut self) {
        let Some(writer) = &mut self.writer else { return };
        let planned = |key: &Key| self.planner.planned().get(key).map(plain_report);
        self.affected.dpvs.extend(writer.retell(&mut self.reports.clones, planned));
    }

    /// Brings the plan up to date, and has looked at what differs.
    fn follow_plan(&mut self, changes: &Changes) {
        let differing = self.planner.update(&self.inventory, &self.settings, changes);
        if let Some(writer) = &mut self.writer {
            writer.saw(changes, &self.inventory);
            writer.planned(differing.iter().cloned());
        }
        for key in &differing {
            let planned = self.planner.planned().get(key).map(plain_report);
            let told = planned.map(|report| match &self.writer {
                Some(writer) => writer.report(key, &report),
                None => report,
            });
            match told {
                Some(report) => self.reports.clones.insert(key.clone(), report),
                None => self.reports.clones.remove(key),
            };
        }
        self.affected.dpvs.extend(differing);
    }

    /// Decides on the statuses that may differ, and has written those that do.
    fn decide(&mut self, changes: &Changes, now: Timestamp) {
        let mut affected = std::mem::take(&mut self.affected);
        let of_changes = standing::affected(&self.inventory, changes);
        affected.dpvs.extend(of_changes.dpvs);
        affected.routers.extend(of_changes.routers);
        let statuses = standing::decide_for(&self.inventory, &affected, &self.reports, &self.settings, now);
        if let Some(writer) = &mut self.writer {
            writer.want(&statuses, &self.inventory);
        }
        self.statuses.dpvs.retain(|key, _| !affected.dpvs.contains(key));
        self.statuses.routers.retain(|key, _| !affected.routers.contains(key));
        let differing = statuses.differing(&self.inventory);
        self.statuses.dpvs.extend(differing.dpvs);
        self.statuses.routers.extend(differing.routers);
    }

    /// Where the Routers stand with the edges; returns when to ask again.
    fn ask_edges(&mut self, instant: Instant) -> Option<Instant> {
        if !self.roles.controller {
            return None;
        }
        let new_routers = self.changes.objects.iter().any(|(kind, _)| *kind == Kind::Router);
        if new_routers || self.edges_due.is_some_and(|due| due <= instant) {
            let (programmed, again) = self.edges.programmed(instant);
            self.edges_due = again;
            // Who may not read what edges report takes this process's own table for theirs.
            let heard = self.books.iter().any(|book| book.watched.subject == Subject::Edges && book.complete);
            let programmed = heard.then_some(programmed);
            if self.reports.programmed != programmed {
                self.reports.programmed = programmed;
                self.affected.routers.extend(self.inventory.routers.iter().map(|it| it.meta.key.clone()));
            }
        }
        self.edges_due
    }

    /// Compiles, and puts the table in service where it differs; tells whether it does.
    fn route(&mut self, changes: &Changes) -> bool {
        let before = self.compiled.as_ref().map(|compiled| compiled.table.clone());
        let compiled = compile(&self.inventory, &self.settings, self.compiled.take(), changes);
        let differs = before.is_none_or(|before| !Arc::ptr_eq(&before, &compiled.table));
        if differs {
            (self.publish)(&compiled.table);
        }
        for endpoint in &compiled.retired {
            endpoint.retired.store(true, Ordering::Release);
        }
        for key in &compiled.touched {
            match compiled.reports.get(key) {
                Some(report) => self.reports.routers.insert(key.clone(), report.clone()),
                None => self.reports.routers.remove(key),
            };
            self.affected.routers.insert(key.clone());
        }
        self.compiled = Some(compiled);
        differs
    }
}

/// What a plan says by itself.
fn plain_report(planned: &Arc<plan::Planned>) -> CloneReport {
    planned.report.clone()
}

#[cfg(test)]
#[path = "core_tests.rs"]
mod tests;
