//! Synkronic on a real API server, without a node: etcd, API server and controller manager are Kubernetes' own;
//! the kubelet is played by hand ([`hands`]).
//!
//! `tests/run` starts the control plane (`tests/kubernetes/plane`) and runs these inside its network namespace; by
//! hand: `tests/cluster/run`, or `tests/cluster/run stranger` for one of them. Asked to run without a control
//! plane, they fail: nothing is skipped.
//!
//! One at a time: each starts `synkronic run` for the whole of the cluster, and two would share a Lease.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod apart;
mod confined;
mod failing;
mod fate;
mod faults;
mod follow;
mod hands;
mod leader;
#[path = "../program/listening.rs"]
mod listening;
mod load;
mod many;
mod merge;
mod newest;
mod outage;
mod plane;
mod program;
mod rights;
mod samples;
mod scaled;
mod scene;
mod stranger;

/// A number that the environment may set.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}
