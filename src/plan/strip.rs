//! What a clone does not take over from its base.

use serde_json::{Map, Value};

use super::json::{list_mut, without_nulls};
use crate::api::names;
use crate::inventory::selector::Labels;

/// Prefixes (before the `/`) of labels and annotations by which another tool would claim a clone as its own,
/// and prune it or call it out of sync.
const CLAIMS: [&str; 6] = [
    "argocd.argoproj.io",
    "meta.helm.sh",
    "applyset.kubernetes.io",
    "config.k8s.io",
    "kapp.k14s.io",
    "objectset.rio.cattle.io",
];

/// The same by the end of the prefix.
const CLAIM_ENDS: [&str; 1] = [".toolkit.fluxcd.io"];

fn is_claim(key: &str) -> bool {
    let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
    CLAIMS.contains(&prefix) || CLAIM_ENDS.iter().any(|end| prefix.ends_with(end))
}

/// The base's labels, as its clone's object (not its pods) bears them.
pub(super) fn labels(base: &Labels) -> Labels {
    let keep =
        |key: &str| !is_claim(key) && key != names::LABEL_MANAGED_BY && key != "app.kubernetes.io/instance";
    base.iter().filter(|(key, _)| keep(key)).collect()
}

/// The base's annotations, as its clone's object bears them.
pub(super) fn annotations(base: &Labels) -> Labels {
    let keep = |key: &str| {
        is_kept(key)
            && !key.starts_with("deployment.kubernetes.io/")
            // A process that runs for the base serves the base.
            && key != names::ANNOTATION_LOCAL_ENDPOINT
    };
    base.iter().filter(|(key, _)| keep(key)).collect()
}

/// Whether an annotation says nothing of who made an object.
fn is_kept(annotation: &str) -> bool {
    !is_claim(annotation) && annotation != "kubectl.kubernetes.io/last-applied-configuration"
}

/// The base Deployment's spec, before the overlay.
pub(super) fn deployment_spec(mut spec: Value) -> Value {
    without_nulls(&mut spec);
    if let Some(spec) = spec.as_object_mut() {
        // The live count may be an autoscaler's; and a base that somebody paused would keep its clones from
        // ever starting a pod.
        for field in ["replicas", "paused", "selector"] {
            spec.remove(field);
        }
    }
    if let Some(Value::Object(annotations)) = spec.pointer_mut("/template/metadata/annotations") {
        // A restart of the base is not the clones', and a process that runs for the base serves the base.
        let of_base = ["kubectl.kubernetes.io/restartedAt", names::ANNOTATION_LOCAL_ENDPOINT];
        annotations.retain(|key, _| is_kept(key) && !of_base.contains(&key.as_str()));
        if annotations.is_empty()
            && let Some(Value::Object(metadata)) = spec.pointer_mut("/template/metadata")
        {
            metadata.remove("annotations");
        }
    }
    spec
}

/// Fields of a Service that are the cloud's, the node's or the cluster's.
const SERVICE_FIELDS: [&str; 11] = [
    "clusterIP",
    "clusterIPs",
    "externalIPs",
    "externalName",
    "externalTrafficPolicy",
    "healthCheckNodePort",
    "allocateLoadBalancerNodePorts",
    "loadBalancerClass",
    "loadBalancerIP",
    "loadBalancerSourceRanges",
    "selector",
];

/// The base Service's spec, before the overlay: ClusterIP, or headless where the base's is.
pub(super) fn service_spec(mut spec: Value) -> Value {
    without_nulls(&mut spec);
    for port in list_mut(&mut spec, "/ports") {
        if let Some(port) = port.as_object_mut() {
            port.remove("nodePort");
        }
    }
    let mut spec = match spec {
        Value::Object(spec) => spec,
        _ => Map::new(),
    };
    let headless = spec.get("clusterIP").and_then(Value::as_str) == Some("None");
    for field in SERVICE_FIELDS {
        spec.remove(field);
    }
    spec.insert("type".to_owned(), "ClusterIP".into());
    if headless {
        spec.insert("clusterIP".to_owned(), "None".into());
    }
    Value::Object(spec)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn keys(labels: &[&str]) -> Labels {
        labels.iter().map(|key| ((*key).to_owned(), "x".to_owned())).collect()
    }

    #[test]
    fn no_mark_of_another_tool_is_left() {
        let base = keys(&[
            "app",
            "app.kubernetes.io/instance",
            "app.kubernetes.io/managed-by",
            "app.kubernetes.io/name",
            "argocd.argoproj.io/tracking-id",
            "helm.toolkit.fluxcd.io/name",
            "kustomize.toolkit.fluxcd.io/name",
            "meta.helm.sh/release-name",
            "helm.sh/chart",
        ]);
        assert_eq!(labels(&base), keys(&["app", "app.kubernetes.io/name", "helm.sh/chart"]));
        let base = keys(&[
            "argocd.argoproj.io/tracking-id",
            "deployment.kubernetes.io/revision",
            "kubectl.kubernetes.io/last-applied-configuration",
            "meta.helm.sh/release-name",
            "team",
        ]);
        assert_eq!(annotations(&base), keys(&["team"]));
    }

    #[test]
    fn a_clones_service_is_cluster_internal() {
        let balancer = json!({
            "type": "LoadBalancer", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"],
            "externalTrafficPolicy": "Local", "healthCheckNodePort": 30001, "loadBalancerIP": "1.2.3.4",
            "loadBalancerClass": "x", "loadBalancerSourceRanges": ["0.0.0.0/0"], "externalIPs": ["1.2.3.4"],
            "allocateLoadBalancerNodePorts": true, "ipFamilyPolicy": "SingleStack", "selector": {"a": "b"},
            "ports": [{"port": 80, "nodePort": 30000, "targetPort": "http"}], "sessionAffinity": "ClientIP",
        });
        let wanted = json!({
            "type": "ClusterIP", "ipFamilyPolicy": "SingleStack", "sessionAffinity": "ClientIP",
            "ports": [{"port": 80, "targetPort": "http"}],
        });
        assert_eq!(service_spec(balancer), wanted);
        let headless = json!({"clusterIP": "None", "clusterIPs": ["None"], "ports": [{"port": 80}]});
        assert_eq!(
            service_spec(headless),
            json!({"type": "ClusterIP", "clusterIP": "None", "ports": [{"port": 80}]})
        );
    }

    #[test]
    fn a_clones_pods_are_not_the_bases_count_pause_or_restart() {
        let base = json!({
            "replicas": 7, "paused": true, "selector": {}, "minReadySeconds": 3,
            "template": {"metadata": {"creationTimestamp": null, "annotations": {
                "kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z",
                "argocd.argoproj.io/tracking-id": "shop:apps/Deployment:n/shop"}}},
        });
        assert_eq!(deployment_spec(base), json!({"minReadySeconds": 3, "template": {"metadata": {}}}));
    }
}
