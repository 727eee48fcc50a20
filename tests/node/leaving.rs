//! The edge itself is replaced, under load.

use std::time::Duration;

use serde_json::Value;

use crate::load::Load;
use crate::world::{SYSTEM, World};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: tests/run"]
async fn a_rolling_update_of_the_edge_fails_no_request() {
    let world = World::installed().await;
    let scene = world.namespace("leaving").await;
    scene.base(2, &Value::Null);
    scene.router("leaving.test");
    world.served("leaving.test", "base").await;

    let load = Load::on(world.edge, &["leaving.test"], 8);
    world.kubectl(&["-n", SYSTEM, "rollout", "restart", "deployment/synkronic-edge"]);
    world.kubectl(&["-n", SYSTEM, "rollout", "status", "deployment/synkronic-edge", "--timeout=120s"]);
    let edges = ["-n", SYSTEM, "get", "pods", "-l", "app.kubernetes.io/component=edge", "-o", "name"];
    // The old ones drain: until nobody is left of them.
    crate::world::until(90, "the old edges are gone", async || world.kubectl(&edges).lines().count() == 2)
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let tally = load.end().await;
    println!("rolling update of the edge: {tally}");
    tally.none_failed();
    world.remove_namespace("leaving").await;
}
