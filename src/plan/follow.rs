//! Selectors inside a version's pods that mean the pods themselves: affinity, anti-affinity, spread.
//!
//! They follow the labels, so that a version's replicas keep away from one another and not from the base's. One
//! that would still mean the base's pods, by labels that both have, is narrowed to the version's by
//! `kyaninus.com/dpv`. (The base's own required anti-affinity by such a label keeps the version's pods off its
//! nodes all the same: Kubernetes reads it from both sides.) A selector that means other pods (a cache to be
//! near to, or another namespace's) stays as it is.

use serde_json::{Map, Value};

use super::json::{list, list_mut, map_at, text};
use super::namespaces::{Meant, meant};
use crate::api::names;
use crate::inventory::selector::{Labels, Selector};

/// The labels of a pod at the three stages of its making.
pub(super) struct Stages<'a> {
    pub base: &'a Labels,
    pub asked: &'a Labels,
    pub chosen: &'a Labels,
}

/// Makes the selectors of a Deployment's spec follow.
pub(super) fn follow(spec: &mut Value, namespace: &str, stages: &Stages<'_>) {
    for kind in ["podAffinity", "podAntiAffinity"] {
        let required =
            format!("/template/spec/affinity/{kind}/requiredDuringSchedulingIgnoredDuringExecution");
        for term in list_mut(spec, &required) {
            follow_term(term, namespace, stages);
        }
        let preferred =
            format!("/template/spec/affinity/{kind}/preferredDuringSchedulingIgnoredDuringExecution");
        for weighted in list_mut(spec, &preferred) {
            if let Some(term) = weighted.get_mut("podAffinityTerm") {
                follow_term(term, namespace, stages);
            }
        }
    }
    for constraint in list_mut(spec, "/template/spec/topologySpreadConstraints") {
        if let Some(selector) = constraint.get_mut("labelSelector") {
            follow_selector(selector, stages);
        }
    }
}

fn follow_term(term: &mut Value, namespace: &str, stages: &Stages<'_>) {
    if may_mean(term, namespace)
        && let Some(selector) = term.get_mut("labelSelector")
    {
        follow_selector(selector, stages);
    }
}

/// Whether a term may mean pods of its own namespace: one that it lists, or that it selects; where it does
/// neither, it means no other.
fn may_mean(term: &Value, namespace: &str) -> bool {
    let mut listed = list(term, "/namespaces").peekable();
    match term.get("namespaceSelector") {
        None => listed.peek().is_none() || listed.any(|name| name == namespace),
        Some(selector) => meant(selector, namespace) != Meant::No || listed.any(|name| name == namespace),
    }
}

fn follow_selector(selector: &mut Value, stages: &Stages<'_>) {
    let Ok(read) = serde_json::from_value::<Selector>(selector.clone()) else { return };
    if read.is_empty() || !(read.matches(stages.base) || read.matches(stages.asked)) {
        return;
    }
    if let Some(Value::Object(labels)) = selector.get_mut("matchLabels") {
        labels.retain(|key, _| stages.chosen.contains_key(key));
        for (key, value) in labels.iter_mut() {
            if let Some(chosen) = stages.chosen.get(key) {
                *value = chosen.into();
            }
        }
    }
    if let Some(Value::Array(requirements)) = selector.get_mut("matchExpressions") {
        requirements.retain_mut(|requirement| follow_requirement(requirement, stages));
    }
    if let Some(selector) = selector.as_object_mut() {
        // The API server keeps no empty list or map.
        let is_empty = |value: &Value| {
            value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
        };
        selector.retain(|_, value| !is_empty(value));
    }
    // What is left may mean the base's pods still, or be nothing at all, which would mean everybody's.
    let left = serde_json::from_value::<Selector>(selector.clone()).unwrap_or_default();
    if let Some(hash) = stages.chosen.get(names::LABEL_DPV).filter(|_| left.matches(stages.base)) {
        map_at(selector, &["matchLabels"]).insert(names::LABEL_DPV.to_owned(), hash.into());
    }
}

/// Makes one requirement follow; false where nothing is left that it could ask for.
fn follow_requirement(requirement: &mut Value, stages: &Stages<'_>) -> bool {
    let Some(key) = text(requirement, "/key").map(str::to_owned) else { return true };
    match (text(requirement, "/operator"), stages.chosen.get(&key)) {
        (Some("In"), Some(chosen)) => {
            let ours = [stages.base.get(&key), stages.asked.get(&key)];
            for value in list_mut(requirement, "/values") {
                if ours.iter().flatten().any(|own| value == own) {
                    *value = chosen.into();
                }
            }
            if let Some(Value::Array(values)) = requirement.get_mut("values") {
                values.dedup();
            }
            true
        }
        (Some("In" | "Exists"), None) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn followed(selector: Value) -> Value {
        let base = labels(&[("app", "shop"), ("tier", "web"), ("gone", "x")]);
        let chosen = labels(&[("app", "shop-v2"), ("tier", "web"), (names::LABEL_DPV, "0abc")]);
        let mut spec = json!({"template": {"spec": {
            "topologySpreadConstraints": [{"labelSelector": selector}]}}});
        follow(&mut spec, "n", &Stages { base: &base, asked: &base, chosen: &chosen });
        spec.pointer("/template/spec/topologySpreadConstraints/0/labelSelector").unwrap().clone()
    }

    #[test]
    fn own_selectors_follow_and_others_stay() {
        for (selector, wanted) in [
            (json!({"matchLabels": {"app": "shop"}}), json!({"matchLabels": {"app": "shop-v2"}})),
            (
                json!({"matchLabels": {"app": "shop", "gone": "x"}}),
                json!({"matchLabels": {"app": "shop-v2"}}),
            ),
            (json!({"matchLabels": {"app": "cache"}}), json!({"matchLabels": {"app": "cache"}})),
            (
                json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["other", "shop"]}]}),
                json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["other", "shop-v2"]}]}),
            ),
            (
                json!({"matchLabels": {"tier": "web"}, "matchExpressions": [{"key": "gone", "operator": "Exists"}]}),
                json!({"matchLabels": {"tier": "web", "kyaninus.com/dpv": "0abc"}}),
            ),
            (json!({"matchLabels": {"gone": "x"}}), json!({"matchLabels": {"kyaninus.com/dpv": "0abc"}})),
            (
                json!({"matchExpressions": [{"key": "gone", "operator": "Exists"}]}),
                json!({"matchLabels": {"kyaninus.com/dpv": "0abc"}}),
            ),
        ] {
            assert_eq!(followed(selector), wanted);
        }
    }

    #[test]
    fn both_affinities_follow_unless_they_look_elsewhere() {
        let term =
            |value: &str| json!({"labelSelector": {"matchLabels": {"app": value}}, "topologyKey": "h"});
        let mut away = term("shop");
        away["namespaces"] = json!(["other"]);
        let mut spec = json!({"template": {"spec": {"affinity": {
            "podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution":
                [{"weight": 1, "podAffinityTerm": term("shop")}]},
            "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term("shop"), away.clone()]},
        }}}});
        let base = labels(&[("app", "shop")]);
        let chosen = labels(&[("app", "shop-v2")]);
        follow(&mut spec, "n", &Stages { base: &base, asked: &base, chosen: &chosen });
        assert_eq!(
            spec["template"]["spec"]["affinity"],
            json!({
                "podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution":
                    [{"weight": 1, "podAffinityTerm": term("shop-v2")}]},
                "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term("shop-v2"), away]},
            })
        );
    }

    #[test]
    fn a_term_follows_where_it_may_mean_this_namespace() {
        let named = |name: &str| json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
        for (more, follows) in [
            (json!({}), true),
            (json!({"namespaces": []}), true),
            (json!({"namespaces": ["n"]}), true),
            (json!({"namespaces": ["other"]}), false),
            (json!({"namespaceSelector": {}}), true),
            (json!({"namespaceSelector": named("n")}), true),
            (json!({"namespaceSelector": named("prod")}), false),
            (json!({"namespaceSelector": {"matchLabels": {"team": "a"}}}), true),
            (json!({"namespaceSelector": named("prod"), "namespaces": ["n"]}), true),
            (json!({"namespaceSelector": named("prod"), "namespaces": ["other"]}), false),
            (json!({"namespaceSelector": named("n"), "namespaces": ["other"]}), true),
        ] {
            let mut term = json!({"labelSelector": {"matchLabels": {"app": "shop"}}, "topologyKey": "h"});
            term.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let base = labels(&[("app", "shop")]);
            let chosen = labels(&[("app", "shop-v2")]);
            follow_term(&mut term, "n", &Stages { base: &base, asked: &base, chosen: &chosen });
            let wanted = if follows { "shop-v2" } else { "shop" };
            assert_eq!(text(&term, "/labelSelector/matchLabels/app"), Some(wanted), "{more}");
        }
    }
}
