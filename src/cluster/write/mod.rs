//! From what is wanted to what is written: the only room that changes anything in a cluster.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`mod@decide`] | PURE: what is live, what is wanted and what came of earlier writes, to the next writes |
//! | [`memory`] | what came of earlier writes |
//! | [`echoes`], [`troubles`], [`contests`] | of it: what the watch has not shown yet; what was refused, and when it is tried again; who changes things back, or deletes them |
//! | [`endings`] | of it: namespaces that are being deleted |
//! | `index`, [`sight`], `words` | what is live, by owner; how far that can be believed; what a person is told |
//! | [`prepare`], [`compare`], [`quantity`] | a desired object as it is sent; whether it is there already |
//! | [`rolling`] | so many versions of a base follow its change at a time |
//! | [`in_use`] | the finalizer of a version that traffic is sent to |
//! | [`status`], [`events`] | statuses and events, only where something differs |
//! | [`address`], [`request`], [`outcome`] | PURE: a write as an HTTP request, and what an answer means |
//! | [`writer`] | all of it, as the core drives it |
//! | [`mod@perform`], [`hands`] | the thin part that sends them |
//!
//! The rules: the first apply can only create; every later one names the uid of the
//! object that it means; nothing that is not controlled by our DeploymentVersion is ever applied to or
//! deleted; no write where nothing differs. Nothing here is needed twice: whoever begins anew with an empty
//! [`Memory`] comes to the same end.

pub mod address;
pub mod compare;
pub mod contests;
pub mod decide;
pub mod difference;
pub mod echoes;
pub mod endings;
pub mod events;
pub mod hands;
pub mod in_use;
pub mod index;
pub mod memory;
pub mod outcome;
pub mod perform;
pub mod prepare;
pub mod quantity;
pub mod request;
pub mod rolling;
pub mod sight;
pub mod status;
pub mod troubles;
pub mod turns;
mod words;
pub mod writer;

pub use decide::{Planned, Situation, decide};
pub use hands::Hands;
pub use memory::Memory;
pub use outcome::Outcome;
pub use perform::perform;
pub use sight::Sight;
pub use writer::Writer;

use serde_json::Value;

use crate::inventory::{Key, ObjectReference};

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// The object that is written.
    pub target: ObjectReference,
    /// The DeploymentVersion or Router on whose behalf.
    pub cause: ObjectReference,
    /// What is done.
    pub act: Act,
}

/// What a write does.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Applies an object that must not be there yet.
    Create {
        /// The whole of it.
        object: Value,
        /// The uid of the DeploymentVersion that owns it.
        owner: String,
    },
    /// Applies onto an object of ours.
    Update {
        /// The whole of it.
        object: Value,
        /// The uid of the object that is meant.
        uid: String,
        /// What makes it necessary.
        because: Because,
    },
    /// Gives `spec.replicas` to another field manager at its live count, so that it stays where it is when
    /// the next apply leaves it to an autoscaler; from 0, at the count that is planned.
    HandOver {
        /// The uid of the Deployment that is meant.
        uid: String,
        /// The count.
        replicas: i64,
    },
    /// Deletes an object of ours.
    Delete {
        /// The uid of the object that is meant.
        uid: String,
        /// The version of it in which it was ours.
        resource_version: Option<String>,
    },
    /// Writes the finalizers of a DeploymentVersion.
    Finalizers {
        /// Its uid.
        uid: String,
        /// The version that they were read from.
        resource_version: Option<String>,
        /// All that it bears from now on.
        finalizers: Vec<String>,
    },
    /// Writes what differs in a status.
    Status {
        /// The object's uid.
        uid: String,
        /// The version that it was computed from.
        resource_version: Option<String>,
        /// A merge patch of the status.
        patch: Value,
    },
    /// Tells of something that happened to the cause.
    Event {
        /// The event.
        object: Value,
    },
}

/// Why an object of ours is applied again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// Something else is wanted than was applied last.
    Wanted,
    /// The same is wanted, and the object says something else.
    Drift,
}

/// Writes of one lane are made one after the other, and the first that fails ends the row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// The clone of a DeploymentVersion.
    Clone(Key),
    /// A DeploymentVersion or Router itself: its finalizers and its status.
    Itself(ObjectReference),
    /// The events about an object.
    Events(ObjectReference),
}

impl Write {
    /// The lane that it belongs to.
    #[must_use]
    pub fn lane(&self) -> Lane {
        match &self.act {
            Act::Create { .. } | Act::Update { .. } | Act::HandOver { .. } | Act::Delete { .. } => {
                Lane::Clone(self.cause.key.clone())
            }
            Act::Finalizers { .. } | Act::Status { .. } => Lane::Itself(self.target.clone()),
            Act::Event { .. } => Lane::Events(self.cause.clone()),
        }
    }
}

#[cfg(test)]
mod model;
