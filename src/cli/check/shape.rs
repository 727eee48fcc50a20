//! Deployments and Services as an API server would take them: unknown fields, wrong types, what is missing.
//!
//! A `spec` is an overlay onto nothing, so the reader of overlays judges it.

use serde_json::{Map, Value};

use crate::inventory::object::DeploymentFacts;
use crate::inventory::{Finding, Kind, Object, ObjectReference};
use crate::plan::merge::{self, Root};

/// What is wrong with a Deployment or a Service by itself.
pub(super) fn judge(object: &Object, value: &Value) -> Vec<Finding> {
    match object {
        Object::Deployment(deployment) => {
            let mut findings = spec(object, value, Root::Deployment);
            if findings.is_empty() {
                findings.extend(selector(deployment));
            }
            findings
        }
        Object::Service(_) => spec(object, value, Root::Service),
        Object::EndpointSlice(_)
        | Object::Pod(_)
        | Object::DeploymentVersion(_)
        | Object::Router(_)
        | Object::PodDisruptionBudget(_)
        | Object::HorizontalPodAutoscaler(_)
        | Object::NetworkPolicy(_)
        | Object::ConfigMap(_)
        | Object::Secret(_) => Vec::new(),
    }
}

fn spec(object: &Object, value: &Value, root: Root) -> Vec<Finding> {
    let reference = || ObjectReference { kind: object.kind(), key: object.key().clone() };
    let empty = Map::new();
    let spec = match value.get("spec") {
        Some(Value::Object(spec)) => spec,
        None | Some(Value::Null) => &empty,
        Some(_) => {
            let message = "an object belongs here";
            return vec![Finding::rejected(reference(), "WrongType", "spec", message)];
        }
    };
    let faults = match merge::merge(root, Value::Object(Map::new()), spec) {
        Ok(_) => Vec::new(),
        Err(faults) => faults,
    };
    let finding = |fault: merge::Fault| {
        let field = if fault.path.is_empty() { "spec".to_owned() } else { format!("spec.{}", fault.path) };
        Finding::rejected(reference(), "InvalidSpec", field, fault.message)
    };
    faults.into_iter().map(finding).collect()
}

/// A Deployment that does not select its own pods is refused by every API server.
fn selector(deployment: &DeploymentFacts) -> Option<Finding> {
    let message = if deployment.selector.is_empty() {
        "the selector is missing; select the pod template's labels, as `matchLabels: {app: shop}`"
    } else if !deployment.selector.matches(&deployment.pod_labels) {
        "it does not select the pod template's own labels; make the two agree"
    } else {
        return None;
    };
    let reference = ObjectReference { kind: Kind::Deployment, key: deployment.meta.key.clone() };
    Some(Finding::rejected(reference, "InvalidSelector", "spec.selector", message))
}
