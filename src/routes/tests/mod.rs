//! Objects in, find out: small synchronous tests, by what they are about.

pub mod world;

mod again;
mod dice;
mod endpoints;
mod findings;
mod golden;
mod hosts;
mod judged;
mod oracle;
mod order;
mod paths;
mod rules;
