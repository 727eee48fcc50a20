//! Versions that do not come up: what their conditions, `kubectl get` and the page of a visitor say.

use crate::fate::LAST_WORDS;
use crate::program::Program;
use crate::scene::Scene;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the control plane; tests/run starts it"]
async fn a_version_that_does_not_come_up_says_why() {
    let scene = Scene::set("failing").await;
    scene.shop();
    let program = Program::start(&scene.plane, &[]).await;
    program.serves("shop.test", "base").await;
    scene.version("crashes", "shop:crash").await;
    scene.version("absent", "shop:absent").await;
    scene.version("waits", "shop:never-ready").await;
    scene.apply(
        "{apiVersion: kyaninus.com/v1, kind: DeploymentVersion, metadata: {name: shop-nowhere},
          spec: {deploymentSpec: {template: {spec: {nodeSelector: {disk: quantum}}}}}}",
    );
    let expected: [(&str, &str, &[&str]); 4] = [
        ("crashes", "CrashLooping", &["web", "exited 1", "7 restarts", LAST_WORDS]),
        ("absent", "ImagePullFailed", &["shop:absent"]),
        ("nowhere", "Unschedulable", &["0/1 nodes are available"]),
        ("waits", "RollingOut", &[]),
    ];
    for (id, reason, words) in expected {
        let name = format!("shop-{id}");
        scene.becomes(&name, "Available", "False", Some(reason)).await;
        // The newest words come with the last restart.
        crate::plane::until(30, &format!("{name} does not say {words:?}"), async || {
            let condition = scene.condition(&name, "Ready").await;
            condition.is_some_and(|found| {
                found.status == "False"
                    && found.reason == reason
                    && words.iter().all(|w| found.message.contains(w))
            })
        })
        .await;
        let message = scene.condition(&name, "Ready").await.unwrap().message;
        let page = program.get(&format!("{id}.shop.test"), "/").await.unwrap();
        println!("{id}\n  condition  {reason}: {message}\n  page       {} {}", page.status, page.body);
        // A visitor is told which version, and that it has no pod to answer; why stands where its owner looks.
        assert_eq!(page.status, 503);
        assert!(page.retry_after.is_some(), "the page of {id} says when to come again");
        assert!(page.body.contains(id) && page.body.contains("has no pod"), "{}", page.body);
    }
    let table = scene.kubectl(&["get", "dpv"]);
    println!("{table}");
    for (id, reason, _) in expected {
        let row = table.lines().find(|line| line.starts_with(&format!("shop-{id}"))).unwrap();
        assert!(row.contains(reason) && row.contains("0/1"), "{row}");
    }
    println!("{}", scene.kubectl(&["describe", "dpv", "shop-crashes"]));
    assert_eq!(program.get("shop.test", "/").await.unwrap().version.as_deref(), Some("base"));
    scene.end().await;
}
