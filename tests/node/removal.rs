//! Synkronic is taken away: in the order that leaves nothing, and in the wrong one, with the way out.

use serde_json::{Value, json};

use crate::world::{Scene, World, until};

/// What README.md says.
const FIRST: [&str; 4] = ["delete", "routers,deploymentversions", "--all", "--all-namespaces"];
const THEN: [&str; 3] = ["delete", "-k", "manifests"];
/// And what it says of the wrong order.
const CLONES: [&str; 5] = [
    "delete",
    "deployments,services,networkpolicies,poddisruptionbudgets",
    "-l",
    "kyaninus.com/dpv",
    "--all-namespaces",
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: tests/run"]
async fn what_is_removed_in_order_leaves_nothing() {
    let world = World::installed().await;
    let scene = settled(&world).await;
    world.kubectl(&[&FIRST[..], &["--timeout=60s"]].concat());
    world.kubectl(&[&THEN[..], &["--timeout=90s"]].concat());
    nothing_is_left(&world, &scene).await;
    world.remove_namespace("removal").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: tests/run"]
async fn what_was_removed_in_the_wrong_order_can_be_ended() {
    let world = World::installed().await;
    let scene = settled(&world).await;
    // Nobody is left who would take the finalizer off: this waits until it is told to stop.
    let _ = world.try_kubectl(&[&THEN[..], &["--timeout=20s"]].concat(), "");
    let left = world.try_kubectl(&["get", "deploymentversions", "-A", "-o", "name"], "").unwrap_or_default();
    println!("left after {THEN:?}: {left:?}");
    for version in left.lines() {
        let patch = r#"{"metadata": {"finalizers": null}}"#;
        scene.kubectl(&["patch", version, "--type=merge", "-p", patch]);
    }
    nothing_of_the_installation_is_left(&world).await;
    // The garbage collector asks for owners by their kind: once that is gone it tries again for ever, unless it was
    // quick enough.
    world.kubectl(&CLONES);
    nothing_is_left(&world, &scene).await;
    world.remove_namespace("removal").await;
}

/// A base with a version that a Router names, so that it bears the finalizer.
async fn settled(world: &World) -> Scene<'_> {
    let scene = world.namespace("removal").await;
    scene.base(1, &Value::Null);
    scene.version("v2", &json!({}));
    scene.router("removal.test");
    scene.ready("v2");
    scene.activate("v2").await;
    world.served("removal.test", "v2").await;
    until(10, "the version in use has the finalizer", async || {
        let version = scene.object("DeploymentVersion", "shop-v2").await;
        version.pointer("/metadata/finalizers") == Some(&json!(["kyaninus.com/in-use"]))
    })
    .await;
    scene
}

async fn nothing_of_the_installation_is_left(world: &World) {
    let everywhere = "namespaces,customresourcedefinitions,clusterroles,clusterrolebindings,\
        validatingadmissionpolicies,validatingadmissionpolicybindings,ingressclasses";
    until(60, "nothing of the installation is left", async || {
        let marked = ["get", everywhere, "-l", "app.kubernetes.io/part-of=synkronic", "-o", "name"];
        world.kubectl(&marked).is_empty()
    })
    .await;
}

async fn nothing_is_left(world: &World, scene: &Scene<'_>) {
    nothing_of_the_installation_is_left(world).await;
    until(60, "the clones are gone, and the base stays", async || {
        let clones = "deployments,services,replicasets,pods,networkpolicies,poddisruptionbudgets";
        scene.kubectl(&["get", clones, "-l", "kyaninus.com/dpv", "-o", "name"]).is_empty()
    })
    .await;
    assert_eq!(
        scene.kubectl(&["get", "deployments,services", "-o", "name"]),
        "deployment.apps/shop\nservice/shop\n"
    );
    assert!(
        world.try_kubectl(&["get", "deploymentversions", "-A"], "").is_err(),
        "the kinds are still there"
    );
}
