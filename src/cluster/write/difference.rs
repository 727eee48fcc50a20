//! In what a live object is not as it is wanted, and whose doing that is. Pure.

use serde_json::Value;

use super::index::Live;
use super::memory::Memory;
use super::prepare::{Mark, Prepared, mark_text};
use super::{Because, compare};
use crate::api::names;
use crate::inventory::object::Meta;
use crate::inventory::{Document, Kind, ObjectReference};

/// What was applied last, as an object says itself.
pub(super) fn mark(meta: &Meta) -> Option<Mark> {
    meta.annotations.get(names::ANNOTATION_APPLIED).and_then(Mark::parse)
}

/// In what a live object is not as it is wanted.
pub(super) struct Difference {
    pub because: Because,
    /// The first field of which the object says something else.
    pub field: String,
    /// Whether pods would be started anew.
    pub rolls: bool,
    /// What was applied last, where that can be told.
    pub before: Option<Mark>,
}

/// What a live object says otherwise than it is wanted; `None` where it is as it should be.
pub(super) fn difference(
    target: &ObjectReference,
    live: &Live<'_>,
    uid: &str,
    prepared: &Prepared,
    memory: &Memory,
) -> Option<Difference> {
    let applied = live.meta.annotations.get(names::ANNOTATION_APPLIED);
    let before = mark(live.meta);
    // Where the inventory does not keep the whole object, its mark is all there is to compare.
    let whole = live.object.map(Document::value);
    let seen = match &whole {
        Some(object) => compare::view(target.kind, &prepared.object, object),
        None if applied == mark_text(&prepared.object) => return None,
        None => Value::Null,
    };
    // The mark is the object's word, and others can write it too: what this process applied it knows itself.
    let same = applied == mark_text(&prepared.object) || memory.has_applied(target, uid, &prepared.mark);
    let because = match same {
        false => Because::Wanted,
        true if seen == prepared.object => return None,
        true if memory.is_settled(target, uid, &prepared.mark, &seen) => return None,
        true => Because::Drift,
    };
    let part = |object: &Value| object.pointer("/spec/template").cloned();
    let differs = match (because, &before) {
        (Because::Wanted, Some(before)) => before.template != prepared.mark.template,
        (Because::Wanted, None) | (Because::Drift, _) => part(&seen) != part(&prepared.object),
    };
    let runs = whole.as_ref().and_then(|it| it.pointer("/spec/replicas")) != Some(&Value::from(0));
    Some(Difference {
        because,
        field: compare::first_difference(&prepared.object, &seen).unwrap_or_default(),
        rolls: differs && runs && target.kind == Kind::Deployment,
        before,
    })
}
