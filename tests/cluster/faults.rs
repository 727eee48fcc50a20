//! Faults at every call: the library's controller runs in this process against the real API server, through a
//! client that spoils calls by a seed: writes, those of the Lease, lists and watches. Whatever goes wrong, the end is
//! the one of the run in which nothing does.
//!
//! Each schedule has a namespace of its own; several run at once. `SYNKRONIC_FAULTS` says how many (200), from
//! `SYNKRONIC_SEED` on.

mod deeds;
mod picture;
mod script;
mod spoiled;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kube::Client;
use serde_json::{Value, json};
use synkronic::cluster::client::Cluster;
use synkronic::cluster::control::{self, Candidacy, Ends, Meters, Task};
use synkronic::cluster::kinds::Roles;
use synkronic::cluster::lease::Terms;
use synkronic::inventory::Settings;
use synkronic::meter::Meter;

use crate::number;
use crate::plane::Plane;
use deeds::{Hand, deeds};
use script::Script;

/// Schedules that run at once.
const AT_ONCE: u64 = 8;
/// The longest that a schedule's end may take.
const PATIENCE: Duration = Duration::from_secs(90);
/// Nothing may be written for so long at the end.
const QUIET: Duration = Duration::from_millis(2_500);

/// The namespace of the Leases.
const LEASES: &str = "default";

type Picture = BTreeMap<String, Value>;

/// Moments and changes that a seed decides (splitmix64).
pub struct Dice(u64);

impl Dice {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}

#[test]
#[ignore = "needs the control plane; tests/run starts it"]
fn whatever_goes_wrong_the_end_is_the_same() {
    let (count, first) = (number("SYNKRONIC_FAULTS", 200), number("SYNKRONIC_SEED", 1));
    let begun = Instant::now();
    define_kinds(&Plane::find());
    let calm = on_its_own(None, None);
    println!("the calm run: {} objects, {} writes", calm.picture.len(), calm.writes);
    let (next, writes) = (AtomicU64::new(first), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let worker = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= first + count {
                    return;
                }
                let end = on_its_own(Some(seed), Some(&calm.picture));
                writes.fetch_add(end.writes, Ordering::Relaxed);
                for (name, object) in &calm.picture {
                    assert_eq!(end.picture.get(name), Some(object), "seed {seed}: {name}");
                }
                let more: Vec<_> = end.picture.keys().filter(|it| !calm.picture.contains_key(*it)).collect();
                assert!(more.is_empty(), "seed {seed}: {more:?}");
                // Each fault costs a few; a loop would cost hundreds.
                assert!(end.writes < calm.writes * 4 + 40, "seed {seed}: {} writes", end.writes);
            }
        };
        let workers: Vec<_> = (0..AT_ONCE.min(count)).map(|_| scope.spawn(worker)).collect();
        let failed = workers.into_iter().filter_map(|worker| worker.join().err()).next();
        if let Some(failed) = failed {
            std::panic::resume_unwind(failed);
        }
    });
    let mean = writes.load(Ordering::Relaxed) / count.max(1);
    println!("{count} schedules from seed {first} in {:.0?}, {mean} writes each", begun.elapsed());
}

/// The two kinds, known to the API server.
fn define_kinds(plane: &Plane) {
    let crds = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
    let files = ["deploymentversions.yaml", "routers.yaml"].map(|file| format!("{crds}/{file}"));
    plane
        .kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &files[0], "-f", &files[1]])
        .unwrap();
    let names = ["crd/deploymentversions.kyaninus.com", "crd/routers.kyaninus.com"];
    plane.kubectl(&["wait", "--for=condition=Established", names[0], names[1]]).unwrap();
}

struct End {
    picture: Picture,
    writes: u64,
}

/// One schedule on a runtime of its own; without a seed nothing goes wrong.
fn on_its_own(seed: Option<u64>, wanted: Option<&Picture>) -> End {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let plane = Plane::find();
        let (people, ours) = (plane.client("admin").await, plane.client("synkronic").await);
        let namespace = seed.map_or_else(|| "faults-calm".to_owned(), |seed| format!("faults-{seed}"));
        let script = Arc::new(Script::new(seed));
        let client = spoiled::client(ours, &namespace, script.clone());
        tokio::select! {
            end = schedule(people, &namespace, seed, &script, wanted) => end,
            () = controllers(client, &namespace, &script) => unreachable!("a controller runs for ever"),
        }
    })
}

/// A controller, and after it was killed another.
async fn controllers(client: Client, namespace: &str, script: &Script) {
    let process = Arc::new(Meter::new().unwrap());
    let meters = Meters { control: process.control().unwrap(), process };
    loop {
        let ends = Ends::default();
        let task = Task {
            cluster: Cluster {
                client: client.clone(),
                // Not the one that is deleted in the end: the Lease would go first.
                namespace: LEASES.to_owned(),
                server: "https://unnamed.invalid:6443".parse().unwrap(),
            },
            roles: Roles { controller: true, edge: false },
            namespaces: vec![namespace.to_owned()],
            settings: Settings::default(),
            candidacy: Candidacy {
                lease: namespace.to_owned(),
                // One that comes after a kill does not wait for the Lease to run out: that is tested elsewhere.
                me: "one".to_owned(),
                terms: Terms { duration: Duration::from_secs(3) },
            },
            max_rolling: 5,
            pod: "one".to_owned(),
            pod_uid: None,
            shelf: None,
        };
        tokio::select! {
            () = control::run(task, Box::new(|_| {}), Box::new(|_, _| {}), &meters, &ends) => {}
            () = script.killed.notified() => {}
        }
    }
}

/// What people do, and what has become of it in the end.
async fn schedule(
    people: Client,
    namespace: &str,
    seed: Option<u64>,
    script: &Script,
    wanted: Option<&Picture>,
) -> End {
    let hand = Hand { client: people, namespace: namespace.to_owned() };
    hand.make_namespace().await;
    hand.prepare().await;
    let strangers = hand.strangers().await;
    let mut dice = Dice(seed.unwrap_or(0) ^ 0x5eed);
    for deed in deeds() {
        hand.does(&deed).await;
        let pause = if seed.is_some() { dice.below(250) } else { 300 };
        tokio::time::sleep(Duration::from_millis(pause)).await;
        if script.was_deposed() {
            hand.depose().await;
        }
    }
    script.be_good();
    let good = Instant::now();
    let end = Instant::now() + PATIENCE;
    // Pauses after failures, drains and garbage collection take their own time.
    while Instant::now() < end && !picture::is_there(&hand.picture().await, wanted) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let settled = good.elapsed();
    let picture = rest(&hand, script, end + PATIENCE, namespace).await;
    assert_eq!(hand.strangers().await, strangers, "{namespace}: a stranger was touched");
    let writes = script.written();
    hand.leave(seed.is_some_and(|seed| seed % 16 == 3)).await;
    if let Some(seed) = seed {
        println!(
            "seed {seed}: {writes} writes; settled {settled:.1?} after the last fault, gone after {:.1?}",
            good.elapsed()
        );
    }
    End { picture, writes }
}

/// Waits until nothing is written any more and nothing changes.
async fn rest(hand: &Hand, script: &Script, end: Instant, namespace: &str) -> Picture {
    loop {
        let before = (hand.picture().await, script.written());
        tokio::time::sleep(QUIET).await;
        let after = (hand.picture().await, script.written());
        if before == after {
            return after.0;
        }
        assert!(Instant::now() < end, "{namespace}: it does not come to rest; last: {:?}", script.last());
    }
}

/// The Lease in somebody else's hands, who lets it run out.
fn foreign_lease() -> Value {
    json!({"spec": {"holderIdentity": "somebody-else", "leaseDurationSeconds": 1}})
}
