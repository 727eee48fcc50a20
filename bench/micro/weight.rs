//! What a controller's inventory and plan weigh, by part: bytes asked of the allocator, and how many times.
//!
//! `cargo run --example weight [VERSIONS]` (2,000 of one base unless said). What the allocator itself adds is not
//! counted; `following` prints what the process holds. Lines set in are copies, so that what a part shares with
//! another counts in neither.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a measurement, not a service"
)]

#[path = "cluster.rs"]
mod cluster;

use cluster::{World, dpv, shop};
use synkronic::inventory::Document;

fn main() {
    let versions = std::env::args().nth(1).map_or(2_000, |text| text.parse().unwrap());
    let mut world = World::new();
    world.take(shop());
    world.take((0..versions).map(|n| dpv(n, 0)));
    world.settle();
    world.take_clones();
    world.settle();
    world.take_pods(versions);
    world.settle();
    world.write_statuses();
    println!("{versions} versions of one base, two pods each\n");
    parts(world);
}

fn weigh<T>(what: &str, of: usize, made: impl FnOnce() -> T) {
    let mut kept = None;
    let told = allocation_counter::measure(|| kept = Some(made()));
    let each = |number: i64| number.abs() as f64 / of as f64;
    let (bytes, blocks) = (each(told.bytes_current), each(told.count_current));
    println!("{bytes:>8.0} B {blocks:>6.1} blocks a version  {what}");
    drop(kept);
}

fn parts(world: World) {
    let World { mut inventory, planner, reports, changes, .. } = world;
    let n = inventory.dpvs.len();
    macro_rules! field { ($store:ident, $($f:ident).+) => {
        weigh(concat!("    ", stringify!($store), " ", stringify!($($f).+)), n, || inventory.$store.iter().map(|it| it.$($f).+.clone()).collect::<Vec<_>>());
    } }
    field!(deployments, meta);
    field!(deployments, meta.labels);
    field!(deployments, meta.annotations);
    field!(deployments, meta.controller);
    field!(deployments, selector);
    field!(deployments, pod_labels);
    field!(deployments, image);
    weigh("    deployments object", n, || {
        inventory.deployments.iter().map(|it| Document::of(&it.object.value())).collect::<Vec<_>>()
    });
    weigh("    services object", n, || {
        inventory.services.iter().map(|it| Document::of(&it.object.value())).collect::<Vec<_>>()
    });
    field!(services, meta);
    field!(services, selector);
    field!(services, ports);
    field!(dpvs, meta);
    field!(dpvs, spec);
    field!(dpvs, status);
    field!(pods, meta);
    field!(slices, meta);
    field!(slices, endpoints);
    field!(slices, ports);
    weigh("    planned objects", n, || {
        planner
            .planned()
            .values()
            .flat_map(|p| p.objects.iter().map(|it| Document::of(&it.object.value())))
            .collect::<Vec<_>>()
    });
    weigh("    planned report", n, || {
        planner.planned().values().map(|p| p.report.clone()).collect::<Vec<_>>()
    });
    weigh("changes", n, || drop(changes));
    weigh("reports", n, || drop(reports));
    weigh("planner", n, || drop(planner));
    weigh("deployments", n, || inventory.deployments = Default::default());
    weigh("services", n, || inventory.services = Default::default());
    weigh("slices", n, || inventory.slices = Default::default());
    weigh("pods", n, || inventory.pods = Default::default());
    weigh("dpvs", n, || inventory.dpvs = Default::default());
    weigh("indexes of the inventory", n, || drop(inventory));
}
