//! What of its node's files a version's pods reach, and may write.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Gain, gain, named_containers};
use crate::inventory::settings::OverlayRight;
use crate::plan::json::{containers, is_true, list, text};

/// How much of what is mounted a container may write.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Writing {
    Nothing,
    /// What is mounted below, on a node that cannot keep it.
    PerhapsBelow,
    /// What is mounted below.
    Below,
    Everything,
}

/// Paths of the node that the base doesn't have, or only reads.
pub(super) fn find(base: &Value, spec: &Value, gains: &mut Vec<Gain>) {
    let (of_base, own) = (reach(base), volumes(spec).collect());
    for (volume, path) in volumes(spec).filter(|(_, path)| !of_base.contains_key(path)) {
        let place = format!("template.spec.volumes[{volume}].hostPath");
        gains.push(gain(OverlayRight::HostPath, place, format!("the node's path `{path}`")));
    }
    for (place, container) in named_containers(spec) {
        for (mount, path) in mounts(&own, container) {
            if of_base.get(path).is_some_and(|of_base| writing(mount) > *of_base) {
                let at = text(mount, "/mountPath").unwrap_or_default();
                let place = format!("{place}.volumeMounts[{at}].readOnly");
                gains.push(gain(OverlayRight::HostPath, place, format!("writing the node's path `{path}`")));
            }
        }
    }
}

/// The volumes of a spec that are paths of the node: name and path.
fn volumes(spec: &Value) -> impl Iterator<Item = (&str, &str)> {
    list(spec, "/template/spec/volumes").filter_map(|volume| {
        Some((text(volume, "/name").unwrap_or_default(), text(volume, "/hostPath/path")?))
    })
}

/// The mounts of a container that are paths of the node, by its spec's volumes, with those.
fn mounts<'s>(
    volumes: &BTreeMap<&str, &'s str>,
    container: &'s Value,
) -> impl Iterator<Item = (&'s Value, &'s str)> {
    list(container, "/volumeMounts").filter_map(|mount| Some((mount, *volumes.get(text(mount, "/name")?)?)))
}

/// The paths of the node that a spec's pods have, and how much of each some container may write. One that is
/// mounted nowhere may be read, as by an ordinary read-only mount.
fn reach(spec: &Value) -> BTreeMap<&str, Writing> {
    let volumes: BTreeMap<&str, &str> = volumes(spec).collect();
    let mut reached = BTreeMap::new();
    for (mount, path) in containers(spec).flat_map(|container| mounts(&volumes, container)) {
        let most = reached.entry(path).or_insert(Writing::Nothing);
        *most = writing(mount).max(*most);
    }
    for path in volumes.into_values() {
        reached.entry(path).or_insert(Writing::Below);
    }
    reached
}

fn writing(mount: &Value) -> Writing {
    if !is_true(mount, "/readOnly") {
        return Writing::Everything;
    }
    match text(mount, "/recursiveReadOnly") {
        Some("Enabled") => Writing::Nothing,
        Some("IfPossible") => Writing::PerhapsBelow,
        _ => Writing::Below,
    }
}
