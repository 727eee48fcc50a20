//! Several writes at a time, those of one lane one after the other.
//!
//! It is driven by its owner: nothing goes on while nobody waits in [`Hands::done`] except what was begun, and
//! what was begun ends with it.

use std::collections::VecDeque;
use std::time::Instant;

use kube::Client;
use tokio::task::JoinSet;

use super::{Lane, Outcome, Write, perform};
use crate::inventory::Kind;
use crate::meter::{ControlMeter, Reconciled};

/// What was sent, and what came of it.
pub type Done = Vec<(Write, Outcome)>;

/// Sends writes.
pub struct Hands {
    client: Client,
    /// How many lanes are busy at a time.
    at_once: usize,
    queue: VecDeque<Vec<Write>>,
    running: JoinSet<Done>,
    /// What runs, to be told of where it ends without an answer.
    begun: Vec<(tokio::task::Id, Vec<Write>)>,
    meter: ControlMeter,
}

impl Hands {
    /// `at_once` lanes at a time; `meter` counts what came of them.
    #[must_use]
    pub fn new(client: Client, at_once: usize, meter: ControlMeter) -> Self {
        Self {
            client,
            at_once: at_once.max(1),
            queue: VecDeque::new(),
            running: JoinSet::new(),
            begun: Vec::new(),
            meter,
        }
    }

    /// Takes writes on; those of one lane stand beside one another.
    pub fn take(&mut self, writes: Vec<Write>) {
        let mut last: Option<Lane> = None;
        for write in writes {
            let lane = write.lane();
            match self.queue.back_mut().filter(|_| last.as_ref() == Some(&lane)) {
                Some(row) => row.push(write),
                None => self.queue.push_back(vec![write]),
            }
            last = Some(lane);
        }
        self.begin();
    }

    fn begin(&mut self) {
        while self.running.len() < self.at_once {
            let Some(row) = self.queue.pop_front() else { break };
            let work = in_order(self.client.clone(), row.clone(), self.meter.clone());
            self.begun.push((self.running.spawn(work).id(), row));
        }
        self.count();
    }

    fn count(&self) {
        self.meter.writing("writes", self.running.len(), self.queue.len());
    }

    /// Forgets what is on its way: nobody waits for the answers any more.
    pub fn drop_all(&mut self) {
        self.queue.clear();
        self.begun.clear();
        if !self.running.is_empty() {
            self.running = JoinSet::new();
            self.count();
        }
    }

    /// Whether nothing is on its way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.running.is_empty() && self.queue.is_empty()
    }

    /// The next lane that is through; waits for ever while nothing is on its way. It may be dropped at any
    /// time without loss.
    pub async fn done(&mut self) -> Done {
        let Some(ended) = self.running.join_next_with_id().await else {
            return std::future::pending().await;
        };
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let row = match self.begun.iter().position(|(begun, _)| *begun == id) {
            Some(at) => self.begun.swap_remove(at).1,
            None => Vec::new(),
        };
        self.begin();
        match ended {
            Ok((_, done)) => done,
            Err(error) => {
                tracing::error!(%error, "a write ended without an answer; it is tried again");
                let lost = || Outcome::Later(None, "the write was broken off".to_owned());
                row.into_iter().map(|write| (write, lost())).collect()
            }
        }
    }
}

/// One after the other; after the first that was not made, the rest is skipped.
async fn in_order(client: Client, row: Vec<Write>, meter: ControlMeter) -> Done {
    let mut done = Vec::with_capacity(row.len());
    let mut broken = false;
    for write in row {
        let begun = Instant::now();
        let outcome = if broken { Outcome::Skipped } else { perform(&client, &write).await };
        if let Some(result) = reconciled(&outcome) {
            meter.reconciled(controller(&write), result, begun.elapsed());
        }
        broken |= !matches!(outcome, Outcome::Done(_) | Outcome::Ours(_));
        done.push((write, outcome));
    }
    done
}

/// What controller-runtime would call the one on whose behalf it is.
fn controller(write: &Write) -> &'static str {
    if write.cause.kind == Kind::Router { "router" } else { "deploymentversion" }
}

/// How it counts; what was not tried does not.
fn reconciled(outcome: &Outcome) -> Option<Reconciled> {
    match outcome {
        Outcome::Done(_) | Outcome::Ours(_) => Some(Reconciled::Success),
        Outcome::Taken | Outcome::Refused(..) | Outcome::Ending => Some(Reconciled::Error),
        Outcome::Gone | Outcome::Conflict | Outcome::Later(..) => Some(Reconciled::RequeueAfter),
        Outcome::Skipped => None,
    }
}
