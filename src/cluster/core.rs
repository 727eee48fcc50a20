//! Everything known of the cluster, and what follows from it. No clock, no I/O: every input comes through a
//! method, and [`Core::settle`] draws the conclusions. Who may write asks it what to write.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use jiff::Timestamp;

use super::books::{self, Book, Effect};
use super::edges::{Edges, Served};
use super::kinds::{Read, Roles, Subject, Watched};
use super::watch::Heard;
use super::write::{Outcome, Planned, Write, Writer};
use crate::inventory::object::RouterFacts;
use crate::inventory::report::{CloneReport, Reports};
use crate::inventory::{Changes, Edit, Inventory, Key, Kind, Object, Settings};
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
    /// The highest version of a Router heard of.
    reached: u64,
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
            settings,
            books: watches
                .iter()
                .map(|(watched, namespace)| Book::new(*watched, namespace.clone()))
                .collect(),
            inventory: Inventory::default(),
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
            reached: 0,
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
    pub fn writes(&mut self, now: Timestamp) -> Vec<Write> {
        if !self.may_write() || !self.is_complete() || self.compiled.is_none() {
            return Vec::new();
        }
        let writer = self.writer.get_or_insert_with(|| {
            let mut writer = Writer::new(&self.inventory, self.max_rolling);
            writer.want(&self.statuses, &self.inventory);
            writer
        });
        let planned = |key: &Key| {
            let planned = self.planner.planned().get(key)?;
            Some(Planned { objects: &planned.objects, kept: planned.kept })
        };
        writer.writes(&self.inventory, &planned, now)
    }

    /// Takes in what came of writes.
    pub fn learned(&mut self, done: Vec<(Write, Outcome)>, now: Timestamp) {
        if let Some(writer) = &mut self.writer {
            writer.learned(done, now);
        }
    }

    /// When to ask for writes again although nothing has changed.
    #[must_use]
    pub fn again(&self) -> Option<Timestamp> {
        self.writer.as_ref().filter(|_| self.may_write()).and_then(Writer::again)
    }

    /// Takes in what the watches tell; returns what is worth a line in the log.
    pub fn take(&mut self, heard: impl IntoIterator<Item = Heard>) -> Vec<Remark> {
        let (mut edits, mut remarks) = (Vec::new(), Vec::new());
        for Heard { watch, at, news } in heard {
            let Some(book) = self.books.get_mut(watch) else { continue };
            let (subject, effect) = (book.watched.subject, book.hear(news));
            match effect {
                Effect::Seen(read) => edits.extend(self.see(read, at)),
                Effect::Gone(key) => edits.extend(self.lose(subject, key, at)),
                Effect::Sweep(listed) => {
                    // What is known has to be complete before what is missing can be told.
                    self.update(std::mem::take(&mut edits));
                    for key in self.vanished(watch, &listed) {
                        edits.extend(self.lose(subject, key, at));
                    }
                }
                Effect::State => {
                    let (title, trouble) = (book.title(), book.trouble());
                    remarks.push(Remark::Watch { title, trouble });
                }
                Effect::Unreadable(key, words) => {
                    remarks.push(Remark::Unreadable(format!("{} {key}: {words}", subject.as_str())));
                }
                Effect::Nothing => {}
            }
        }
        self.update(edits);
        remarks
    }

    fn see(&mut self, read: Read, at: Instant) -> Option<Edit> {
        match read {
            Read::Object(object, version) => {
                if let Object::Router(router) = &*object {
                    self.see_router(router, version);
                }
                self.since.get_or_insert(at);
                Some(Edit::Apply(object))
            }
            Read::Edge(edge, report) => {
                self.edges.hear(edge, report, at);
                self.edges_due = Some(at);
                None
            }
        }
    }

    fn see_router(&mut self, router: &RouterFacts, version: u64) {
        let generation = router.meta.generation;
        let programmed = router.status.conditions.iter().any(|condition| {
            condition.type_ == "Programmed"
                && condition.status == "True"
                && condition.observed_generation == generation
        });
        self.reached = self.reached.max(version);
        if self.edges.router(&router.meta.key, generation, version, programmed) {
            self.specifications += 1;
        }
    }

    fn lose(&mut self, subject: Subject, key: Key, at: Instant) -> Option<Edit> {
        match subject {
            Subject::Objects(kind) => {
                if kind == Kind::Router {
                    self.edges.forget_router(&key);
                }
                self.since.get_or_insert(at);
                Some(Edit::Remove(kind, key))
            }
            Subject::Edges => {
                self.edges.forget(&key);
                self.edges_due = Some(at);
                None
            }
        }
    }

    /// What a watch knew of and its complete list does not name.
    fn vanished(&self, watch: usize, listed: &BTreeSet<Key>) -> Vec<Key> {
        let Some(book) = self.books.get(watch) else { return Vec::new() };
        let known = match book.watched.subject {
            Subject::Objects(kind) => books::keys(&self.inventory, kind, book.namespace.as_deref()),
            Subject::Edges => self.edges.names().cloned().collect(),
        };
        known.into_iter().filter(|key| !listed.contains(key)).collect()
    }

    fn update(&mut self, edits: Vec<Edit>) {
        let changes = self.inventory.update(edits);
        let server = (Kind::EndpointSlice, Key::new(API_SERVER.0, API_SERVER.1));
        if changes.objects.contains(&server) {
            self.refuse(&server.1);
        }
        self.changes.extend(changes);
    }

    /// Where the API server is, nothing else may claim to be.
    fn refuse(&mut self, server: &Key) {
        let addresses = self.inventory.slices.get(server).into_iter().flat_map(|slice| {
            let of_port = |port: u16| slice.endpoints.iter().map(move |it| SocketAddr::new(it.address, port));
            slice.ports.iter().flat_map(move |port| of_port(port.port))
        });
        self.settings.refused = self.configured.iter().copied().chain(addresses).collect();
        self.affected = Affected::all(&self.inventory);
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
        let served = Served { routers: Some(self.reached), specifications: self.specifications };
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

    /// What the table in service holds.
    #[must_use]
    pub fn served(&self) -> Served {
        self.served
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

    /// Whether every kind that cannot be done without has been listed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.books.iter().all(|book| book.complete || !book.watched.required)
    }

    /// Whether this process writes: it holds the Lease, and nothing more is to be waited for, since all that
    /// a clone may be caught by has been seen, or may not be seen.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.leads && self.books.iter().all(Book::is_settled)
    }

    /// What is missing before requests are welcome, with what is wrong.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let missing = self.books.iter().filter(|book| !book.complete && book.watched.required);
        missing
            .map(|book| match book.trouble() {
                Some(trouble) => format!("the list of {trouble}"),
                None => format!("the list of {}", book.title()),
            })
            .collect()
    }

    /// What the API server does not answer now.
    #[must_use]
    pub fn failing(&self) -> Vec<String> {
        self.books.iter().filter_map(Book::trouble).collect()
    }

    /// The generation of the table in service.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.compiled.as_ref().map_or(0, |compiled| compiled.table.generation)
    }

    /// The objects known.
    #[must_use]
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The statuses that differ from what is written; empty where this is no controller.
    #[must_use]
    pub fn statuses(&self) -> &Statuses {
        &self.statuses
    }

    /// By kind, whether the API server answers its watches, and how many of its objects cannot be read.
    #[must_use]
    pub fn watches(&self) -> BTreeMap<&'static str, (bool, usize)> {
        let mut watches = BTreeMap::new();
        for book in &self.books {
            let known = watches.entry(book.watched.subject.as_str()).or_insert((true, 0));
            known.0 &= book.failure.is_none() && book.complete;
            known.1 += book.unreadable();
        }
        watches
    }
}

/// What a plan says by itself.
fn plain_report(planned: &Arc<plan::Planned>) -> CloneReport {
    planned.report.clone()
}

#[cfg(test)]
#[path = "core_tests.rs"]
mod tests;
