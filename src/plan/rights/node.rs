//! What of its node a version's pods reach, apart from its files.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Gain, gain, named_containers};
use crate::inventory::settings::OverlayRight;
use crate::plan::json::{containers, is_true, list, text};

/// What of the node the base's pods don't reach.
pub(super) fn find(base: &Value, spec: &Value, gains: &mut Vec<Gain>) {
    namespaces(base, spec, gains);
    sysctls(base, spec, gains);
    ports(base, spec, gains);
    calls(base, spec, gains);
    host_process(base, spec, gains);
}

fn namespaces(base: &Value, spec: &Value, gains: &mut Vec<Gain>) {
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
}

fn sysctls(base: &Value, spec: &Value, gains: &mut Vec<Gain>) {
    let sysctls = |spec| {
        list(spec, "/template/spec/securityContext/sysctls").filter_map(|sysctl| text(sysctl, "/name"))
    };
    let of_base: BTreeSet<&str> = sysctls(base).collect();
    for name in sysctls(spec).filter(|name| !of_base.contains(name)) {
        let place = "template.spec.securityContext.sysctls";
        gains.push(gain(OverlayRight::Privileged, place, format!("the sysctl `{name}`")));
    }
}

fn ports(base: &Value, spec: &Value, gains: &mut Vec<Gain>) {
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
}

/// Whom the kubelet calls for a pod, from the node's network: hosts of probes and hooks, which the Pod
/// Security Standards forbid since 1.34. What runs in that network itself may call whom it likes.
fn calls(base: &Value, spec: &Value, gains: &mut Vec<Gain>) {
    if is_true(base, "/template/spec/hostNetwork") {
        return;
    }
    const CALLS: [&str; 5] =
        ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop"];
    let fields =
        || CALLS.iter().flat_map(|call| ["httpGet", "tcpSocket"].map(|how| format!("{call}.{how}.host")));
    let host = |container, field: &str| {
        text(container, &format!("/{}", field.replace('.', "/"))).filter(|host| !host.is_empty())
    };
    let of_base: BTreeSet<&str> = containers(base)
        .flat_map(|container| fields().filter_map(move |field| host(container, &field)))
        .collect();
    for (place, container) in named_containers(spec) {
        for field in fields() {
            if let Some(host) = host(container, &field).filter(|host| !of_base.contains(host)) {
                let what = format!("a call of `{host}` from the node's network");
                gains.push(gain(OverlayRight::HostNamespace, format!("{place}.{field}"), what));
            }
        }
    }
}

fn host_process(base: &Value, spec: &Value, gains: &mut Vec<Gain>) {
    if is_true(spec, "/template/spec/securityContext/windowsOptions/hostProcess")
        && !is_true(base, "/template/spec/securityContext/windowsOptions/hostProcess")
    {
        let place = "template.spec.securityContext.windowsOptions.hostProcess";
        gains.push(gain(OverlayRight::Privileged, place, "`hostProcess`"));
    }
}
