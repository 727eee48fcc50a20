//! Inventory to routing table, and which version a request gets. Pure: no clock, no chance, no I/O.
//!
//! [`compile`](compile::compile) turns an inventory into a [`Table`] of plain types and a finding on every
//! object that it could not serve; [`Table::find`] answers one request and allocates nothing. A bad object
//! rejects itself and never its neighbours. No Kubernetes type leaves this room.

pub mod route;
pub mod table;

pub use route::{Endpoint, Protocol, Route, RouteLimits};
pub use table::{Caching, Choice, Facts, Outcome, Reason, Table};
