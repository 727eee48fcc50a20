//! What a person is told of writes that were not made.

use super::contests::Deed;
use super::{Act, Write};
use crate::inventory::{Finding, ObjectReference};

pub(super) fn taken(write: &Write) -> Finding {
    let (kind, name) = (write.target.kind, &write.target.key.name);
    let message = format!(
        "there is a {kind} `{name}` already that wasn't made for this DeploymentVersion, and it is left alone; \
         choose another name or version id, or delete the {kind}"
    );
    Finding::rejected(write.cause.clone(), "NameTaken", "", message)
}

pub(super) fn ending(write: &Write) -> Finding {
    let (kind, name, namespace) = (write.target.kind, &write.target.key.name, &write.target.key.namespace);
    let message = format!(
        "the {kind} `{name}` is not created: the namespace `{namespace}` is being deleted, and takes in nothing \
         new; create the DeploymentVersion in a namespace that stays"
    );
    Finding::rejected(write.cause.clone(), "NamespaceTerminating", "", message)
}

fn verb(act: &Act) -> &'static str {
    match act {
        Act::Create { .. } => "created",
        Act::Update { .. } | Act::HandOver { .. } => "updated",
        Act::Delete { .. } => "deleted",
        Act::Finalizers { .. } | Act::Status { .. } | Act::Event { .. } => "written",
    }
}

pub(super) fn refused(write: &Write, words: &str) -> String {
    let (kind, name) = (write.target.kind, &write.target.key.name);
    format!("the {kind} `{name}` cannot be {}, the API server says: {words}", verb(&write.act))
}

pub(super) fn failed(write: &Write, words: &str) -> String {
    let (kind, name) = (write.target.kind, &write.target.key.name);
    format!("the {kind} `{name}` cannot be {} now, it is tried again: {words}", verb(&write.act))
}

/// `there` says whether the object is there now.
pub(super) fn contested(
    cause: &ObjectReference,
    target: &ObjectReference,
    deed: &Deed,
    there: bool,
) -> Finding {
    let (kind, name) = (target.kind, &target.key.name);
    let (reason, message) = match deed {
        Deed::Changes(field) => (
            "FieldContested",
            format!(
                "something else keeps changing `{field}` of the {kind} `{name}`, and it is set back each time, \
                 with growing pauses; take the {kind} out of the other's hands, or write the value into the \
                 overlay"
            ),
        ),
        Deed::Deletes => (
            "DeletionContested",
            format!(
                "something else keeps deleting the {kind} `{name}`, and it is made anew each time, with growing \
                 pauses; take the {kind} out of the other's hands, or delete the DeploymentVersion"
            ),
        ),
    };
    match there {
        true => Finding::warning(cause.clone(), reason, "", message),
        false => Finding::rejected(cause.clone(), reason, "", message),
    }
}
