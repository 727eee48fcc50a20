//! Which of several controllers writes: the one that holds the Lease. [`decide`] is pure; [`Election`] acts.
//!
//! As client-go does it, nobody's clock but our own is asked: a Lease has run out when it did not change for
//! its duration before our eyes. The holder gives up a third of the duration before the others may take it.
//! A Lease is advice, no fence: every write carries its own preconditions, and two writers at once would do
//! the same things.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Api, PostParams};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::trouble::{Failure, Trouble};

/// Who does not hold the Lease looks so often: a Lease given back is taken that soon.
const LOOK: Duration = Duration::from_secs(1);

/// How long a Lease holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Others may take it when it has not been renewed for so long.
    pub duration: Duration,
}

impl Terms {
    /// The holder stops writing when it could not renew for so long.
    #[must_use]
    pub fn deadline(self) -> Duration {
        self.duration * 2 / 3
    }

    /// It is renewed so often.
    #[must_use]
    pub fn renewal(self) -> Duration {
        self.duration / 3
    }
}

/// A Lease as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Who holds it; empty where it was given back.
    pub holder: String,
    /// How long the holder wants it to last without being renewed.
    pub duration: Duration,
    /// When it was first seen in this form.
    pub since: Instant,
}

/// What to do about a Lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// There is none: create it.
    Create,
    /// Nobody holds it any more: take it.
    Take,
    /// It is ours: renew it.
    Renew,
    /// It is another's: look again after this long.
    Wait(Duration),
}

/// What to do about a Lease, as `me`, at `now`.
#[must_use]
pub fn decide(view: Option<&View>, me: &str, now: Instant) -> Act {
    let Some(view) = view else { return Act::Create };
    if view.holder == me {
        return Act::Renew;
    }
    let left = (view.since + view.duration).saturating_duration_since(now);
    if view.holder.is_empty() || left.is_zero() { Act::Take } else { Act::Wait(left.min(LOOK)) }
}

/// Until when this process leads; none while it does not.
pub type Lead = Option<Instant>;

/// Whether that is now.
#[must_use]
pub fn leads(lead: Lead, now: Instant) -> bool {
    lead.is_some_and(|until| now < until)
}

/// One candidate.
pub struct Election {
    /// The Leases of a namespace.
    pub api: Api<Lease>,
    /// The Lease's name.
    pub name: String,
    /// Who we are: no two processes are the same.
    pub me: String,
    /// How long it holds.
    pub terms: Terms,
    /// Who wants to know.
    pub lead: watch::Sender<Lead>,
}

/// What is known of the Lease.
#[derive(Default)]
struct Known {
    lease: Option<Lease>,
    view: Option<View>,
    failing: Option<Trouble>,
    /// Whether the last round looked again at once.
    hurried: bool,
}

impl Election {
    /// Stands for election until `stop`, and gives the Lease back then.
    pub async fn run(self, stop: CancellationToken) {
        let mut known = Known::default();
        loop {
            let wait = self.round(&mut known).await;
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.lead.send_replace(None);
        self.give_back(known).await;
    }

    /// Looks, decides, acts; tells when to come again.
    async fn round(&self, known: &mut Known) -> Duration {
        let now = Instant::now();
        let outcome = match timeout(self.patience(now), self.act(known, now)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::new(Trouble::Silent, "the API server does not answer")),
        };
        match outcome {
            Ok(wait) => {
                if known.failing.take().is_some() {
                    tracing::info!(lease = self.name, "the Lease can be had again");
                }
                wait
            }
            Err(failure) => {
                if known.failing.replace(failure.trouble) != Some(failure.trouble) {
                    tracing::warn!(lease = self.name, "cannot have the Lease: {failure}; it is tried again");
                }
                if !leads(*self.lead.borrow(), Instant::now()) {
                    self.lose("it could not be renewed in time");
                }
                LOOK
            }
        }
    }

    /// As long as a request may take: not beyond the time at which we stop writing.
    fn patience(&self, now: Instant) -> Duration {
        let left = self.lead.borrow().map(|until| until.saturating_duration_since(now));
        left.unwrap_or(Duration::MAX).clamp(LOOK, self.terms.renewal())
    }

    async fn act(&self, known: &mut Known, now: Instant) -> Result<Duration, Failure> {
        // Who holds it knows it; everybody else looks.
        if known.view.as_ref().is_none_or(|view| view.holder != self.me) {
            self.look(known, now).await?;
        }
        let act = decide(known.view.as_ref(), &self.me, now);
        let written = match act {
            Act::Wait(wait) => {
                known.hurried = false;
                self.lose("another controller holds it");
                return Ok(wait);
            }
            Act::Create => self.api.create(&PostParams::default(), &self.lease(known, act)).await,
            Act::Take | Act::Renew => {
                self.api.replace(&self.name, &PostParams::default(), &self.lease(known, act)).await
            }
        };
        match written {
            Ok(lease) => {
                known.see(Some(lease), now);
                known.hurried = false;
                if act != Act::Renew {
                    tracing::info!(lease = self.name, me = self.me, "this controller leads");
                }
                self.lead.send_replace(Some(now + self.terms.deadline()));
                Ok(self.terms.renewal())
            }
            // What is to be created cannot be missing.
            Err(kube::Error::Api(status)) if status.code == 404 && act == Act::Create => {
                Err(Failure::new(Trouble::NotServed, self.nowhere()))
            }
            // Somebody was faster, or it is gone: look again at once, but once.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
                known.view = None;
                known.hurried = !known.hurried;
                Ok(if known.hurried { Duration::ZERO } else { LOOK })
            }
            Err(error) => Err(Failure::of(&error)),
        }
    }

    fn nowhere(&self) -> String {
        let namespace = self.api.namespace().unwrap_or_default();
        format!(
            "there is no namespace `{namespace}`, which this controller belongs to; create it, or name another in \
             the context of the kubeconfig"
        )
    }

    async fn look(&self, known: &mut Known, now: Instant) -> Result<(), Failure> {
        let found = match self.api.get(&self.name).await {
            Ok(lease) => Some(lease),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => return Err(Failure::of(&error)),
        };
        known.see(found, now);
        Ok(())
    }

    /// The Lease as we want it to be; with the version that was seen, so that of two who take it one does.
    fn lease(&self, known: &Known, act: Act) -> Lease {
        let before = known.lease.clone().unwrap_or_default();
        let spec = before.spec.unwrap_or_default();
        let now = MicroTime(Timestamp::now());
        let ours = act == Act::Renew;
        let transitions = spec.lease_transitions.unwrap_or(0);
        Lease {
            metadata: ObjectMeta { name: Some(self.name.clone()), ..before.metadata },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.me.clone()),
                lease_duration_seconds: i32::try_from(self.terms.duration.as_secs()).ok(),
                acquire_time: if ours { spec.acquire_time } else { Some(now.clone()) },
                renew_time: Some(now),
                lease_transitions: Some(match act {
                    Act::Take => transitions.saturating_add(1),
                    Act::Create | Act::Renew | Act::Wait(_) => transitions,
                }),
                ..LeaseSpec::default()
            }),
        }
    }

    fn lose(&self, why: &str) {
        if self.lead.send_replace(None).is_some() {
            tracing::warn!(lease = self.name, "this controller no longer leads: {why}");
        }
    }

    /// So that the next one need not wait until it has run out.
    async fn give_back(&self, known: Known) {
        let Some(mut lease) = known.lease else { return };
        let Some(spec) = &mut lease.spec else { return };
        if spec.holder_identity.as_ref() != Some(&self.me) {
            return;
        }
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        spec.renew_time = Some(MicroTime(Timestamp::now()));
        let parameters = PostParams::default();
        let given = self.api.replace(&self.name, &parameters, &lease);
        match timeout(self.terms.renewal(), given).await {
            Ok(Ok(_)) => tracing::info!(lease = self.name, "the Lease is given back"),
            Ok(Err(error)) => {
                tracing::warn!(lease = self.name, "the Lease runs out by itself: {}", Failure::of(&error));
            }
            Err(_) => tracing::warn!(lease = self.name, "the Lease runs out by itself: no answer"),
        }
    }
}

impl Known {
    /// Takes in what the API server has. A Lease that has not changed is as old as it was.
    fn see(&mut self, lease: Option<Lease>, now: Instant) {
        let version =
            |lease: &Option<Lease>| lease.as_ref().and_then(|lease| lease.metadata.resource_version.clone());
        let same = self.view.is_some() && version(&self.lease) == version(&lease);
        if !same {
            self.view = lease.as_ref().map(|lease| {
                let spec = lease.spec.clone().unwrap_or_default();
                let seconds = spec.lease_duration_seconds.unwrap_or(1).max(1);
                View {
                    holder: spec.holder_identity.unwrap_or_default(),
                    duration: Duration::from_secs(u64::from(seconds.unsigned_abs())),
                    since: now,
                }
            });
        }
        self.lease = lease;
    }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
