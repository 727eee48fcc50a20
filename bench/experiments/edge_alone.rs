//! The edge with a table of any size and nothing else: no files, no processes, no probes.
//!
//! `synkronic local` plays a whole cluster, whose memory and background work are its own; `bench/run` takes this
//! program for what the edge costs with 10,000 versions. One Router on `shop.example.com`; each version has a pod
//! on loopback, or with upstream port 0 two that nobody answers for.
//!
//! `edge_alone PORT UPSTREAM-PORT VERSIONS`
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "../micro/world.rs"]
mod world;

use std::sync::Arc;

use arc_swap::ArcSwap;
use synkronic::edge::{Config, Edge};
use synkronic::meter::Meter;
use world::{Pods, World};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let numbers: Vec<u16> = std::env::args().skip(1).map(|text| text.parse().expect("a number")).collect();
    let &[port, upstream, versions] = numbers.as_slice() else {
        eprintln!("usage: edge_alone PORT UPSTREAM-PORT VERSIONS");
        std::process::exit(2);
    };
    let pods = if upstream == 0 { Pods::Nowhere } else { Pods::Ports(vec![[upstream; 2]].leak()) };
    // Kept as long as the edge: an edge that follows changes keeps its inventory too.
    let world = World::of(1, versions.into(), pods);
    let table = Arc::new(ArcSwap::from(world.compiled().table.clone()));
    let config = Config { listen: vec![([127, 0, 0, 1], port).into()], workers: 1, ..Config::default() };
    let edge = Edge::build(&config, table, Arc::new(Meter::new().unwrap())).unwrap();
    edge.join();
    drop(world);
}
