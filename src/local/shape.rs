//! What is wrong with one object by itself, as an API server would tell: a group that has no such kind, unknown
//! fields, wrong types, what is missing. Pure; whether it fits the others is the other rooms' to say.

use serde_json::{Map, Value};

use crate::api::{Flaw, Judge, names, nearest};
use crate::inventory::Kind;
use crate::inventory::selector::{Labels, Selector};
use crate::plan::merge::{self, Root};

/// What is wrong with an object: ours by their own schema, Deployments and Services by what Kubernetes says
/// of them, others that this program knows by their group and name. What it does not know is not judged.
#[must_use]
pub fn flaws(judge: &Judge, object: &Value) -> Vec<Flaw> {
    if let Some(flaws) = judge.judge(object) {
        return flaws;
    }
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let Some(kind) = Kind::ALL.into_iter().find(|known| known.as_str() == text("kind")) else {
        return Vec::new();
    };
    let group = text("apiVersion").split_once('/').map_or("", |(group, _)| group);
    if group != kind.group() {
        return is_mistaken(group).then(|| wrong_group(kind, text("apiVersion"))).into_iter().collect();
    }
    let mut flaws: Vec<Flaw> = nameless(object).into_iter().collect();
    match (text("apiVersion"), kind) {
        ("apps/v1", Kind::Deployment) => {
            flaws.extend(spec(object, Root::Deployment));
            if flaws.is_empty() {
                flaws.extend(selector(object));
            }
            flaws.extend(name(object, is_subdomain, "lower-case letters, digits, `-` and `.`, as `shop`"));
        }
        ("v1", Kind::Service) => {
            flaws.extend(spec(object, Root::Service));
            if flaws.is_empty() {
                flaws.extend(ports(object));
            }
            let made_of = "lower-case letters, digits and `-`, a letter first, as `shop`";
            flaws.extend(name(object, is_service, made_of));
        }
        _ => {}
    }
    flaws
}

/// Whether a known kind is not somebody else's of that name: in a group that Kubernetes itself has, or almost ours.
fn is_mistaken(group: &str) -> bool {
    !group.contains('.') || group.ends_with(".k8s.io") || nearest(group, [names::GROUP]).is_some()
}

fn wrong_group(kind: Kind, api_version: &str) -> Flaw {
    let way_out = match kind {
        Kind::Deployment => "apps/v1",
        Kind::Service | Kind::Pod | Kind::ConfigMap | Kind::Secret => "v1",
        Kind::EndpointSlice => "discovery.k8s.io/v1",
        Kind::DeploymentVersion | Kind::Router => names::API_VERSION,
        Kind::PodDisruptionBudget => "policy/v1",
        Kind::HorizontalPodAutoscaler => "autoscaling/v2",
        Kind::NetworkPolicy => "networking.k8s.io/v1",
    };
    flaw("apiVersion", "UnknownKind", format!("`{api_version}` has no kind `{kind}`; write `{way_out}`"))
}

fn nameless(object: &Value) -> Option<Flaw> {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    name.is_empty()
        .then(|| flaw("metadata.name", "FieldMissing", "`metadata.name` is missing: give the object a name"))
}

/// A `spec` is an overlay onto nothing, so the reader of overlays judges it.
fn spec(object: &Value, root: Root) -> Vec<Flaw> {
    let empty = Map::new();
    let spec = match object.get("spec") {
        Some(Value::Object(spec)) => spec,
        None | Some(Value::Null) => &empty,
        Some(_) => return vec![flaw("spec", "WrongType", "an object belongs here")],
    };
    let Err(faults) = merge::merge(root, Value::Object(Map::new()), spec) else { return Vec::new() };
    let in_spec = |fault: merge::Fault| match fault.path.as_str() {
        "" => flaw("spec", "InvalidSpec", fault.message),
        path => flaw(format!("spec.{path}"), "InvalidSpec", fault.message),
    };
    faults.into_iter().map(in_spec).collect()
}

/// A Deployment that does not select its own pods is refused by every API server.
fn selector(object: &Value) -> Option<Flaw> {
    let part = |pointer: &str| object.pointer(pointer).cloned().unwrap_or_default();
    let selector: Selector = serde_json::from_value(part("/spec/selector")).unwrap_or_default();
    let labels: Labels = serde_json::from_value(part("/spec/template/metadata/labels")).unwrap_or_default();
    let message = if selector.is_empty() {
        "the selector is missing; select the pod template's labels, as `matchLabels: {app: shop}`"
    } else if !selector.matches(&labels) {
        "it does not select the pod template's own labels; make the two agree"
    } else {
        return None;
    };
    Some(flaw("spec.selector", "InvalidSelector", message))
}

/// The API server creates nothing of a name that its kind cannot have.
fn name(object: &Value, sound: fn(&str) -> bool, made_of: &str) -> Option<Flaw> {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).filter(|name| !name.is_empty())?;
    let message = || format!("`{name}` is no name for a {}: it takes {made_of}", kind(object));
    (!sound(name)).then(|| flaw("metadata.name", "InvalidName", message()))
}

fn kind(object: &Value) -> &str {
    object.get("kind").and_then(Value::as_str).unwrap_or_default()
}

/// Lower-case letters, digits and dashes, no dash at either end.
fn is_word(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// What most kinds are called by (RFC 1123): such words with dots between. Kubernetes bounds only the whole.
fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_word)
}

/// What Services are called by (RFC 1035): one label, which begins with a letter.
fn is_service(text: &str) -> bool {
    text.len() <= 63 && is_word(text) && text.starts_with(|c: char| c.is_ascii_lowercase())
}

/// A Service has ports, unless it has no address that they would be of.
fn ports(object: &Value) -> Option<Flaw> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let none = object.pointer("/spec/ports").and_then(Value::as_array).is_none_or(Vec::is_empty);
    let may_lack = text("/spec/clusterIP") == "None" || text("/spec/type") == "ExternalName";
    let message = "a Service needs a port; write `ports: [{port: 80}]`";
    (none && !may_lack).then(|| flaw("spec.ports", "InvalidSpec", message))
}

fn flaw(field: impl Into<String>, reason: &'static str, message: impl Into<String>) -> Flaw {
    Flaw { field: field.into(), reason, message: message.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_is_judged_by_its_own() {
        let judge = Judge::new();
        let fields = |object: Value| -> Vec<String> {
            flaws(&judge, &object).into_iter().map(|flaw| flaw.field).collect()
        };
        let deployment = |spec: Value| json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec});
        let template = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}});
        let selector = |app: &str| json!({"matchLabels": {"app": app}});
        assert!(fields(deployment(json!({"selector": selector("a"), "template": template}))).is_empty());
        assert_eq!(
            fields(deployment(json!({"selector": selector("b"), "template": template}))),
            ["spec.selector"]
        );
        assert_eq!(fields(deployment(json!({"template": template}))), ["spec.selector"]);
        assert_eq!(fields(deployment(json!({"replcas": 1}))), ["spec.replcas"]);
        assert_eq!(fields(deployment(json!([]))), ["spec"]);
        assert_eq!(
            fields(
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"selectors": {}}})
            ),
            ["spec.selectors"]
        );
        assert_eq!(
            fields(
                json!({"apiVersion": "kyaninus.com/v1", "kind": "Router", "metadata": {"name": "a"}, "spec": {"base": "a"}})
            ),
            ["spec"]
        );
        assert!(
            fields(
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "spec": {"x": 1}})
            )
            .is_empty()
        );
        assert_eq!(fields(json!({"apiVersion": "apps/v1", "kind": "Deployment"}))[0], "metadata.name");
    }

    #[test]
    fn a_known_kind_of_a_wrong_group_is_told_from_somebody_elses() {
        let judge = Judge::new();
        let said = |api_version: &str, kind: &str| -> Vec<String> {
            let object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}});
            flaws(&judge, &object)
                .into_iter()
                .map(|flaw| format!("{}: {}", flaw.field, flaw.message))
                .collect()
        };
        for (api_version, kind, way_out) in [
            ("v1", "Deployment", "apps/v1"),
            ("apps", "Deployment", "apps/v1"),
            ("extensions/v1beta1", "Deployment", "apps/v1"),
            ("apps/v1", "Service", "v1"),
            ("v1", "Router", "kyaninus.com/v1"),
            ("kyaninus.io/v1", "DeploymentVersion", "kyaninus.com/v1"),
        ] {
            let expected = format!("apiVersion: `{api_version}` has no kind `{kind}`; write `{way_out}`");
            assert_eq!(said(api_version, kind), [expected]);
        }
        for (api_version, kind) in [
            ("serving.knative.dev/v1", "Service"),
            ("example.com/v1", "Router"),
            ("crd.projectcalico.org/v1", "NetworkPolicy"),
            ("batch/v1", "Job"),
        ] {
            assert_eq!(said(api_version, kind), [""; 0], "{api_version} {kind}");
        }
    }

    #[test]
    fn names_and_ports_are_what_an_api_server_takes() {
        let judge = Judge::new();
        let of = |object: Value| -> Vec<String> {
            flaws(&judge, &object).into_iter().map(|flaw| flaw.field).collect()
        };
        let service = |name: &str, spec: Value| {
            of(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}))
        };
        let port = json!({"ports": [{"port": 80}]});
        assert!(service("shop-1", port.clone()).is_empty());
        for name in ["Shop", "1shop", "shop.a", "shop_a", "-shop", "shop-", &"a".repeat(64)] {
            assert_eq!(service(name, port.clone()), ["metadata.name"], "{name}");
        }
        assert_eq!(service("shop", json!({})), ["spec.ports"]);
        assert_eq!(service("shop", json!({"ports": []})), ["spec.ports"]);
        assert!(service("shop", json!({"clusterIP": "None"})).is_empty());
        assert!(service("shop", json!({"type": "ExternalName", "externalName": "a.b"})).is_empty());
        let deployment = |name: &str| {
            let template = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}});
            let spec = json!({"selector": {"matchLabels": {"app": "a"}}, "template": template});
            of(
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}),
            )
        };
        assert!(deployment("1.shop-a").is_empty());
        for name in ["Shop_A", "shop..a", ".shop", "shop-.a"] {
            assert_eq!(deployment(name), ["metadata.name"], "{name}");
        }
    }
}
