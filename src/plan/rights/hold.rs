//! What holds a container's processes, and what they may do beyond others.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Gain, gain};
use crate::inventory::settings::OverlayRight;
use crate::plan::json::{containers, list, text};

/// Whether one thing that holds a container's processes does not: the spec, then the container.
type Looseness = fn(&Value, &Value) -> bool;

/// What may hold a container's processes. Where something of the base's lacks it, its versions may, too.
const HOLDS: [(&str, Looseness); 4] = [
    // Unless written, processes may gain rights over their parent's.
    ("allowPrivilegeEscalation", |_, container| {
        container.pointer("/securityContext/allowPrivilegeEscalation") != Some(&Value::Bool(false))
    }),
    ("runAsNonRoot", |spec, container| {
        let user = effective(spec, container, "runAsUser").and_then(Value::as_i64);
        effective(spec, container, "runAsNonRoot") != Some(&Value::Bool(true))
            && user.is_none_or(|it| it == 0)
    }),
    // Without a profile a container runs unconfined by seccomp, but by AppArmor's default.
    ("seccompProfile", |spec, container| {
        let profile = effective(spec, container, "seccompProfile").and_then(|it| text(it, "/type"));
        matches!(profile, None | Some("Unconfined"))
    }),
    ("appArmorProfile", |spec, container| app_armor(spec, container) == Some("Unconfined")),
];

/// A field of the security context that a container runs with: its own, else its pod's.
fn effective<'s>(spec: &'s Value, container: &'s Value, field: &str) -> Option<&'s Value> {
    let written = |context: &'s Value| context.get(field).filter(|it| !it.is_null());
    let own = container.pointer("/securityContext").and_then(written);
    own.or_else(|| spec.pointer("/template/spec/securityContext").and_then(written))
}

/// What AppArmor's profiles were asked for by, before there were fields; a container's name follows.
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// The type of the AppArmor profile that a container runs with. Where its own field is not written, the API
/// server still fills it from the annotation, over what the pod's field says (`applyAppArmorVersionSkew` in
/// Kubernetes' pkg/registry/core/pod/strategy.go). It is the only annotation of the kind: seccomp's are read
/// no more since 1.27.
fn app_armor<'s>(spec: &'s Value, container: &'s Value) -> Option<&'s str> {
    let own = text(container, "/securityContext/appArmorProfile/type");
    own.or_else(|| annotated_app_armor(spec, container))
        .or_else(|| text(spec, "/template/spec/securityContext/appArmorProfile/type"))
}

fn annotated_app_armor(spec: &Value, container: &Value) -> Option<&'static str> {
    let key = format!("{APP_ARMOR}{}", text(container, "/name")?);
    match spec.pointer("/template/metadata/annotations")?.get(&key)?.as_str()? {
        "unconfined" => Some("Unconfined"),
        "runtime/default" => Some("RuntimeDefault"),
        local if local.strip_prefix("localhost/").is_some_and(|name| !name.is_empty()) => Some("Localhost"),
        // The API server takes nothing from another.
        _ => None,
    }
}

/// Another RuntimeClass than the base's: a sandbox is one. Where the base has none, its versions may take
/// any; it is the administrator who made it, and what the cluster runs without one is not known here.
pub(super) fn find_runtime(base: &Value, spec: &Value, gains: &mut Vec<Gain>) {
    let class = |spec| text(spec, "/template/spec/runtimeClassName").filter(|name| !name.is_empty());
    let Some(of_base) = class(base).filter(|name| class(spec) != Some(name)) else { return };
    let what = format!("pods that the RuntimeClass `{of_base}` doesn't hold");
    gains.push(gain(OverlayRight::Privileged, "template.spec.runtimeClassName", what));
}

/// What a container runs with, or without, and the base's don't.
pub(super) fn find(base: &Value, spec: &Value, place: &str, container: &Value, gains: &mut Vec<Gain>) {
    security(base, place, container, gains);
    capabilities(base, place, container, gains);
    hold(base, spec, place, container, gains);
}

fn security(base: &Value, place: &str, container: &Value, gains: &mut Vec<Gain>) {
    let base_has =
        |pointer: &str, value: &Value| containers(base).any(|other| other.pointer(pointer) == Some(value));
    for (pointer, value) in [
        ("/securityContext/privileged", Value::Bool(true)),
        ("/securityContext/procMount", "Unmasked".into()),
        ("/securityContext/windowsOptions/hostProcess", Value::Bool(true)),
    ] {
        if container.pointer(pointer) == Some(&value) && !base_has(pointer, &value) {
            let field = pointer.trim_start_matches('/').replace('/', ".");
            let what = format!("`{}`", field.rsplit('.').next().unwrap_or_default());
            gains.push(gain(OverlayRight::Privileged, format!("{place}.{field}"), what));
        }
    }
}

fn capabilities(base: &Value, place: &str, container: &Value, gains: &mut Vec<Gain>) {
    let added = |container| list(container, "/securityContext/capabilities/add").filter_map(Value::as_str);
    let plain = |name: &str| name.strip_prefix("CAP_").unwrap_or(name).to_owned();
    let of_base: BTreeSet<String> = containers(base).flat_map(added).map(plain).collect();
    for name in added(container).map(plain) {
        if !of_base.contains(&name) && !of_base.contains("ALL") {
            let place = format!("{place}.securityContext.capabilities.add");
            gains.push(gain(OverlayRight::Capability, place, format!("the capability `{name}`")));
        }
    }
    let dropped = |container: &Value| -> BTreeSet<String> {
        let names = list(container, "/securityContext/capabilities/drop").filter_map(Value::as_str);
        names.map(plain).collect()
    };
    let drops = |of: &BTreeSet<String>, name: &str| of.contains(name) || of.contains("ALL");
    let all_of_base: Vec<BTreeSet<String>> = containers(base).map(dropped).collect();
    let names: BTreeSet<&String> = all_of_base.iter().flatten().collect();
    let own = dropped(container);
    for name in names {
        if all_of_base.iter().all(|of_base| drops(of_base, name)) && !drops(&own, name) {
            let place = format!("{place}.securityContext.capabilities.drop");
            gains.push(gain(OverlayRight::Capability, place, format!("what the base drops, `{name}`")));
        }
    }
}

fn hold(base: &Value, spec: &Value, place: &str, container: &Value, gains: &mut Vec<Gain>) {
    for (field, is_loose) in HOLDS {
        if is_loose(spec, container) && !containers(base).any(|other| is_loose(base, other)) {
            let what = match field {
                "allowPrivilegeEscalation" => format!("`{field}`"),
                _ => format!("pods that `{field}` doesn't hold"),
            };
            gains.push(gain(OverlayRight::Privileged, format!("{place}.securityContext.{field}"), what));
        }
    }
    let options = |spec, container| effective(spec, container, "seLinuxOptions");
    let own = options(spec, container);
    if !containers(base).any(|other| options(base, other) == own) {
        let what = match own {
            Some(_) => "other `seLinuxOptions`",
            None => "pods that `seLinuxOptions` doesn't hold",
        };
        gains.push(gain(OverlayRight::Privileged, format!("{place}.securityContext.seLinuxOptions"), what));
    }
}
