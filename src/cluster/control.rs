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
pub async fn run(mut task: Task, publish: Publish, mut tell: Tell, meters: &Meters, ends: &Ends) {
    let watches = watches(&task);
    let core = Core::new(task.roles, task.settings.clone(), &watches, publish);
    let mut core = core.with_max_rolling(task.max_rolling);
    let mut hands = Hands::new(task.cluster.client.clone(), WRITES_AT_ONCE, meters.control.clone());
    let mut shelf = task.shelf.take();
    // What was last known is served although nothing of it has been confirmed.
    let stale = shelf.as_ref().and_then(Shelf::take).map(|snapshot| {
        core.remember(snapshot.edits);
        snapshot.written
    });
    let mut tell = |core: &Core| match stale.filter(|_| !core.is_complete()) {
        Some(written) => tell(Vec::new(), stale_state(core, written)),
        None => tell(core.missing(), core.failing()),
    };
    tell(&core);
    let (mut followers, mut heard) = Followers::begin(task.cluster.client.clone(), task.roles, watches);
    let (election, mut lead) = stand(&task, ends);
    let (reporting, served) = report(&task, ends);
    let mut ready = false;
    loop {
        let begun = Instant::now();
        let settled = core.settle(Timestamp::now(), begun);
        served.send_if_modified(|told| std::mem::replace(told, core.served()) != *told);
        if let Some(since) = settled.published.filter(|_| ready) {
            meters.process.propagated(since.elapsed());
        }
        if !ready && core.is_complete() {
            ready = true;
            tracing::info!(generation = core.generation(), "the first table is in service");
            tell(&core);
            count_watches(&core, &meters.control);
        }
        if let Some(shelf) = shelf.as_mut().filter(|_| ready) {
            shelf.serves(core.generation());
        }
        let mandate = *lead.borrow_and_update();
        let leads = lease::leads(mandate, Instant::now()) && !ends.leaving.is_cancelled();
        core.lead(leads);
        if leads {
            hands.take(core.writes(Timestamp::now()));
        } else {
            // Another goes on; what is on its way carries its own preconditions.
            hands.drop_all();
        }
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
            done = hands.done() => core.learned(done, Timestamp::now()),
            () = until(soon(core.again())) => {}
            () = until(settled.again) => {}
            () = followers.keep() => {}
            news = next(&mut heard) => {
                let remarks = core.take(news);
                let state = remarks.iter().any(|remark| matches!(remark, Remark::Watch { .. }));
                remarks.iter().for_each(log);
                if state || !ready {
                    tell(&core);
                }
                if !remarks.is_empty() || !ready {
                    count_watches(&core, &meters.control);
                }
            }
            () = due(&mut shelf) => {
                if let Some(shelf) = &mut shelf {
                    shelf.write(core.inventory());
                }
            }
        }
    }
    if let Some(shelf) = &mut shelf {
        shelf.close(core.inventory()).await;
    }
    followers.end().await;
    // The Leases are given back, or run out by themselves.
    drop(lead);
    election.join_all().await;
    reporting.join_all().await;
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

/// When that is, on the clock that only runs forward.
fn soon(when: Option<Timestamp>) -> Option<Instant> {
    let left = Duration::try_from(when?.duration_since(Timestamp::now())).unwrap_or_default();
    Instant::now().checked_add(left.max(SHORTEST))
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
