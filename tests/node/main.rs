//! Synkronic as a cluster runs it: installed from `manifests/` onto a real node, its image in pods.
//!
//! `tests/run` starts control plane and node and runs these in their network namespace; by hand:
//! `tests/kubernetes/plane up DIR --node; tests/kubernetes/node up DIR`, images by `tests/kubernetes/image` and
//! `node image DIR TAR`, then `SYNKRONIC_NODE=DIR tests/kubernetes/plane exec DIR cargo test --test node -- --ignored
//! --test-threads 1 --nocapture`. Asked to run without a node, they fail: nothing is skipped.
//!
//! One at a time: all use the one installation, and one of them takes it away.
//! `SYNKRONIC_SCENES=full` repeats what is measured as often as a report needs it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod arriving;
mod away;
mod health;
mod heard;
mod installation;
mod leaving;
mod load;
mod removal;
mod rounds;
mod switching;
mod team;
mod trouble;
mod world;
