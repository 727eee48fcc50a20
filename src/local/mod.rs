//! Files to inventory, processes as pods: Synkronic on one machine, without a cluster.

pub mod manifests;
