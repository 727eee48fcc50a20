//! Ready means: whoever asks now is answered by the newest template, and by no other.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;
use synkronic::api::DeploymentVersion;

use crate::fate;
use crate::plane::until;
use crate::program::Program;
use crate::scene::Scene;

const CLONE: &str = "shop-version-1";
const HOST: &str = "version-1.shop.test";

/// The version's image; what the change makes of its generation.
async fn image(scene: &Scene, image: &str) -> Option<i64> {
    let patch = json!({"spec": {"deploymentSpec": {"replicas": 2,
        "template": {"spec": {"containers": [{"name": "web", "image": image}]}}}}});
    let api = scene.api::<DeploymentVersion>();
    api.patch(CLONE, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap().metadata.generation
}

/// The reason of `Ready`, where the status is of that generation.
async fn ready(scene: &Scene, generation: Option<i64>) -> Option<(String, String)> {
    let status = scene.api::<DeploymentVersion>().get(CLONE).await.unwrap().status?;
    let ready = status.conditions.into_iter().find(|condition| condition.type_ == "Ready")?;
    (status.observed_generation == generation).then_some((ready.status, ready.reason))
}

/// The images of the pods that new requests are sent to, by what Kubernetes says of them.
async fn serving(scene: &Scene) -> Vec<String> {
    let slices = ListParams::default().labels(&format!("kubernetes.io/service-name={CLONE}"));
    let slices = scene.api::<EndpointSlice>().list(&slices).await.unwrap();
    let ready = slices.iter().flat_map(|slice| slice.endpoints.iter().flatten()).filter(|endpoint| {
        endpoint.conditions.as_ref().is_none_or(|conditions| conditions.ready != Some(false))
    });
    let names: Vec<String> =
        ready.filter_map(|endpoint| endpoint.target_ref.as_ref()?.name.clone()).collect();
    let pods = scene.api::<Pod>().list(&ListParams::default()).await.unwrap();
    pods.iter().filter(|pod| names.contains(&pod.name_any())).map(fate::image).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the control plane; tests/run starts it"]
async fn a_version_is_ready_once_no_pod_of_an_older_template_serves() {
    let scene = Scene::set("newest").await;
    scene.shop();
    let program = Program::start(&scene.plane, &[]).await;
    scene.version("version-1", "shop:1").await;
    let generation = image(&scene, "shop:2").await;
    let becomes_ready = |generation| {
        let scene = &scene;
        async move || ready(scene, generation).await.is_some_and(|(status, _)| status == "True")
    };
    until(60, "it does not become ready", becomes_ready(generation)).await;
    program.serves(HOST, "version-1").await;

    // A change that does not come up: the old pods serve, and it is not ready for that.
    let generation = image(&scene, "shop:never-ready").await;
    until(60, "a change that does not come up is not told of", async || {
        let told = ready(&scene, generation).await;
        assert!(told.as_ref().is_none_or(|(status, _)| status == "False"), "ready with old pods: {told:?}");
        told.is_some_and(|(_, reason)| reason == "RollingOut")
            && pods_of(&scene, "shop:never-ready").await > 0
    })
    .await;
    assert!(serving(&scene).await.iter().all(|image| image == "shop:2"));
    let answer = program.page(HOST).await.unwrap();
    assert!(answer.status == 200 && answer.body.contains("shop:2"), "the old pods serve: {answer:?}");
    assert!(matches!(ready(&scene, generation).await, Some((status, _)) if status == "False"));

    // One that does: from the moment on that it says so, nobody is sent to an old pod.
    for image_of in ["shop:3", "shop:4"] {
        let generation = image(&scene, image_of).await;
        until(60, "it does not become ready again", becomes_ready(generation)).await;
        let serving = serving(&scene).await;
        assert!(!serving.is_empty() && serving.iter().all(|image| image == image_of), "{serving:?}");
        for _ in 0..20 {
            let answer = program.page(HOST).await.unwrap();
            assert!(answer.status == 200 && answer.body.contains(image_of), "{answer:?}");
        }
    }
    scene.end().await;
}

/// How many pods of an image there are.
async fn pods_of(scene: &Scene, image: &str) -> usize {
    let pods = scene.api::<Pod>().list(&ListParams::default()).await.unwrap();
    pods.iter().filter(|pod| fate::image(pod) == image).count()
}
