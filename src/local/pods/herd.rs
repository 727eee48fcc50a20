//! All pods of this machine: what each Deployment wants is compared with what lives, and the difference is
//! started and ended. The decisions are [`super::rollout`]'s and [`super::recipe`]'s; a pod's life is
//! [`super::life`]'s.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::DeploymentStrategy;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::family::Supervisors;
use super::life::{Exit, Line, Phase, Pod};
use super::objects::State;
use super::ports::{self, FreePorts};
use super::recipe::{self, Context, Machine, Ports, Recipe, Way};
use super::rollout::{self, Standing, Strategy, Wanted};
use crate::api::names;
use crate::inventory::object::DeploymentFacts;
use crate::inventory::selector::Labels;
use crate::inventory::{Inventory, Key, Kind, names as fitted_names};
use crate::local::world::World;

/// How many reports and lines may wait; who writes faster waits for the reader.
const QUEUE: usize = 1024;

mod again;
mod show;

/// One pod.
struct Record {
    deployment: Key,
    key: Key,
    uid: String,
    template: String,
    labels: Labels,
    /// None where it could not be read.
    recipe: Option<Arc<Recipe>>,
    ports: Ports,
    state: State,
    restarts: u32,
    last: Option<Exit>,
    address: Option<IpAddr>,
    ending: bool,
    created: String,
    stop: CancellationToken,
    kill: CancellationToken,
    /// The objects that show it.
    objects: BTreeSet<(Kind, Key)>,
}

/// What the herd tells its owner.
pub struct Mouth {
    /// Where every pod stands, as it changes.
    pub reports: mpsc::Receiver<(u64, Phase)>,
    /// What the pods say.
    pub lines: mpsc::Receiver<Line>,
}

/// All pods of this machine.
pub struct Herd {
    machine: Machine,
    /// The labels whose output is shown; none: all.
    shown: Option<BTreeSet<String>>,
    ports: FreePorts,
    pods: BTreeMap<u64, Record>,
    of_deployment: BTreeMap<Key, BTreeSet<u64>>,
    last_id: u64,
    /// Deployments to look at again.
    touched: BTreeSet<Key>,
    /// Deployments that were looked at and not yet shown.
    unshown: BTreeSet<Key>,
    /// Deployments whose pods live and could not be started again, with why.
    unrepeatable: BTreeMap<Key, String>,
    /// Objects of pods that are gone.
    remains: BTreeSet<(Kind, Key)>,
    lives: TaskTracker,
    supervisors: Supervisors,
    reports: mpsc::Sender<(u64, Phase)>,
    lines: mpsc::Sender<Line>,
}

impl Herd {
    /// No pods yet.
    #[must_use]
    pub fn new(machine: Machine, shown: Option<BTreeSet<String>>) -> (Self, Mouth) {
        let (reports, reports_out) = mpsc::channel(QUEUE);
        let (lines, lines_out) = mpsc::channel(QUEUE);
        let herd = Self {
            machine,
            shown,
            ports: FreePorts::new(std::process::id().wrapping_mul(2_654_435_761)),
            pods: BTreeMap::new(),
            of_deployment: BTreeMap::new(),
            last_id: 0,
            touched: BTreeSet::new(),
            unshown: BTreeSet::new(),
            unrepeatable: BTreeMap::new(),
            remains: BTreeSet::new(),
            lives: TaskTracker::new(),
            supervisors: Supervisors::none(),
            reports,
            lines,
        };
        (herd, Mouth { reports: reports_out, lines: lines_out })
    }

    /// Takes in what a pod reports.
    pub fn hear(&mut self, id: u64, phase: Phase) {
        let Some(record) = self.pods.get_mut(&id) else { return };
        self.touched.insert(record.deployment.clone());
        match &phase {
            Phase::Ready(address) => record.address = Some(*address),
            Phase::Down(exit) => {
                record.restarts = exit.restarts;
                record.last = Some(exit.clone());
                // Somebody else was faster: on this port it never comes up, so another pod takes its place.
                record.ending |= !ports::is_free(record.ports.main());
            }
            Phase::Starting => record.restarts += u32::from(record.last.is_some()),
            Phase::Unready(_) => {}
            Phase::Gone => return self.bury(id),
        }
        // Its last word while it ends is that it is down; what counts then is that it is gone.
        if !(record.ending && matches!(phase, Phase::Down(_))) {
            record.state = State::Living(phase);
        }
    }

    fn take_back(&mut self, ports: &Ports) {
        for port in &ports.0 {
            self.ports.give_back(*port);
        }
    }

    /// Nothing of a pod is left.
    fn bury(&mut self, id: u64) {
        let Some(record) = self.pods.remove(&id) else { return };
        self.take_back(&record.ports);
        self.remains.extend(record.objects);
        if let Some(ids) = self.of_deployment.get_mut(&record.deployment) {
            ids.remove(&id);
            if ids.is_empty() {
                self.of_deployment.remove(&record.deployment);
            }
        }
    }

    /// A Deployment, or what is said about it, differs.
    pub fn touch(&mut self, deployment: Key) {
        self.touched.insert(deployment);
    }

    /// The Services of a namespace differ, or what its pods' environments come from.
    pub fn touch_namespace(&mut self, namespace: &str) {
        let all = self.of_deployment.range(Key::new(namespace, "")..).map(|(key, _)| key);
        self.touched.extend(all.take_while(|key| &*key.namespace == namespace).cloned());
    }

    /// Starts and marks for ending what the inventory asks for now, of what was touched. Who is marked lives
    /// on until [`Herd::dismiss`], so that no route leads to it any more when it ends.
    pub fn reconcile(&mut self, inventory: &Inventory, world: &mut World, now: Timestamp) {
        for key in std::mem::take(&mut self.touched) {
            let ids: Vec<u64> = self.of_deployment.get(&key).into_iter().flatten().copied().collect();
            match inventory.deployments.get(&key) {
                Some(deployment) => self.tend(deployment, &ids, inventory, world, now),
                None => {
                    self.unrepeatable.remove(&key);
                    ids.into_iter().for_each(|id| self.mark(id));
                }
            }
            self.unshown.insert(key);
        }
    }

    fn tend(
        &mut self,
        deployment: &DeploymentFacts,
        ids: &[u64],
        inventory: &Inventory,
        world: &mut World,
        now: Timestamp,
    ) {
        let context = context(inventory, deployment);
        let template = template_hash(deployment, context);
        let recipe = recipe::recipe(deployment, context, &self.machine);
        let replicas = replicas(deployment, recipe.as_ref().ok());
        let mut spec = deployment.spec();
        let strategy = spec.get_mut("strategy").map(Value::take).unwrap_or_default();
        let strategy: Option<DeploymentStrategy> = serde_json::from_value(strategy).unwrap_or_default();
        let strategy = Strategy::of(strategy.as_ref(), replicas);
        let pods: Vec<Standing<'_>> = ids.iter().filter_map(|id| self.standing(*id)).collect();
        let steps = rollout::decide(&Wanted { replicas, template: &template, strategy }, &pods);
        let blocked: Vec<u64> = ids.iter().copied().filter(|id| self.is_blocked(*id)).collect();
        for id in steps.end {
            self.mark(id);
        }
        let recipe = recipe.map(Arc::new);
        self.judge_again(deployment, &template, &recipe, inventory);
        for id in blocked {
            self.try_again(id, deployment, &recipe, inventory);
        }
        for _ in 0..steps.start {
            let uid = world.fresh_uid();
            self.start(deployment, &template, &recipe, uid, inventory, now);
        }
    }

    fn standing(&self, id: u64) -> Option<Standing<'_>> {
        self.pods.get(&id).map(|record| Standing {
            id,
            template: &record.template,
            ready: record.state.address().is_some(),
            ending: record.ending,
        })
    }

    fn is_blocked(&self, id: u64) -> bool {
        self.pods.get(&id).is_some_and(|record| matches!(record.state, State::Blocked(_)) && !record.ending)
    }

    fn mark(&mut self, id: u64) {
        let Some(record) = self.pods.get_mut(&id) else { return };
        record.ending = true;
        // Nothing of it lives: nothing will report that it is gone.
        if matches!(record.state, State::Blocked(_)) {
            self.bury(id);
        }
    }

    fn start(
        &mut self,
        deployment: &DeploymentFacts,
        template: &str,
        recipe: &Result<Arc<Recipe>, String>,
        uid: String,
        inventory: &Inventory,
        now: Timestamp,
    ) {
        self.last_id += 1;
        let id = self.last_id;
        let name = fitted_names::fitted(&format!("{}-{template}-{id}", deployment.meta.key.name));
        let mut labels = deployment.pod_labels.clone();
        labels.insert("pod-template-hash".to_owned(), template.to_owned());
        let record = Record {
            deployment: deployment.meta.key.clone(),
            key: deployment.meta.key.sibling(name),
            uid,
            template: template.to_owned(),
            labels,
            recipe: None,
            ports: Ports(Vec::new()),
            state: State::Blocked(String::new()),
            restarts: 0,
            last: None,
            address: None,
            ending: false,
            created: now.to_string(),
            stop: CancellationToken::new(),
            kill: CancellationToken::new(),
            objects: BTreeSet::new(),
        };
        self.of_deployment.entry(record.deployment.clone()).or_default().insert(id);
        self.pods.insert(id, record);
        self.try_again(id, deployment, recipe, inventory);
    }

    /// Gives a pod that could not be started another chance.
    fn try_again(
        &mut self,
        id: u64,
        deployment: &DeploymentFacts,
        recipe: &Result<Arc<Recipe>, String>,
        inventory: &Inventory,
    ) {
        let pod = match recipe {
            Ok(recipe) => self.prepare(id, deployment, recipe, inventory),
            Err(message) => Err(message.clone()),
        };
        let Some(record) = self.pods.get_mut(&id) else { return };
        match pod {
            Ok(pod) => {
                record.state = State::Living(Phase::Starting);
                self.lives.spawn(pod.live());
            }
            Err(message) => record.state = State::Blocked(message),
        }
    }

    fn prepare(
        &mut self,
        id: u64,
        deployment: &DeploymentFacts,
        recipe: &Arc<Recipe>,
        inventory: &Inventory,
    ) -> Result<Pod, String> {
        let ports = match recipe.way {
            Way::Endpoint { port, .. } => Ports(vec![port; Ports::needed(&recipe.container)]),
            Way::Program { .. } | Way::Shell(_) => self.free_ports(Ports::needed(&recipe.container))?,
        };
        let Some(record) = self.pods.get_mut(&id) else { return Err("it is gone".to_owned()) };
        let environment = match record.environment(recipe, &ports, inventory) {
            Ok(environment) => environment,
            Err(error) => {
                self.take_back(&ports);
                return Err(error);
            }
        };
        record.recipe = Some(recipe.clone());
        record.ports = ports.clone();
        Ok(Pod {
            id,
            label: shown_label(self.shown.as_ref(), deployment, has_several_bases(inventory)),
            recipe: recipe.clone(),
            launch: recipe.launch(environment),
            ports,
            synkronic: self.machine.synkronic.clone(),
            supervisors: self.supervisors.clone(),
            stop: record.stop.clone(),
            kill: record.kill.clone(),
            reports: self.reports.clone(),
            lines: self.lines.clone(),
        })
    }

    fn free_ports(&mut self, count: usize) -> Result<Ports, String> {
        let mut ports = Ports(Vec::with_capacity(count));
        while ports.0.len() < count {
            match self.ports.take() {
                Some(port) => ports.0.push(port),
                None => {
                    self.take_back(&ports);
                    return Err("no free port is left on this machine".to_owned());
                }
            }
        }
        Ok(ports)
    }

    /// What `PORT` is for a pod.
    #[cfg(test)]
    pub(in crate::local) fn main_port(&self, id: u64) -> Option<u16> {
        self.pods.get(&id).map(|record| record.ports.main())
    }

    /// Ends those that were marked.
    pub fn dismiss(&mut self) {
        for record in self.pods.values().filter(|record| record.ending) {
            record.stop.cancel();
        }
    }

    /// Ends all, and waits until nothing of them is left; those that take too long once `impatient` is
    /// cancelled end at once. What they say is for somebody else to read meanwhile.
    pub async fn end(mut self, reports: &mut mpsc::Receiver<(u64, Phase)>, impatient: CancellationToken) {
        for record in self.pods.values() {
            record.stop.cancel();
        }
        self.lives.close();
        let kills: Vec<CancellationToken> = self.pods.values().map(|record| record.kill.clone()).collect();
        self.pods.clear();
        let ended = self.lives.wait();
        let mut ended = std::pin::pin!(ended);
        loop {
            tokio::select! {
                () = ended.as_mut() => return,
                // So that no pod waits for a full queue.
                Some(_) = reports.recv() => {}
                () = impatient.cancelled(), if !kills.iter().all(CancellationToken::is_cancelled) => {
                    kills.iter().for_each(CancellationToken::cancel);
                }
            }
        }
    }
}

/// What is said about a Deployment by its DeploymentVersion, where it is a clone.
fn context<'i>(inventory: &'i Inventory, deployment: &'i DeploymentFacts) -> Context<'i> {
    let own = &deployment.meta;
    let dpv = own.version().and_then(|dpv| inventory.dpvs.get(&dpv));
    Context {
        dpv: dpv.map(|dpv| &dpv.meta.annotations),
        base: own.labels.get(names::LABEL_BASE).unwrap_or(&own.key.name),
    }
}

/// The template, hashed with what else decides how its pods run here.
fn template_hash(deployment: &DeploymentFacts, context: Context<'_>) -> String {
    let spec = deployment.spec();
    let template = spec.get("template").unwrap_or(&Value::Null);
    let local =
        [names::ANNOTATION_LOCAL_COMMAND, names::ANNOTATION_LOCAL_DIR, names::ANNOTATION_LOCAL_ENDPOINT];
    let said = |labels: &Labels| local.map(|name| labels.get(name).unwrap_or_default()).join("\n");
    let own = said(&deployment.meta.annotations);
    fitted_names::hash8(&format!("{template}\n{own}\n{}", context.dpv.map(said).unwrap_or_default()))
}

/// How many pods are wanted; of one that runs already there is one.
fn replicas(deployment: &DeploymentFacts, recipe: Option<&Recipe>) -> usize {
    let written = usize::try_from(deployment.state.wanted).unwrap_or_default();
    match recipe.map(|recipe| &recipe.way) {
        Some(Way::Endpoint { .. }) => written.min(1),
        Some(Way::Program { .. } | Way::Shell(_)) | None => written,
    }
}

/// Whether there are versions of several bases.
fn has_several_bases(inventory: &Inventory) -> bool {
    inventory.bases().filter(|(_, versions)| versions.values().any(|it| it.dpv.is_some())).nth(1).is_some()
}

/// What a Deployment's output is called, where it is shown: its version, or for a base and others its name; where
/// several bases may have that version, the version's name too, which begins with its base's.
fn shown_label(
    shown: Option<&BTreeSet<String>>,
    deployment: &DeploymentFacts,
    has_several_bases: bool,
) -> Option<Arc<str>> {
    let name = &*deployment.meta.key.name;
    let version = deployment.meta.labels.get(names::LABEL_VERSION);
    let version = version.filter(|_| deployment.is_clone());
    let wanted = shown.is_none_or(|shown| {
        let base = if version.is_none() && shown.contains("base") { Some("base") } else { None };
        [Some(name), version, base].into_iter().flatten().any(|name| shown.contains(name))
    });
    wanted.then(|| version.filter(|_| !has_several_bases).unwrap_or(name).into())
}
