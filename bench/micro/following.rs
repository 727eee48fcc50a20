//! What following a change costs where there are many versions: the inventory's update, the plan, the statuses;
//! and what a controller's inventory and plan weigh.
//!
//! `cargo run --release --example following [VERSIONS]` (10,000 of one base unless said). Times are medians of a
//! few dozen changes, in milliseconds; memory is what the process holds (`/proc/self/statm`), in MiB.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a measurement, not a service"
)]

#[path = "cluster.rs"]
mod cluster;

use std::time::{Duration, Instant};

use cluster::{World, dpv, live, pod, router, service, shop, slice};
use serde_json::{Value, json};
use synkronic::inventory::{Edit, Key, Object};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TURNS: usize = 31;

fn main() {
    let versions = std::env::args().nth(1).map_or(10_000, |text| text.parse().unwrap());
    let mut world = World::new();
    println!("{versions} versions of one base; MiB at first: {:.1}", resident());
    world.take(shop());
    let (took, _) = timed(|| world.take((0..versions).map(|n| dpv(n, 0))));
    println!("{:>10.2} ms  DeploymentVersions come      {:>6.1} MiB", ms(took), resident());
    let (took, ()) = timed(|| world.settle());
    println!("{:>10.2} ms  the first plan and statuses  {:>6.1} MiB", ms(took), resident());
    let (took, ()) = timed(|| {
        world.take_clones();
        world.settle();
    });
    println!("{:>10.2} ms  the clones are there         {:>6.1} MiB", ms(took), resident());
    let (took, ()) = timed(|| {
        world.take_pods(versions);
        world.settle();
    });
    println!("{:>10.2} ms  pods and endpoints are there {:>6.1} MiB", ms(took), resident());
    world.write_statuses();
    println!("               statuses are written         {:>6.1} MiB", resident());

    println!("\n  inventory       plan   standing   changed versions + Routers, by what changed");
    let clone_of = |world: &World, n: usize| {
        let planned = &world.planner.planned()[&Key::new("shop", format!("shop-version-{n}"))];
        live(planned.objects.last().unwrap().object.value())
    };
    measure(&mut world, "one pod", |_, turn| vec![pod(turn, 0, turn + 1)]);
    measure(&mut world, "one version's endpoints", |_, turn| vec![slice(turn, turn + 1)]);
    measure(&mut world, "one clone's status", |world, turn| {
        let mut clone = clone_of(world, turn);
        clone["status"]["readyReplicas"] = json!(1);
        vec![clone]
    });
    measure(&mut world, "one DeploymentVersion's overlay", |_, turn| vec![dpv(turn, 1)]);
    measure(&mut world, "one new DeploymentVersion", |_, turn| vec![dpv(versions + turn, 0)]);
    measure(&mut world, "the Router's active", |_, turn| vec![router(turn % 7)]);
    measure(&mut world, "the base's status", |_, turn| {
        let mut base = shop().swap_remove(0);
        base["status"] = json!({"readyReplicas": turn});
        vec![base]
    });
    measure(&mut world, "a Service of somebody else", |_, turn| {
        vec![service("other", json!({"app": format!("other-{turn}")}))]
    });
    measure(&mut world, "the base's image", |_, turn| {
        let mut base = shop().swap_remove(0);
        base["spec"]["template"]["spec"]["containers"][1]["image"] = json!(format!("proxy:{turn}"));
        vec![base]
    });
}

fn measure(world: &mut World, what: &str, mut change: impl FnMut(&World, usize) -> Vec<Value>) {
    let mut times = [const { Vec::new() }; 3];
    let mut seen = (0, 0);
    for turn in 0..TURNS {
        let edits: Vec<Edit> = change(world, turn)
            .into_iter()
            .map(|value| Edit::Apply(Box::new(Object::read(value).unwrap().unwrap())))
            .collect();
        let (updating, changes) = timed(|| world.inventory.update(edits));
        world.changes.extend(changes);
        let (planning, affected) = timed(|| world.plan());
        let (deciding, statuses) = timed(|| world.decide(&affected));
        drop(statuses);
        seen = (affected.dpvs.len(), affected.routers.len());
        for (list, time) in times.iter_mut().zip([updating, planning, deciding]) {
            list.push(time);
        }
    }
    let [updating, planning, deciding] = times.map(|mut list| {
        list.sort_unstable();
        ms(list[TURNS / 2])
    });
    println!("{updating:>11.3}{planning:>11.3}{deciding:>11.3}   {:>6} + {}  {what}", seen.0, seen.1);
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let begun = Instant::now();
    let done = work();
    (begun.elapsed(), done)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096.0 / 1_048_576.0
}
