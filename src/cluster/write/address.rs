//! Where an object of a kind is found at the API server, and in which order kinds are written.

use crate::inventory::{Kind, ObjectReference};

/// `apiVersion` of a kind as it is written, and its name in addresses.
#[must_use]
pub fn resource(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Deployment => ("apps/v1", "deployments"),
        Kind::Service => ("v1", "services"),
        Kind::EndpointSlice => ("discovery.k8s.io/v1", "endpointslices"),
        Kind::Pod => ("v1", "pods"),
        Kind::DeploymentVersion => ("kyaninus.com/v1", "deploymentversions"),
        Kind::Router => ("kyaninus.com/v1", "routers"),
        Kind::PodDisruptionBudget => ("policy/v1", "poddisruptionbudgets"),
        Kind::HorizontalPodAutoscaler => ("autoscaling/v2", "horizontalpodautoscalers"),
        Kind::NetworkPolicy => ("networking.k8s.io/v1", "networkpolicies"),
        Kind::ConfigMap => ("v1", "configmaps"),
        Kind::Secret => ("v1", "secrets"),
    }
}

/// The path of one object.
#[must_use]
pub fn path(target: &ObjectReference) -> String {
    let (api_version, plural) = resource(target.kind);
    let root = if api_version.contains('/') { "/apis" } else { "/api" };
    format!("{root}/{api_version}/namespaces/{}/{plural}/{}", target.key.namespace, target.key.name)
}

/// The order of creation: what confines the pods and what leads to them is there before they are.
#[must_use]
pub fn stage(kind: Kind) -> u8 {
    match kind {
        Kind::NetworkPolicy => 0,
        Kind::Service => 1,
        Kind::PodDisruptionBudget => 2,
        Kind::Deployment => 3,
        Kind::EndpointSlice
        | Kind::Pod
        | Kind::DeploymentVersion
        | Kind::Router
        | Kind::HorizontalPodAutoscaler
        | Kind::ConfigMap
        | Kind::Secret => 4,
    }
}

/// Whether no pod of a version may start before this is there.
#[must_use]
pub fn precedes_pods(kind: Kind) -> bool {
    matches!(kind, Kind::NetworkPolicy | Kind::Service)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Key;

    #[test]
    fn paths_and_groups_agree() {
        for kind in Kind::ALL {
            let group = resource(kind).0.rsplit_once('/').map_or("", |(group, _)| group);
            assert_eq!(group, kind.group());
        }
        let at = |kind| path(&ObjectReference { kind, key: Key::new("n", "x") });
        assert_eq!(at(Kind::Service), "/api/v1/namespaces/n/services/x");
        assert_eq!(at(Kind::Deployment), "/apis/apps/v1/namespaces/n/deployments/x");
        assert!(stage(Kind::Service) < stage(Kind::Deployment));
    }
}
