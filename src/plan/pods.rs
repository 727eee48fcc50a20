//! What Synkronic itself puts into a version's pods.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::json::{list, list_mut, map_at, text};
use super::merge::Overlay;
use crate::api::names;
use crate::inventory::selector::Labels;

/// Sets the labels of the pods and what the Deployment selects.
pub(super) fn label(spec: &mut Value, labels: &Labels, dpv: &str) {
    let labels = labels.iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
    map_at(spec, &["template", "metadata"]).insert("labels".to_owned(), Value::Object(labels));
    map_at(spec, &[]).insert("selector".to_owned(), json!({"matchLabels": {names::LABEL_DPV: dpv}}));
}

/// Sets an annotation of the pods.
pub(super) fn annotate(spec: &mut Value, key: &str, value: &str) {
    map_at(spec, &["template", "metadata", "annotations"]).insert(key.to_owned(), value.into());
}

/// Gives every container its version and address as environment, and a reason to be read when it fails.
pub(super) fn equip(spec: &mut Value, version: &str, url: Option<&str>, overlay: Option<&Overlay>) {
    let variables = [("SYNKRONIC_VERSION", Some(version)), ("SYNKRONIC_URL", url)];
    for field in ["initContainers", "containers"] {
        for container in list_mut(spec, &format!("/template/spec/{field}")) {
            let Some(container) = container.as_object_mut() else { continue };
            let name = container.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let sets = |path: &[&str]| {
                let whole = [&["template", "spec", field, &name], path].concat();
                overlay.is_some_and(|it| it.sets(&whole))
            };
            put_first(container, &variables, |variable| sets(&["env", variable]));
            let written = sets(&["terminationMessagePolicy"]);
            // `File` is what the API server writes where nobody did; a policy that reads the log only where
            // the file is empty takes nothing away from it.
            let policy = container.get("terminationMessagePolicy").and_then(Value::as_str);
            if !written && matches!(policy, None | Some("File")) {
                container.insert("terminationMessagePolicy".to_owned(), "FallbackToLogsOnError".into());
            }
        }
    }
}

/// Leaves the pull policy to the API server again where it was the one that wrote the base's.
///
/// A live base says `IfNotPresent` although nobody wrote it, because its image had a tag; taken over, a version
/// with the image `…:latest` would run whatever a node happens to have. A container whose image the overlay
/// changes and whose policy is the base image's default gets the new image's default.
pub(super) fn renew_pull_policy(spec: &mut Value, base: &Value, overlay: Option<&Overlay>) {
    for field in ["initContainers", "containers"] {
        let pointer = format!("/template/spec/{field}");
        let named = list(base, &pointer).filter_map(|it| Some((text(it, "/name")?, it)));
        let of_base: BTreeMap<&str, &Value> = named.collect();
        for container in list_mut(spec, &pointer) {
            let Some(container) = container.as_object_mut() else { continue };
            let name = container.get("name").and_then(Value::as_str).unwrap_or_default();
            let Some(before) = of_base.get(name) else { continue };
            let sets = |key| overlay.is_some_and(|it| it.sets(&["template", "spec", field, name, key]));
            let image = text(before, "/image").unwrap_or_default();
            let was_default = text(before, "/imagePullPolicy") == Some(default_pull_policy(image));
            if sets("image") && !sets("imagePullPolicy") && was_default {
                container.remove("imagePullPolicy");
            }
        }
    }
}

/// What the API server writes where no policy is: `Always` for `latest`, in words or by leaving the tag out.
fn default_pull_policy(image: &str) -> &'static str {
    let name = image.rsplit('/').next().unwrap_or_default();
    let is_latest = match (name.contains('@'), name.split_once(':')) {
        (true, _) => false,
        (false, None) => true,
        (false, Some((_, tag))) => tag == "latest",
    };
    if is_latest { "Always" } else { "IfNotPresent" }
}

/// Puts the variables before all others: `$(NAME)` only finds what stands above it. One that the overlay sets is
/// left to it; one that the base sets is the base's, as its name for itself.
fn put_first(
    container: &mut Map<String, Value>,
    variables: &[(&str, Option<&str>)],
    is_set: impl Fn(&str) -> bool,
) {
    let mut own = match container.remove("env") {
        Some(Value::Array(own)) => own,
        _ => Vec::new(),
    };
    let is = |variable: &Value, name: &str| variable.get("name").is_some_and(|own| own == name);
    own.retain(|variable| !variables.iter().any(|(name, _)| is(variable, name) && !is_set(name)));
    let is_own = |name: &str| own.iter().any(|variable| is(variable, name));
    let mut env: Vec<Value> = variables
        .iter()
        .filter(|(name, _)| !is_own(name))
        .filter_map(|(name, value)| Some(json!({"name": name, "value": value.as_ref()?})))
        .collect();
    env.extend(own);
    container.insert("env".to_owned(), Value::Array(env));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_come_first_and_leave_the_overlays_own() {
        let mut spec = json!({"template": {"spec": {
            "initContainers": [{"name": "i"}],
            "containers": [{"name": "w", "terminationMessagePolicy": "File",
                "env": [{"name": "DB", "value": "db/$(SYNKRONIC_VERSION)"}, {"name": "SYNKRONIC_URL", "value": "x"},
                    {"name": "SYNKRONIC_VERSION", "value": "base"}]}],
        }}});
        let overlay = json!({"template": {"spec": {"containers": [
            {"name": "w", "env": [{"name": "SYNKRONIC_URL", "value": "x"}]}]}}});
        let overlay =
            Overlay::parse(super::super::merge::Root::Deployment, overlay.as_object().unwrap()).unwrap();
        equip(&mut spec, "v2", Some("http://v2.shop/"), Some(&overlay));
        assert_eq!(
            spec["template"]["spec"],
            json!({
                "initContainers": [{"name": "i", "terminationMessagePolicy": "FallbackToLogsOnError", "env": [
                    {"name": "SYNKRONIC_VERSION", "value": "v2"},
                    {"name": "SYNKRONIC_URL", "value": "http://v2.shop/"}]}],
                "containers": [{"name": "w", "terminationMessagePolicy": "FallbackToLogsOnError", "env": [
                    {"name": "SYNKRONIC_VERSION", "value": "v2"},
                    {"name": "DB", "value": "db/$(SYNKRONIC_VERSION)"},
                    {"name": "SYNKRONIC_URL", "value": "x"}]}],
            })
        );
    }

    #[test]
    fn a_pull_policy_that_the_api_server_wrote_is_left_to_it_again() {
        for (base, policy, overlay, wanted) in [
            ("a:1", "IfNotPresent", json!({"image": "a:latest"}), None),
            ("a", "Always", json!({"image": "r:5000/a:2"}), None),
            ("r:5000/a", "Always", json!({"image": "a:2"}), None),
            ("a@sha256:0", "IfNotPresent", json!({"image": "a:2"}), None),
            ("a:1", "Never", json!({"image": "a:2"}), Some("Never")),
            ("a:1", "IfNotPresent", json!({"args": []}), Some("IfNotPresent")),
            (
                "a:1",
                "IfNotPresent",
                json!({"image": "a:2", "imagePullPolicy": "IfNotPresent"}),
                Some("IfNotPresent"),
            ),
        ] {
            let spec = |mut container: Value| {
                container["name"] = "w".into();
                json!({"template": {"spec": {"containers": [container]}}})
            };
            let base = spec(json!({"image": base, "imagePullPolicy": policy}));
            let overlay = spec(overlay);
            let overlay =
                Overlay::parse(super::super::merge::Root::Deployment, overlay.as_object().unwrap()).unwrap();
            let mut merged = overlay.apply(base.clone()).unwrap().spec;
            renew_pull_policy(&mut merged, &base, Some(&overlay));
            assert_eq!(text(&merged, "/template/spec/containers/0/imagePullPolicy"), wanted, "{merged}");
        }
    }

    #[test]
    fn a_policy_that_the_overlay_writes_stays() {
        let overlay = json!({"template": {"spec": {"containers": [{"name": "w", "terminationMessagePolicy": "File"}]}}});
        let overlay =
            Overlay::parse(super::super::merge::Root::Deployment, overlay.as_object().unwrap()).unwrap();
        let mut spec = json!({"template": {"spec": {"containers": [
            {"name": "w", "terminationMessagePolicy": "File"}, {"name": "x"}]}}});
        equip(&mut spec, "v2", None, Some(&overlay));
        let policy =
            |index: usize| spec["template"]["spec"]["containers"][index]["terminationMessagePolicy"].clone();
        assert_eq!((policy(0), policy(1)), ("File".into(), "FallbackToLogsOnError".into()));
    }
}
