//! The API server is away, and meanwhile every edge starts anew.

use std::time::Duration;

use serde_json::Value;

use crate::world::{World, until};

/// Starts the API server again, whatever becomes of the scene: the ones after it need it.
struct Away<'w>(&'w World);

impl Drop for Away<'_> {
    fn drop(&mut self) {
        self.0.plane(&["start"], &["kube-apiserver"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: tests/run"]
async fn edges_that_start_while_the_api_server_is_away_serve_what_they_knew() {
    let world = World::installed().await;
    let scene = world.namespace("away").await;
    scene.base(1, &Value::Null);
    scene.router("away.test");
    world.served("away.test", "base").await;
    // A snapshot is written every 5 s at most.
    tokio::time::sleep(Duration::from_secs(7)).await;

    let away = {
        world.plane(&["stop"], &["--kill", "kube-apiserver"]);
        Away(&world)
    };
    let edges = "pgrep -f '^/usr/bin/synkronic run --role=edge'";
    let before = world.on_node(&["sh", "-c", edges]);
    world.on_node(&["sh", "-c", &format!("kill -9 $({edges})")]);
    until(30, "both edges run again", async || {
        let now = world.on_node(&["sh", "-c", &format!("{edges} || true")]);
        now.lines().count() == 2 && now.lines().all(|pid| before.lines().all(|old| old != pid))
    })
    .await;
    world.served("away.test", "base").await;
    drop(away);

    // What comes afterwards is heard again.
    scene.apply(&[
        serde_json::json!({"apiVersion": "kyaninus.com/v1", "kind": "Router", "metadata": {"name": "after"},
        "spec": {"base": "shop", "hosts": ["after.test"]}}),
    ]);
    world.served("after.test", "base").await;
    world.remove_namespace("away").await;
}
