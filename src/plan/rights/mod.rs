//! What an overlay may not do: gain rights that the base doesn't have, or share the base's volumes.
//!
//! To create a DeploymentVersion is to create a Deployment; but a team that may do so under a base's name has
//! not been given the node. What the base has already, its versions may have.

mod account;
mod hold;
mod node;
mod paths;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::Value;

use super::json::{list, text};
use crate::inventory::settings::OverlayRight;

/// A right that an overlay takes without having it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gain {
    pub right: OverlayRight,
    /// Where in the Deployment's spec.
    pub path: String,
    /// What it would be, in a few words.
    pub what: String,
}

/// The rights that `spec` takes and `base` does not have, but for those in `allowed`.
pub(super) fn gains(base: &Value, spec: &Value, allowed: &BTreeSet<OverlayRight>) -> Vec<Gain> {
    let mut gains = Vec::new();
    account::find(base, spec, &mut gains);
    node::find(base, spec, &mut gains);
    paths::find(base, spec, &mut gains);
    hold::find_runtime(base, spec, &mut gains);
    let of_base = hold::OfBase::gather(base);
    for (place, container) in named_containers(spec) {
        of_base.find(spec, &place, container, &mut gains);
    }
    gains.retain(|gain| !allowed.contains(&gain.right));
    gains
}

fn gain(right: OverlayRight, path: impl Into<String>, what: impl Into<String>) -> Gain {
    Gain { right, path: path.into(), what: what.into() }
}

/// Every container of a spec with its path.
fn named_containers(spec: &Value) -> impl Iterator<Item = (String, &Value)> {
    ["initContainers", "containers"].into_iter().flat_map(move |field| {
        list(spec, &format!("/template/spec/{field}")).map(move |container| {
            let name = text(container, "/name").unwrap_or_default();
            (format!("template.spec.{field}[{name}]"), container)
        })
    })
}

/// Volumes of `spec` that claim a PersistentVolumeClaim which the base claims too: name and claim.
pub(super) fn shared_claims<'s>(base: &Value, spec: &'s Value) -> Vec<(&'s str, &'s str)> {
    const CLAIM: &str = "/persistentVolumeClaim/claimName";
    let of_base: BTreeSet<&str> =
        list(base, "/template/spec/volumes").filter_map(|volume| text(volume, CLAIM)).collect();
    list(spec, "/template/spec/volumes")
        .filter_map(|volume| Some((text(volume, "/name").unwrap_or_default(), text(volume, CLAIM)?)))
        .filter(|(_, claim)| of_base.contains(claim))
        .collect()
}
