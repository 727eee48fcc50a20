//! The pure rooms, and how manifests are read: what is fuzzed. The rest (the cluster's client, the servers, TLS) would
//! make up most of the build and is not looked at here.
#![allow(missing_docs, reason = "the rooms have theirs")]

#[path = "../../src/api/mod.rs"]
pub mod api;
#[path = "../../src/inventory/mod.rs"]
pub mod inventory;
#[path = "../../src/plan/mod.rs"]
pub mod plan;
#[path = "../../src/routes/mod.rs"]
pub mod routes;
#[path = "../../src/standing/mod.rs"]
pub mod standing;
#[path = "../../src/wire/mod.rs"]
pub mod wire;

// `local` beside this file is a link to the room: a file named by a path would look for its parts in the wrong place.
pub mod local {
    pub mod manifests;
}
