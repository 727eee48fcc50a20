//! A HorizontalPodAutoscaler on a clone: how many replicas there are is its own, and nobody else's.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use synkronic::api::DeploymentVersion;

use crate::plane::until;
use crate::program::Program;
use crate::scene::Scene;

const CLONE: &str = "shop-version-1";

/// Without metrics it scales nothing by itself; what it would do is done by hand.
const AUTOSCALER: &str = "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: version-1}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: shop-version-1}
  minReplicas: 1
  maxReplicas: 9
";

async fn clone(scene: &Scene) -> Value {
    let found = scene.api::<Deployment>().get_opt(CLONE).await.unwrap();
    found.map(|clone| serde_json::to_value(clone).unwrap()).unwrap_or_default()
}

/// Whether the controller holds the count of the clone's replicas.
fn is_ours(clone: &Value) -> bool {
    let managers = clone["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let count = "/fieldsV1/f:spec/f:replicas";
    managers.iter().any(|it| it["manager"] == "synkronic" && it.pointer(count).is_some())
}

/// By the subresource, as the autoscaler does it.
async fn scale(scene: &Scene, replicas: i32) {
    let parameters =
        PatchParams { field_manager: Some("kube-controller-manager".to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    let scaled = scene.api::<Deployment>().patch_scale(CLONE, &parameters, &patch).await.unwrap();
    assert_eq!(scaled.spec.and_then(|spec| spec.replicas), Some(replicas));
}

async fn overlay(scene: &Scene, image: &str) {
    let spec = json!({"spec": {"deploymentSpec": {"replicas": 2,
        "template": {"spec": {"containers": [{"name": "web", "image": image}]}}}}});
    scene
        .api::<DeploymentVersion>()
        .patch(CLONE, &PatchParams::default(), &Patch::Merge(spec))
        .await
        .unwrap();
}

/// Until the clone has an image, so that it was written since.
async fn written(scene: &Scene, image: &str) -> Value {
    until(30, "the clone is not written", async || {
        clone(scene).await["spec"]["template"]["spec"]["containers"][0]["image"] == image
    })
    .await;
    clone(scene).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the control plane; tests/run starts it"]
async fn an_autoscaler_owns_the_clones_replicas() {
    let scene = Scene::set("scaled").await;
    scene.shop();
    let _program = Program::start(&scene.plane, &[]).await;
    scene.version("version-1", "shop:1").await;
    overlay(&scene, "shop:2").await;
    assert_eq!(written(&scene, "shop:2").await["spec"]["replicas"], 2);
    scene.becomes(CLONE, "Ready", "True", None).await;

    // Handed over, the count is what it was: who lets go of a field in the usual way has it set to its default.
    scene.apply(AUTOSCALER);
    until(30, "the count of replicas is not handed over", async || {
        let clone = clone(&scene).await;
        assert_eq!(clone["spec"]["replicas"], 2, "handed over, and changed on the way");
        !is_ours(&clone)
    })
    .await;
    for (replicas, image) in [(4, "shop:3"), (1, "shop:4"), (3, "shop:5")] {
        scale(&scene, replicas).await;
        overlay(&scene, image).await;
        assert_eq!(written(&scene, image).await["spec"]["replicas"], replicas, "set back with {image}");
    }
    let ready = |replicas: i32| {
        let scene = &scene;
        async move || {
            let object = scene.api::<DeploymentVersion>().get(CLONE).await.unwrap();
            object.status.is_some_and(|it| it.ready.as_deref() == Some(&format!("{replicas}/{replicas}")))
        }
    };
    until(60, "the status does not count the autoscaler's replicas", ready(3)).await;
    scene.becomes(CLONE, "Ready", "True", None).await;

    // Without it the count is the overlay's again.
    scene.api::<HorizontalPodAutoscaler>().delete("version-1", &DeleteParams::default()).await.unwrap();
    until(60, "the overlay's count is not taken up again", async || {
        let clone = clone(&scene).await;
        clone["spec"]["replicas"] == 2 && is_ours(&clone)
    })
    .await;
    until(60, "the status does not count the overlay's replicas", ready(2)).await;
    scene.end().await;
}
