//! Synkronic: rainbow deployments for Kubernetes.
//!
//! The rooms, and which outside world each may touch:
//!
//! | room | what it holds | what it may touch |
//! | --- | --- | --- |
//! | [`api`] | the two kinds, `DeploymentVersion` and `Router`, as Rust types | nothing |
//! | [`inventory`] | the objects known at one instant, indexed | nothing |
//! | [`plan`] | inventory to desired clones | nothing: pure |
//! | [`standing`] | inventory and the time to statuses | nothing: pure |
//! | [`routes`] | inventory to routing table; which version a request gets | nothing: pure |
//! | [`wire`] | bytes to HTTP heads and back, the guard | nothing: pure |
//! | [`meter`] | counters and their scrape | memory |
//! | [`listen`] | sockets that listen | the network |
//! | [`edge`] | the reverse proxy | the network |
//! | [`cluster`] | watches to inventory; clones, statuses and Leases written | the API server |
//! | [`local`] | files to inventory, processes as pods | files, processes |
//! | [`echo`] | a small upstream for trials | the network |
//! | [`admin`] | health, metrics, table, explain | the network |
//! | [`cli`] | arguments, and one file a command | everything; wires the rooms together |
//!
//! Arrows run one way: `api` ← `inventory` ← `plan`, `standing`, `routes`; `wire`, `meter`
//! and `listen` ← `echo` stand alone; all of these ← `edge`, `admin`, `cluster`, `local` ← `cli`. Siblings never import one
//! another, and no Kubernetes type reaches `edge`.
#![deny(unsafe_code)]

pub mod admin;
pub mod api;
pub mod cli;
pub mod cluster;
pub mod echo;
pub mod edge;
pub mod inventory;
pub mod listen;
pub mod local;
pub mod meter;
pub mod plan;
pub mod routes;
pub mod standing;
pub mod wire;
