//! Pods come and go under load: scale up, scale down, restart; of a base and of a version.

use std::time::Duration;

use serde_json::{Value, json};

use crate::load::{Load, Tally};
use crate::world::{Scene, World, is_full};

/// The process ends at SIGTERM, in the middle of whatever it does, before anybody has heard that the pod goes.
fn at_once() -> Value {
    json!({"container": {"env": [{"name": "PORT", "value": "8080"}, {"name": "SYNKRONIC_ECHO_DRAIN", "value": "0"}]}})
}

/// Two seconds pass before SIGTERM: the pod leaves the endpoints while it still answers.
fn drains() -> Value {
    json!({"container": {"lifecycle": {"preStop": {"sleep": {"seconds": 2}}}}})
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: tests/run"]
async fn pods_that_drain_come_and_go_and_no_request_fails() {
    rounds("drains", &drains()).await.none_failed();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: tests/run"]
async fn pods_that_end_at_once_come_and_go_and_no_request_fails() {
    // Every request of the load is one that may be sent twice.
    rounds("atonce", &at_once()).await.none_failed();
}

async fn rounds(name: &str, pod: &Value) -> Tally {
    let world = World::installed().await;
    let scene = world.namespace(name).await;
    let (host, version_host) = (format!("{name}.test"), format!("v2.{name}.test"));
    let rounds = if is_full() { 5 } else { 1 };
    scene.base(1, pod);
    scene.version("v2", &json!({}));
    scene.router(&host);
    scene.ready("v2");
    world.served(&host, "base").await;
    world.served(&version_host, "v2").await;

    let mut whole = Tally::default();
    println!(
        "| {name} | base and version, each | failed, and how long an answer took |\n| --- | --- | --- |"
    );
    for round in 1..=rounds {
        for (what, step) in STEPS {
            let load = Load::on(world.edge, &[&host, &version_host], 4);
            tokio::time::sleep(Duration::from_millis(100)).await;
            step(&scene);
            settled(&scene);
            // Until the last of the old ones is gone for good.
            tokio::time::sleep(Duration::from_millis(2500)).await;
            let tally = load.end().await;
            println!("| {round} | {what} | {tally} |");
            whole.samples.extend(tally.samples);
        }
    }
    println!("| all | | {whole} |");
    world.remove_namespace(name).await;
    whole
}

type Step = (&'static str, fn(&Scene<'_>));

const STEPS: [Step; 3] = [
    ("1 to 3 pods", |scene| {
        scene.kubectl(&["scale", "deployment/shop", "--replicas=3"]);
        scene.version("v2", &json!({"replicas": 3}));
    }),
    ("3 to 1 pods", |scene| {
        scene.kubectl(&["scale", "deployment/shop", "--replicas=1"]);
        scene.version("v2", &json!({"replicas": 1}));
    }),
    ("restart", |scene| {
        scene.kubectl(&["rollout", "restart", "deployment/shop"]);
        // A version is not restarted by its base's annotation; a build of its own does it.
        scene.kubectl(&[
            "annotate",
            "dpv/shop-v2",
            "--overwrite",
            &format!("kyaninus.com/build={}", seconds()),
        ]);
    }),
];

fn seconds() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// Both have the pods that were asked for, all of them new.
fn settled(scene: &Scene<'_>) {
    scene.kubectl(&["rollout", "status", "deployment/shop", "--timeout=60s"]);
    // What was asked of the version has reached its Deployment once it is observed and ready.
    let generation = scene.kubectl(&["get", "dpv/shop-v2", "-o", "jsonpath={.metadata.generation}"]);
    let observed = format!("--for=jsonpath={{.status.observedGeneration}}={generation}");
    scene.kubectl(&["wait", &observed, "dpv/shop-v2", "--timeout=60s"]);
    scene.ready("v2");
    scene.kubectl(&["rollout", "status", "deployment/shop-v2", "--timeout=60s"]);
}
