//! What following a change costs where there are many versions: the inventory's update, the plan, the statuses;
//! and what a controller's inventory and plan weigh.
//!
//! `cargo run --release --example following [VERSIONS]` (10,000 of one base unless said). Times are medians of a
//! few dozen changes, in milliseconds; memory is what the process holds (`/proc/self/statm`), in MiB.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a measurement, not a service"
)]

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use synkronic::inventory::report::{Reports, RouteReport};
use synkronic::inventory::{Changes, Edit, Inventory, Key, Object, Settings, names};
use synkronic::plan::Planner;
use synkronic::standing::{self, Affected};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TURNS: usize = 31;

fn main() {
    let versions = std::env::args().nth(1).map_or(10_000, |text| text.parse().unwrap());
    let mut world = World::new();
    println!("{versions} versions of one base; MiB at first: {:.1}", resident());
    world.take(shop());
    let (took, _) = timed(|| world.take((0..versions).map(|n| dpv(n, 0)).collect()));
    println!("{:>10.2} ms  DeploymentVersions come      {:>6.1} MiB", ms(took), resident());
    let (took, ()) = timed(|| world.settle());
    println!("{:>10.2} ms  the first plan and statuses  {:>6.1} MiB", ms(took), resident());
    let clones: Vec<Value> = world
        .planner
        .planned()
        .values()
        .flat_map(|planned| planned.objects.iter().map(|desired| live(desired.object.value())))
        .collect();
    let (took, ()) = timed(|| {
        world.take(clones);
        world.settle();
    });
    println!("{:>10.2} ms  the clones are there         {:>6.1} MiB", ms(took), resident());
    let (took, ()) = timed(|| {
        for n in 0..versions {
            world.take(vec![pod(n, 0, 0), pod(n, 1, 0), slice(n, 0)]);
        }
        world.settle();
    });
    println!("{:>10.2} ms  pods and endpoints are there {:>6.1} MiB", ms(took), resident());
    world.write_statuses();
    println!("               statuses are written         {:>6.1} MiB", resident());

    println!("\n  inventory       plan   standing   changed versions + Routers, by what changed");
    let clone_of = |world: &World, n: usize| {
        let planned = &world.planner.planned()[&Key::new("shop", format!("shop-version-{n}"))];
        live(planned.objects.last().unwrap().object.value())
    };
    world.measure("one pod", |_, turn| vec![pod(turn, 0, turn + 1)]);
    world.measure("one version's endpoints", |_, turn| vec![slice(turn, turn + 1)]);
    world.measure("one clone's status", |world, turn| {
        let mut clone = clone_of(world, turn);
        clone["status"]["readyReplicas"] = json!(1);
        vec![clone]
    });
    world.measure("one DeploymentVersion's overlay", |_, turn| vec![dpv(turn, 1)]);
    world.measure("one new DeploymentVersion", |_, turn| vec![dpv(versions + turn, 0)]);
    world.measure("the Router's active", |_, turn| vec![router(turn % 7)]);
    world.measure("the base's status", |_, turn| {
        let mut base = shop().swap_remove(0);
        base["status"] = json!({"readyReplicas": turn});
        vec![base]
    });
    world.measure("a Service of somebody else", |_, turn| {
        vec![service("other", json!({"app": format!("other-{turn}")}))]
    });
    world.measure("the base's image", |_, turn| {
        let mut base = shop().swap_remove(0);
        base["spec"]["template"]["spec"]["containers"][1]["image"] = json!(format!("proxy:{turn}"));
        vec![base]
    });
}

struct World {
    inventory: Inventory,
    settings: Settings,
    planner: Planner,
    reports: Reports,
    changes: Changes,
}

impl World {
    fn new() -> Self {
        Self {
            inventory: Inventory::default(),
            settings: Settings::default(),
            planner: Planner::default(),
            reports: Reports::default(),
            changes: Changes::default(),
        }
    }

    fn take(&mut self, objects: Vec<Value>) {
        let edits: Vec<Edit> = objects
            .into_iter()
            .map(|value| Edit::Apply(Box::new(Object::read(value).unwrap().unwrap())))
            .collect();
        self.changes.extend(self.inventory.update(edits));
    }

    fn plan(&mut self) -> Affected {
        let changes = std::mem::take(&mut self.changes);
        let differing = self.planner.update(&self.inventory, &self.settings, &changes);
        for key in &differing {
            match self.planner.planned().get(key) {
                Some(planned) => self.reports.clones.insert(key.clone(), planned.report.clone()),
                None => self.reports.clones.remove(key),
            };
        }
        let mut affected = standing::affected(&self.inventory, &changes);
        affected.dpvs.extend(differing);
        affected
    }

    fn settle(&mut self) {
        for router in self.inventory.routers.iter() {
            let served = RouteReport { served: true, findings: Vec::new() };
            self.reports.routers.insert(router.meta.key.clone(), served);
        }
        let affected = self.plan();
        let _ = self.decide(&affected);
    }

    fn decide(&self, affected: &Affected) -> standing::Statuses {
        standing::decide_for(&self.inventory, affected, &self.reports, &self.settings, now())
            .differing(&self.inventory)
    }

    fn write_statuses(&mut self) {
        let affected = Affected::all(&self.inventory);
        let statuses = self.decide(&affected);
        let mut objects = Vec::new();
        for (key, status) in statuses.dpvs {
            let mut object = dpv_named(&key.name, 0);
            object["status"] = serde_json::to_value(status).unwrap();
            objects.push(object);
        }
        for (_, status) in statuses.routers {
            let mut object = router(0);
            object["status"] = serde_json::to_value(status).unwrap();
            objects.push(object);
        }
        self.take(objects);
        let _ = self.plan();
    }

    fn measure(&mut self, what: &str, mut change: impl FnMut(&Self, usize) -> Vec<Value>) {
        let mut times = [const { Vec::new() }; 3];
        let mut seen = (0, 0);
        for turn in 0..TURNS {
            let edits: Vec<Edit> = change(self, turn)
                .into_iter()
                .map(|value| Edit::Apply(Box::new(Object::read(value).unwrap().unwrap())))
                .collect();
            let (updating, changes) = timed(|| self.inventory.update(edits));
            self.changes.extend(changes);
            let (planning, affected) = timed(|| self.plan());
            let (deciding, statuses) = timed(|| self.decide(&affected));
            drop(statuses);
            seen = (affected.dpvs.len(), affected.routers.len());
            for (list, time) in times.iter_mut().zip([updating, planning, deciding]) {
                list.push(time);
            }
        }
        let [updating, planning, deciding] = times.map(|mut list| {
            list.sort_unstable();
            ms(list[TURNS / 2])
        });
        println!("{updating:>11.3}{planning:>11.3}{deciding:>11.3}   {:>6} + {}  {what}", seen.0, seen.1);
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let begun = Instant::now();
    let done = work();
    (begun.elapsed(), done)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096.0 / 1_048_576.0
}

fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn object(api_version: &str, kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "spec": spec, "metadata": {
        "name": name, "namespace": "shop", "uid": format!("00000000-0000-4000-8000-{kind:>012}"),
        "resourceVersion": "123456", "generation": 3, "creationTimestamp": "2026-05-01T12:00:00Z"}})
}

/// The base, its Service, its Router.
fn shop() -> Vec<Value> {
    let labels =
        json!({"app.kubernetes.io/name": "shop", "app.kubernetes.io/instance": "prod", "tier": "web"});
    let probe = |path: &str| {
        json!({"httpGet": {"path": path, "port": "http", "scheme": "HTTP"}, "periodSeconds": 10,
            "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3})
    };
    let container = |name: &str| {
        json!({"name": name, "image": format!("registry.example.com/team/{name}:1.2.3"),
            "imagePullPolicy": "IfNotPresent", "args": ["serve", "--verbose"],
            "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
            "env": [{"name": "DATABASE_URL", "value": "postgres://db/shop_$(SYNKRONIC_VERSION)"},
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "token"}}}],
            "resources": {"limits": {"cpu": "1", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
            "livenessProbe": probe("/live"), "readinessProbe": probe("/ready"),
            "volumeMounts": [{"name": "config", "mountPath": "/etc/shop"}],
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            "securityContext": {"runAsNonRoot": true, "allowPrivilegeEscalation": false}})
    };
    let mut base = object(
        "apps/v1",
        "Deployment",
        "shop",
        json!({"replicas": 5, "selector": {"matchLabels": labels}, "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": {"metadata": {"labels": labels, "annotations": {"prometheus.io/scrape": "true"}},
                "spec": {"containers": [container("web"), container("proxy")], "restartPolicy": "Always",
                    "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "securityContext": {},
                    "terminationGracePeriodSeconds": 30,
                    "volumes": [{"name": "config", "configMap": {"name": "shop", "defaultMode": 420}}]}}}),
    );
    base["metadata"]["labels"] = labels;
    vec![
        base,
        service("shop", json!({"app.kubernetes.io/name": "shop", "app.kubernetes.io/instance": "prod"})),
        router(0),
    ]
}

fn service(name: &str, selector: Value) -> Value {
    object(
        "v1",
        "Service",
        name,
        json!({"type": "ClusterIP", "clusterIP": "10.96.1.2", "clusterIPs": ["10.96.1.2"],
            "internalTrafficPolicy": "Cluster", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
            "sessionAffinity": "None", "selector": selector,
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]}),
    )
}

fn router(active: usize) -> Value {
    let active = format!("version-{active}");
    object(
        "kyaninus.com/v1",
        "Router",
        "shop",
        json!({"base": "shop", "hosts": ["shop.example.com"], "active": active}),
    )
}

fn dpv(number: usize, turn: usize) -> Value {
    dpv_named(&format!("shop-version-{number}"), turn)
}

fn dpv_named(name: &str, turn: usize) -> Value {
    let image = format!("registry.example.com/team/web:{name}-{turn}");
    let mut dpv = object(
        "kyaninus.com/v1",
        "DeploymentVersion",
        name,
        json!({"name": "shop", "deploymentSpec": {"replicas": 2,
            "template": {"spec": {"containers": [{"name": "web", "image": image}]}}}}),
    );
    dpv["metadata"]["uid"] = json!(format!("00000000-0000-4000-8000-{}", names::hash8(name)));
    dpv["metadata"]["annotations"] =
        json!({"kyaninus.com/owner": "team-a", "kyaninus.com/build": "0123abcd"});
    dpv
}

/// A clone as the API server holds it.
fn live(mut object: Value) -> Value {
    object["metadata"]["uid"] = json!("00000000-0000-4000-8000-0000000000aa");
    object["metadata"]["resourceVersion"] = json!("4711");
    object["metadata"]["generation"] = json!(1);
    object["metadata"]["creationTimestamp"] = json!("2026-05-01T12:00:00Z");
    if object["kind"] == "Deployment" {
        let condition = |type_: &str| {
            json!({"type": type_, "status": "True", "reason": "NewReplicaSetAvailable",
                "message": "ReplicaSet \"shop-version-1234-5d7c9f8b6c\" has successfully progressed.",
                "lastUpdateTime": "2026-05-01T12:00:00Z", "lastTransitionTime": "2026-05-01T12:00:00Z"})
        };
        object["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": "1"});
        object["status"] = json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2,
            "readyReplicas": 2, "availableReplicas": 2,
            "conditions": [condition("Available"), condition("Progressing")]});
    }
    object
}

fn pod(number: usize, index: usize, turn: usize) -> Value {
    let name = format!("shop-version-{number}");
    let container = |container: &str| {
        json!({"name": container, "image": format!("registry.example.com/team/{container}:1.2.3"),
            "imageID": "registry.example.com/team/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "containerID": "containerd://0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "ready": true, "started": true, "restartCount": turn, "lastState": {},
            "state": {"running": {"startedAt": "2026-05-01T12:00:00Z"}}})
    };
    let condition =
        |type_: &str| json!({"type": type_, "status": "True", "lastTransitionTime": "2026-05-01T12:00:00Z"});
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("{name}-5d7c9f8b6c-{index}"), "namespace": "shop",
            "uid": format!("00000000-0000-4000-8000-{number:08}{index:04}"), "resourceVersion": "4712",
            "creationTimestamp": "2026-05-01T12:00:00Z", "generateName": format!("{name}-5d7c9f8b6c-"),
            "labels": {"app.kubernetes.io/name": "shop", "app.kubernetes.io/instance": format!("prod-version-{number}"),
                "tier": "web", "kyaninus.com/base": "shop", "kyaninus.com/version": format!("version-{number}"),
                "kyaninus.com/dpv": names::dpv_label(&name), "pod-template-hash": "5d7c9f8b6c"},
            "annotations": {"prometheus.io/scrape": "true", "kyaninus.com/build": "0123abcd"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{name}-5d7c9f8b6c"),
                "uid": "00000000-0000-4000-8000-0000000000bb", "controller": true, "blockOwnerDeletion": true}]},
        "status": {"phase": "Running", "podIP": "10.244.1.2", "podIPs": [{"ip": "10.244.1.2"}],
            "hostIP": "10.0.0.1", "qosClass": "Burstable", "startTime": "2026-05-01T12:00:00Z",
            "conditions": [condition("PodReadyToStartContainers"), condition("Initialized"), condition("Ready"),
                condition("ContainersReady"), condition("PodScheduled")],
            "containerStatuses": [container("web"), container("proxy")]}})
}

fn slice(number: usize, turn: usize) -> Value {
    let service = format!("shop-version-{number}");
    let endpoint = |index: usize| {
        json!({"addresses": [format!("10.{}.{}.{}", number / 256, number % 256, 2 * (turn % 100) + index)],
            "conditions": {"ready": true, "serving": true, "terminating": false}, "nodeName": "node-1",
            "targetRef": {"kind": "Pod", "name": service, "namespace": "shop",
                "uid": format!("00000000-0000-4000-8000-{number:08}{index:04}")}})
    };
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": format!("{service}-x7x7x"), "namespace": "shop", "resourceVersion": "4713",
            "labels": {"kubernetes.io/service-name": service, "kyaninus.com/base": "shop",
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}},
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": [endpoint(0), endpoint(1)]})
}
