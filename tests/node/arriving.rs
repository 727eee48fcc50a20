//! How soon what is written, and what becomes ready, is served.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::{Value, json};
use synkronic::api::{DeploymentVersion, Router};
use tokio::task::JoinSet;

use crate::load::{Times, Visitor};
use crate::world::{Scene, World, is_full};

/// Between two questions, while something is awaited.
const PAUSE: Duration = Duration::from_micros(500);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: tests/run"]
async fn a_host_is_served_soon_after_its_router_was_written() {
    let world = World::installed().await;
    let scene = world.namespace("hosts").await;
    let count = if is_full() { 200 } else { 50 };
    scene.base(1, &Value::Null);
    scene.router("ready.hosts.test");
    world.served("ready.hosts.test", "base").await;

    let mut written = Vec::new();
    for n in 0..count {
        written.push(create_and_wait(&scene, n).await);
    }
    println!("{count} hosts one by one, written -> first 200: {}", Times(written));
    let mut gone = Vec::new();
    for n in 0..count {
        scene.routers().delete(&format!("host-{n}"), &DeleteParams::default()).await.unwrap();
        gone.push(wait_for(&mut Visitor::new(world.edge), &host(n), 404).await);
    }
    println!("{count} hosts one by one, deleted -> first 404: {}", Times(gone));

    let mut all = JoinSet::new();
    for n in count..2 * count {
        let (api, edge) = (scene.routers(), world.edge);
        all.spawn(async move {
            let written = api.create(&PostParams::default(), &router(n)).await;
            written.unwrap();
            wait_for(&mut Visitor::new(edge), &host(n), 200).await
        });
    }
    println!("{count} hosts at once, written -> first 200: {}", Times(all.join_all().await));
    world.remove_namespace("hosts").await;
}

async fn create_and_wait(scene: &Scene<'_>, n: usize) -> Duration {
    // The connection stands before the clock runs.
    let mut visitor = Visitor::new(scene.world.edge);
    let _ = visitor.get("ready.hosts.test", "/", &[]).await;
    scene.routers().create(&PostParams::default(), &router(n)).await.unwrap();
    wait_for(&mut visitor, &host(n), 200).await
}

fn host(n: usize) -> String {
    format!("host-{n}.hosts.test")
}

fn router(n: usize) -> Router {
    let router = json!({"apiVersion": "kyaninus.com/v1", "kind": "Router", "metadata": {"name": format!("host-{n}")},
        "spec": {"base": "shop", "hosts": [host(n)]}});
    serde_json::from_value(router).unwrap()
}

/// Asks until the status is there; how long that took.
async fn wait_for(visitor: &mut Visitor, host: &str, status: u16) -> Duration {
    let begun = Instant::now();
    loop {
        let answer = visitor.get(host, "/", &[]).await;
        if answer.as_ref().is_ok_and(|answer| answer.status == status) {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{host} has no {status} after 30 s: {answer:?}");
        tokio::time::sleep(PAUSE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: tests/run"]
async fn a_version_is_served_soon_after_its_pod_is_ready() {
    let world = World::installed().await;
    let scene = world.namespace("fresh").await;
    let count = if is_full() { 30 } else { 8 };
    scene.base(1, &Value::Null);
    scene.router("fresh.test");
    world.served("fresh.test", "base").await;

    let (mut after_ready, mut after_write) = (Vec::new(), Vec::new());
    for n in 0..count {
        let version = json!({"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion",
            "metadata": {"name": format!("shop-v{n}")}, "spec": {}});
        let version: DeploymentVersion = serde_json::from_value(version).unwrap();
        let ready = tokio::spawn(pod_ready(scene.world.client.clone(), scene.name.clone(), format!("v{n}")));
        scene.versions().create(&PostParams::default(), &version).await.unwrap();
        let written = Instant::now();
        wait_for(&mut Visitor::new(world.edge), &format!("v{n}.fresh.test"), 200).await;
        let served = Instant::now();
        after_write.push(served - written);
        // The edge may hear of it before we do.
        after_ready.push(served.saturating_duration_since(ready.await.unwrap()));
    }
    println!("{count} versions, pod ready -> first 200: {}", Times(after_ready));
    println!("{count} versions, DeploymentVersion written -> first 200: {}", Times(after_write));
    world.remove_namespace("fresh").await;
}

/// When we hear that the pod of a version is ready.
async fn pod_ready(client: kube::Client, namespace: String, version: String) -> Instant {
    let pods: Api<Pod> = Api::namespaced(client, &namespace);
    let wanted = watcher::Config::default().labels(&format!("kyaninus.com/version={version}"));
    let mut seen = watcher(pods, wanted).applied_objects().boxed();
    while let Some(pod) = seen.next().await {
        let conditions = pod.ok().and_then(|pod| pod.status).and_then(|status| status.conditions);
        if conditions.into_iter().flatten().any(|it| it.type_ == "Ready" && it.status == "True") {
            return Instant::now();
        }
    }
    panic!("the watch of pods ended");
}
