//! What an overlay may not do: gain rights that the base doesn't have, or share the base's volumes.
//!
//! To create a DeploymentVersion is to create a Deployment; but a team that may do so under a base's name has
//! not been given the node. What the base has already, its versions may have.

use std::collections::BTreeSet;

use serde_json::Value;

use super::json::{containers, is_true, list, text};
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
    service_account(base, spec, &mut gains);
    host(base, spec, &mut gains);
    for (place, container) in named_containers(spec) {
        security(base, &place, container, &mut gains);
        capabilities(base, &place, container, &mut gains);
        hold(base, spec, &place, container, &mut gains);
    }
    gains.retain(|gain| !allowed.contains(&gain.right));
    gains
}

fn gain(right: OverlayRight, path: impl Into<String>, what: impl Into<String>) -> Gain {
    Gain { right, path: path.into(), what: what.into() }
}

/// The ServiceAccount that pods of a spec run as; `serviceAccount` is the field's old name.
pub(super) fn account(spec: &Value) -> &str {
    ["/template/spec/serviceAccountName", "/template/spec/serviceAccount"]
        .into_iter()
        .find_map(|pointer| text(spec, pointer).filter(|name| !name.is_empty()))
        .unwrap_or("default")
}

fn service_account(base: &Value, spec: &Value, gains: &mut Vec<Gain>) {
    let name = account(spec);
    if name != account(base) {
        let what = format!("the ServiceAccount `{name}`");
        gains.push(gain(OverlayRight::ServiceAccount, "template.spec.serviceAccountName", what));
    }
}

fn host(base: &Value, spec: &Value, gains: &mut Vec<Gain>) {
    let paths =
        |spec| list(spec, "/template/spec/volumes").filter_map(|volume| text(volume, "/hostPath/path"));
    let of_base: BTreeSet<&str> = paths(base).collect();
    for volume in list(spec, "/template/spec/volumes") {
        let Some(path) = text(volume, "/hostPath/path").filter(|path| !of_base.contains(path)) else {
            continue;
        };
        let name = text(volume, "/name").unwrap_or_default();
        let place = format!("template.spec.volumes[{name}].hostPath");
        gains.push(gain(OverlayRight::HostPath, place, format!("the node's path `{path}`")));
    }
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        let pointer = format!("/template/spec/{field}");
        if is_true(spec, &pointer) && !is_true(base, &pointer) {
            let place = format!("template.spec.{field}");
            gains.push(gain(OverlayRight::HostNamespace, place, format!("`{field}`")));
        }
    }
    let has_own_users = |spec: &Value| spec.pointer("/template/spec/hostUsers") == Some(&Value::Bool(false));
    if has_own_users(base) && !has_own_users(spec) {
        gains.push(gain(
            OverlayRight::HostNamespace,
            "template.spec.hostUsers",
            "the node's users (`hostUsers`)",
        ));
    }
    let sysctls = |spec| {
        list(spec, "/template/spec/securityContext/sysctls").filter_map(|sysctl| text(sysctl, "/name"))
    };
    let of_base: BTreeSet<&str> = sysctls(base).collect();
    for name in sysctls(spec).filter(|name| !of_base.contains(name)) {
        let place = "template.spec.securityContext.sysctls";
        gains.push(gain(OverlayRight::Privileged, place, format!("the sysctl `{name}`")));
    }
    let ports = |spec| -> BTreeSet<i64> {
        containers(spec)
            .flat_map(|container| list(container, "/ports"))
            .filter_map(|port| port.get("hostPort").and_then(Value::as_i64))
            .filter(|port| *port != 0)
            .collect()
    };
    for port in ports(spec).difference(&ports(base)) {
        let what = format!("the node's port {port} (`hostPort`)");
        gains.push(gain(OverlayRight::HostNamespace, "template.spec.containers", what));
    }
    if is_true(spec, "/template/spec/securityContext/windowsOptions/hostProcess")
        && !is_true(base, "/template/spec/securityContext/windowsOptions/hostProcess")
    {
        let place = "template.spec.securityContext.windowsOptions.hostProcess";
        gains.push(gain(OverlayRight::Privileged, place, "`hostProcess`"));
    }
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
    ("appArmorProfile", |spec, container| {
        let profile = effective(spec, container, "appArmorProfile").and_then(|it| text(it, "/type"));
        profile == Some("Unconfined")
    }),
];

/// A field of the security context that a container runs with: its own, else its pod's.
fn effective<'s>(spec: &'s Value, container: &'s Value, field: &str) -> Option<&'s Value> {
    let own = container.pointer("/securityContext").and_then(|context| context.get(field));
    own.or_else(|| spec.pointer("/template/spec/securityContext")?.get(field))
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
    if own.is_some() && !containers(base).any(|other| options(base, other) == own) {
        let place = format!("{place}.securityContext.seLinuxOptions");
        gains.push(gain(OverlayRight::Privileged, place, "other `seLinuxOptions`"));
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn gained(base: Value, spec: Value) -> Vec<(OverlayRight, String)> {
        let wrap = |pod: Value| json!({"template": {"spec": pod}});
        gains(&wrap(base), &wrap(spec), &BTreeSet::new())
            .into_iter()
            .map(|gain| (gain.right, gain.path))
            .collect()
    }

    #[test]
    fn what_the_base_lacks_is_gained_and_what_it_has_is_not() {
        use OverlayRight::{Capability, HostNamespace, HostPath, Privileged, ServiceAccount};
        let context = |context: Value| json!({"containers": [{"name": "w", "securityContext": context}]});
        let calm = context(json!({"allowPrivilegeEscalation": false}));
        for (spec, right, path) in [
            (json!({"serviceAccountName": "admin"}), ServiceAccount, "template.spec.serviceAccountName"),
            (json!({"serviceAccount": "admin"}), ServiceAccount, "template.spec.serviceAccountName"),
            (
                json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
                HostPath,
                "template.spec.volumes[v].hostPath",
            ),
            (json!({"hostNetwork": true}), HostNamespace, "template.spec.hostNetwork"),
            (json!({"hostPID": true}), HostNamespace, "template.spec.hostPID"),
            (json!({"hostIPC": true}), HostNamespace, "template.spec.hostIPC"),
            (
                json!({"containers": [{"name": "w", "ports": [{"hostPort": 80}],
                    "securityContext": {"allowPrivilegeEscalation": false}}]}),
                HostNamespace,
                "template.spec.containers",
            ),
            (
                context(json!({"privileged": true, "allowPrivilegeEscalation": false})),
                Privileged,
                "template.spec.containers[w].securityContext.privileged",
            ),
            (
                context(json!({"allowPrivilegeEscalation": true})),
                Privileged,
                "template.spec.containers[w].securityContext.allowPrivilegeEscalation",
            ),
            (
                context(json!({})),
                Privileged,
                "template.spec.containers[w].securityContext.allowPrivilegeEscalation",
            ),
            (
                context(
                    json!({"allowPrivilegeEscalation": false, "capabilities": {"add": ["CAP_SYS_ADMIN"]}}),
                ),
                Capability,
                "template.spec.containers[w].securityContext.capabilities.add",
            ),
            (
                json!({"securityContext": {"sysctls": [{"name": "kernel.shm_rmid_forced", "value": "0"}]}}),
                Privileged,
                "template.spec.securityContext.sysctls",
            ),
            (
                context(json!({"allowPrivilegeEscalation": false, "seLinuxOptions": {"type": "spc_t"}})),
                Privileged,
                "template.spec.containers[w].securityContext.seLinuxOptions",
            ),
            (
                context(
                    json!({"allowPrivilegeEscalation": false, "appArmorProfile": {"type": "Unconfined"}}),
                ),
                Privileged,
                "template.spec.containers[w].securityContext.appArmorProfile",
            ),
        ] {
            assert_eq!(gained(calm.clone(), spec.clone()), [(right, path.to_owned())], "{spec}");
            assert_eq!(gained(spec.clone(), spec.clone()), [], "the base has it: {spec}");
        }
        let base = context(json!({"capabilities": {"add": ["NET_ADMIN"]}}));
        assert_eq!(gained(base.clone(), context(json!({"capabilities": {"add": ["CAP_NET_ADMIN"]}}))), []);
        assert_eq!(gained(base, context(json!({"capabilities": {"add": ["NET_RAW"]}}))).len(), 1);
    }

    #[test]
    fn what_holds_the_base_holds_its_versions() {
        use OverlayRight::{Capability, HostNamespace, Privileged};
        let base = json!({
            "hostUsers": false,
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {"name": "w", "securityContext": {"capabilities": {"drop": ["ALL"]}}},
                {"name": "x", "securityContext": {"capabilities": {"drop": ["NET_RAW"]}}},
            ],
        });
        assert_eq!(gained(base.clone(), base.clone()), []);
        for (pointer, value, gain) in [
            ("/hostUsers", Value::Null, (HostNamespace, "hostUsers")),
            ("/hostUsers", true.into(), (HostNamespace, "hostUsers")),
            (
                "/containers/0/securityContext/capabilities/drop",
                json!(["KILL"]),
                (Capability, "containers[w].securityContext.capabilities.drop"),
            ),
            (
                "/containers/1/securityContext",
                json!({"runAsNonRoot": false, "capabilities": {"drop": ["ALL"]}}),
                (Privileged, "containers[x].securityContext.runAsNonRoot"),
            ),
            (
                "/containers/1/securityContext",
                json!({"seccompProfile": {"type": "Unconfined"}, "capabilities": {"drop": ["ALL"]}}),
                (Privileged, "containers[x].securityContext.seccompProfile"),
            ),
        ] {
            let mut spec = base.clone();
            *spec.pointer_mut(pointer).unwrap() = value;
            let (right, path) = gain;
            assert_eq!(gained(base.clone(), spec), [(right, format!("template.spec.{path}"))]);
        }
        let user = json!({"hostUsers": false, "securityContext": {"runAsUser": 7, "seccompProfile": {"type": "Localhost"}},
            "containers": [{"name": "w", "securityContext": {"capabilities": {"drop": ["ALL"]}}}]});
        assert_eq!(gained(base, user), [], "another user than root, another profile");
    }

    #[test]
    fn an_administrator_can_allow_it() {
        let spec = json!({"template": {"spec": {"hostNetwork": true, "serviceAccountName": "x"}}});
        let allowed = BTreeSet::from([OverlayRight::HostNamespace]);
        let gains = gains(&json!({}), &spec, &allowed);
        assert_eq!(gains.iter().map(|gain| gain.right.as_str()).collect::<Vec<_>>(), ["service-account"]);
    }
}
