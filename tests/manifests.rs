//! What the manifests say to one another, and no program looks at before it is too late.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at the first surprise")]

use serde_json::Value;

fn container(manifest: &str) -> Value {
    let deployment: Value = serde_saphyr::from_str(manifest).unwrap();
    deployment["spec"]["template"]["spec"]["containers"][0].clone()
}

fn edge() -> Value {
    container(include_str!("../manifests/workloads/edge.yaml"))
}

/// The value of an argument.
fn argument(container: &Value, flag: &str) -> String {
    let arguments = container["args"].as_array().unwrap().iter().filter_map(Value::as_str);
    let mut values = arguments.filter_map(|it| it.strip_prefix(&format!("--{flag}=")));
    values.next().unwrap().to_owned()
}

fn seconds(container: &Value, flag: &str) -> u64 {
    argument(container, flag).strip_suffix('s').unwrap().parse().unwrap()
}

#[test]
fn pods_listen_on_every_address_of_either_family() {
    let controller = container(include_str!("../manifests/workloads/controller.yaml"));
    for (container, flag) in [(&controller, "admin"), (&edge(), "admin"), (&edge(), "listen")] {
        let address = argument(container, flag);
        assert!(address.starts_with(':'), "--{flag}={address}: not on a cluster of the other family");
    }
}

#[test]
fn a_leaving_edge_passes_its_probe_until_its_drain_delay_ends() {
    let edge = edge();
    let number = |field: &str| edge["readinessProbe"][field].as_u64().unwrap();
    let unready = number("periodSeconds") * (number("failureThreshold") - 1);
    assert!(unready >= seconds(&edge, "drain-delay"), "not ready after {unready} s");
}

#[test]
fn an_edge_is_not_killed_before_it_has_drained() {
    let deployment: Value = serde_saphyr::from_str(include_str!("../manifests/workloads/edge.yaml")).unwrap();
    let grace = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(grace > seconds(&edge(), "drain-delay") + seconds(&edge(), "drain-timeout"));
}
