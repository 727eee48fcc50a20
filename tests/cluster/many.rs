//! Two hundred versions of one base: made at once, one by one, and half of them deleted again.
//!
//! Times are printed, not judged: they are the machine's too.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};
use synkronic::api::DeploymentVersion;
use tokio::task::JoinSet;

use crate::apart::Apart;
use crate::number;
use crate::plane::{Write, until};
use crate::program::{Caller, Program};
use crate::scene::{Scene, version};

const IMAGE: &str = "shop:1";
/// What takes longer than this never comes.
const HANGS: Duration = Duration::from_secs(300);

fn names(ids: std::ops::Range<u64>) -> BTreeSet<String> {
    ids.map(|id| format!("shop-v{id}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the control plane; tests/run starts it"]
async fn two_hundred_versions_come_go_and_rest() {
    let count = number("SYNKRONIC_VERSIONS", 200);
    let scene = Scene::set("many").await;
    scene.shop();
    let program = Program::start(&scene.plane, &[]).await;
    program.serves("shop.test", "base").await;
    let apart = Apart::watch(scene.client.clone(), &scene.namespace, "shop");
    let base = base(&scene).await;
    let mark = scene.plane.mark();

    let at_once = all_at_once(&scene, &program, count).await;
    table("written → served, all at once", &at_once);
    scene.all_ready(300, &names(0..count)).await;
    exactly(&scene, 0..count).await;
    all_routed(&program, 0..count).await;
    print_head(&scene, &["get", "dpv,rtr"]);

    delete(&scene, 0..count / 2).await;
    exactly(&scene, count / 2..count).await;
    all_routed(&program, count / 2..count).await;
    assert_eq!(program.get("v0.shop.test", "/").await.unwrap().status, 404);
    rests(&scene).await;

    delete(&scene, count / 2..count).await;
    exactly(&scene, 0..0).await;
    let singly = number("SYNKRONIC_ONE_BY_ONE", 50);
    let one_by_one = one_by_one(&scene, &program, singly).await;
    table("written → served, one by one", &one_by_one);
    assert_eq!(self::base(&scene).await, base, "the base is as it was");
    untouched(&scene.plane.writes(mark));
    apart.was();
    delete(&scene, 0..singly).await;
    scene.end().await;
}

/// All that somebody wrote of the base and its Service.
async fn base(scene: &Scene) -> Value {
    let deployment = serde_json::to_value(scene.api::<Deployment>().get("shop").await.unwrap()).unwrap();
    let service = serde_json::to_value(scene.api::<Service>().get("shop").await.unwrap()).unwrap();
    let part = |object: &Value| {
        let meta = &object["metadata"];
        json!([
            object["spec"],
            meta["labels"],
            meta["annotations"],
            meta["generation"],
            meta["ownerReferences"],
            meta["finalizers"]
        ])
    };
    json!([part(&deployment), part(&service)])
}

async fn served(caller: &mut Caller, id: &str) -> bool {
    let answer = caller.get("/").await;
    answer.is_ok_and(|answer| answer.status == 200 && answer.version.as_deref() == Some(id))
}

/// One client asks for all in turn, so that the asking doesn't take the machine from those who are to serve.
async fn all_at_once(scene: &Scene, program: &Program, count: u64) -> Vec<Duration> {
    let mut creating = JoinSet::new();
    for id in 0..count {
        let api = scene.api::<DeploymentVersion>();
        creating.spawn(async move {
            let (id, since) = (format!("v{id}"), Instant::now());
            api.create(&PostParams::default(), &version(&id, IMAGE)).await.unwrap();
            (id, since)
        });
    }
    let mut missing = creating.join_all().await;
    let mut times = Vec::new();
    let end = Instant::now() + HANGS;
    while !missing.is_empty() {
        assert!(Instant::now() < end, "not served: {missing:?}");
        let mut left = Vec::new();
        for (id, since) in missing {
            let mut caller = Caller::new(program.edge, &format!("{id}.shop.test"));
            if served(&mut caller, &id).await {
                times.push(since.elapsed());
            } else {
                left.push((id, since));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        missing = left;
    }
    times
}

async fn one_by_one(scene: &Scene, program: &Program, count: u64) -> Vec<Duration> {
    let api = scene.api::<DeploymentVersion>();
    let mut times = Vec::new();
    for id in (0..count).map(|id| format!("v{id}")) {
        let since = Instant::now();
        api.create(&PostParams::default(), &version(&id, IMAGE)).await.unwrap();
        let mut caller = Caller::new(program.edge, &format!("{id}.shop.test"));
        while !served(&mut caller, &id).await {
            assert!(since.elapsed() < HANGS, "{id} is not served");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        times.push(since.elapsed());
    }
    times
}

fn table(what: &str, times: &[Duration]) {
    let mut times: Vec<u128> = times.iter().map(Duration::as_millis).collect();
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!("| {what} | {} | p50 {} ms | p99 {} ms | max {} ms |", times.len(), at(50), at(99), at(100));
}

async fn all_routed(program: &Program, ids: std::ops::Range<u64>) {
    for id in ids {
        let answer = program.get(&format!("v{id}.shop.test"), "/").await.unwrap();
        assert_eq!((answer.status, answer.version), (200, Some(format!("v{id}"))));
    }
    assert_eq!(program.get("shop.test", "/").await.unwrap().version.as_deref(), Some("base"));
}

/// Exactly these have a Deployment and a Service, beside the base.
async fn exactly(scene: &Scene, ids: std::ops::Range<u64>) {
    let mut wanted = names(ids);
    wanted.insert("shop".to_owned());
    let what = format!("Deployments and Services are not {} ones", wanted.len());
    until(120, &what, async || scene.names().await == (wanted.clone(), wanted.clone())).await;
}

async fn delete(scene: &Scene, ids: std::ops::Range<u64>) {
    let api = scene.api::<DeploymentVersion>();
    for name in names(ids) {
        api.delete(&name, &DeleteParams::default()).await.unwrap();
    }
}

/// While nothing changes, nothing is written but Leases: for 20 s, after things have settled.
async fn rests(scene: &Scene) {
    let ours = |writes: Vec<Write>| -> Vec<String> {
        let ours = writes.into_iter().filter(|write| write.user() == "synkronic" && !write.is_lease());
        ours.map(|write| format!("{} {} {}", write.verb, write.uri, write.code())).collect()
    };
    // Settled is: five seconds without a write by anybody, Leases aside.
    until(120, "the cluster does not settle", async || {
        let mark = scene.plane.mark();
        tokio::time::sleep(Duration::from_secs(5)).await;
        scene.plane.writes(mark).iter().all(Write::is_lease)
    })
    .await;
    let mark = scene.plane.mark();
    tokio::time::sleep(Duration::from_secs(20)).await;
    let writes = ours(scene.plane.writes(mark));
    assert!(writes.is_empty(), "written while nothing changed: {writes:?}");
}

/// No write of ours ever named the base.
fn untouched(writes: &[Write]) {
    let base = |write: &&Write| {
        let path = write.uri.split('?').next().unwrap_or_default();
        write.user() == "synkronic"
            && (path.ends_with("/deployments/shop") || path.ends_with("/services/shop"))
    };
    let touched: Vec<&Write> = writes.iter().filter(base).collect();
    assert!(touched.is_empty(), "{touched:?}");
    assert!(writes.iter().any(|write| write.user() == "synkronic"), "the log has our writes");
}

fn print_head(scene: &Scene, arguments: &[&str]) {
    let text = scene.kubectl(arguments);
    let lines: Vec<&str> = text.lines().collect();
    println!("{}\n…\n{}", lines[..4].join("\n"), lines[lines.len() - 3..].join("\n"));
}
