//! The API server: watches into the inventory, and what follows from it back as writes.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`client`] | how the API server is reached |
//! | [`kinds`] | which kinds are watched, and what of their objects is kept |
//! | [`watch`], [`trouble`] | one kind followed for ever; what can go wrong on the way, and what follows |
//! | [`followers`] | all watches of a process |
//! | [`books`] | what has been heard of each watch: complete, failing, what vanished |
//! | [`clock`] | what is waited for is measured on a clock that nobody sets |
//! | [`core`] | everything known, and what follows from it; without clock and I/O |
//! | [`control`] | the loop around it |
//! | [`edges`], [`reached`] | what each edge serves, and so which Routers are programmed |
//! | [`shelf`] | the file of what was last known |
//! | [`mod@write`] | what is written: decided purely, sent thinly |
//! | [`lease`] | which of several controllers writes |
//!
//! Every replica watches and computes; only who holds the Lease writes. Whatever the API server refuses or
//! takes away is a retry and a named state, never a stop: what is known is served.

pub mod books;
pub mod client;
pub mod clock;
pub mod control;
pub mod core;
pub mod edges;
pub mod followers;
pub mod kinds;
pub mod lease;
pub mod reached;
pub mod shelf;
pub mod trouble;
pub mod watch;
pub mod write;
