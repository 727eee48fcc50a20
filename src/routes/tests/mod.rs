//! Objects in, find out: small synchronous tests, by what they are about.

pub mod world;

mod endpoints;
mod hosts;
mod order;
mod paths;
mod rules;
