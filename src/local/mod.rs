//! Files to inventory, processes as pods: Synkronic on one machine, without a cluster.

pub mod defaults;
pub mod manifests;
pub mod pods;
pub mod shelf;
pub mod world;
