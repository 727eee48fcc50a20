//! Everything known of the cluster, and what follows from it. No clock, no I/O: every input comes through a
//! method, and [`Core::settle`] draws the conclusions. Who may write asks it what to write.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use jiff::Timestamp;

use super::books::{Book, Effect};
use super::kinds::{Roles, Watched};
use super::watch::Heard;
use crate::inventory::report::Reports;
use crate::inventory::{Changes, Edit, Inventory, Kind, Settings};
use crate::plan::{Plan, plan};
use crate::routes::{Compiled, Table, compile};
use crate::standing::{self, Statuses};

/// Puts a table in service.
pub type Publish = Box<dyn FnMut(&Arc<Table>)>;

/// Everything known, and what follows from it.
pub struct Core {
    roles: Roles,
    settings: Settings,
    /// What has been heard of each watch, in the order of their places.
    books: Vec<Book>,
    inventory: Inventory,
    /// What changed since the last compilation.
    changes: Changes,
    /// When the oldest of it was heard.
    since: Option<Instant>,
    reports: Reports,
    plan: Plan,
    /// Whether something changed that clones are made from.
    plan_due: bool,
    /// The statuses that differ from what is written.
    statuses: Statuses,
    compiled: Option<Compiled>,
    publish: Publish,
    /// Whether this process may write.
    leads: bool,
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
            settings,
            books: watches
                .iter()
                .map(|(watched, namespace)| Book::new(*watched, namespace.clone()))
                .collect(),
            inventory: Inventory::default(),
            changes: Changes::default(),
            since: None,
            reports: Reports::default(),
            plan: Plan::default(),
            plan_due: true,
            statuses: Statuses::default(),
            compiled: None,
            publish,
            leads: false,
        }
    }

    /// Whether this process holds the Lease now.
    pub fn lead(&mut self, leads: bool) {
        self.leads = leads;
    }

    /// Takes in what the watches tell; returns what is worth a line in the log.
    pub fn take(&mut self, heard: impl IntoIterator<Item = Heard>) -> Vec<Remark> {
        let (mut edits, mut remarks) = (Vec::new(), Vec::new());
        for Heard { watch, at, news } in heard {
            let Some(book) = self.books.get_mut(watch) else { continue };
            match book.hear(news) {
                Effect::Edit(edit) => {
                    self.since.get_or_insert(at);
                    edits.push(edit);
                }
                Effect::Sweep(listed) => {
                    // What is known has to be complete before what is missing can be told.
                    let vanished = |core: &Self| {
                        core.books
                            .get(watch)
                            .map(|book| book.vanished(&core.inventory, &listed))
                            .unwrap_or_default()
                    };
                    self.update(std::mem::take(&mut edits));
                    edits = vanished(self);
                }
                Effect::State => {
                    let (title, trouble) = (book.title(), book.trouble());
                    remarks.push(Remark::Watch { title, trouble });
                }
                Effect::Unreadable(key, words) => {
                    remarks.push(Remark::Unreadable(format!("{} {key}: {words}", book.watched.kind)));
                }
                Effect::Nothing => {}
            }
        }
        self.update(edits);
        remarks
    }

    fn update(&mut self, edits: Vec<Edit>) {
        self.plan_due |= edits.iter().any(concerns_clones);
        let changes = self.inventory.update(edits);
        self.changes.extend(changes);
    }

    /// Brings about what follows from all that was heard since. Nothing does before the first complete list
    /// of every kind that cannot be done without.
    pub fn settle(&mut self, now: Timestamp) -> Settled {
        if !self.is_complete() {
            self.since = None;
            return Settled::default();
        }
        if self.changes.is_empty() && self.compiled.is_some() {
            self.since = None;
            return Settled::default();
        }
        if self.roles.controller && std::mem::take(&mut self.plan_due) {
            self.plan = plan(&self.inventory, &self.settings);
            self.reports.clones.clone_from(&self.plan.reports);
        }
        let published = self.route();
        if self.roles.controller {
            let statuses = standing::decide(&self.inventory, &self.reports, &self.settings, now);
            self.statuses = statuses.differing(&self.inventory);
        }
        let since = self.since.take();
        Settled { published: since.filter(|_| published) }
    }

    /// Compiles, and puts the table in service where it differs; tells whether it does.
    fn route(&mut self) -> bool {
        let changes = std::mem::take(&mut self.changes);
        let before = self.compiled.as_ref().map(|compiled| compiled.table.clone());
        let compiled = compile(&self.inventory, &self.settings, self.compiled.take(), &changes);
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

    /// What is to be there for all DeploymentVersions; empty where this is no controller.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How many objects cannot be read, by kind; kinds without any are left out.
    #[must_use]
    pub fn unreadable(&self) -> BTreeMap<Kind, usize> {
        let mut counts = BTreeMap::new();
        for book in self.books.iter().filter(|book| book.unreadable() > 0) {
            *counts.entry(book.watched.kind).or_default() += book.unreadable();
        }
        counts
    }
}

/// Whether clones are made from such an object.
fn concerns_clones(edit: &Edit) -> bool {
    let kind = match edit {
        Edit::Apply(object) => object.kind(),
        Edit::Remove(kind, _) => *kind,
    };
    match kind {
        Kind::Deployment
        | Kind::Service
        | Kind::DeploymentVersion
        | Kind::Router
        | Kind::PodDisruptionBudget
        | Kind::HorizontalPodAutoscaler
        | Kind::NetworkPolicy => true,
        Kind::ConfigMap | Kind::Secret | Kind::EndpointSlice | Kind::Pod => false,
    }
}

#[cfg(test)]
#[path = "core_tests.rs"]
mod tests;
