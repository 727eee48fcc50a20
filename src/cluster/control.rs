//! The loop itself: waits for the watches, lets [`Core`] draw the conclusions, tells of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::Api;
use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::client::Cluster;
use super::clock::Clock;
use super::core::{Core, Publish, Remark};
use super::edges::{Reporter, Served};
use super::followers::Followers;
use super::kinds::{self, Roles, Watched};
use super::lease::{self, Election, Lead, Terms};
use super::shelf::Shelf;
use super::watch::Heard;
use super::write::Hands;
use crate::inventory::Settings;
use crate::meter::{ControlMeter, Meter};

/// So many are taken in before conclusions are drawn: a burst costs one table, a flood is served meanwhile.
const AT_ONCE: usize = 4096;

/// So many lanes of writes at a time.
const WRITES_AT_ONCE: usize = 16;
/// A time that has come is waited for a little all the same, so that no fault makes a hot loop of it.
const SHORTEST: Duration = Duration::from_millis(5);

/// What a cluster's loop is about.
pub struct Task {
    /// The API server.
    pub cluster: Cluster,
    /// What this process does.
    pub roles: Roles,
    /// The namespaces that are watched; empty for all.
    pub namespaces: Vec<String>,
    /// Settings of the pure rooms.
    pub settings: Settings,
    /// Which Lease the controllers share, and how long it holds.
    pub candidacy: Candidacy,
    /// So many versions of a base follow its change at a time.
    pub max_rolling: usize,
    /// This process's pod.
    pub pod: String,
    /// The pod's uid, where it is known.
    pub pod_uid: Option<String>,
    /// Where an edge keeps what it last knew.
    pub shelf: Option<Shelf>,
}

/// How a controller stands for election.
#[derive(Debug, Clone)]
pub struct Candidacy {
    /// The Lease's name, in the namespace that this process belongs to.
    pub lease: String,
    /// Who we are: no two processes are the same.
    pub me: String,
    /// How long it holds.
    pub terms: Terms,
}

/// The stages of the end.
#[derive(Debug, Clone, Default)]
pub struct Ends {
    /// Nothing is written any more; what is watched is still served.
    pub leaving: CancellationToken,
    /// All is over.
    pub stop: CancellationToken,
}

/// Who counts.
pub struct Meters {
    /// The process's numbers.
    pub process: Arc<Meter>,
    /// Those of watching, concluding and writing.
    pub control: ControlMeter,
}

/// Who is told what is missing before requests are welcome, and what else is to be known: that what is served is
/// stale, what the API server does not answer now.
pub type Tell = Box<dyn FnMut(Vec<String>, Vec<String>)>;

/// Runs until `ends.stop`.
pub async fn run(mut task: Task, publish: Publish, tell: Tell, meters: &Meters, ends: &Ends) {
    let watches = watches(&task);
    let core = Core::new(task.roles, task.settings.clone(), &watches, publish);
    let mut core = core.with_max_rolling(task.max_rolling);
    let shelf = task.shelf.take();
    // What was last known is served although nothing of it has been confirmed.
    let stale = shelf.as_ref().and_then(Shelf::take).map(|snapshot| {
        core.remember(snapshot.edits);
        snapshot.written
    });
    let hands = Hands::new(task.cluster.client.clone(), WRITES_AT_ONCE, meters.control.clone());
    let (mut followers, mut heard) = Followers::begin(task.cluster.client.clone(), task.roles, watches);
    let (election, mut lead) = stand(&task, ends);
    let (reporting, served) = report(&task, ends);
    let clock = Clock::start();
    let mut desk = Desk { core, hands, shelf, stale, tell, served, ready: false, clock, meters };
    desk.tell();
    loop {
        let begun = Instant::now();
        let again = desk.conclude(begun);
        let mandate = *lead.borrow_and_update();
        let leads = lease::leads(mandate, Instant::now()) && !ends.leaving.is_cancelled();
        desk.write(leads);
        meters.control.settled(begun.elapsed());
        if task.roles.controller {
            meters.control.leads(&task.candidacy.lease, leads);
        }
        tokio::select! {
            biased;
            () = ends.stop.cancelled() => break,
            () = ends.leaving.cancelled(), if leads => {}
            Ok(()) = lead.changed() => {}
            () = until(mandate), if leads => {}
            done = desk.hands.done() => desk.core.learned(done, clock.now().steady),
            () = until(soon(desk.core.again(), &clock)) => {}
            () = until(again) => {}
            () = followers.keep() => {}
            news = next(&mut heard) => desk.hear(news),
            () = due(&mut desk.shelf) => desk.keep(),
        }
    }
    if let Some(shelf) = &mut desk.shelf {
        shelf.close(desk.core.inventory()).await;
    }
    followers.end().await;
    // The Leases are given back, or run out by themselves.
    drop(lead);
    election.join_all().await;
    reporting.join_all().await;
}

/// The core, and all who are told what it concludes.
struct Desk<'m> {
    core: Core,
    hands: Hands,
    shelf: Option<Shelf>,
    /// When what is served was known, where it is from before the start.
    stale: Option<Timestamp>,
    tell: Tell,
    served: watch::Sender<Served>,
    /// Whether the first table of what the API server says is in service.
    ready: bool,
    /// On which waiting is measured.
    clock: Clock,
    meters: &'m Meters,
}

impl Desk<'_> {
    /// Draws the conclusions of what was heard, and tells of them; returns when to do so again.
    fn conclude(&mut self, now: Instant) -> Option<Instant> {
        let settled = self.core.settle(Timestamp::now(), now);
        let serves = self.core.served();
        self.served.send_if_modified(|told| std::mem::replace(told, serves) != *told);
        if let Some(since) = settled.published.filter(|_| self.ready) {
            self.meters.process.propagated(since.elapsed());
        }
        if !self.ready && self.core.is_complete() {
            self.ready = true;
            tracing::info!(generation = self.core.generation(), "the first table is in service");
            self.tell();
            count_watches(&self.core, &self.meters.control);
        }
        if let Some(shelf) = self.shelf.as_mut().filter(|_| self.ready) {
            shelf.serves(self.core.generation());
        }
        settled.again
    }

    /// Lets the hands write, where this process leads.
    fn write(&mut self, leads: bool) {
        self.core.lead(leads);
        if leads {
            self.hands.take(self.core.writes(self.clock.now()));
        } else {
            // Another goes on; what is on its way carries its own preconditions.
            self.hands.drop_all();
        }
    }

    /// Takes in what the watches say.
    fn hear(&mut self, news: Vec<Heard>) {
        let remarks = self.core.take(news);
        let state = remarks.iter().any(|remark| matches!(remark, Remark::Watch { .. }));
        remarks.iter().for_each(log);
        if state || !self.ready {
            self.tell();
        }
        if !remarks.is_empty() || !self.ready {
            count_watches(&self.core, &self.meters.control);
        }
    }

    /// Says what is missing before requests are welcome, and what else is to be known.
    fn tell(&mut self) {
        let (missing, state) = match self.stale.filter(|_| !self.ready) {
            Some(written) => (Vec::new(), stale_state(&self.core, written)),
            None => (self.missing(), self.core.failing()),
        };
        (self.tell)(missing, state);
    }

    /// The lists, and then the table that is made of them.
    fn missing(&self) -> Vec<String> {
        let lists = self.core.missing();
        if lists.is_empty() && !self.ready { vec!["the first table".to_owned()] } else { lists }
    }

    /// Writes down what is known.
    fn keep(&mut self) {
        if let Some(shelf) = &mut self.shelf {
            shelf.write(self.core.inventory());
        }
    }
}

/// Which kinds the API server answers, and how many objects cannot be read.
fn count_watches(core: &Core, meter: &ControlMeter) {
    for (kind, (answering, unreadable)) in core.watches() {
        meter.watch(kind, answering, unreadable);
    }
}

async fn until(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when.into()).await,
        None => std::future::pending().await,
    }
}

/// When to look again that wanted to at a time of the steady clock.
fn soon(when: Option<Timestamp>, clock: &Clock) -> Option<Instant> {
    Instant::now().checked_add(clock.until(when?).max(SHORTEST))
}

/// An edge reports what it serves.
fn report(task: &Task, ends: &Ends) -> (JoinSet<()>, watch::Sender<Served>) {
    let (sender, served) = watch::channel(Served::default());
    let mut reporting = JoinSet::new();
    if task.roles.edge {
        let api = Api::namespaced(task.cluster.client.clone(), &task.cluster.namespace);
        let (pod, pod_uid) = (task.pod.clone(), task.pod_uid.clone());
        let reporter = Reporter { api, pod, pod_uid, served };
        reporting.spawn(reporter.run(ends.leaving.clone()));
    }
    (reporting, sender)
}

/// When the shelf wants to be written.
async fn due(shelf: &mut Option<Shelf>) {
    match shelf {
        Some(shelf) => shelf.due().await,
        None => std::future::pending().await,
    }
}

/// What is to be said of a process that serves what it knew before its start.
fn stale_state(core: &Core, written: Timestamp) -> Vec<String> {
    let stale = format!("stale: what is served was known at {written}, before this process started");
    std::iter::once(stale).chain(core.missing()).collect()
}

/// A controller stands for election.
fn stand(task: &Task, ends: &Ends) -> (JoinSet<()>, watch::Receiver<Lead>) {
    let (sender, lead) = watch::channel(None);
    let mut election = JoinSet::new();
    if task.roles.controller {
        let Candidacy { lease, me, terms } = task.candidacy.clone();
        let api = Api::namespaced(task.cluster.client.clone(), &task.cluster.namespace);
        let candidate = Election { api, name: lease, me, terms, lead: sender };
        election.spawn(candidate.run(ends.leaving.clone()));
    }
    (election, lead)
}

/// Every kind of every namespace.
fn watches(task: &Task) -> Vec<(Watched, Option<String>)> {
    let kinds = kinds::watched(task.roles);
    let namespaces: Vec<Option<String>> = if task.namespaces.is_empty() {
        vec![None]
    } else {
        task.namespaces.iter().cloned().map(Some).collect()
    };
    let all = kinds.into_iter().flat_map(|kind| namespaces.iter().map(move |one| (kind, one.clone())));
    let edges = (kinds::EDGES, Some(task.cluster.namespace.clone()));
    all.chain(task.roles.controller.then_some(edges)).collect()
}

/// What has been heard, as soon as there is something.
async fn next(heard: &mut Receiver<Heard>) -> Vec<Heard> {
    let mut news = Vec::new();
    // Cancel-safe: either nothing has been taken, or all of it is returned at once.
    heard.recv_many(&mut news, AT_ONCE).await;
    news
}

fn log(remark: &Remark) {
    match remark {
        Remark::Watch { title, trouble: Some(trouble) } => {
            tracing::warn!(watch = title, "cannot follow {trouble}");
        }
        Remark::Watch { title, trouble: None } => tracing::info!(watch = title, "followed again"),
        Remark::Unreadable(words) => {
            tracing::warn!("{words}; the last form that could be read stays in force");
        }
    }
}

#[cfg(test)]
#[path = "control_tests.rs"]
mod tests;
