//! What a controller knows of a namespace with many versions of one base, as the API server tells it: for the
//! programs that measure what following changes costs, and what it weighs.
#![allow(dead_code, reason = "each program takes what it needs")]

use jiff::Timestamp;
use serde_json::{Value, json};
use synkronic::inventory::report::{Reports, RouteReport};
use synkronic::inventory::{Changes, Edit, Inventory, Object, Settings, names};
use synkronic::plan::Planner;
use synkronic::standing::{self, Affected};

/// So many objects come at a time, as in the pages of a list.
const PAGE: usize = 500;

pub struct World {
    pub inventory: Inventory,
    pub settings: Settings,
    pub planner: Planner,
    pub reports: Reports,
    pub changes: Changes,
}

impl World {
    pub fn new() -> Self {
        Self {
            inventory: Inventory::default(),
            settings: Settings::default(),
            planner: Planner::default(),
            reports: Reports::default(),
            changes: Changes::default(),
        }
    }

    pub fn take(&mut self, objects: impl IntoIterator<Item = Value>) {
        let mut edits = objects
            .into_iter()
            .map(|value| Edit::Apply(Box::new(Object::read(value).unwrap().unwrap())))
            .peekable();
        while edits.peek().is_some() {
            let page: Vec<Edit> = edits.by_ref().take(PAGE).collect();
            self.changes.extend(self.inventory.update(page));
        }
    }

    /// All clones are there as they are planned.
    pub fn take_clones(&mut self) {
        let planned = self.planner.planned().clone();
        let objects = planned.values().flat_map(|planned| planned.objects.iter());
        self.take(objects.map(|desired| live(desired.object.value())));
    }

    /// Two pods and the endpoints of each version are there.
    pub fn take_pods(&mut self, versions: usize) {
        self.take((0..versions).flat_map(|n| [pod(n, 0, 0), pod(n, 1, 0), slice(n, 0)]));
    }

    pub fn plan(&mut self) -> Affected {
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

    pub fn settle(&mut self) {
        for router in self.inventory.routers.iter() {
            let served = RouteReport { served: true, findings: Vec::new() };
            self.reports.routers.insert(router.meta.key.clone(), served);
        }
        let affected = self.plan();
        let _ = self.decide(&affected);
    }

    pub fn decide(&self, affected: &Affected) -> standing::Statuses {
        standing::decide_for(&self.inventory, affected, &self.reports, &self.settings, now())
            .differing(&self.inventory)
    }

    pub fn write_statuses(&mut self) {
        let affected = Affected::all(&self.inventory);
        let statuses = self.decide(&affected);
        let written = |mut object: Value, status: Value| {
            object["status"] = status;
            object
        };
        let dpvs = statuses.dpvs.into_iter();
        self.take(dpvs.map(|(key, status)| written(dpv_named(&key.name, 0), json!(status))));
        let routers = statuses.routers.into_iter();
        self.take(routers.map(|(_, status)| written(router(0), json!(status))));
        let _ = self.plan();
    }
}

pub fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

pub fn object(api_version: &str, kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "spec": spec, "metadata": {
        "name": name, "namespace": "shop", "uid": format!("00000000-0000-4000-8000-{kind:>012}"),
        "resourceVersion": "123456", "generation": 3, "creationTimestamp": "2026-05-01T12:00:00Z"}})
}

/// The base, its Service, its Router.
pub fn shop() -> Vec<Value> {
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

pub fn service(name: &str, selector: Value) -> Value {
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

pub fn router(active: usize) -> Value {
    let active = format!("version-{active}");
    object(
        "kyaninus.com/v1",
        "Router",
        "shop",
        json!({"base": "shop", "hosts": ["shop.example.com"], "active": active}),
    )
}

pub fn dpv(number: usize, turn: usize) -> Value {
    dpv_named(&format!("shop-version-{number}"), turn)
}

pub fn dpv_named(name: &str, turn: usize) -> Value {
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
pub fn live(mut object: Value) -> Value {
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

pub fn pod(number: usize, index: usize, turn: usize) -> Value {
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

pub fn slice(number: usize, turn: usize) -> Value {
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
