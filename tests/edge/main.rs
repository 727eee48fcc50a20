//! The edge as a whole, in this process, on port 0: raw sockets on one side, small hostile upstreams on the
//! other. No test waits for a time to pass to decide; time limits only end a test that hangs.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod rig;

mod aside;
mod bodies;
mod families;
mod faults;
mod floods;
mod life;
mod limits;
mod plain;
mod rolling;
mod tenants;
mod tunnels;
mod upstreams;
mod versions;
