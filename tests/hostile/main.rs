//! Hostile bytes against a real edge in this process: raw sockets on one side, a recording upstream on the other.
//!
//! The numbers of lines are those of a list of hostile inputs, by which a report names them. `guard` sends each input of
//! the table in `lines` whole and split at every byte, `singly` holds what takes a scene of its own, and `oracle`
//! has independent parsers read what went upstream, of the table's inputs and of generated ones (`grammar`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

/// A line of a table: `cargo test` keeps back what passing tests print, but the tables are to be seen.
macro_rules! say {
    ($($what:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($what)*);
    }};
}

mod grammar;
mod guard;
mod lines;
mod oracle;
mod peers;
mod reading;
mod rig;
mod singly;

#[path = "../edge/rig.rs"]
#[allow(dead_code, reason = "scenes take what they need of it")]
mod scene;
