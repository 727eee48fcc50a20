//! What a version follows while it is there: its own overlay, its base, the Routers that name it; and what it does
//! not: a hand that edits the clone.

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use synkronic::api::{DeploymentVersion, Router};

use crate::apart::Apart;
use crate::load::{ANY, Load};
use crate::plane::until;
use crate::program::Program;
use crate::scene::Scene;

const CLONE: &str = "shop-version-1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the control plane; tests/run starts it"]
async fn a_version_follows_its_base_and_nobody_else() {
    let scene = Scene::set("follow").await;
    scene.shop();
    let program = Program::start(&scene.plane, &[]).await;
    program.serves("shop.test", "base").await;
    let apart = Apart::watch(scene.client.clone(), &scene.namespace, "shop");
    scene.version("version-1", "shop:1").await;
    scene.becomes(CLONE, "Ready", "True", None).await;
    edits_are_set_back(&scene).await;
    the_base_is_followed(&scene).await;
    labels_that_change_take_no_pod_away(&scene, &program).await;
    a_version_in_use_stays(&scene, &program).await;
    scene.version("version-1", "shop:2").await;
    scene.becomes(CLONE, "Ready", "True", None).await;
    a_deletion_in_the_foreground_waits_for_nobody(&scene, &program).await;
    scene.version("version-1", "shop:2").await;
    scene.becomes(CLONE, "Ready", "True", None).await;
    a_suspended_version_runs_no_pods(&scene, &program).await;
    a_base_that_is_gone_is_missed(&scene, &program).await;
    apart.was();
    scene.clear_versions().await;
    scene.end().await;
}

async fn clone(scene: &Scene) -> Value {
    let found = scene.api::<Deployment>().get_opt(CLONE).await.unwrap();
    found.map(|clone| serde_json::to_value(clone).unwrap()).unwrap_or_default()
}

fn container(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["spec"]["containers"][0]
}

async fn patch_version(scene: &Scene, patch: Value) {
    let api = scene.api::<DeploymentVersion>();
    api.patch(CLONE, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

async fn edits_are_set_back(scene: &Scene) {
    let uid = clone(scene).await["metadata"]["uid"].clone();
    scene.kubectl(&["set", "image", "deployment", CLONE, "web=edited:1"]);
    scene.kubectl(&["scale", "deployment", CLONE, "--replicas=4"]);
    scene.kubectl(&["label", "deployment", CLONE, "kyaninus.com/version=other", "--overwrite"]);
    scene.kubectl(&["annotate", "deployment", CLONE, "example.com/mine=stays"]);
    until(30, "a hand's edit is not set back", async || {
        let clone = clone(scene).await;
        container(&clone)["image"] == "shop:1"
            && clone["spec"]["replicas"] == 1
            && clone["metadata"]["labels"]["kyaninus.com/version"] == "version-1"
    })
    .await;
    let clone = clone(scene).await;
    assert_eq!(clone["metadata"]["uid"], uid, "edited back, not made anew");
    assert_eq!(
        clone["metadata"]["annotations"]["example.com/mine"], "stays",
        "what we don't set is not ours"
    );
}

async fn the_base_is_followed(scene: &Scene) {
    scene.kubectl(&["set", "env", "deployment", "shop", "MODE=fast"]);
    let mode = |clone: &Value| {
        let env = container(clone)["env"].as_array().cloned().unwrap_or_default();
        env.iter().any(|var| var["name"] == "MODE" && var["value"] == "fast")
    };
    until(30, "the base's new variable is not in the clone", async || mode(&clone(scene).await)).await;
    let restarted = "kubectl.kubernetes.io/restartedAt";
    scene.kubectl(&["rollout", "restart", "deployment", "shop"]);
    scene.kubectl(&["set", "env", "deployment", "shop", "MODE-"]);
    until(30, "the variable that the base lost is still in the clone", async || !mode(&clone(scene).await))
        .await;
    let annotations = clone(scene).await["spec"]["template"]["metadata"]["annotations"].clone();
    assert!(annotations.get(restarted).is_none(), "the base's restart is the base's: {annotations}");
    scene.becomes(CLONE, "Ready", "True", None).await;
}

/// The labels of the active version's pods become others: those that run serve until there are new ones, which take
/// their time.
async fn labels_that_change_take_no_pod_away(scene: &Scene, program: &Program) {
    make_active(scene, Some("version-1")).await;
    program.serves("shop.test", "version-1").await;
    let load = Load::start(program.edge, &[("shop.test".to_owned(), "version-1".to_owned())]);
    let template = json!({"metadata": {"labels": {"app": "mine"}},
        "spec": {"containers": [{"name": "web", "image": "shop:slow"}]}});
    patch_version(scene, json!({"spec": {"deploymentSpec": {"template": template}}})).await;
    until(30, "the label is not in the clone", async || {
        clone(scene).await["spec"]["template"]["metadata"]["labels"]["app"] == "mine"
    })
    .await;
    scene.kubectl(&["rollout", "status", "deployment", CLONE, "--timeout=60s"]);
    scene.becomes(CLONE, "Ready", "True", None).await;
    let report = load.finish().await;
    assert!(report.asked > 0 && report.failed.is_empty(), "{report:?}");
}

async fn make_active(scene: &Scene, version: Option<&str>) {
    let active = json!({"spec": {"active": version}});
    scene.api::<Router>().patch("shop", &PatchParams::default(), &Patch::Merge(active)).await.unwrap();
}

async fn bears_the_finalizer(scene: &Scene) {
    until(30, "an active version bears no finalizer", async || {
        let object = scene.api::<DeploymentVersion>().get(CLONE).await.unwrap();
        object.finalizers().iter().any(|finalizer| finalizer == "kyaninus.com/in-use")
    })
    .await;
}

/// Deleted while it is active, it serves until those who asked for it have another.
async fn a_version_in_use_stays(scene: &Scene, program: &Program) {
    make_active(scene, Some("version-1")).await;
    program.serves("shop.test", "version-1").await;
    bears_the_finalizer(scene).await;
    let load = Load::start(program.edge, &[("shop.test".to_owned(), ANY.to_owned())]);
    scene.api::<DeploymentVersion>().delete(CLONE, &DeleteParams::default()).await.unwrap();
    program.serves("shop.test", "base").await;
    until(90, "a version that is no longer in use does not go", async || {
        let object = scene.api::<DeploymentVersion>().get_opt(CLONE).await.unwrap();
        object.is_none() && clone(scene).await.is_null()
    })
    .await;
    let report = load.finish().await;
    assert!(report.asked > 0 && report.failed.is_empty(), "{report:?}");
    make_active(scene, None).await;
}

/// What the README warns of: Kubernetes deletes the clone before the version, whatever its finalizer says. What is
/// asked for goes to the base all the same, and nothing hangs.
async fn a_deletion_in_the_foreground_waits_for_nobody(scene: &Scene, program: &Program) {
    make_active(scene, Some("version-1")).await;
    program.serves("shop.test", "version-1").await;
    bears_the_finalizer(scene).await;
    scene.api::<DeploymentVersion>().delete(CLONE, &DeleteParams::foreground()).await.unwrap();
    program.serves("shop.test", "base").await;
    until(90, "a version that is deleted in the foreground does not go", async || {
        let object = scene.api::<DeploymentVersion>().get_opt(CLONE).await.unwrap();
        object.is_none() && clone(scene).await.is_null()
    })
    .await;
    make_active(scene, None).await;
}

async fn a_suspended_version_runs_no_pods(scene: &Scene, program: &Program) {
    patch_version(scene, json!({"spec": {"suspend": true}})).await;
    until(30, "a suspended version still runs", async || {
        let answer = program.get("version-1.shop.test", "/").await.unwrap();
        clone(scene).await["spec"]["replicas"] == 0 && answer.status == 503
    })
    .await;
    patch_version(scene, json!({"spec": {"suspend": false}})).await;
    program.serves("version-1.shop.test", "version-1").await;
}

/// Its clones run on; it is found again when it is back.
async fn a_base_that_is_gone_is_missed(scene: &Scene, program: &Program) {
    let uid = clone(scene).await["metadata"]["uid"].clone();
    // Without the base nothing says which Service is its own, but the Router.
    let named = json!({"spec": {"service": "shop"}});
    scene.api::<Router>().patch("shop", &PatchParams::default(), &Patch::Merge(named)).await.unwrap();
    scene.api::<Deployment>().delete("shop", &DeleteParams::background()).await.unwrap();
    scene.becomes(CLONE, "BaseResolved", "False", None).await;
    program.serves("version-1.shop.test", "version-1").await;
    assert_eq!(clone(scene).await["metadata"]["uid"], uid, "the clone runs on");
    scene.apply(crate::scene::SHOP);
    scene.becomes(CLONE, "BaseResolved", "True", None).await;
    scene.becomes(CLONE, "Ready", "True", None).await;
    program.serves("shop.test", "base").await;
    assert_eq!(clone(scene).await["metadata"]["uid"], uid, "and is the same still");
}
