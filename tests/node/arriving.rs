//! How soon what is written, and what becomes ready, is served.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::{Value, json};
use synkronic::api::{DeploymentVersion, Router};
use tokio::task::JoinSet;

use crate::heard::Heard;
use crate::load::{Times, Visitor};
use crate::world::{Scene, World, is_full};

/// Between two questions, while something is awaited.
const PAUSE: Duration = Duration::from_micros(500);
/// The same where hundreds ask at once: their questions must not be what keeps the answer waiting.
const LONG_PAUSE: Duration = Duration::from_millis(25);

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
    let heard = Heard::of(scene.routers(), |router: &Router| router.metadata.name.clone());
    for n in count..2 * count {
        let (api, edge, heard) = (scene.routers(), world.edge, heard.clone());
        all.spawn(async move {
            api.create(&PostParams::default(), &router(n)).await.unwrap();
            let written = Instant::now();
            let visitor = &mut Visitor::new(edge);
            wait_with(LONG_PAUSE, visitor, &host(n), 200).await;
            let served = written.elapsed();
            (served, heard.at(&format!("host-{n}")).await.saturating_duration_since(written))
        });
    }
    let (served, told): (Vec<_>, Vec<_>) = all.join_all().await.into_iter().unzip();
    println!("{count} hosts at once, written -> first 200: {}", Times(served));
    println!("{count} hosts at once, written -> the API server tells another that watches: {}", Times(told));
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
    wait_with(PAUSE, visitor, host, status).await
}

async fn wait_with(pause: Duration, visitor: &mut Visitor, host: &str, status: u16) -> Duration {
    let begun = Instant::now();
    loop {
        let answer = visitor.get(host, "/", &[]).await;
        if answer.as_ref().is_ok_and(|answer| answer.status == status) {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{host} has no {status} after 30 s: {answer:?}");
        tokio::time::sleep(pause).await;
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

    let (mut after_ready, mut after_write, mut after_slice) = (Vec::new(), Vec::new(), Vec::new());
    let pods = Heard::of(Api::namespaced(world.client.clone(), &scene.name), ready_pod);
    let slices = Heard::of(Api::namespaced(world.client.clone(), &scene.name), ready_slice);
    for n in 0..count {
        let version = json!({"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion",
            "metadata": {"name": format!("shop-v{n}")}, "spec": {}});
        let version: DeploymentVersion = serde_json::from_value(version).unwrap();
        scene.versions().create(&PostParams::default(), &version).await.unwrap();
        let written = Instant::now();
        wait_for(&mut Visitor::new(world.edge), &format!("v{n}.fresh.test"), 200).await;
        let served = Instant::now();
        after_write.push(served - written);
        // The edge may hear of it before we do.
        after_ready.push(served.saturating_duration_since(pods.at(&format!("v{n}")).await));
        after_slice.push(served.saturating_duration_since(slices.at(&format!("shop-v{n}")).await));
    }
    println!("{count} versions, pod ready -> first 200: {}", Times(after_ready));
    println!("{count} versions, EndpointSlice says so -> first 200: {}", Times(after_slice));
    println!("{count} versions, DeploymentVersion written -> first 200: {}", Times(after_write));
    world.remove_namespace("fresh").await;
}

/// The version of a pod that is ready.
fn ready_pod(pod: &Pod) -> Option<String> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let ready = conditions.iter().any(|it| it.type_ == "Ready" && it.status == "True");
    pod.labels().get("kyaninus.com/version").filter(|_| ready).cloned()
}

/// The Service of an EndpointSlice with an endpoint that is ready.
fn ready_slice(slice: &EndpointSlice) -> Option<String> {
    let ready = slice
        .endpoints
        .iter()
        .flatten()
        .any(|it| it.conditions.as_ref().is_some_and(|it| it.ready == Some(true)));
    slice.labels().get("kubernetes.io/service-name").filter(|_| ready).cloned()
}
