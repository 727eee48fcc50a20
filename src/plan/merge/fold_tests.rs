//! Bases whose lists have elements twice.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// What becomes of a pod spec, the notes, and the names of ports that are lost.
fn folded(pod: &str) -> (Value, Vec<String>, Vec<String>) {
    let mut spec = json!({"template": {"spec": yaml(pod)}});
    let folded = fold(Root::Deployment, &mut spec);
    let notes = folded.notes.iter().map(|note| note.to_string().replace("template.spec.", ""));
    (spec["template"]["spec"].clone(), notes.collect(), folded.ports.into_keys().collect())
}

fn assert_folded(pod: &str, wanted: &str, notes: &[&str]) {
    let (pod, told, _) = folded(pod);
    assert_eq!(pod, yaml(wanted));
    assert_eq!(told, notes);
}

fn web(fields: &str) -> String {
    format!("containers: [{{name: web, {fields}}}]")
}

#[test]
fn what_is_there_once_stays_as_it_is() {
    let pod = web(
        "env: [{name: A, value: $(B)}, {name: B}], ports: [{containerPort: 53}, {containerPort: 53, protocol: UDP}]",
    );
    assert_folded(&pod, &pod, &[]);
}

#[test]
fn the_last_variable_counts_and_the_earlier_one_is_read_where_it_was() {
    const LAST: &str =
        "containers[web].env[A]: is there more than once; the last counts, as it does for a pod";
    let unread = format!("{LAST}, and `B` reads an earlier one, which is lost");
    let optional =
        format!("{LAST}, but where what it refers to is missing, there is no earlier one to fall back on");
    for (env, wanted, notes) in [
        ("{name: A, value: '1'}, {name: A, value: '1'}", "{name: A, value: '1'}", vec![]),
        ("{name: A, value: '1'}, {name: A, value: '2'}", "{name: A, value: '2'}", vec![LAST]),
        (
            "{name: A, value: '1'}, {name: B, value: 'x-$(A)'}, {name: A, value: $(A)2$$(A)}, {name: C, value: $(A)}",
            "{name: B, value: x-1}, {name: A, value: 12$$(A)}, {name: C, value: $(A)}",
            vec![LAST],
        ),
        (
            "{name: A, valueFrom: {fieldRef: {fieldPath: x}}}, {name: B, value: $(A)}, {name: A, value: '2'}",
            "{name: B, value: $(A)}, {name: A, value: '2'}",
            vec![&*unread],
        ),
        (
            "{name: A, value: '1'}, {name: A, valueFrom: {secretKeyRef: {name: s, key: k, optional: true}}}",
            "{name: A, valueFrom: {secretKeyRef: {name: s, key: k, optional: true}}}",
            vec![&*optional],
        ),
    ] {
        assert_folded(&web(&format!("env: [{env}]")), &web(&format!("env: [{wanted}]")), &notes);
    }
}

#[test]
fn a_variable_that_reads_itself_again_and_again_does_not_grow_for_ever() {
    let doubled = "{name: A, value: $(A)$(A)}, ".repeat(64);
    let (pod, notes, _) = folded(&web(&format!("env: [{{name: A, value: xxxxxxxx}}, {doubled}]")));
    assert!(pod.to_string().len() < 2 * env::ROOM);
    assert_eq!(notes.len(), 1);
}

#[test]
fn a_port_keeps_its_first_name_and_is_meant_by_its_number_where_it_had_another() {
    let pod = "ports: [{name: http, containerPort: 80}, {name: admin, containerPort: 80, protocol: TCP}],
        readinessProbe: {httpGet: {port: admin}}, lifecycle: {preStop: {tcpSocket: {port: admin}}}, livenessProbe: {tcpSocket: {port: http}}";
    let (pod, notes, lost) = folded(&web(pod));
    let wanted = "ports: [{name: http, containerPort: 80, protocol: TCP}],
        readinessProbe: {httpGet: {port: 80}}, lifecycle: {preStop: {tcpSocket: {port: 80}}}, livenessProbe: {tcpSocket: {port: http}}";
    assert_eq!((pod, lost), (yaml(&web(wanted)), vec!["admin".to_owned()]));
    assert_eq!(
        notes,
        ["containers[web].ports[80]: is there more than once; the first counts, another's `name` is lost"]
    );
    let unnamed = web("ports: [{containerPort: 80}, {name: http, containerPort: 80}]");
    assert_folded(&unnamed, &web("ports: [{name: http, containerPort: 80}]"), &[]);
}

#[test]
fn aliases_have_all_their_names_and_secrets_are_named_once() {
    assert_folded(
        "{imagePullSecrets: [{name: a}, {name: b}, {name: a}],
            hostAliases: [{ip: 10.0.0.1, hostnames: [a, b]}, {ip: 10.0.0.1, hostnames: [b, c]}]}",
        "{imagePullSecrets: [{name: a}, {name: b}], hostAliases: [{ip: 10.0.0.1, hostnames: [a, b, c]}]}",
        &[],
    );
}

#[test]
fn very_many_are_folded_too() {
    let env: Vec<Value> =
        (0..60_000).map(|n| json!({"name": format!("A{}", n % 30_000), "value": n.to_string()})).collect();
    let mut spec = json!({"template": {"spec": {"containers": [{"name": "w", "env": env}]}}});
    let folded = fold(Root::Deployment, &mut spec);
    let left = spec["template"]["spec"]["containers"][0]["env"].as_array().unwrap();
    assert_eq!((left.len(), folded.notes.len()), (30_000, TOLD));
}

/// What a kubelet makes of variables that are all texts (`makeEnvironmentVariables`, `third_party/forked/golang/expansion`).
fn of_a_pod(env: &[Value]) -> BTreeMap<String, String> {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for variable in env {
        let mut read = String::new();
        let mut rest = variable["value"].as_str().unwrap();
        while let Some((before, after)) = rest.split_once('$') {
            read.push_str(before);
            rest = after;
            let inner = after.strip_prefix('(').and_then(|inner| inner.split_once(')'));
            if let Some(after) = after.strip_prefix('$') {
                read.push('$');
                rest = after;
            } else if let Some((name, after)) = inner {
                let own = format!("$({name})");
                read.push_str(known.get(name).unwrap_or(&own));
                rest = after;
            } else {
                read.push('$');
            }
        }
        read.push_str(rest);
        known.insert(variable["name"].as_str().unwrap().to_owned(), read);
    }
    known
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Of variables that read only what is there already, a pod has the same as before.
    #[test]
    fn a_pod_has_the_same_variables(
        written in proptest::collection::vec(("[A-C]", "[x$]{0,2}", "[A-C]", "[)x]{0,2}"), 0..8),
    ) {
        let mut known = BTreeSet::new();
        let env: Vec<Value> = written
            .into_iter()
            .map(|(name, before, read, after)| {
                let reads = if known.contains(&read) { format!("$({read})") } else { String::new() };
                known.insert(name.clone());
                json!({"name": name, "value": format!("{before}{reads}{after}")})
            })
            .collect();
        let folded = env::fold(env.clone(), &mut { env::ROOM });
        prop_assert_eq!(of_a_pod(&folded.variables), of_a_pod(&env));
        let names: BTreeSet<String> = folded.variables.iter().map(|it| it["name"].to_string()).collect();
        prop_assert_eq!(names.len(), folded.variables.len());
    }
}
