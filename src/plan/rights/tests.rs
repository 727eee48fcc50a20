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
            context(json!({"allowPrivilegeEscalation": false, "capabilities": {"add": ["CAP_SYS_ADMIN"]}})),
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
            context(json!({"allowPrivilegeEscalation": false, "appArmorProfile": {"type": "Unconfined"}})),
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

#[test]
fn app_armor_is_not_shed_by_the_old_annotation() {
    let spec = |pod: Value, own: Value, annotation: Value| {
        let key = "container.apparmor.security.beta.kubernetes.io/w";
        let mut annotations = json!({"container.apparmor.security.beta.kubernetes.io/x": "unconfined"});
        if annotation.is_string() {
            annotations[key] = annotation;
        }
        json!({"template": {"metadata": {"annotations": annotations}, "spec": {
            "securityContext": {"appArmorProfile": pod},
            "containers": [{"name": "w", "securityContext": {"appArmorProfile": own}}]}}})
    };
    let profile = |name: &str| json!({ "type": name });
    let (held, loose) = (profile("RuntimeDefault"), profile("Unconfined"));
    let gained = |base: &Value, spec: &Value| {
        let paths = gains(base, spec, &BTreeSet::new()).into_iter().map(|gain| gain.path);
        paths.collect::<Vec<_>>()
    };
    let base = spec(held.clone(), Value::Null, Value::Null);
    let path = "template.spec.containers[w].securityContext.appArmorProfile";
    for (pod, own, annotation, shed) in [
        (held.clone(), Value::Null, json!("unconfined"), true),
        (Value::Null, Value::Null, json!("unconfined"), true),
        (held.clone(), held.clone(), json!("unconfined"), false),
        (loose.clone(), Value::Null, json!("runtime/default"), false),
        (loose.clone(), Value::Null, json!("localhost/mine"), false),
        (loose.clone(), Value::Null, json!("localhost/"), true),
        (loose.clone(), Value::Null, json!(""), true),
        (held, Value::Null, json!("localhost/mine"), false),
    ] {
        let spec = spec(pod, own, annotation);
        assert_eq!(gained(&base, &spec), if shed { vec![path] } else { vec![] }, "{spec}");
        assert_eq!(gained(&spec, &spec), [""; 0]);
    }
    let by_annotation = spec(Value::Null, Value::Null, json!("unconfined"));
    assert_eq!(gained(&by_annotation, &spec(loose, Value::Null, Value::Null)), [""; 0], "the base has it");
}

#[test]
fn a_sandbox_is_not_shed() {
    let class = |name: &str| json!({"runtimeClassName": name});
    let gain = (OverlayRight::Privileged, "template.spec.runtimeClassName".to_owned());
    for spec in [json!({}), class(""), class("runc")] {
        assert_eq!(gained(class("gvisor"), spec), std::slice::from_ref(&gain));
    }
    assert_eq!(gained(class("gvisor"), class("gvisor")), []);
    assert_eq!(gained(json!({}), class("gvisor")), []);
}

#[test]
fn se_linux_options_are_not_shed() {
    let options = |options: Value| {
        let context = json!({ "seLinuxOptions": options });
        json!({"containers": [{"name": "w", "securityContext": context}]})
    };
    let gain =
        (OverlayRight::Privileged, "template.spec.containers[w].securityContext.seLinuxOptions".to_owned());
    let strict = options(json!({"type": "strict_t"}));
    assert_eq!(gained(strict.clone(), options(Value::Null)), std::slice::from_ref(&gain));
    assert_eq!(gained(strict.clone(), json!({"containers": [{"name": "w"}]})), [gain]);
    assert_eq!(gained(strict.clone(), strict), []);
}

#[test]
fn no_token_is_gained() {
    let automount = |token: Value| json!({"automountServiceAccountToken": token});
    let gain = (OverlayRight::ServiceAccount, "template.spec.automountServiceAccountToken".to_owned());
    let (no, unsaid, yes) = (automount(false.into()), json!({}), automount(true.into()));
    for (base, spec) in [(&no, &unsaid), (&no, &yes), (&unsaid, &yes)] {
        assert_eq!(gained(base.clone(), spec.clone()), std::slice::from_ref(&gain), "{base} {spec}");
    }
    for (base, spec) in [(&no, &no), (&unsaid, &unsaid), (&unsaid, &no), (&yes, &unsaid), (&yes, &yes)] {
        assert_eq!(gained(base.clone(), spec.clone()), [], "{base} {spec}");
    }

    let projected = |source: Value| {
        let volume = json!({"name": "v", "projected": {"sources": [source]}});
        json!({"automountServiceAccountToken": false, "volumes": [volume]})
    };
    let token = projected(json!({"serviceAccountToken": {"path": "t"}}));
    let vault = projected(json!({"serviceAccountToken": {"path": "t", "audience": "vault"}}));
    let certificate = projected(json!({"podCertificate": {"signerName": "a/b", "keyType": "ED25519"}}));
    let other = projected(json!({"podCertificate": {"signerName": "a/c", "keyType": "ED25519"}}));
    let config = projected(json!({"configMap": {"name": "c"}}));
    let gain = (OverlayRight::ServiceAccount, "template.spec.volumes[v].projected".to_owned());
    for (base, spec) in [
        (&no, &token),
        (&unsaid, &token),
        (&no, &vault),
        (&token, &vault),
        (&vault, &token),
        (&yes, &vault),
        (&token, &certificate),
        (&certificate, &other),
    ] {
        assert_eq!(gained(base.clone(), spec.clone()), std::slice::from_ref(&gain), "{base} {spec}");
    }
    for (base, spec) in [(&yes, &token), (&token, &token), (&token, &yes), (&no, &config)] {
        assert_eq!(gained(base.clone(), spec.clone()), [], "{base} {spec}");
    }
}

#[test]
fn the_kubelet_calls_nobody_for_a_version_that_it_does_not_call_for_the_base() {
    let calls = |handler: &str, action: &str, host: &str| {
        let mut container = json!({"name": "w"});
        let steps: Vec<&str> = handler.split('.').chain([action]).collect();
        crate::plan::json::map_at(&mut container, &steps).insert("host".to_owned(), host.into());
        json!({ "initContainers": [container] })
    };
    let none = json!({"initContainers": [{"name": "w"}]});
    for handler in
        ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop"]
    {
        for action in ["httpGet", "tcpSocket"] {
            let spec = calls(handler, action, "10.0.0.1");
            let path = format!("template.spec.initContainers[w].{handler}.{action}.host");
            assert_eq!(gained(none.clone(), spec.clone()), [(OverlayRight::HostNamespace, path)]);
            assert_eq!(gained(calls("livenessProbe", "httpGet", "10.0.0.1"), spec), [], "the base has it");
        }
    }
    assert_eq!(gained(none, calls("livenessProbe", "httpGet", "")), []);
    let on_the_node = json!({"hostNetwork": true, "containers": [{"name": "w"}]});
    assert_eq!(gained(on_the_node, calls("livenessProbe", "httpGet", "10.0.0.1")), []);
}

#[test]
fn what_the_base_only_reads_of_the_node_is_not_written() {
    let mounting = |mounts: Value| {
        json!({"volumes": [{"name": "logs", "hostPath": {"path": "/var/log"}}, {"name": "own", "emptyDir": {}}],
            "containers": [{"name": "w", "volumeMounts": mounts}]})
    };
    let mount = |path: &str, read_only: bool, recursive: Value| {
        let mut mount = json!({"name": "logs", "mountPath": path, "readOnly": read_only});
        mount["recursiveReadOnly"] = recursive;
        mount
    };
    let read = |path: &str| mount(path, true, Value::Null);
    let write = json!({"name": "logs", "mountPath": "/w"});
    let gain = (OverlayRight::HostPath, "template.spec.containers[w].volumeMounts[/w].readOnly".to_owned());
    let own = json!({"name": "own", "mountPath": "/w"});
    let base = mounting(json!([read("/r")]));
    for mounts in [json!([write]), json!([read("/r"), write]), json!([mount("/w", false, Value::Null)])] {
        assert_eq!(gained(base.clone(), mounting(mounts)), std::slice::from_ref(&gain));
    }
    assert_eq!(
        gained(mounting(json!([own])), mounting(json!([write]))),
        std::slice::from_ref(&gain),
        "mounted nowhere"
    );
    let by_another_name = json!({
        "volumes": [{"name": "logs", "emptyDir": {}}, {"name": "x", "hostPath": {"path": "/var/log"}}],
        "containers": [{"name": "w", "volumeMounts": [{"name": "x", "mountPath": "/w"}]}]});
    assert_eq!(gained(base.clone(), by_another_name), std::slice::from_ref(&gain));
    for mounts in [json!([read("/w")]), json!([own]), json!([])] {
        assert_eq!(gained(base.clone(), mounting(mounts.clone())), [], "{mounts}");
    }
    let writer = mounting(json!([read("/r"), {"name": "logs", "mountPath": "/rw"}]));
    assert_eq!(gained(writer, mounting(json!([write]))), []);

    let levels = [json!("Enabled"), json!("IfPossible"), json!("Disabled")].map(|how| mount("/w", true, how));
    for (at, of_base) in levels.iter().enumerate() {
        for (level, own) in levels.iter().enumerate() {
            let wanted = if level > at { vec![gain.clone()] } else { vec![] };
            assert_eq!(gained(mounting(json!([of_base])), mounting(json!([own]))), wanted, "{of_base} {own}");
        }
    }
}
