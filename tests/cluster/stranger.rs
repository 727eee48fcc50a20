//! A stranger's objects, of the names that a clone would take: untouched, byte for byte.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::api::DeleteParams;
use serde_json::Value;
use synkronic::api::DeploymentVersion;

use crate::plane::until;
use crate::program::Program;
use crate::scene::Scene;

const STRANGERS: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop-version-1, labels: {whose: a-stranger}}
spec:
  replicas: 1
  selector: {matchLabels: {app: stranger}}
  template:
    metadata: {labels: {app: stranger}}
    spec: {containers: [{name: web, image: 'stranger:1'}]}
---
apiVersion: v1
kind: Service
metadata: {name: shop-version-1, labels: {whose: a-stranger}}
spec: {selector: {app: stranger}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: shop-version-2, labels: {whose: a-stranger}}
spec: {selector: {app: stranger}, ports: [{port: 80}]}
";

/// Long enough for a controller that tries again to have done it.
const PAUSE: Duration = Duration::from_secs(3);

/// The strangers' objects as the API server has them, with resourceVersion and managed fields.
async fn strangers(scene: &Scene) -> Vec<Value> {
    let deployment = scene.api::<Deployment>().get("shop-version-1").await.unwrap();
    let mut all = vec![serde_json::to_value(deployment).unwrap()];
    for name in ["shop-version-1", "shop-version-2"] {
        all.push(serde_json::to_value(scene.api::<Service>().get(name).await.unwrap()).unwrap());
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the control plane; tests/run starts it"]
async fn a_strangers_objects_are_never_touched() {
    let scene = Scene::set("stranger").await;
    scene.shop();
    scene.apply(STRANGERS);
    until(30, "the stranger's pod is not ready", async || {
        let deployment = scene.api::<Deployment>().get("shop-version-1").await.unwrap();
        deployment.status.is_some_and(|status| {
            let settled = status
                .conditions
                .iter()
                .flatten()
                .any(|it| it.reason.as_deref() == Some("NewReplicaSetAvailable"));
            settled && status.available_replicas == Some(1)
        })
    })
    .await;
    let before = strangers(&scene).await;
    let program = Program::start(&scene.plane, &[]).await;
    program.serves("shop.test", "base").await;

    scene.version("version-1", "shop:1").await;
    scene.version("version-2", "shop:1").await;
    for name in ["shop-version-1", "shop-version-2"] {
        let message = scene.becomes(name, "Cloned", "False", Some("NameTaken")).await;
        println!("{name}: {message}");
        assert!(message.contains(name), "the message names what is in the way: {message}");
    }
    tokio::time::sleep(PAUSE).await;
    assert_eq!(strangers(&scene).await, before, "while the versions are there");
    // The Service of that name has pods, and is no version's.
    let answer = program.get("version-1.shop.test", "/").await.unwrap();
    assert_eq!((answer.status, answer.version.as_deref()), (503, Some("version-1")), "{answer:?}");

    for name in ["shop-version-1", "shop-version-2"] {
        scene.api::<DeploymentVersion>().delete(name, &DeleteParams::default()).await.unwrap();
    }
    until(30, "the DeploymentVersions are not gone", async || {
        let list = scene.api::<DeploymentVersion>().list(&kube::api::ListParams::default()).await;
        list.is_ok_and(|list| list.items.is_empty())
    })
    .await;
    tokio::time::sleep(PAUSE).await;
    assert_eq!(strangers(&scene).await, before, "after the versions are gone");
    // Garbage collection has nothing of theirs to collect, and nothing of ours stayed.
    let (deployments, services) = scene.names().await;
    assert_eq!(Vec::from_iter(deployments), ["shop", "shop-version-1"]);
    assert_eq!(Vec::from_iter(services), ["shop", "shop-version-1", "shop-version-2"]);
    gives_way(&scene, &program).await;
    scene.end().await;
}

/// A name that becomes free is taken without anybody's help.
async fn gives_way(scene: &Scene, program: &Program) {
    scene.version("version-1", "shop:1").await;
    scene.becomes("shop-version-1", "Cloned", "False", Some("NameTaken")).await;
    scene.api::<Deployment>().delete("shop-version-1", &DeleteParams::default()).await.unwrap();
    scene.api::<Service>().delete("shop-version-1", &DeleteParams::default()).await.unwrap();
    scene.becomes("shop-version-1", "Ready", "True", None).await;
    program.serves("version-1.shop.test", "version-1").await;
}
