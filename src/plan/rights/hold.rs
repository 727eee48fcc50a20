//! What holds a container's processes, and what they may do beyond others.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Gain, gain};
use crate::inventory::settings::OverlayRight;
use crate::plan::json::{containers, is_true, list, text};

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

/// What the base's containers run with and without, gathered once: a spec may have thousands of them.
pub(super) struct OfBase {
    /// What some container of the base has of [`PRIVILEGES`].
    privileges: [bool; PRIVILEGES.len()],
    /// The capabilities that some container adds.
    added: BTreeSet<String>,
    /// The capabilities that every container drops.
    dropped: BTreeSet<String>,
    /// Which of [`HOLDS`] some container lacks.
    loose: [bool; HOLDS.len()],
    /// What containers say to SELinux, as JSON.
    options: BTreeSet<String>,
}

/// What frees a container's processes: a field, and the word in it that does.
const PRIVILEGES: [(&str, Word); 3] = [
    ("privileged", Word::True),
    ("procMount", Word::Text("Unmasked")),
    ("windowsOptions.hostProcess", Word::True),
];

#[derive(Clone, Copy)]
enum Word {
    True,
    Text(&'static str),
}

fn has_privilege(container: &Value, (field, word): (&str, Word)) -> bool {
    let pointer = format!("/securityContext/{}", field.replace('.', "/"));
    match word {
        Word::True => is_true(container, &pointer),
        Word::Text(word) => text(container, &pointer) == Some(word),
    }
}

/// `CAP_NET_RAW` and `NET_RAW` are one.
fn capabilities<'c>(container: &'c Value, what: &str) -> impl Iterator<Item = String> + use<'c> {
    let names = list(container, &format!("/securityContext/capabilities/{what}"));
    names.filter_map(Value::as_str).map(|name| name.strip_prefix("CAP_").unwrap_or(name).to_owned())
}

fn holds(names: &BTreeSet<String>, name: &str) -> bool {
    names.contains(name) || names.contains("ALL")
}

fn se_linux(spec: &Value, container: &Value) -> String {
    effective(spec, container, "seLinuxOptions").map(Value::to_string).unwrap_or_default()
}

/// What every container of a spec drops. `ALL` stands for whatever another drops by name.
fn dropped_by_all(spec: &Value) -> BTreeSet<String> {
    let mut all = containers(spec).map(|container| capabilities(container, "drop").collect::<BTreeSet<_>>());
    let Some(first) = all.next() else { return BTreeSet::new() };
    all.fold(first, |common, other| {
        let of_common = common.iter().filter(|name| holds(&other, name)).cloned();
        of_common.chain(other.iter().filter(|name| holds(&common, name)).cloned()).collect()
    })
}

impl OfBase {
    pub(super) fn gather(base: &Value) -> Self {
        Self {
            privileges: PRIVILEGES.map(|it| containers(base).any(|container| has_privilege(container, it))),
            added: containers(base).flat_map(|container| capabilities(container, "add")).collect(),
            dropped: dropped_by_all(base),
            loose: HOLDS.map(|(_, is_loose)| containers(base).any(|container| is_loose(base, container))),
            options: containers(base).map(|container| se_linux(base, container)).collect(),
        }
    }

    /// What a container of `spec` runs with, or without, and the base's don't.
    pub(super) fn find(&self, spec: &Value, place: &str, container: &Value, gains: &mut Vec<Gain>) {
        self.privileges(place, container, gains);
        self.capabilities(place, container, gains);
        self.hold(spec, place, container, gains);
    }

    fn privileges(&self, place: &str, container: &Value, gains: &mut Vec<Gain>) {
        for (privilege, of_base) in PRIVILEGES.into_iter().zip(self.privileges) {
            if has_privilege(container, privilege) && !of_base {
                let (field, _) = privilege;
                let what = format!("`{}`", field.rsplit('.').next().unwrap_or_default());
                gains.push(gain(OverlayRight::Privileged, format!("{place}.securityContext.{field}"), what));
            }
        }
    }

    fn capabilities(&self, place: &str, container: &Value, gains: &mut Vec<Gain>) {
        for name in capabilities(container, "add").filter(|name| !holds(&self.added, name)) {
            let place = format!("{place}.securityContext.capabilities.add");
            gains.push(gain(OverlayRight::Capability, place, format!("the capability `{name}`")));
        }
        let own: BTreeSet<String> = capabilities(container, "drop").collect();
        for name in self.dropped.iter().filter(|name| !holds(&own, name)) {
            let place = format!("{place}.securityContext.capabilities.drop");
            gains.push(gain(OverlayRight::Capability, place, format!("what the base drops, `{name}`")));
        }
    }

    fn hold(&self, spec: &Value, place: &str, container: &Value, gains: &mut Vec<Gain>) {
        for ((field, is_loose), of_base) in HOLDS.into_iter().zip(self.loose) {
            if is_loose(spec, container) && !of_base {
                let what = match field {
                    "allowPrivilegeEscalation" => format!("`{field}`"),
                    _ => format!("pods that `{field}` doesn't hold"),
                };
                gains.push(gain(OverlayRight::Privileged, format!("{place}.securityContext.{field}"), what));
            }
        }
        if !self.options.contains(&se_linux(spec, container)) {
            let what = match effective(spec, container, "seLinuxOptions") {
                Some(_) => "other `seLinuxOptions`",
                None => "pods that `seLinuxOptions` doesn't hold",
            };
            let place = format!("{place}.securityContext.seLinuxOptions");
            gains.push(gain(OverlayRight::Privileged, place, what));
        }
    }
}
