//! What confines a base's pods and admits them to others, once more for a version's: its NetworkPolicies and
//! PodDisruptionBudgets.
//!
//! A version's pods bear other labels than the base's, so that no selector of the base's catches them: without
//! copies, they would be reached by everyone, and let in by no one. A copy selects the version's pods by
//! `kyaninus.com/dpv`. A twin selects what the policy selects and admits the version's pods where the policy
//! admits the base's; policies add up, so that it takes nothing from anyone. What selects every pod selects the
//! version's too and needs no copy. Policies of other namespaces are not looked at: nothing made there could
//! belong to the version.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::clone::{Subject, add_metadata};
use super::json::{list, list_mut};
use super::namespaces::{Meant, meant};
use crate::api::names as api_names;
use crate::inventory::object::{DeploymentFacts, DisruptionFacts, NetworkPolicyFacts};
use crate::inventory::selector::{Labels, Selector};
use crate::inventory::{Inventory, Kind, names};

/// The two directions of a NetworkPolicy: its word in `policyTypes`, its rules, and the peers of one.
const DIRECTIONS: [(&str, &str, &str); 2] = [("Ingress", "ingress", "from"), ("Egress", "egress", "to")];

/// A version's pods, beside its base's.
struct Pods<'p> {
    namespace: &'p str,
    of_base: &'p Labels,
    of_version: &'p Labels,
    /// The value of `kyaninus.com/dpv`.
    hash: &'p str,
}

impl Pods<'_> {
    /// Whether a selector means the base's pods and not the version's.
    fn are_left_out(&self, selector: &Selector) -> bool {
        selector.matches(self.of_base) && !selector.matches(self.of_version)
    }

    fn selector(&self) -> Value {
        json!({"matchLabels": {api_names::LABEL_DPV: self.hash}})
    }
}

/// What concerns a base's pods, read once for all its versions.
pub(super) struct Confinement {
    policies: Vec<(Arc<NetworkPolicyFacts>, Value)>,
    budgets: Vec<(Arc<DisruptionFacts>, Value)>,
}

impl Confinement {
    pub fn of(inventory: &Inventory, base: &DeploymentFacts) -> Self {
        let namespace = &base.meta.key.namespace;
        let policies = inventory.own_policies(namespace).filter_map(|policy| {
            let spec = policy.object.field("spec");
            let concerns = |selector: &Selector| selector.matches(&base.pod_labels);
            let concerned = concerns(&policy.pod_selector) || peer_selectors(&spec).any(|it| concerns(&it));
            Some((inventory.network_policies.shared(&policy.meta.key).filter(|_| concerned)?, spec))
        });
        let budgets = inventory.own_budgets(namespace).filter_map(|budget| {
            let concerned = budget.selector.as_ref().is_some_and(|it| it.matches(&base.pod_labels));
            let kept = inventory.disruption_budgets.shared(&budget.meta.key).filter(|_| concerned)?;
            Some((kept, budget.object.field("spec")))
        });
        Self { policies: policies.collect(), budgets: budgets.collect() }
    }

    /// The copies and twins for a version: the policies, then the budgets, by name.
    pub fn of_version(
        &self,
        subject: &Subject<'_>,
        chosen: &Labels,
        replicas: i64,
    ) -> Vec<(Kind, String, Value)> {
        let pods = Pods {
            namespace: &subject.dpv.meta.key.namespace,
            of_base: &subject.base.pod_labels,
            of_version: chosen,
            hash: &subject.hash,
        };
        let version = &subject.resolved.version;
        let mut policies = Vec::new();
        for (policy, spec) in &self.policies {
            let name = &policy.meta.key.name;
            let made = [
                (names::copy(name, version), copied_policy(&policy.pod_selector, spec, &pods)),
                (names::peer(name, version), admitting_twin(spec, &pods)),
            ];
            policies.extend(made.into_iter().filter_map(|(name, spec)| {
                let object = whole(subject, "networking.k8s.io/v1", Kind::NetworkPolicy, &name, spec?);
                Some((Kind::NetworkPolicy, name, object))
            }));
        }
        let mut budgets = Vec::new();
        for (budget, spec) in &self.budgets {
            if let Some(spec) = copied_budget(budget.selector.as_ref(), spec, &pods, replicas) {
                let name = names::copy(&budget.meta.key.name, version);
                let object = whole(subject, "policy/v1", Kind::PodDisruptionBudget, &name, spec);
                budgets.push((Kind::PodDisruptionBudget, name, object));
            }
        }
        for made in [&mut policies, &mut budgets] {
            made.sort_by(|a, b| a.1.cmp(&b.1));
        }
        policies.extend(budgets);
        policies
    }
}

fn whole(
    subject: &Subject<'_>,
    api_version: &str,
    kind: Kind,
    name: &str,
    spec: Map<String, Value>,
) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind.as_str(), "spec": spec});
    add_metadata(&mut object, subject, name, Labels::new(), Labels::new());
    object
}

/// The spec of the policy that confines the version's pods as this one does the base's. Peers that are the
/// base's pods stay, and the version's own come beside them.
fn copied_policy(selector: &Selector, spec: &Value, pods: &Pods<'_>) -> Option<Map<String, Value>> {
    if !pods.are_left_out(selector) {
        return None;
    }
    let mut spec = spec.clone();
    for (_, rules, peers) in DIRECTIONS {
        for rule in list_mut(&mut spec, &format!("/{rules}")) {
            let more = missing_peers(rule, peers, pods);
            if let Some(Value::Array(peers)) = rule.get_mut(peers) {
                peers.extend(more);
            }
        }
    }
    let Value::Object(mut spec) = spec else { return None };
    spec.insert("podSelector".to_owned(), pods.selector());
    Some(spec)
}

/// The spec of the policy that admits the version's pods wherever this one admits the base's.
fn admitting_twin(spec: &Value, pods: &Pods<'_>) -> Option<Map<String, Value>> {
    let mut twin = Map::new();
    let mut types = Vec::new();
    for (type_, rules, peers) in DIRECTIONS {
        if !isolates(spec, type_) {
            continue;
        }
        let admitting: Vec<Value> = list(spec, &format!("/{rules}"))
            .filter_map(|rule| {
                let more = missing_peers(rule, peers, pods);
                let mut rule = rule.as_object().filter(|_| !more.is_empty())?.clone();
                rule.insert(peers.to_owned(), Value::Array(more));
                Some(Value::Object(rule))
            })
            .collect();
        if !admitting.is_empty() {
            types.push(type_);
            twin.insert(rules.to_owned(), Value::Array(admitting));
        }
    }
    if types.is_empty() {
        return None;
    }
    let selector = spec.get("podSelector").cloned().unwrap_or_else(|| json!({}));
    twin.insert("podSelector".to_owned(), selector);
    twin.insert("policyTypes".to_owned(), json!(types));
    Some(twin)
}

/// Whether a policy says anything about a direction: a twin must not isolate pods that nobody isolated.
fn isolates(spec: &Value, type_: &str) -> bool {
    match spec.get("policyTypes").and_then(Value::as_array).filter(|types| !types.is_empty()) {
        Some(types) => types.iter().any(|it| it == type_),
        // What the API server writes where nobody did.
        None => type_ == "Ingress" || list(spec, "/egress").next().is_some(),
    }
}

/// The peers by which the version's pods come beside the base's in a rule; none where it surely admits them
/// already.
fn missing_peers(rule: &Value, peers: &str, pods: &Pods<'_>) -> Vec<Value> {
    let admits = |peer: Peer<'_>| peer.is_here == Meant::Yes && peer.selector.matches(pods.of_version);
    if peers_of(rule, peers, pods.namespace).any(admits) {
        return Vec::new();
    }
    let mut more: Vec<Value> = Vec::new();
    for Peer { written, .. } in
        peers_of(rule, peers, pods.namespace).filter(|peer| pods.are_left_out(&peer.selector))
    {
        let Some(mut peer) = written.as_object().cloned() else { continue };
        peer.insert("podSelector".to_owned(), pods.selector());
        let peer = Value::Object(peer);
        if !more.contains(&peer) {
            more.push(peer);
        }
    }
    more
}

/// Pods that a rule admits.
struct Peer<'r> {
    written: &'r Value,
    selector: Selector,
    /// Whether they are of the version's namespace.
    is_here: Meant,
}

/// The peers of a rule that may be pods of this namespace. Of one that is here only perhaps a peer is made
/// all the same: it keeps the `namespaceSelector`, and so admits nobody the rule would not.
fn peers_of<'r>(rule: &'r Value, peers: &str, namespace: &str) -> impl Iterator<Item = Peer<'r>> {
    list(rule, &format!("/{peers}")).filter_map(move |written| {
        let namespaces = written.get("namespaceSelector");
        let is_here = namespaces.map_or(Meant::Yes, |selector| meant(selector, namespace));
        let selector = match written.get("podSelector") {
            Some(selector) => serde_json::from_value(selector.clone()).ok()?,
            // All pods of the namespaces; without either, it is a block of addresses.
            None => namespaces.map(|_| Selector::default())?,
        };
        (is_here != Meant::No).then_some(Peer { written, selector, is_here })
    })
}

/// Every selector by which a policy's spec means pods as peers.
pub(super) fn peer_selectors(spec: &Value) -> impl Iterator<Item = Selector> {
    DIRECTIONS.into_iter().flat_map(move |(_, rules, peers)| {
        list(spec, &format!("/{rules}"))
            .flat_map(move |rule| list(rule, &format!("/{peers}")))
            .filter_map(|peer| serde_json::from_value(peer.get("podSelector")?.clone()).ok())
    })
}

/// The spec of the budget that keeps as many of the version's pods as this one does of the base's. One that
/// would let no pod of so few ever go, and so hold up every drain of a node, lets one go at a time.
fn copied_budget(
    selector: Option<&Selector>,
    spec: &Value,
    pods: &Pods<'_>,
    replicas: i64,
) -> Option<Map<String, Value>> {
    selector.filter(|selector| pods.are_left_out(selector))?;
    let mut spec = spec.as_object()?.clone();
    spec.insert("selector".to_owned(), pods.selector());
    let kept = match spec.get("minAvailable") {
        Some(Value::Number(number)) => number.as_i64(),
        // A percentage is rounded up; all of them is what somebody meant.
        Some(Value::String(text)) if text != "100%" => {
            let percent: Option<i64> = text.strip_suffix('%').and_then(|number| number.parse().ok());
            percent.map(|percent| percent.saturating_mul(replicas).saturating_add(99) / 100)
        }
        _ => None,
    };
    if replicas > 0 && kept.is_some_and(|kept| kept >= replicas) {
        spec.remove("minAvailable");
        spec.insert("maxUnavailable".to_owned(), 1.into());
    }
    Some(spec)
}

#[cfg(test)]
#[path = "confine_tests.rs"]
mod tests;
