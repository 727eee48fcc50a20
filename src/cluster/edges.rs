//! What the edges serve: each says so in a Lease of its own, and a Router is programmed once all of them
//! serve it. Reading and judging here is pure; [`Reporter`] writes the one Lease of this process's edge.
//!
//! An edge reports one number: the highest `resourceVersion` of a Router that its table holds. Versions of
//! one kind are integers that only grow (Kubernetes says so since 1.35, and it was so before), so whoever
//! has seen that version has seen all below it, and one number stands for ten thousand Routers. One that watches
//! some namespaces reports one for each of them ([`Reached`]). A change is reported at once, but never twice within a second, and an edge that has nothing new to say renews its
//! Lease every ten seconds, as a node does. One that does not for four times as long is not waited for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::reached::Reached;
use super::trouble::{Failure, Pause, Trouble};
use crate::api::names;
use crate::inventory::Key;
use crate::inventory::report::Programmed;

/// How the Leases of edges begin; `manifests/kinds/confinement.yaml` keeps each edge to the one that has its
/// pod's name.
const PREFIX: &str = "synkronic-edge-";
/// An edge renews its Lease so often when it has nothing new to say.
const RENEWAL: Duration = Duration::from_secs(10);
/// An edge that did not for so long is not waited for.
const DURATION: Duration = Duration::from_secs(40);
/// Between two reports.
const BETWEEN: Duration = Duration::from_secs(1);
/// A report is written within this, or again.
const PATIENCE: Duration = Duration::from_secs(5);

/// What an edge reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The highest version of a Router that its table holds.
    pub routers: Reached,
    /// It stays in force for so long without being renewed; zero where the edge has left.
    pub duration: Duration,
}

impl Report {
    /// Reads an edge's Lease.
    #[must_use]
    pub fn read(lease: &Value) -> Self {
        let annotation = |name: &str| lease.get("metadata")?.get("annotations")?.get(name)?.as_str();
        let routers = Reached::read(annotation(names::ANNOTATION_ROUTERS).unwrap_or_default());
        let text = |pointer| lease.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let seconds = lease.pointer("/spec/leaseDurationSeconds").and_then(Value::as_u64).unwrap_or(0);
        let left = text("/spec/holderIdentity").is_empty();
        Self { routers, duration: if left { Duration::ZERO } else { Duration::from_secs(seconds) } }
    }
}

/// The edges, and which version of each Router is waited for.
#[derive(Debug, Default)]
pub struct Edges {
    reports: BTreeMap<Key, (Report, Instant)>,
    wanted: BTreeMap<Key, Wanted>,
}

/// The version of a Router since which its specification is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    generation: Option<i64>,
    version: u64,
}

impl Edges {
    /// An edge's Lease as it is now. One that repeats itself is renewed all the same.
    pub fn hear(&mut self, edge: Key, report: Report, now: Instant) {
        self.reports.insert(edge, (report, now));
    }

    /// An edge's Lease is gone.
    pub fn forget(&mut self, edge: &Key) {
        self.reports.remove(edge);
    }

    /// The names of all edges heard of.
    pub fn names(&self) -> impl Iterator<Item = &Key> {
        self.reports.keys()
    }

    /// A Router as it is now; `programmed` where its status says that every edge serves this generation.
    /// Tells whether its specification is new.
    pub fn router(&mut self, router: &Key, generation: Option<i64>, version: u64, programmed: bool) -> bool {
        let known = self.wanted.get(router);
        if known.is_some_and(|known| known.generation == generation) {
            return false;
        }
        // What is written is believed at the start: the version has grown since by statuses alone.
        let version = if known.is_none() && programmed { 0 } else { version };
        self.wanted.insert(router.clone(), Wanted { generation, version });
        true
    }

    /// A Router is gone.
    pub fn forget_router(&mut self, router: &Key) {
        self.wanted.remove(router);
    }

    /// How the Routers stand at `now`, and when an edge's Lease runs out next. An edge that does not watch a
    /// Router's namespace is not waited for.
    #[must_use]
    pub fn programmed(&self, now: Instant) -> (Programmed, Option<Instant>) {
        let live = || {
            let reports =
                self.reports.values().map(|(report, heard)| (&report.routers, *heard + report.duration));
            reports.filter(|(_, until)| *until > now)
        };
        let served = |namespace: &str| live().filter_map(|(reached, _)| reached.of(namespace)).min();
        let is_behind =
            |(router, wanted): &(&Key, &Wanted)| wanted.version > served(&router.namespace).unwrap_or(0);
        let behind = self.wanted.iter().filter(is_behind).map(|(router, _)| router.clone()).collect();
        let again = live().map(|(_, until)| until).min();
        (Programmed { running: again.is_some(), behind }, again)
    }
}

/// What this process's edge serves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Served {
    /// The highest version of a Router that its table holds; none before the first table.
    pub routers: Option<Reached>,
    /// How often somebody may have waited for that: it grows with each specification that is new.
    pub specifications: u64,
}

/// Writes this edge's Lease.
pub struct Reporter {
    /// The Leases of a namespace.
    pub api: Api<k8s_openapi::api::coordination::v1::Lease>,
    /// This process's pod.
    pub pod: String,
    /// The pod's uid: the Lease goes with the pod. Without one, it stays.
    pub pod_uid: Option<String>,
    /// What is served.
    pub served: watch::Receiver<Served>,
}

impl Reporter {
    /// Reports until `leaving`, and then that this edge serves no longer.
    pub async fn run(mut self, leaving: CancellationToken) {
        let (mut pause, mut failing) = (Pause::default(), None);
        loop {
            let served = self.served.borrow_and_update().clone();
            let wait = match &served.routers {
                Some(routers) => {
                    let written = self.write(routers, false).await;
                    told(&mut failing, written.as_ref().err());
                    match &written {
                        Ok(()) => pause.reset(),
                        Err(failure) => {
                            let wait = pause.next(Some(failure), 512);
                            tokio::select! {
                                () = leaving.cancelled() => break,
                                () = tokio::time::sleep(wait.max(BETWEEN)) => continue,
                            }
                        }
                    }
                    RENEWAL
                }
                None => Duration::MAX,
            };
            tokio::select! {
                () = leaving.cancelled() => break,
                () = self.renewal(&served, wait) => {}
            }
        }
        if self.served.borrow().routers.is_some() {
            let written = self.write(&Reached::All(0), true).await;
            told(&mut failing, written.as_ref().err());
        }
    }

    /// Until the next report is due.
    async fn renewal(&mut self, told: &Served, longest: Duration) {
        let due = async {
            tokio::time::sleep(BETWEEN).await;
            let is_new = |now: &Served| {
                now.specifications != told.specifications || now.routers.is_some() != told.routers.is_some()
            };
            // Nobody tells any more: the end is near.
            if self.served.wait_for(is_new).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let _ = timeout(longest.min(RENEWAL * 360), due).await;
    }

    async fn write(&self, routers: &Reached, left: bool) -> Result<(), Failure> {
        let name = lease_name(&self.pod);
        let lease = self.lease(&name, routers, left);
        let parameters = PatchParams::apply(names::MANAGER).force();
        let patch = Patch::Apply(&lease);
        match timeout(PATIENCE, self.api.patch(&name, &parameters, &patch)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Failure::of(&error)),
            Err(_) => Err(Failure::new(Trouble::Silent, "the API server does not answer")),
        }
    }

    fn lease(&self, name: &str, routers: &Reached, left: bool) -> Value {
        let owners: Vec<Value> = self
            .pod_uid
            .iter()
            .map(|uid| json!({"apiVersion": "v1", "kind": "Pod", "name": self.pod, "uid": uid}))
            .collect();
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": name,
                "labels": {names::LABEL_EDGE: "true"},
                "annotations": {names::ANNOTATION_ROUTERS: routers.to_string()},
                "ownerReferences": owners,
            },
            "spec": {
                "holderIdentity": if left { "" } else { &self.pod },
                "leaseDurationSeconds": DURATION.as_secs(),
                "renewTime": micro_time(Timestamp::now()),
            },
        })
    }
}

/// The name of an edge's Lease: its pod's, with [`PREFIX`] before it where it does not begin so.
fn lease_name(pod: &str) -> String {
    if pod.starts_with(PREFIX) { pod.to_owned() } else { format!("{PREFIX}{pod}") }
}

/// As `metav1.MicroTime` is written: six digits behind the second, always.
fn micro_time(time: Timestamp) -> String {
    format!("{time:.6}")
}

/// A line in the log where what is wrong has changed.
fn told(failing: &mut Option<Trouble>, failure: Option<&Failure>) {
    let before = std::mem::replace(failing, failure.map(|failure| failure.trouble));
    match failure {
        Some(failure) if before != Some(failure.trouble) => {
            tracing::warn!("cannot report what this edge serves: {failure}; it is tried again");
        }
        None if before.is_some() => tracing::info!("what this edge serves is reported again"),
        Some(_) | None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(routers: u64) -> Report {
        Report { routers: Reached::All(routers), duration: DURATION }
    }

    fn behind(edges: &Edges, now: Instant) -> Vec<String> {
        edges.programmed(now).0.behind.into_iter().map(|key| key.name.to_string()).collect()
    }

    #[test]
    fn a_router_is_programmed_once_every_edge_has_its_specification() {
        let (mut edges, now) = (Edges::default(), Instant::now());
        let (a, b, shop) = (Key::new("s", "a"), Key::new("s", "b"), Key::new("n", "shop"));
        edges.router(&shop, Some(1), 10, false);
        assert!(!edges.programmed(now).0.running);
        edges.hear(a.clone(), report(9), now);
        edges.hear(b.clone(), report(12), now);
        assert_eq!(behind(&edges, now), ["shop"]);
        edges.hear(a.clone(), report(10), now);
        assert!(behind(&edges, now).is_empty());
        // A status moves the version, and nobody waits for that; a specification does.
        edges.router(&shop, Some(1), 20, false);
        assert!(behind(&edges, now).is_empty());
        edges.router(&shop, Some(2), 21, false);
        assert_eq!(behind(&edges, now), ["shop"]);
        edges.hear(b, report(21), now);
        edges.forget(&a);
        assert!(behind(&edges, now).is_empty());
        edges.router(&shop, Some(3), 22, false);
        edges.forget_router(&shop);
        assert!(behind(&edges, now).is_empty());
    }

    #[test]
    fn who_has_left_or_does_not_renew_is_not_waited_for() {
        let (mut edges, now) = (Edges::default(), Instant::now());
        let (a, b, shop) = (Key::new("s", "a"), Key::new("s", "b"), Key::new("n", "shop"));
        edges.router(&shop, Some(1), 10, false);
        edges.hear(a, report(5), now);
        edges.hear(b.clone(), report(10), now + Duration::from_secs(1));
        let (programmed, again) = edges.programmed(now + Duration::from_secs(1));
        assert_eq!((programmed.running, programmed.behind.len()), (true, 1));
        assert_eq!(again, Some(now + DURATION));
        assert!(behind(&edges, now + DURATION).is_empty());
        edges.hear(b, Report { duration: Duration::ZERO, ..report(0) }, now + DURATION);
        let (programmed, again) = edges.programmed(now + DURATION);
        assert_eq!((programmed.running, again), (false, None));
        assert_eq!(programmed.behind.len(), 1);
    }

    #[test]
    fn what_came_of_one_namespace_says_nothing_of_another() {
        let (mut edges, now) = (Edges::default(), Instant::now());
        let each = |a, b| Report { routers: Reached::read(&format!("a={a} b={b}")), duration: DURATION };
        edges.router(&Key::new("a", "shop"), Some(1), 10, false);
        // It has heard of a later Router of another namespace, and not yet of this one.
        edges.hear(Key::new("s", "e"), each(9, 12), now);
        assert_eq!(behind(&edges, now), ["shop"]);
        edges.hear(Key::new("s", "e"), each(10, 12), now);
        assert!(behind(&edges, now).is_empty());
        // One that watches another namespace alone is not waited for, nor is it enough.
        edges.hear(Key::new("s", "f"), Report { routers: Reached::read("b=12"), duration: DURATION }, now);
        assert!(behind(&edges, now).is_empty());
        edges.forget(&Key::new("s", "e"));
        assert_eq!(behind(&edges, now), ["shop"]);
    }

    #[test]
    fn what_is_written_is_believed_at_the_start() {
        let (mut edges, now, shop) = (Edges::default(), Instant::now(), Key::new("n", "shop"));
        edges.hear(Key::new("s", "a"), report(5), now);
        edges.router(&shop, Some(4), 90, true);
        assert!(behind(&edges, now).is_empty());
        edges.router(&shop, Some(5), 91, true);
        assert_eq!(behind(&edges, now), ["shop"]);
    }

    #[test]
    fn an_edges_lease_has_its_pods_name_and_says_once_what_it_is() {
        assert_eq!(lease_name("synkronic-edge-7d9f-x2x"), "synkronic-edge-7d9f-x2x");
        assert_eq!(lease_name("laptop"), "synkronic-edge-laptop");
        // It is never another's that does not begin so, as the controllers' is.
        assert_eq!(lease_name("synkronic-controller"), "synkronic-edge-synkronic-controller");
    }

    #[test]
    fn an_edges_lease_is_read_as_it_is_written() {
        let (_, served) = watch::channel(Served::default());
        let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            Err::<http::Response<kube::client::Body>, _>(std::io::Error::other("nobody"))
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _guard = runtime.enter();
        let api = Api::namespaced(kube::Client::new(service, "s"), "s");
        let reporter = Reporter { api, pod: "p".into(), pod_uid: Some("u".into()), served };
        let lease = reporter.lease("synkronic-edge-p", &Reached::All(42), false);
        assert_eq!(Report::read(&lease), report(42));
        assert_eq!(lease["metadata"]["ownerReferences"][0]["uid"], "u");
        assert!(
            Report::read(&reporter.lease("synkronic-edge-p", &Reached::All(42), true)).duration.is_zero()
        );
        assert_eq!(Report::read(&json!({})), Report { duration: Duration::ZERO, ..report(0) });
        // It is a Lease: an API server would refuse another form of a time.
        serde_json::from_value::<k8s_openapi::api::coordination::v1::Lease>(lease).unwrap();
        assert_eq!(micro_time(Timestamp::UNIX_EPOCH), "1970-01-01T00:00:00.000000Z");
    }
}
