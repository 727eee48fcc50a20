//! The API server is gone for a while, under load: nothing that was served fails, and afterwards all goes on.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;

use crate::load::Load;
use crate::number;
use crate::plane::until;
use crate::program::Program;
use crate::scene::Scene;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the control plane; tests/run starts it"]
async fn without_an_api_server_no_request_fails() {
    let seconds = number("SYNKRONIC_OUTAGE", 20);
    let scene = Scene::set("outage").await;
    scene.shop();
    let program = Program::start(&scene.plane, &[]).await;
    for id in ["version-1", "version-2"] {
        scene.version(id, "shop:1").await;
        scene.becomes(&format!("shop-{id}"), "Ready", "True", None).await;
    }
    let hosts =
        [("shop.test", "base"), ("version-1.shop.test", "version-1"), ("version-2.shop.test", "version-2")];
    for (host, version) in hosts {
        program.serves(host, version).await;
    }
    let hosts = hosts.map(|(host, version)| (host.to_owned(), version.to_owned()));
    let load = Load::start(program.edge, &hosts);
    tokio::time::sleep(Duration::from_secs(1)).await;
    scene.plane.control(&["stop", "--kill", "kube-apiserver"]);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    scene.plane.control(&["start", "kube-apiserver"]);
    let back = Instant::now();
    // Kubernetes' own controllers take up to a minute to look again; what is waited for here is ours.
    scene.plane.control(&["stop", "kube-controller-manager"]);
    scene.plane.control(&["start", "kube-controller-manager"]);
    // What was wanted before and after comes about.
    scene.version("version-3", "shop:1").await;
    until(60, "no clone is made after the outage", async || {
        scene.api::<Deployment>().get_opt("shop-version-3").await.is_ok_and(|clone| clone.is_some())
    })
    .await;
    println!("a clone is made {:?} after the API server was back", back.elapsed());
    program.serves("version-3.shop.test", "version-3").await;
    println!("a new version is served {:?} after the API server was back", back.elapsed());
    scene.becomes("shop-version-3", "Ready", "True", None).await;
    println!("and Ready {:?} after", back.elapsed());
    let report = load.finish().await;
    println!("{seconds} s without an API server: {} requests, {} failed", report.asked, report.failed.len());
    assert!(report.failed.is_empty(), "{:?}\n{}", report.failed, program.table().await);
    assert!(report.asked > seconds * 20, "there was load");
    scene.clear_versions().await;
    scene.end().await;
}
