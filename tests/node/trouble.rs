//! Versions that do not come up: what is said of them, and to whom.

use serde_json::{Value, json};

use crate::health;
use crate::world::{Scene, World, until};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: tests/run"]
async fn a_version_that_does_not_come_up_says_why() {
    let world = World::installed().await;
    let scene = world.namespace("trouble").await;
    scene.base(1, &Value::Null);
    scene.router("trouble.test");
    let container = |fields: Value| {
        let mut container = json!({"name": "web"});
        container.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({"template": {"spec": {"containers": [container]}}})
    };
    let crashing = json!({"command": ["synkronic", "echo", "--listen", "nowhere"]});
    scene.version("crashing", &container(crashing));
    scene.version("imageless", &container(json!({"image": "registry.invalid/shop:9"})));
    let enormous = json!({"resources": {"requests": {"cpu": "1000"}}});
    scene.version("enormous", &container(enormous));

    let cases = [
        ("crashing", "CrashLooping", "web exited 2", "Degraded"),
        ("imageless", "ImagePullFailed", "registry.invalid/shop:9", "Degraded"),
        ("enormous", "Unschedulable", "Insufficient cpu", "Progressing"),
    ];
    for (id, reason, words, _) in cases {
        says(&scene, id, reason, words).await;
    }
    scene.show(&["get", "dpv"]);
    scene.show(&["get", "pods"]);
    for (id, reason, _, argo) in cases {
        let name = format!("shop-{id}");
        scene.show(&["describe", "dpv", &name]);
        let host = format!("{id}.trouble.test");
        // The edge learns of a status as of everything else: a moment after it was written.
        until(10, &format!("the page of {host} says {reason}"), async || {
            world.get(&host, "/", &[]).await.body.contains(&format!("`{reason}`"))
        })
        .await;
        let page = world.get(&host, "/", &[]).await;
        println!(
            "$ curl -i http://{id}.trouble.test/\n{} {:?}\n{}\n",
            page.status,
            page.header("retry-after"),
            page.body
        );
        assert_eq!((page.status, page.header("x-synkronic-version")), (503, Some(id)), "{page:?}");
        assert!(page.body.contains(id), "{page:?}");
        let (health, message) = health::of(&world, &scene.object("DeploymentVersion", &name).await);
        assert_eq!((health.as_str(), message.is_empty()), (argo, false), "{reason}: {message}");
    }
    // The base is not disturbed by any of it.
    world.served("trouble.test", "base").await;

    // What is repaired comes up.
    scene.version("imageless", &json!({}));
    scene.ready("imageless");
    world.served("imageless.trouble.test", "imageless").await;
    world.remove_namespace("trouble").await;
}

async fn says(scene: &Scene<'_>, id: &str, reason: &str, words: &str) {
    let name = format!("shop-{id}");
    until(60, &format!("{name} says {reason}, {words}"), async || {
        let (status, found, message) = scene.condition("DeploymentVersion", &name, "Ready").await;
        status == "False" && found == reason && message.contains(words)
    })
    .await;
}
