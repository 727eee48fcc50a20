//! Synkronic on a real API server, without a node: etcd, API server and controller manager are Kubernetes' own;
//! the kubelet is played by hand ([`hands`]).
//!
//! `tests/run` starts the control plane (`tests/kubernetes/plane`) and runs these inside its network namespace;
//! by hand: `tests/kubernetes/plane up target/kubernetes/plane`, then
//! `SYNKRONIC_PLANE=target/kubernetes/plane tests/kubernetes/plane exec target/kubernetes/plane cargo test --test
//! cluster -- --ignored --test-threads 1`. Asked to run without a control plane, they fail: nothing is skipped.
//!
//! One at a time: each starts `synkronic run` for the whole of the cluster, and two would share a Lease.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod fate;
mod hands;
mod merge;
mod plane;
