//! Objects in, find out: small synchronous tests, by what they are about.

#[allow(dead_code, reason = "the tests of rules and paths follow")]
pub mod world;

mod hosts;
