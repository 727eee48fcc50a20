//! Files to inventory, processes as pods: Synkronic on one machine, without a cluster.

pub mod control;
pub mod core;
pub mod defaults;
pub mod manifests;
pub mod picture;
pub mod pods;
pub mod screen;
pub mod shape;
pub mod shelf;
pub mod watch;
pub mod world;
