//! Synkronic for one namespace: it serves that one, and asks for no other.

use serde_json::{Value, json};

use crate::load;
use crate::world::{SYSTEM, World, until};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: tests/run"]
async fn an_installation_for_one_namespace_keeps_to_it() {
    let world = World::installed().await;
    // The one for all namespaces sleeps meanwhile; the kinds stay.
    world.kubectl(&["-n", SYSTEM, "scale", "deployment", "--all", "--replicas=0"]);
    world.kubectl(&["-n", SYSTEM, "wait", "pod", "--all", "--for=delete", "--timeout=90s"]);
    let (team, other) = (world.namespace("team").await, world.namespace("other").await);
    world.kubectl(&["apply", "-k", "tests/node/team"]);
    for scene in [&team, &other] {
        scene.base(1, &Value::Null);
        scene.version("v2", &json!({}));
        scene.router(&format!("{}.test", scene.name));
    }
    for deployment in ["deployment/synkronic-controller", "deployment/synkronic-edge"] {
        team.kubectl(&["rollout", "status", deployment, "--timeout=60s"]);
    }
    team.ready("v2");
    let address = team.kubectl(&["get", "service", "synkronic-edge", "-o", "jsonpath={.spec.clusterIP}"]);
    let edge = format!("{address}:80").parse().unwrap();
    until(30, "the team's version is served", async || {
        load::get(edge, "v2.team.test", "/", &[]).await.version() == Some("v2")
    })
    .await;
    assert_eq!(load::get(edge, "other.test", "/", &[]).await.status, 404);
    assert_eq!(other.kubectl(&["get", "deployments", "-o", "name"]), "deployment.apps/shop\n");
    assert_eq!(other.object("DeploymentVersion", "shop-v2").await.get("status"), None);

    // Away again, in the order that leaves nothing.
    team.kubectl(&["delete", "routers,deploymentversions", "--all", "--timeout=60s"]);
    world.kubectl(&["delete", "-k", "tests/node/team", "--timeout=60s"]);
    let left =
        team.kubectl(&["get", "deployments,services,roles,rolebindings,serviceaccounts", "-o", "name"]);
    assert_eq!(left, "deployment.apps/shop\nservice/shop\nserviceaccount/default\n");
    for namespace in ["team", "other"] {
        world.remove_namespace(namespace).await;
    }
}
