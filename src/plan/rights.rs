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
    if escalates(container) && !containers(base).any(escalates) {
        let place = format!("{place}.securityContext.allowPrivilegeEscalation");
        gains.push(gain(OverlayRight::Privileged, place, "`allowPrivilegeEscalation`"));
    }
    let added = |container| list(container, "/securityContext/capabilities/add").filter_map(Value::as_str);
    let plain = |name: &str| name.strip_prefix("CAP_").unwrap_or(name).to_owned();
    let of_base: BTreeSet<String> = containers(base).flat_map(added).map(plain).collect();
    for name in added(container).map(plain) {
        if !of_base.contains(&name) && !of_base.contains("ALL") {
            let place = format!("{place}.securityContext.capabilities.add");
            gains.push(gain(OverlayRight::Capability, place, format!("the capability `{name}`")));
        }
    }
}

/// Whether a container's processes may gain rights over their parent's: unless written, they may.
fn escalates(container: &Value) -> bool {
    container.pointer("/securityContext/allowPrivilegeEscalation") != Some(&Value::Bool(false))
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
        ] {
            assert_eq!(gained(calm.clone(), spec.clone()), [(right, path.to_owned())], "{spec}");
            assert_eq!(gained(spec.clone(), spec.clone()), [], "the base has it: {spec}");
        }
        let base = context(json!({"capabilities": {"add": ["NET_ADMIN"]}}));
        assert_eq!(gained(base.clone(), context(json!({"capabilities": {"add": ["CAP_NET_ADMIN"]}}))), []);
        assert_eq!(gained(base, context(json!({"capabilities": {"add": ["NET_RAW"]}}))).len(), 1);
    }

    #[test]
    fn an_administrator_can_allow_it() {
        let spec = json!({"template": {"spec": {"hostNetwork": true, "serviceAccountName": "x"}}});
        let allowed = BTreeSet::from([OverlayRight::HostNamespace]);
        let gains = gains(&json!({}), &spec, &allowed);
        assert_eq!(gains.iter().map(|gain| gain.right.as_str()).collect::<Vec<_>>(), ["service-account"]);
    }
}
