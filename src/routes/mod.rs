//! Inventory to routing table, and which version a request gets. Pure: no clock, no chance, no I/O.
//!
//! [`compile`](compile::compile) turns an inventory into a [`Table`] of plain types and a finding on every
//! object that it could not serve; [`Table::find`] answers one request and allocates nothing. A bad object
//! rejects itself and never its neighbours. No Kubernetes type leaves this room.

pub mod compile;
mod condition;
mod describe;
pub mod explain;
mod find;
mod hosts;
pub mod network;
pub mod pages;
mod path;
pub mod route;
mod router;
mod rules;
mod shards;
pub mod table;
mod value;

pub use compile::{Compiled, compile};
pub use explain::{Described, Explanation};
pub use pages::Page;
pub use route::{Absence, Endpoint, Protocol, Route, RouteLimits};
pub use table::{Caching, Choice, Facts, Outcome, Reason, Table};

#[cfg(test)]
mod tests;
