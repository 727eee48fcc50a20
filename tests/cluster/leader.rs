//! The leader is killed with -9 at random moments, while versions come, change and go.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use synkronic::api::DeploymentVersion;

use crate::apart::Apart;
use crate::number;
use crate::plane::until;
use crate::program::Program;
use crate::scene::{Scene, version};

/// Shorter than the default, so that more leaders can be killed in a minute.
const LEASE: [&str; 2] = ["--lease-duration", "5s"];
/// Versions that are there at most.
const VERSIONS: u64 = 8;

/// Moments and changes that a seed decides (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ (mixed >> 27)) % end
    }
}

/// What should be there: version → image.
type Wanted = BTreeMap<String, String>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the control plane; tests/run starts it"]
async fn a_leader_that_is_killed_leaves_no_trace() {
    let (rounds, seed) = (number("SYNKRONIC_KILLS", 5), number("SYNKRONIC_SEED", 1));
    println!("{rounds} kills, seed {seed}");
    let scene = Scene::set("leader").await;
    scene.shop();
    let mut dice = Dice(seed);
    let mut programs =
        vec![Program::start(&scene.plane, &LEASE).await, Program::start(&scene.plane, &LEASE).await];
    programs[0].serves("shop.test", "base").await;
    let apart = Apart::watch(scene.client.clone(), &scene.namespace, "shop");
    let mut wanted = Wanted::new();
    for round in 0..rounds {
        let moment = Duration::from_millis(dice.below(400));
        let leader = leading(&scene, &programs).await;
        let killed = programs.remove(leader);
        let kill = tokio::task::spawn(async move {
            tokio::time::sleep(moment).await;
            killed.kill();
        });
        for _ in 0..6 {
            change(&scene, &mut dice, &mut wanted, round).await;
        }
        kill.await.unwrap();
        programs.push(Program::start(&scene.plane, &LEASE).await);
        // Somebody leads again before the next is killed, or nobody ever would.
        converges(&scene, &programs, &wanted).await;
    }
    apart.was();
    drop(programs);
    scene.clear_versions().await;
    scene.end().await;
}

/// Which of the processes holds the Lease: the one whose log says so last.
async fn leading(scene: &Scene, programs: &[Program]) -> usize {
    let mut found = None;
    until(60, "nobody leads", async || {
        let holder = scene.lease_holder().await;
        found = holder.and_then(|holder| programs.iter().position(|program| program.log().contains(&holder)));
        found.is_some()
    })
    .await;
    found.unwrap_or_default()
}

async fn change(scene: &Scene, dice: &mut Dice, wanted: &mut Wanted, round: u64) {
    let api = scene.api::<DeploymentVersion>();
    let id = format!("v{}", dice.below(VERSIONS));
    let (name, image) = (format!("shop-{id}"), format!("shop:{round}-{}", dice.below(1000)));
    match (wanted.contains_key(&id), dice.below(3)) {
        (false, _) => {
            // Its namesake may still be going.
            until(60, "a deleted version is not gone", async || matches!(api.get_opt(&name).await, Ok(None)))
                .await;
            api.create(&PostParams::default(), &version(&id, &image)).await.unwrap();
            wanted.insert(id, image);
        }
        (true, 0) => {
            api.delete(&name, &DeleteParams::default()).await.unwrap();
            wanted.remove(&id);
        }
        (true, _) => {
            let spec = json!({"spec": version(&id, &image).spec});
            api.patch(&name, &PatchParams::default(), &Patch::Merge(spec)).await.unwrap();
            wanted.insert(id, image);
        }
    }
    tokio::time::sleep(Duration::from_millis(dice.below(100))).await;
}

/// The end state: these Deployments of these images, their Services, all Ready, all served.
async fn converges(scene: &Scene, programs: &[Program], wanted: &Wanted) {
    let mut names: std::collections::BTreeSet<String> =
        wanted.keys().map(|id| format!("shop-{id}")).collect();
    scene.all_ready(120, &names).await;
    names.insert("shop".into());
    until(120, "Deployments and Services are not those wanted", async || {
        scene.names().await == (names.clone(), names.clone()) && images(scene).await == *wanted
    })
    .await;
    for program in programs {
        for id in wanted.keys() {
            program.serves(&format!("{id}.shop.test"), id).await;
        }
    }
}

async fn images(scene: &Scene) -> Wanted {
    let list = scene.api::<Deployment>().list(&ListParams::default()).await.unwrap();
    let clones = list.iter().filter(|deployment| deployment.name_any() != "shop");
    clones
        .map(|deployment| {
            let value = serde_json::to_value(deployment).unwrap();
            let image =
                value["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned();
            (deployment.name_any().replace("shop-", ""), image)
        })
        .collect()
}
