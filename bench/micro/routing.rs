//! How long `compile` takes where one endpoint changed, and how long `find` takes, by reason and by size.
//!
//! `cargo bench --bench routing`
#![allow(missing_docs, clippy::indexing_slicing, clippy::expect_used)]

mod world;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use world::{Ask, Pods, REASONS, World};

fn compiling(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile, one endpoint changed");
    group.sample_size(50);
    for (name, routers, versions) in [
        ("100 versions of one Router", 1, 100),
        ("10,000 versions of one Router", 1, 10_000),
        ("10,000 versions of 1,000 Routers", 1_000, 10),
    ] {
        let mut world = World::of(routers, versions, Pods::Nowhere);
        group.bench_function(name, |bencher| {
            // The inventory's own update is left out: it's measured below.
            bencher.iter_custom(|times| {
                (0..times).fold(Duration::ZERO, |total, _| {
                    let changes = world.move_endpoint();
                    let begun = Instant::now();
                    world.compile(&changes);
                    total + begun.elapsed()
                })
            });
        });
        group.bench_function(format!("{name}, with the inventory's update"), |bencher| {
            bencher.iter(|| {
                let changes = world.move_endpoint();
                world.compile(&changes);
            });
        });
    }
    group.finish();
}

fn finding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("find");
    for versions in [100, 10_000] {
        let world = World::of(1, versions, Pods::Nowhere);
        let table = world.compiled().table.clone();
        for reason in REASONS {
            let asks: Vec<Ask> = (0..64).map(|turn| Ask::by(reason, turn * 7919 % versions)).collect();
            let mut turn = 0;
            group.bench_function(BenchmarkId::new(reason, versions), |bencher| {
                bencher.iter(|| {
                    turn = (turn + 1) % asks.len();
                    asks[turn].with_facts(|facts| {
                        black_box(table.find(black_box(facts)));
                    });
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, finding, compiling);
criterion_main!(benches);
