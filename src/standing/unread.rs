//! What it means for a version that the controller has no right to read a kind. A kind that the API server does
//! not serve has no objects, and means nothing.

use std::collections::BTreeSet;

use crate::inventory::Kind;
use crate::inventory::report::Unread;

/// Warnings to a version of this namespace, by kind.
pub(super) fn warnings(unread: &BTreeSet<Unread>, namespace: &str) -> Vec<String> {
    let here = unread.iter().filter(|it| it.namespace.as_deref().is_none_or(|name| name == namespace));
    let kinds: BTreeSet<Kind> = here.map(|it| it.kind).collect();
    kinds.into_iter().filter_map(warning).collect()
}

fn warning(kind: Kind) -> Option<String> {
    let (what, follows, resource) = match kind {
        Kind::NetworkPolicy => (
            "NetworkPolicies",
            "the version gets no copies of the base's, and whatever they keep out can reach its pods",
            "`networkpolicies` (networking.k8s.io)",
        ),
        Kind::PodDisruptionBudget => (
            "PodDisruptionBudgets",
            "the version gets no copies of the base's, and its pods can all be evicted at once",
            "`poddisruptionbudgets` (policy)",
        ),
        Kind::HorizontalPodAutoscaler => (
            "HorizontalPodAutoscalers",
            "one that scales the version's Deployment is not known, and the count that it sets is set back, but for \
             one that was known before",
            "`horizontalpodautoscalers` (autoscaling)",
        ),
        Kind::Deployment
        | Kind::Service
        | Kind::EndpointSlice
        | Kind::Pod
        | Kind::DeploymentVersion
        | Kind::Router
        | Kind::ConfigMap
        | Kind::Secret => return None,
    };
    Some(format!(
        "the controller may not read {what}: {follows}; let its account get, list and watch {resource}, as the \
         roles in manifests/ do"
    ))
}
