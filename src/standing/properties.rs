//! What holds whatever comes and goes: a small world is changed at random, and after each change the
//! statuses are written back as the leader would.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{apply, at, feed_back};
use super::*;
use crate::api::VersionId;
use crate::inventory::report::{CloneReport, RouteReport};
use crate::inventory::{Edit, Kind};

const HOSTS: [&str; 4] =
    ["shop.example.com", "web.example.com", "version-1.shop.example.com", "version-1-web.example.com"];
const SUBDOMAINS: [&str; 3] = ["{version}.{host}", "{version}-{host}", ""];
const IDS: [&str; 4] = ["base", "version-1", "version-2", "version-3"];

/// One change of the world; the numbers choose among few, so that they collide.
#[derive(Debug, Clone)]
enum Step {
    Router { namespace: usize, name: usize, hosts: Vec<usize>, active: usize, subdomain: usize },
    NoRouter { namespace: usize, name: usize },
    Version { namespace: usize, id: usize },
    NoVersion { namespace: usize, id: usize },
    Base { namespace: usize, there: bool },
    Endpoints { namespace: usize, id: usize, ready: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let (namespace, id) = (0..2_usize, 0..4_usize);
    prop_oneof![
        3 => (namespace.clone(), 0..3_usize, proptest::collection::vec(0..4_usize, 1..3), id.clone(), 0..3_usize)
            .prop_map(|(namespace, name, hosts, active, subdomain)| Step::Router { namespace, name, hosts, active, subdomain }),
        1 => (namespace.clone(), 0..3_usize).prop_map(|(namespace, name)| Step::NoRouter { namespace, name }),
        2 => (namespace.clone(), 1..4_usize).prop_map(|(namespace, id)| Step::Version { namespace, id }),
        1 => (namespace.clone(), 1..4_usize).prop_map(|(namespace, id)| Step::NoVersion { namespace, id }),
        1 => (namespace.clone(), any::<bool>()).prop_map(|(namespace, there)| Step::Base { namespace, there }),
        3 => (namespace, id, any::<bool>())
            .prop_map(|(namespace, id, ready)| Step::Endpoints { namespace, id, ready }),
    ]
}

fn namespace_of(index: usize) -> &'static str {
    if index == 0 { "n" } else { "m" }
}

fn service_of(id: usize) -> String {
    if id == 0 { "shop".to_owned() } else { format!("shop-{}", IDS[id]) }
}

/// Puts an object in the place of one of the same name, its status kept: an edit of a spec touches none.
fn edit_spec(inventory: &mut Inventory, mut object: Value, status: Option<Value>) {
    if let Some(status) = status {
        object["status"] = status;
    }
    apply(inventory, [object]);
}

fn take(inventory: &mut Inventory, step: &Step) {
    match step {
        Step::Router { namespace, name, hosts, active, subdomain } => {
            let key = Key::new(namespace_of(*namespace), format!("r{name}"));
            let status =
                inventory.routers.get(&key).map(|router| serde_json::to_value(&router.status).unwrap());
            let hosts: Vec<&str> = hosts.iter().map(|host| HOSTS[*host]).collect();
            let object = json!({"apiVersion": "kyaninus.com/v1", "kind": "Router",
                "metadata": {"name": &*key.name, "namespace": &*key.namespace},
                "spec": {"base": "shop", "service": "shop", "hosts": hosts, "active": IDS[*active],
                    "subdomain": SUBDOMAINS[*subdomain]}});
            edit_spec(inventory, object, status);
        }
        Step::NoRouter { namespace, name } => {
            let key = Key::new(namespace_of(*namespace), format!("r{name}"));
            inventory.update([Edit::Remove(Kind::Router, key)]);
        }
        Step::Version { namespace, id } => {
            let key = Key::new(namespace_of(*namespace), service_of(*id));
            let status = inventory.dpvs.get(&key).map(|dpv| serde_json::to_value(dpv.status.read()).unwrap());
            let object = json!({"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion",
                "metadata": {"name": &*key.name, "namespace": &*key.namespace}, "spec": {}});
            edit_spec(inventory, object, status);
            apply(inventory, [service(&key)]);
        }
        Step::NoVersion { namespace, id } => {
            let key = Key::new(namespace_of(*namespace), service_of(*id));
            inventory.update([
                Edit::Remove(Kind::DeploymentVersion, key.clone()),
                Edit::Remove(Kind::Service, key),
            ]);
        }
        Step::Base { namespace, there: true } => {
            let key = Key::new(namespace_of(*namespace), "shop");
            apply(
                inventory,
                [
                    json!({"apiVersion": "apps/v1", "kind": "Deployment",
                        "metadata": {"name": "shop", "namespace": &*key.namespace},
                        "spec": {"template": {"metadata": {"labels": {"app": "shop"}}}}}),
                    service(&key),
                ],
            );
        }
        Step::Base { namespace, there: false } => {
            let key = Key::new(namespace_of(*namespace), "shop");
            inventory.update([Edit::Remove(Kind::Deployment, key)]);
        }
        Step::Endpoints { namespace, id, ready } => {
            let (namespace, service) = (namespace_of(*namespace), service_of(*id));
            apply(
                inventory,
                [json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                    "metadata": {"name": service, "namespace": namespace,
                        "labels": {"kubernetes.io/service-name": service}},
                    "ports": [{"name": "", "port": 80}],
                    "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}]})],
            );
        }
    }
}

fn service(key: &Key) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": &*key.name, "namespace": &*key.namespace},
        "spec": {"selector": {"app": &*key.name}, "ports": [{"port": 80}]}})
}

/// Reports as if all were in order: what stands in the way is not what is tested here.
fn reports(inventory: &Inventory) -> Reports {
    let clones = inventory.dpvs.iter().map(|dpv| (dpv.meta.key.clone(), CloneReport::default()));
    let routers = inventory
        .routers
        .iter()
        .map(|router| (router.meta.key.clone(), RouteReport { served: true, findings: Vec::new() }));
    Reports { clones: clones.collect(), routers: routers.collect(), ..Reports::default() }
}

/// Who claims each host, by the statuses.
fn claims(inventory: &Inventory) -> BTreeMap<String, Vec<(Key, String)>> {
    let mut claims: BTreeMap<String, Vec<(Key, String)>> = BTreeMap::new();
    for router in inventory.routers.iter() {
        for claim in &router.status.hosts {
            claims
                .entry(claim.host.clone())
                .or_default()
                .push((router.meta.key.clone(), claim.since.clone()));
        }
    }
    claims
}

/// The transition time of each condition of each object, by its status.
fn transitions(inventory: &Inventory) -> BTreeMap<(Key, String, String), Timestamp> {
    let of_dpvs = inventory.dpvs.iter().map(|dpv| (&dpv.meta.key, dpv.status.read().conditions));
    let of_routers =
        inventory.routers.iter().map(|router| (&router.meta.key, router.status.conditions.clone()));
    let mut times = BTreeMap::new();
    for (key, conditions) in of_dpvs.chain(of_routers) {
        for condition in conditions {
            let known = (key.clone(), condition.type_.clone(), condition.status.clone());
            times.insert(known, condition.last_transition_time.0);
        }
    }
    times
}

/// What must hold of the world after a step, knowing the claims and times from before it.
fn hold(
    inventory: &Inventory,
    claims_before: &BTreeMap<String, Vec<(Key, String)>>,
    times_before: &BTreeMap<(Key, String, String), Timestamp>,
) -> Result<(), TestCaseError> {
    for (host, holders) in claims(inventory) {
        prop_assert_eq!(holders.len(), 1, "{} is claimed by {:?}", host, holders);
    }
    for (host, holders) in claims_before {
        for (key, since) in holders {
            let lists = inventory.routers.get(key).is_some_and(|router| router.spec.hosts.contains(host));
            let kept =
                claims(inventory).get(host).is_some_and(|now| now.contains(&(key.clone(), since.clone())));
            prop_assert!(kept || !lists, "{} lost {} although it still lists it", key, host);
        }
    }
    for (known, time) in transitions(inventory) {
        if let Some(before) = times_before.get(&known) {
            prop_assert_eq!(*before, time, "{:?} moved without a change", known);
        }
    }
    for router in inventory.routers.iter() {
        let status = &router.status;
        let active = status.active.clone().unwrap();
        let exists = inventory
            .versions_of(&router.base())
            .is_some_and(|versions| versions.contains_key(&VersionId::parse(&active).unwrap()));
        prop_assert!(active == "base" || exists, "{} is active and not there", active);
        prop_assert_eq!(&status.history[0].version, &active);
        prop_assert!(status.history.len() <= 10);
        prop_assert!(status.history.windows(2).all(|pair| pair[0].version != pair[1].version));
        let offered: Vec<&str> = status.versions.iter().map(|version| version.id.as_str()).collect();
        prop_assert!(status.offered.iter().all(|gone| !offered.contains(&gone.id.as_str())));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn claims_actives_and_memories_keep_their_promises(steps in proptest::collection::vec(step(), 1..25)) {
        let mut inventory = Inventory::default();
        for namespace in 0..2 {
            take(&mut inventory, &Step::Base { namespace, there: true });
        }
        for (minute, step) in steps.iter().enumerate() {
            let (claims, times) = (claims(&inventory), transitions(&inventory));
            take(&mut inventory, step);
            let now = format!("2026-06-01T12:{minute:02}:00Z");
            let reports = reports(&inventory);
            feed_back(&mut inventory, &reports, &now);
            let later = format!("2026-06-01T12:{minute:02}:30Z");
            prop_assert!(!feed_back(&mut inventory, &reports, &later), "its own answer changed it after {step:?}");
            hold(&inventory, &claims, &times)?;
        }
        let end = decide(&inventory, &reports(&inventory), &Settings::default(), at("2026-09-01T00:00:00Z"));
        prop_assert!(end.routers.values().all(|status| status.offered.is_empty()));
    }
}
