//! The traps of overlays, one by one.

use serde_json::{Map, Value, json};

use super::*;

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// Wraps a pod spec into a Deployment's.
fn deployment(pod: Value) -> Value {
    json!({ "template": { "spec": pod } })
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no map"),
    }
}

/// A pod spec and an overlay of one; the merged pod spec, and the notes.
fn pod_and_notes(base: &str, overlay: &str) -> (Value, Vec<String>) {
    let overlay = map(deployment(yaml(overlay)));
    let applied = merge(Root::Deployment, deployment(yaml(base)), &overlay).unwrap();
    (applied.spec["template"]["spec"].clone(), applied.notes.iter().map(Fault::to_string).collect())
}

fn assert_pod(base: &str, overlay: &str, wanted: &str) {
    let (pod, notes) = pod_and_notes(base, overlay);
    assert_eq!(pod, yaml(wanted), "\n{overlay}");
    assert_eq!(notes, Vec::<String>::new());
}

fn assert_spec(root: Root, base: &str, overlay: &str, wanted: &str) {
    let applied = merge(root, yaml(base), &map(yaml(overlay))).unwrap();
    assert_eq!(applied.spec, yaml(wanted), "\n{overlay}");
}

fn faults(root: Root, base: &str, overlay: &str) -> Vec<String> {
    let faults = merge(root, yaml(base), &map(yaml(overlay))).unwrap_err();
    faults.iter().map(Fault::to_string).collect()
}

fn pod_faults(overlay: &str) -> Vec<String> {
    let base = deployment(yaml("containers: [{name: web, image: a}, {name: log, image: b}]"));
    let faults = merge(Root::Deployment, base, &map(deployment(yaml(overlay)))).unwrap_err();
    faults.iter().map(|fault| fault.to_string().replace("template.spec.", "")).collect()
}

#[test]
fn containers_and_env_merge_by_name_and_atomic_lists_are_replaced() {
    assert_pod(
        "containers: [{name: web, image: a, args: [x, y], env: [{name: A, value: '1'}, {name: B, value: '2'}]}, {name: log, image: l}]",
        "containers: [{name: web, image: b, args: [z], env: [{name: B, value: '3'}, {name: C, value: '4'}]}]",
        "containers: [{name: web, image: b, args: [z], env: [{name: A, value: '1'}, {name: B, value: '3'}, {name: C, value: '4'}]}, {name: log, image: l}]",
    );
    assert_pod(
        "{tolerations: [{key: a}, {key: b}], containers: [{name: w, envFrom: [{prefix: a}]}], readinessGates: [{conditionType: a}]}",
        "{tolerations: [{key: c}], containers: [{name: w, envFrom: []}], readinessGates: [{conditionType: b}]}",
        "{tolerations: [{key: c}], containers: [{name: w, envFrom: []}], readinessGates: [{conditionType: b}]}",
    );
}

#[test]
fn every_keyed_list_has_its_own_key() {
    assert_pod(
        "{imagePullSecrets: [{name: a}], hostAliases: [{ip: 10.0.0.1, hostnames: [a]}], initContainers: [{name: i, image: a}],
          topologySpreadConstraints: [{topologyKey: zone, maxSkew: 1, whenUnsatisfiable: DoNotSchedule}],
          containers: [{name: w, volumeMounts: [{mountPath: /a, name: v}], volumeDevices: [{devicePath: /dev/a, name: v}]}]}",
        "{imagePullSecrets: [{name: b}], hostAliases: [{ip: 10.0.0.1, hostnames: [b]}], initContainers: [{name: i, image: b}],
          topologySpreadConstraints: [{topologyKey: zone, maxSkew: 2}],
          containers: [{name: w, volumeMounts: [{mountPath: /a, name: x}], volumeDevices: [{devicePath: /dev/a, name: x}]}]}",
        "{imagePullSecrets: [{name: a}, {name: b}], hostAliases: [{ip: 10.0.0.1, hostnames: [b]}], initContainers: [{name: i, image: b}],
          topologySpreadConstraints: [{topologyKey: zone, maxSkew: 2, whenUnsatisfiable: DoNotSchedule}],
          containers: [{name: w, volumeMounts: [{mountPath: /a, name: x}], volumeDevices: [{devicePath: /dev/a, name: x}]}]}",
    );
}

#[test]
fn a_one_of_that_changes_its_member_keeps_only_the_overlays() {
    let env = "containers: [{name: w, env: [{name: A, value: '1'}]}]";
    let from = "containers: [{name: w, env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]}]";
    assert_pod(env, from, from);
    assert_pod(from, env, env);
    assert_pod(
        "containers: [{name: w, env: [{name: A, valueFrom: {configMapKeyRef: {name: s, key: k}}}]}]",
        from,
        from,
    );
    assert_pod(
        "volumes: [{name: v, persistentVolumeClaim: {claimName: c}}]",
        "volumes: [{name: v, emptyDir: {}}]",
        "volumes: [{name: v, emptyDir: {}}]",
    );
    assert_pod(
        "containers: [{name: w, livenessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 5}, lifecycle: {preStop: {sleep: {seconds: 1}}}}]",
        "containers: [{name: w, livenessProbe: {tcpSocket: {port: 80}}, lifecycle: {preStop: {exec: {command: [a]}}}}]",
        "containers: [{name: w, livenessProbe: {tcpSocket: {port: 80}, periodSeconds: 5}, lifecycle: {preStop: {exec: {command: [a]}}}}]",
    );
}

#[test]
fn a_tagged_member_follows_its_tag() {
    let rolling = "strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1}}";
    let recreate = "strategy: {type: Recreate}";
    assert_spec(Root::Deployment, rolling, recreate, recreate);
    assert_spec(
        Root::Deployment,
        recreate,
        "strategy: {rollingUpdate: {maxSurge: 25%}}",
        "strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%}}",
    );
    assert_spec(
        Root::Service,
        "{sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 5}}}",
        "sessionAffinity: None",
        "sessionAffinity: None",
    );
    assert_pod(
        "securityContext: {seccompProfile: {type: Localhost, localhostProfile: a}}",
        "securityContext: {seccompProfile: {type: RuntimeDefault}}",
        "securityContext: {seccompProfile: {type: RuntimeDefault}}",
    );
}

#[test]
fn tcp_and_udp_on_one_port_do_not_collide() {
    let dns = "containers: [{name: d, ports: [{containerPort: 53, protocol: TCP}, {containerPort: 53, protocol: UDP}]}]";
    assert_pod(
        dns,
        "containers: [{name: d, ports: [{containerPort: 53, protocol: UDP, name: dns}]}]",
        "containers: [{name: d, ports: [{containerPort: 53, protocol: TCP}, {containerPort: 53, protocol: UDP, name: dns}]}]",
    );
    assert_pod("containers: [{name: d, ports: [{containerPort: 53}]}]", dns, dns);
    let service = "ports: [{port: 53, protocol: UDP, name: u}, {port: 53, name: t}]";
    assert_spec(
        Root::Service,
        service,
        "ports: [{port: 53, targetPort: 5353}]",
        "ports: [{port: 53, protocol: UDP, name: u}, {port: 53, name: t, targetPort: 5353}]",
    );
    let (_, notes) = pod_and_notes(
        "containers: [{name: d, ports: [{containerPort: 53}]}]",
        "containers: [{name: d, ports: [{containerPort: 53, protocol: UDP}]}]",
    );
    assert_eq!(
        notes,
        [
            "template.spec.containers[d].ports[53]: turns from `protocol: TCP` into `protocol: UDP`; to have both, write both"
        ]
    );
}

#[test]
fn a_service_selector_merges_key_by_key() {
    assert_spec(
        Root::Service,
        "selector: {a: '1', b: '2'}",
        "selector: {b: '3'}",
        "selector: {a: '1', b: '3'}",
    );
    assert_spec(
        Root::Service,
        "selector: {a: '1'}",
        "selector: {$patch: replace, b: '3'}",
        "selector: {b: '3'}",
    );
}

#[test]
fn null_deletes() {
    assert_spec(Root::Deployment, "{replicas: 3, paused: true}", "replicas: null", "paused: true");
    assert_pod(
        "containers: [{name: w, livenessProbe: {httpGet: {port: 1}}, env: [{name: A, value: x}]}]",
        "containers: [{name: w, livenessProbe: null, env: [{name: A, value: null, valueFrom: {fieldRef: {fieldPath: p}}}]}]",
        "containers: [{name: w, env: [{name: A, valueFrom: {fieldRef: {fieldPath: p}}}]}]",
    );
    assert_spec(
        Root::Deployment,
        "template: {metadata: {labels: {a: '1', b: '2'}}}",
        "template: {metadata: {labels: {a: null}, annotations: {c: null}, creationTimestamp: null}}",
        "template: {metadata: {labels: {b: '2'}, annotations: {}}}",
    );
}

#[test]
fn the_patch_directive_deletes_replaces_and_merges() {
    let two = "containers: [{name: w, image: a, env: [{name: A, value: x}]}, {name: s, image: b}]";
    assert_pod(
        two,
        "containers: [{name: s, $patch: delete}]",
        "containers: [{name: w, image: a, env: [{name: A, value: x}]}]",
    );
    assert_pod(
        two,
        "containers: [{$patch: replace}, {name: new, image: c}]",
        "containers: [{name: new, image: c}]",
    );
    assert_pod(
        two,
        "containers: [{name: w, $patch: replace, image: c}]",
        "containers: [{name: w, image: c}, {name: s, image: b}]",
    );
    assert_pod(
        two,
        "containers: [{$patch: merge}, {name: s, $patch: merge, image: c}]",
        "containers: [{name: w, image: a, env: [{name: A, value: x}]}, {name: s, image: c}]",
    );
    assert_pod(
        "{securityContext: {runAsUser: 1, runAsGroup: 2}, affinity: {nodeAffinity: {}}, tolerations: [{key: a}]}",
        "{securityContext: {$patch: replace, runAsUser: 3}, affinity: {$patch: delete}, tolerations: [{$patch: replace}, {key: b}]}",
        "{securityContext: {runAsUser: 3}, tolerations: [{key: b}]}",
    );
}

#[test]
fn deleting_what_is_not_there_is_said() {
    let (pod, notes) =
        pod_and_notes("containers: [{name: web, image: a}]", "containers: [{name: wbe, $patch: delete}]");
    assert_eq!(pod, yaml("containers: [{name: web, image: a}]"));
    assert_eq!(
        notes,
        ["template.spec.containers[wbe]: is to be deleted, but isn't in the base; did you mean `web`?"]
    );
}

#[test]
fn retain_keys_clears_the_rest() {
    assert_pod(
        "volumes: [{name: v, hostPath: {path: /a}}]",
        "volumes: [{name: v, $retainKeys: [name, emptyDir], emptyDir: {}}]",
        "volumes: [{name: v, emptyDir: {}}]",
    );
    assert_spec(
        Root::Deployment,
        "strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1}}",
        "strategy: {$retainKeys: [type], type: Recreate}",
        "strategy: {type: Recreate}",
    );
    assert_eq!(
        faults(Root::Deployment, "{}", "strategy: {$retainKeys: [type], rollingUpdate: {}}"),
        ["strategy.$retainKeys: must name `rollingUpdate` too, which the overlay sets beside it"]
    );
}

#[test]
fn primitive_lists_lose_and_order_their_elements() {
    assert_pod(
        "containers: [{name: w, image: a, args: [--fast, --verbose, --port=1]}]",
        "containers: [{name: w, $deleteFromPrimitiveList/args: [--verbose]}]",
        "containers: [{name: w, image: a, args: [--fast, --port=1]}]",
    );
    assert_pod(
        "containers: [{name: w, image: a}]",
        "containers: [{name: w, $deleteFromPrimitiveList/args: [--verbose]}]",
        "containers: [{name: w, image: a}]",
    );
    assert_spec(
        Root::Deployment,
        "template: {metadata: {finalizers: [a, b, c]}}",
        "template: {metadata: {finalizers: [d], $deleteFromPrimitiveList/finalizers: [b], $setElementOrder/finalizers: [d, c, a]}}",
        "template: {metadata: {finalizers: [d, c, a]}}",
    );
}

#[test]
fn set_element_order_orders() {
    let base = "containers: [{name: a, image: i}, {name: b, image: i}]";
    assert_pod(
        base,
        "{$setElementOrder/containers: [{name: new}, {name: b}, {name: a}], containers: [{name: new, image: i}]}",
        "containers: [{name: new, image: i}, {name: b, image: i}, {name: a, image: i}]",
    );
    assert_pod(
        base,
        "$setElementOrder/containers: [{name: b}, {name: a}]",
        "containers: [{name: b, image: i}, {name: a, image: i}]",
    );
    assert_pod("{}", "$setElementOrder/volumes: [{name: b}]", "{}");
    assert_eq!(
        pod_faults("{$setElementOrder/containers: [{name: log}], containers: [{name: web}]}"),
        ["$setElementOrder/containers: must name every element of `containers` that the overlay has, in the same order"
            .replace("$setElementOrder/containers:", "[\"$setElementOrder/containers\"]:")]
        .map(|text| format!("template.spec{text}"))
    );
    assert_eq!(pod_faults("$setElementOrder/tolerations: []").len(), 1);
}

#[test]
fn a_typo_is_a_fault_with_its_path_and_the_nearest_spelling() {
    for (overlay, fault) in [
        (
            "containers: [{name: web, imgae: x}]",
            "containers[web].imgae: no such field; did you mean `image`?",
        ),
        (
            "containers: [{name: web, livenessprobe: {}}]",
            "containers[web].livenessprobe: no such field; did you mean `livenessProbe`?",
        ),
        (
            "containers: [{name: web, frobnicate: 1}]",
            "containers[web].frobnicate: no such field of core/v1.Container",
        ),
        (
            "containers: [{name: web, runAsNonRoot: true}]",
            "containers[web].runAsNonRoot: no such field here; did you mean `securityContext.runAsNonRoot`?",
        ),
        (
            "containers: [{name: web, env: [{name: A, value: 1}]}]",
            "containers[web].env[A].value: must be text, not the number 1; put it in quotes: \"1\"",
        ),
        ("containers: [{name: web, env: {A: b}}]", "containers[web].env: must be a list, not a map"),
        (
            "containers: [{image: x}]",
            "containers[0]: needs its `name`, by which it is found in the base's list",
        ),
        ("containers: [{name: web}, {name: web}]", "containers[web]: is in this list twice; keep one"),
        (
            "containers: [{name: web, $patch: remove}]",
            "containers[web].$patch: must be `merge`, `replace` or `delete`, not the text \"remove\"",
        ),
        (
            "containers: [{name: web, env: [{name: A, value: x, valueFrom: {}}]}]",
            "containers[web].env[A]: can have only one of `value`, `valueFrom`",
        ),
        (
            "containers: [{name: web, resources: {limits: {cpu: 1 core}}}]",
            "containers[web].resources.limits.cpu: must be a quantity such as `500m` or `1Gi`, not the text \"1 core\"",
        ),
        (
            "tolerations: [{key: a, $patch: delete}]",
            "tolerations[0]: this list is replaced whole: leave the element out instead",
        ),
        (
            "nodeSelector: {disk: true}",
            "nodeSelector.disk: must be text, not `true`; put it in quotes: \"true\"",
        ),
        (
            "containers: [{name: wbe, args: [x]}]",
            "containers[wbe]: isn't in the base (which has `web`, `log`), so it is new and needs `image`; did you mean `web`?",
        ),
        (
            "volumes: [{name: v, persistentVolumeClaim: {}}]",
            "volumes[v].persistentVolumeClaim: needs `claimName`",
        ),
        (
            "$frob: 1",
            "template.spec.$frob: no such directive; there are `$patch`, `$retainKeys`, `$setElementOrder/<list>` and `$deleteFromPrimitiveList/<list>`",
        ),
    ] {
        let fault = fault.replace("template.spec.", "");
        assert_eq!(pod_faults(overlay), [fault], "{overlay}");
    }
    assert_eq!(
        faults(Root::Deployment, "{}", "containers: [{name: web}]"),
        ["containers: no such field here; did you mean `template.spec.containers`?"]
    );
    assert_eq!(
        faults(Root::Deployment, "{}", "$patch: delete"),
        ["$patch: `delete` here would leave no spec at all"]
    );
    assert_eq!(
        faults(Root::Deployment, "{}", "strategy: {type: Recreate, rollingUpdate: {}}"),
        ["strategy.rollingUpdate: goes with `type: RollingUpdate`, not with `type: Recreate`"]
    );
}

#[test]
fn every_fault_is_found_at_once() {
    let found = faults(Root::Deployment, "{}", "{replica: 1, minReadySeconds: soon, template: {spek: {}}}");
    assert_eq!(found.len(), 3, "{found:?}");
}

/// As many elements as an object has room for; comparing each with each would not end.
#[test]
fn an_overlay_of_very_many_elements_is_read_and_laid_on() {
    const MANY: usize = 40_000;
    let named = |numbers: std::ops::Range<usize>| -> Vec<Value> {
        numbers.map(|number| json!({"name": format!("A{number}")})).collect()
    };
    let deleted = |numbers: std::ops::Range<usize>| -> Vec<Value> {
        numbers.map(|number| json!({"name": format!("A{number}"), "$patch": "delete"})).collect()
    };
    let pod = |env: Vec<Value>| deployment(json!({"containers": [{"name": "w", "image": "i", "env": env}]}));
    let env = |spec: &Value| spec["template"]["spec"]["containers"][0]["env"].as_array().unwrap().clone();
    let overlay = map(pod(named(MANY / 2..MANY)));
    let applied = merge(Root::Deployment, pod(named(0..MANY / 2)), &overlay).unwrap();
    assert_eq!(env(&applied.spec), named(0..MANY));
    let overlay = map(pod(deleted(0..MANY / 2)));
    let applied = merge(Root::Deployment, applied.spec, &overlay).unwrap();
    assert_eq!((env(&applied.spec), applied.notes), (named(MANY / 2..MANY), Vec::new()));
    let mut turned = named(0..MANY);
    turned.reverse();
    let overlay = json!({"containers": [{"name": "w", "$setElementOrder/env": turned}]});
    let applied = merge(Root::Deployment, pod(named(0..MANY)), &map(deployment(overlay))).unwrap();
    assert_eq!(env(&applied.spec), turned);
    let words: Vec<String> = (0..MANY).map(|number| number.to_string()).collect();
    let base = json!({"containers": [{"name": "w", "image": "i", "args": words}]});
    let overlay = json!({"containers": [{"name": "w", "$deleteFromPrimitiveList/args": words}]});
    let applied = merge(Root::Deployment, deployment(base), &map(deployment(overlay))).unwrap();
    assert_eq!(applied.spec["template"]["spec"]["containers"][0]["args"], json!([]));
}

/// Containers that lack what they need, fields that nobody knows, deletions of nothing, keys not retained.
#[test]
fn of_very_many_faults_some_are_told() {
    const MANY: usize = 10_000;
    let containers: Vec<Value> =
        (0..MANY).map(|number| json!({"name": format!("c{number}"), "image": "i"})).collect();
    let base = deployment(json!({ "containers": containers }));
    let each = |make: &dyn Fn(usize) -> Value| {
        let containers: Vec<Value> = (0..MANY).map(make).collect();
        map(deployment(json!({ "containers": containers })))
    };
    let new = each(&|number| json!({"name": format!("d{number}")}));
    let unknown = each(&|number| json!({"name": format!("c{number}"), "runAsNonRot": true}));
    for overlay in [new, unknown] {
        let faults = merge(Root::Deployment, base.clone(), &overlay).unwrap_err();
        assert_eq!(faults.len(), TOLD);
        assert!(faults.iter().all(|fault| fault.message.len() < 400), "{}", faults[0]);
    }
    let gone = each(&|number| json!({"name": format!("d{number}"), "$patch": "delete"}));
    assert_eq!(merge(Root::Deployment, base.clone(), &gone).unwrap().notes.len(), TOLD);
    let mut selector: Map<String, Value> =
        (0..MANY).map(|number| (format!("k{number}"), "v".into())).collect();
    let keys: Vec<String> = selector.keys().cloned().collect();
    selector.insert("$retainKeys".to_owned(), json!(keys));
    let retained = map(deployment(json!({ "nodeSelector": selector })));
    assert!(merge(Root::Deployment, base, &retained).is_ok());
}
