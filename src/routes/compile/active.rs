//! Whether the version that a Router wants active is, and if not, why and what to do.

use crate::api::VersionId;
use crate::inventory::object::{RouterFacts, VersionFacts};
use crate::inventory::{Finding, Inventory};

/// What there is of a version.
enum State<'i> {
    Missing,
    /// Its DeploymentVersion is being deleted.
    Leaving,
    Suspended(&'i VersionFacts),
    /// It is there, and wants to run.
    There,
}

fn state<'i>(inventory: &'i Inventory, router: &RouterFacts, id: &VersionId) -> State<'i> {
    let version = inventory.versions_of(&router.base()).and_then(|versions| versions.get(id));
    let dpv = version.and_then(|version| inventory.dpvs.get(version.dpv.as_ref()?));
    match dpv {
        Some(dpv) if dpv.meta.deleting => State::Leaving,
        Some(dpv) if dpv.spec.suspend => State::Suspended(dpv),
        Some(_) => State::There,
        None if version.is_some() || id.is_base() => State::There,
        None => State::Missing,
    }
}

/// A warning where another version is active than the one that is wanted.
pub(super) fn judge(inventory: &Inventory, router: &RouterFacts, active: &VersionId) -> Option<Finding> {
    let wanted = match router.spec.active.as_deref() {
        Some(text) => VersionId::parse(text).ok()?,
        None => VersionId::base(),
    };
    if wanted == *active {
        return None;
    }
    let (reason, words) = match state(inventory, router, &wanted) {
        State::Missing => {
            ("ActiveNotFound", "does not exist; create it, or correct `spec.active`".to_owned())
        }
        State::Leaving => (
            "ActiveNotReady",
            "is being deleted; name another version in `spec.active`, or create it anew once it is gone"
                .to_owned(),
        ),
        State::Suspended(dpv) => (
            "ActiveNotReady",
            format!(
                "is suspended and runs no pods; take `spec.suspend` out of the DeploymentVersion `{}`, or name \
                 another version in `spec.active`",
                dpv.meta.key.name
            ),
        ),
        State::There => (
            "ActiveNotReady",
            "has no ready endpoint yet; it becomes active as soon as it has one".to_owned(),
        ),
    };
    let message = format!("{}: `{wanted}` {words}", held(inventory, router, active, &wanted));
    Some(Finding::warning(router.reference(), reason, "spec.active", message))
}

/// What is active instead, and since when it is not what was.
fn held(inventory: &Inventory, router: &RouterFacts, active: &VersionId, wanted: &VersionId) -> String {
    let written = router.status.active.as_deref().and_then(|text| VersionId::parse(text).ok());
    match written.filter(|written| written != active) {
        None => format!("`{active}` stays active"),
        Some(earlier) if earlier == *wanted => format!("`{active}` is active now"),
        Some(earlier) => match state(inventory, router, &earlier) {
            State::Missing => format!("`{active}` is active now, for `{earlier}` is gone"),
            State::Leaving => format!("`{active}` is active now, for `{earlier}` is being deleted"),
            State::Suspended(_) | State::There => format!("`{active}` is active now"),
        },
    }
}
