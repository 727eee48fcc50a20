//! A kubelet played by hand: it binds every pod to its node, gives it an address of its own at which an echo
//! server answers with the pod's version, writes its status, and honours its deletion.
//!
//! Deployments, ReplicaSets, EndpointSlices and garbage collection stay the controller manager's work. It refuses
//! to run images or probes; what becomes of a pod stands in its spec ([`Fate`]).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::watcher;
use kube::runtime::watcher::Event;
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use synkronic::echo::{Bound, Voice};
use tokio_util::sync::CancellationToken;

use crate::fate::{self, Fate};

/// Its only node.
pub const NODE: &str = "by-hand";
/// A pod that is told to end serves this long, as one with a `preStop` pause does.
const DRAIN: Duration = Duration::from_millis(500);

/// Addresses are never dealt twice: an old connection must not reach a new pod.
static DEALT: AtomicU32 = AtomicU32::new(0);

/// Addresses of pods of versions, and whose they are; for as long as the tests run.
static VERSIONS: Mutex<BTreeMap<Ipv4Addr, String>> = Mutex::new(BTreeMap::new());

#[allow(dead_code, reason = "the example of the same file asks nobody")]
/// The version whose pod has, or had, an address; none for a pod of a base.
pub fn version_at(address: Ipv4Addr) -> Option<String> {
    VERSIONS.lock().unwrap().get(&address).cloned()
}

/// The played kubelet; it ends when dropped.
pub struct Hands {
    stop: CancellationToken,
}

impl Drop for Hands {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Hands {
    /// Plays for every pod of the cluster, until dropped.
    pub async fn start(client: Client) -> Self {
        let nodes: Api<Node> = Api::all(client.clone());
        let node = json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE}}});
        // Without its Node object a pod's address enters no EndpointSlice.
        nodes.patch(NODE, &PatchParams::apply("hands"), &Patch::Apply(&node)).await.expect("a node by hand");
        let stop = CancellationToken::new();
        tokio::spawn(play(client, stop.clone()));
        Self { stop }
    }
}

/// Between two attempts to reach an API server that is away.
const RETRY: Duration = Duration::from_millis(200);

/// Follows every pod, a task each.
async fn play(client: Client, stop: CancellationToken) {
    let pods: Api<Pod> = Api::all(client.clone());
    let mut events = watcher(pods, watcher::Config::default()).boxed();
    let mut lives = Lives { client, stop: stop.clone(), known: HashMap::new(), listed: HashSet::new() };
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return,
            event = events.next() => event,
        };
        // The API server may be stopped by the test: the watch begins anew, with a list.
        match event {
            Some(Ok(Event::Init)) => lives.listed.clear(),
            Some(Ok(Event::InitApply(pod))) => {
                lives.listed.insert(pod.uid().unwrap_or_default());
                lives.see(pod);
            }
            Some(Ok(Event::InitDone)) => lives.forget_unlisted(),
            Some(Ok(Event::Apply(pod))) => lives.see(pod),
            Some(Ok(Event::Delete(pod))) => lives.end(&pod.uid().unwrap_or_default()),
            // The library's own pauses grow to half a minute, which an outage of a minute would be followed by.
            Some(Err(_)) => tokio::time::sleep(RETRY).await,
            None => return,
        }
    }
}

/// Every pod that was seen and is not gone, by uid, and how it is told to end.
struct Lives {
    client: Client,
    stop: CancellationToken,
    known: HashMap<String, CancellationToken>,
    listed: HashSet<String>,
}

impl Lives {
    fn see(&mut self, pod: Pod) {
        let ending = pod.metadata.deletion_timestamp.is_some();
        let told = self.known.entry(pod.uid().unwrap_or_default()).or_insert_with(|| {
            let told = CancellationToken::new();
            let pods = Api::namespaced(self.client.clone(), &pod.namespace().unwrap_or_default());
            let life = Life { pods, pod };
            let (stop, told_to) = (self.stop.clone(), told.clone());
            tokio::spawn(async move { stop.run_until_cancelled(life.live(told_to)).await });
            told
        });
        if ending {
            told.cancel();
        }
    }

    fn end(&mut self, uid: &str) {
        if let Some(told) = self.known.remove(uid) {
            told.cancel();
        }
    }

    fn forget_unlisted(&mut self) {
        let gone: Vec<String> =
            self.known.keys().filter(|uid| !self.listed.contains(*uid)).cloned().collect();
        gone.iter().for_each(|uid| self.end(uid));
    }
}

/// One pod, from its binding to its end.
struct Life {
    pods: Api<Pod>,
    pod: Pod,
}

impl Life {
    async fn live(self, told: CancellationToken) {
        let echoes = CancellationToken::new();
        let _stops = echoes.clone().drop_guard();
        let begun = tokio::select! {
            () = told.cancelled() => Vec::new(),
            begun = self.begin(&echoes) => begun,
        };
        told.cancelled().await;
        if !begun.is_empty() {
            tokio::time::sleep(DRAIN).await;
        }
        echoes.cancel();
        for echo in begun {
            let _ = echo.await;
        }
        self.bury().await;
    }

    async fn begin(&self, stop: &CancellationToken) -> Vec<tokio::task::JoinHandle<()>> {
        let fate = Fate::of(&self.pod);
        if fate == Fate::Unschedulable {
            self.write(fate::unschedulable(&now())).await;
            return Vec::new();
        }
        self.bind().await;
        match fate {
            Fate::Ready(after) => {
                let address = deal(&self.pod);
                let echoes = self.serve(address, stop).await;
                if after > Duration::ZERO {
                    self.write(fate::running(&self.pod, address, false, &now())).await;
                    tokio::time::sleep(after).await;
                }
                self.write(fate::running(&self.pod, address, true, &now())).await;
                return echoes;
            }
            Fate::NeverReady => self.write(fate::running(&self.pod, deal(&self.pod), false, &now())).await,
            Fate::Crash => {
                let address = deal(&self.pod);
                for restarts in 1..=fate::RESTARTS {
                    self.write(fate::crashed(&self.pod, address, restarts, &now())).await;
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
            }
            Fate::Absent => self.write(fate::absent(&self.pod, &now())).await,
            Fate::Unschedulable => {}
        }
        Vec::new()
    }

    async fn serve(&self, address: Ipv4Addr, stop: &CancellationToken) -> Vec<tokio::task::JoinHandle<()>> {
        let mut echoes = Vec::new();
        for port in fate::ports(&self.pod) {
            let voice = Voice {
                version: fate::version(&self.pod),
                greeting: fate::image(&self.pod),
                ..Voice::default()
            };
            let bound = Bound::bind(SocketAddr::from((address, port)), voice).await;
            let bound = bound.expect("the plane's namespace makes every pod's address local");
            echoes.push(tokio::spawn(bound.serve(stop.clone(), Duration::from_secs(5))));
        }
        echoes
    }

    async fn bind(&self) {
        let name = self.pod.name_any();
        let body = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
            "target": {"kind": "Node", "name": NODE}});
        if self.pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some()) {
            return;
        }
        loop {
            let params = PostParams::default();
            let bound = self.pods.create_subresource::<_, Value>("binding", &name, &params, &body).await;
            if settled(bound.map(drop)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn write(&self, status: Value) {
        // The uid is a condition: a pod of the same name that came later is another's.
        let patch = json!({"metadata": {"uid": self.pod.uid()}, "status": status});
        let name = self.pod.name_any();
        loop {
            let written = self.pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(&patch)).await;
            if settled(written.map(drop)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn bury(&self) {
        let uid = self.pod.uid();
        let params = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions { uid, resource_version: None }),
            ..DeleteParams::default()
        };
        while !settled(self.pods.delete(&self.pod.name_any(), &params).await.map(drop)) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Whether a write is done with: taken, or refused because the pod is gone or another.
fn settled(outcome: kube::Result<()>) -> bool {
    match outcome {
        Ok(()) => true,
        Err(kube::Error::Api(status)) => matches!(status.code, 404 | 409 | 422),
        Err(_) => false,
    }
}

fn deal(pod: &Pod) -> Ipv4Addr {
    let number = DEALT.fetch_add(1, Ordering::Relaxed) % 60_000;
    let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 244, 1, 0)) + 1 + number);
    if let Some(version) = pod.labels().get("kyaninus.com/version") {
        VERSIONS.lock().unwrap().insert(address, version.clone());
    }
    address
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
