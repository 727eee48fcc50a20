//! The admin port: is it alive, is it ready, what has it counted, which table does it serve, and which version
//! would a described request get.
//!
//! It has a thread and a runtime of its own, so that nobody who asks ever slows a request down. It only
//! tells: nothing can be changed here. It is meant for the inside of a cluster or for one machine, and has no
//! secrets to keep, but names of hosts, versions and addresses.

mod answers;
mod explain;
mod readiness;
mod server;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use explain::explain;
pub use readiness::{Missing, Readiness};
pub use server::Bound;

use crate::meter::Meter;
use crate::routes::Table;

/// What the admin port tells of.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The counters.
    pub meter: Arc<Meter>,
    /// The table in service.
    pub table: Arc<ArcSwap<Table>>,
    /// What is missing before requests are welcome.
    pub readiness: Arc<Readiness>,
}
