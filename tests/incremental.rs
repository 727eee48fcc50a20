//! What is kept up to date change by change is what would be made anew: resolutions, plan and statuses, after
//! any sequence of edits of a small, crowded world.
//!
//! `PROPTEST_CASES=10000 cargo test --test incremental` for many more.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use synkronic::inventory::report::{Reports, RouteReport};
use synkronic::inventory::{Changes, Edit, Inventory, Key, Kind, Object, Settings, names};
use synkronic::plan::{Planner, plan};
use synkronic::standing::{self, Statuses};

const BASES: [&str; 3] = ["shop", "shop-api", "web"];
/// Names that collide: with bases, with one another's Services, by their first 63 characters, and by hash.
const VERSIONS: [&str; 10] = [
    "shop",
    "shop-v1",
    "shop-v2",
    "shop-api-v1",
    "web-v1",
    "other",
    "shop-42391",
    "shop-68519",
    "shop-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx1",
    "shop-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx2",
];
const SERVICES: [&str; 5] = ["shop", "shop-api", "shop-v1", "web", "shop-v1-v2"];

/// One edit of the world.
#[derive(Debug, Clone)]
enum Step {
    Put(Value),
    Remove(Kind, &'static str),
    /// A clone is there as planned, or with other pod labels, or with another status.
    Clone {
        version: usize,
        labels: Option<&'static str>,
        generation: i64,
    },
    Unclone {
        version: usize,
    },
    /// Statuses are written.
    Statuses,
}

fn object(api_version: &str, kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "n"}, "spec": spec})
}

fn selector() -> impl Strategy<Value = Value> {
    select(vec![
        json!({}),
        json!({"matchLabels": {"app": "shop"}}),
        json!({"matchLabels": {"app": "shop", "tier": "a"}}),
        json!({"matchLabels": {"app": "other"}}),
        json!({"matchLabels": {"app": "shop-v1"}}),
        json!({"matchLabels": {"kyaninus.com/version": "v1"}}),
        json!({"matchLabels": {"kyaninus.com/base": "shop", "app": "shop"}}),
        json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["shop", "web"]}]}),
        json!({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}),
        json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}),
    ])
}

fn labels() -> impl Strategy<Value = Value> {
    select(vec![json!({"app": "shop"}), json!({"app": "shop", "tier": "a"}), json!({"app": "web"})])
}

fn base() -> impl Strategy<Value = Value> {
    (select(BASES.to_vec()), labels(), select(vec!["a:1", "a:2"]), 1..3_i64, any::<bool>()).prop_map(
        |(name, labels, image, generation, volume)| {
            let volumes = if volume {
                json!([{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}])
            } else {
                json!([])
            };
            let mut base = object(
                "apps/v1",
                "Deployment",
                name,
                json!({"replicas": generation, "selector": {"matchLabels": labels}, "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "web", "image": image}], "volumes": volumes}}}),
            );
            base["metadata"]["generation"] = json!(generation);
            base["metadata"]["uid"] = json!("b");
            base
        },
    )
}

fn version() -> impl Strategy<Value = Value> {
    let spec = select(vec![
        json!({}),
        json!({"name": "shop"}),
        json!({"name": "web", "version": "v1"}),
        json!({"name": "shop", "version": "api-v1"}),
        json!({"version": "v1"}),
        json!({"services": ["shop"]}),
        json!({"services": []}),
        json!({"services": ["web"]}),
        json!({"services": ["shop-v1"]}),
        json!({"serviceSpec": {"nonsense": 1}}),
        json!({"serviceSpec": {"ports": [{"port": 80, "protocol": "TCP", "name": "x"}]}}),
        json!({"deploymentSpec": {"template": {"metadata": {"labels": {"app": "other"}}}}}),
        json!({"deploymentSpec": {"template": {"metadata": {"labels": {"tier": "a"}}}}}),
        json!({"deploymentSpec": {"nonsense": 1}}),
    ]);
    let uid = select(vec!["u1", "u2"]);
    (select(VERSIONS.to_vec()), spec, 0..3_u8, uid, 0..6_u8).prop_map(|(name, spec, age, uid, deleting)| {
        let mut dpv = object("kyaninus.com/v1", "DeploymentVersion", name, spec);
        dpv["metadata"]["uid"] = json!(uid);
        if deleting == 0 {
            dpv["metadata"]["deletionTimestamp"] = json!("2026-03-01T00:00:00Z");
        }
        if age > 0 {
            dpv["metadata"]["creationTimestamp"] = json!(format!("2026-01-0{age}T00:00:00Z"));
        }
        dpv
    })
}

fn service() -> impl Strategy<Value = Value> {
    let selector = select(vec![
        json!({"app": "shop"}),
        json!({"app": "shop", "tier": "a"}),
        json!({"app": "web"}),
        json!({"app": "other"}),
        json!({"app": "shop-v1"}),
        json!({}),
    ]);
    (select(SERVICES.to_vec()), selector, 80..82_u16).prop_map(|(name, selector, port)| {
        object("v1", "Service", name, json!({"selector": selector, "ports": [{"port": port}]}))
    })
}

fn router() -> impl Strategy<Value = Value> {
    let host = select(vec!["a.example.com", "v1.a.example.com", "b.example.com"]);
    let more = select(vec![
        json!({}),
        json!({"path": "/{version}"}),
        json!({"versions": ["v*"]}),
        json!({"service": "shop"}),
        json!({"service": "shop-v1"}),
        json!({"subdomain": ""}),
        json!({"active": "v1"}),
    ]);
    (select(vec!["r1", "r2"]), select(BASES.to_vec()), host, more).prop_map(|(name, base, host, more)| {
        let mut router = object("kyaninus.com/v1", "Router", name, json!({"base": base, "hosts": [host]}));
        router["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        router
    })
}

fn policy() -> impl Strategy<Value = Value> {
    (select(vec!["p1", "p2"]), selector(), selector(), any::<bool>()).prop_map(|(name, pods, peers, out)| {
        let rules = if out {
            json!({"egress": [{"to": [{"podSelector": peers}]}]})
        } else {
            json!({"ingress": [{"from": [{"podSelector": peers}], "ports": [{"port": 80}]}]})
        };
        let mut policy = object("networking.k8s.io/v1", "NetworkPolicy", name, json!({"podSelector": pods}));
        policy["spec"].as_object_mut().unwrap().extend(rules.as_object().unwrap().clone());
        policy
    })
}

fn budget() -> impl Strategy<Value = Value> {
    (select(vec!["b1", "b2"]), selector(), 1..3).prop_map(|(name, selector, min)| {
        object("policy/v1", "PodDisruptionBudget", name, json!({"selector": selector, "minAvailable": min}))
    })
}

fn slice() -> impl Strategy<Value = Value> {
    (select(SERVICES.to_vec()), any::<bool>()).prop_map(|(service, ready)| {
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": service, "namespace": "n", "labels": {"kubernetes.io/service-name": service}},
            "ports": [{"name": "", "port": 80}],
            "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": ready},
                "targetRef": {"kind": "Pod", "name": "x", "uid": "x"}}]})
    })
}

fn pod() -> impl Strategy<Value = Value> {
    (select(vec!["x", "y"]), select(VERSIONS.to_vec()), 0..3).prop_map(|(name, version, exit)| {
        let deleted = (exit == 2).then_some("2026-03-01T00:00:00Z");
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "n", "uid": name,
            "labels": {"kyaninus.com/dpv": names::dpv_label(version)}, "deletionTimestamp": deleted},
            "status": {"containerStatuses": [{"name": "web", "image": "a", "imageID": "", "ready": false,
                "restartCount": exit, "state": {"terminated": {"exitCode": exit}}}]}})
    })
}

/// A shop with a version: what names its clones is seldom there by chance.
fn shop() -> Vec<Step> {
    let labels = json!({"app": "shop"});
    let template = json!({"metadata": {"labels": labels},
        "spec": {"containers": [{"name": "web", "image": "a:1"}]}});
    let base = json!({"selector": {"matchLabels": labels}, "template": template});
    let service = json!({"selector": labels, "ports": [{"port": 80}]});
    vec![
        Step::Put(object("apps/v1", "Deployment", "shop", base)),
        Step::Put(object("v1", "Service", "shop", service)),
        Step::Put(object("kyaninus.com/v1", "DeploymentVersion", "shop-v1", json!({}))),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let at = 0..VERSIONS.len();
    let remove = prop_oneof![
        select(BASES.to_vec()).prop_map(|name| Step::Remove(Kind::Deployment, name)),
        select(VERSIONS.to_vec()).prop_map(|name| Step::Remove(Kind::DeploymentVersion, name)),
        select(SERVICES.to_vec()).prop_map(|name| Step::Remove(Kind::Service, name)),
        select(SERVICES.to_vec()).prop_map(|name| Step::Remove(Kind::EndpointSlice, name)),
        select(vec!["r1", "r2"]).prop_map(|name| Step::Remove(Kind::Router, name)),
        select(vec!["p1", "p2"]).prop_map(|name| Step::Remove(Kind::NetworkPolicy, name)),
        select(vec!["b1", "b2"]).prop_map(|name| Step::Remove(Kind::PodDisruptionBudget, name)),
        select(vec!["x", "y"]).prop_map(|name| Step::Remove(Kind::Pod, name)),
    ];
    let labels = select(vec![None, None, Some("shop"), Some("other")]);
    prop_oneof![
        4 => base().prop_map(Step::Put),
        6 => version().prop_map(Step::Put),
        4 => service().prop_map(Step::Put),
        3 => router().prop_map(Step::Put),
        2 => policy().prop_map(Step::Put),
        2 => budget().prop_map(Step::Put),
        2 => slice().prop_map(Step::Put),
        2 => pod().prop_map(Step::Put),
        6 => remove,
        4 => (at.clone(), labels, 1..3_i64)
            .prop_map(|(version, labels, generation)| Step::Clone { version, labels, generation }),
        2 => at.prop_map(|version| Step::Unclone { version }),
        2 => Just(Step::Statuses),
    ]
}

/// The world, kept up to date and as the objects it is made of.
#[derive(Default)]
struct World {
    objects: BTreeMap<(Kind, Key), Value>,
    inventory: Inventory,
    planner: Planner,
    reports: Reports,
    statuses: Statuses,
    settings: Settings,
}

fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

impl World {
    fn edits(&mut self, step: Step) -> Vec<Edit> {
        match step {
            Step::Put(value) => vec![self.put(value)],
            Step::Remove(kind, name) => vec![self.remove((kind, Key::new("n", name)))],
            Step::Clone { version, labels, generation } => {
                let dpv = Key::new("n", VERSIONS[version]);
                let planned = self.planner.planned().get(&dpv).cloned();
                let objects = planned.iter().flat_map(|planned| &planned.objects);
                let objects: Vec<Value> = objects.map(|desired| desired.object.value()).collect();
                objects
                    .into_iter()
                    .map(|mut value| {
                        if value["kind"] == "Deployment" {
                            value["metadata"]["generation"] = json!(generation);
                            value["status"] = json!({"observedGeneration": 1, "replicas": 1,
                                "updatedReplicas": 1, "readyReplicas": generation - 1});
                            if let Some(app) = labels {
                                value["spec"]["template"]["metadata"]["labels"]["app"] = json!(app);
                            }
                        }
                        self.put(value)
                    })
                    .collect()
            }
            Step::Unclone { version } => {
                let owner = json!(VERSIONS[version]);
                let owned = |value: &Value| value.pointer("/metadata/ownerReferences/0/name") == Some(&owner);
                let gone: Vec<_> =
                    self.objects.iter().filter(|(_, value)| owned(value)).map(|(id, _)| id.clone()).collect();
                gone.into_iter().map(|id| self.remove(id)).collect()
            }
            Step::Statuses => {
                let dpvs = self.statuses.dpvs.iter().map(|(key, status)| {
                    ((Kind::DeploymentVersion, key.clone()), serde_json::to_value(status).unwrap())
                });
                let routers = self.statuses.routers.iter().map(|(key, status)| {
                    ((Kind::Router, key.clone()), serde_json::to_value(status).unwrap())
                });
                let written: Vec<Value> = dpvs
                    .chain(routers)
                    .filter_map(|(id, status)| {
                        let mut value = self.objects.get(&id)?.clone();
                        value["status"] = status;
                        Some(value)
                    })
                    .collect();
                written.into_iter().map(|value| self.put(value)).collect()
            }
        }
    }

    fn put(&mut self, mut value: Value) -> Edit {
        let object = Object::read(value.clone()).unwrap().unwrap();
        let id = (object.kind(), object.key().clone());
        // A spec is written without its status.
        let status = self.objects.get(&id).and_then(|old| old.get("status")).cloned();
        if let (Some(status), None) = (status, value.get("status")) {
            value["status"] = status;
        }
        let object = Object::read(value.clone()).unwrap().unwrap();
        self.objects.insert(id, value);
        Edit::Apply(Box::new(object))
    }

    fn remove(&mut self, id: (Kind, Key)) -> Edit {
        self.objects.remove(&id);
        Edit::Remove(id.0, id.1)
    }

    fn take(&mut self, steps: Vec<Step>) -> Changes {
        let edits: Vec<Edit> = steps.into_iter().flat_map(|step| self.edits(step)).collect();
        self.inventory.update(edits)
    }

    fn fresh(&self) -> Inventory {
        let mut inventory = Inventory::default();
        let read = |value: &Value| Edit::Apply(Box::new(Object::read(value.clone()).unwrap().unwrap()));
        inventory.update(self.objects.values().map(read));
        inventory
    }

    /// Brings plan and statuses up to date, and holds them against what is made anew.
    fn settle(&mut self, changes: &Changes) -> Result<(), TestCaseError> {
        let fresh = self.fresh();
        for dpv in fresh.dpvs.iter() {
            let key = &dpv.meta.key;
            prop_assert_eq!(self.inventory.resolution(key), fresh.resolution(key));
            let pods = |inventory: &Inventory| inventory.pods_of(key).cloned().collect::<Vec<_>>();
            prop_assert_eq!(pods(&self.inventory), pods(&fresh));
        }
        prop_assert_eq!(self.inventory.bases().collect::<Vec<_>>(), fresh.bases().collect::<Vec<_>>());

        let before = self.planner.planned().clone();
        let differing = self.planner.update(&self.inventory, &self.settings, changes);
        prop_assert_eq!(self.planner.whole(), plan(&fresh, &self.settings));
        let after = self.planner.planned();
        let all: BTreeSet<&Key> = before.keys().chain(after.keys()).collect();
        let differ: BTreeSet<Key> =
            all.into_iter().filter(|key| before.get(*key) != after.get(*key)).cloned().collect();
        prop_assert_eq!(&differing, &differ);

        self.reports.clones = self.planner.whole().reports;
        let served = RouteReport { served: true, findings: Vec::new() };
        self.reports.routers =
            self.inventory.routers.iter().map(|it| (it.meta.key.clone(), served.clone())).collect();
        let mut affected = standing::affected(&self.inventory, changes);
        affected.dpvs.extend(differing);
        let decided = standing::decide_for(&self.inventory, &affected, &self.reports, &self.settings, now());
        self.statuses.dpvs.extend(decided.dpvs);
        self.statuses.routers.extend(decided.routers);
        self.statuses.dpvs.retain(|key, _| self.inventory.dpvs.get(key).is_some());
        self.statuses.routers.retain(|key, _| self.inventory.routers.get(key).is_some());
        prop_assert_eq!(&self.statuses, &standing::decide(&fresh, &self.reports, &self.settings, now()));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_follows_a_change_is_what_is_made_anew(
        begun in any::<bool>(),
        batches in proptest::collection::vec(proptest::collection::vec(step(), 1..4), 1..24),
    ) {
        let mut world = World::default();
        let changes = world.take(if begun { shop() } else { Vec::new() });
        world.settle(&changes)?;
        for batch in batches {
            let changes = world.take(batch);
            world.settle(&changes)?;
        }
    }

    #[test]
    fn several_updates_may_be_taken_as_one(
        begun in any::<bool>(),
        batches in proptest::collection::vec(proptest::collection::vec(step(), 1..6), 1..6),
    ) {
        let mut world = World::default();
        let changes = world.take(if begun { shop() } else { Vec::new() });
        world.settle(&changes)?;
        for batch in batches {
            let mut changes = Changes::default();
            for step in batch {
                changes.extend(world.take(vec![step]));
            }
            world.settle(&changes)?;
        }
    }
}

#[test]
fn who_names_a_clone_is_told_when_it_comes_and_goes() {
    let version = VERSIONS.iter().position(|name| *name == "shop-v1").unwrap();
    let naming = object("kyaninus.com/v1", "DeploymentVersion", "shop-v2", json!({"services": ["shop-v1"]}));
    let mut world = World::default();
    for batch in [
        shop(),
        vec![Step::Put(naming)],
        vec![Step::Clone { version, labels: None, generation: 1 }],
        vec![Step::Unclone { version }],
    ] {
        let changes = world.take(batch);
        world.settle(&changes).unwrap();
    }
}
