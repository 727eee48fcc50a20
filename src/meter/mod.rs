//! Counters, and their scrape in Prometheus' text form.
//!
//! A worker counts in cells of its own, which nobody else writes: a count is a load and a store. A scrape
//! reads all workers' cells and adds them up. Labels come from configuration, never from traffic; a version's
//! cells are made on its first request and go when the version does. It knows no routes and no sockets.

mod cells;
mod control;
mod scrape;

pub use cells::{RouteCells, WorkerCells};
pub use control::{ControlMeter, Reconciled};
pub use scrape::{Meter, Shed};
