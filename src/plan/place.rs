//! What of a namespace versions are made from, or have to shy from: everything that is no clone.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::labels::Catcher;
use super::{confine, strip};
use crate::inventory::object::{DeploymentFacts, DisruptionFacts, Keyed, NetworkPolicyFacts, ServiceFacts};
use crate::inventory::selector::Selector;
use crate::inventory::{Inventory, Key, Kind, ObjectReference, Store};

/// An object that is no clone.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Deployment(Arc<DeploymentFacts>),
    Service(Arc<ServiceFacts>),
    Budget(Arc<DisruptionFacts>),
    Policy(Arc<NetworkPolicyFacts>),
}

/// A source that differs for versions.
#[derive(Debug)]
pub(super) struct Turn {
    pub who: ObjectReference,
    /// What it selects, or admits, and did before.
    pub selectors: Vec<Selector>,
}

impl Source {
    fn of(inventory: &Inventory, kind: Kind, key: &Key) -> Option<Self> {
        fn own<T: Keyed + PartialEq>(
            store: &Store<T>,
            key: &Key,
            is_clone: fn(&T) -> bool,
        ) -> Option<Arc<T>> {
            store.shared(key).filter(|it| !is_clone(it))
        }
        match kind {
            Kind::Deployment => {
                own(&inventory.deployments, key, DeploymentFacts::is_clone).map(Self::Deployment)
            }
            Kind::Service => own(&inventory.services, key, ServiceFacts::is_clone).map(Self::Service),
            Kind::PodDisruptionBudget => {
                own(&inventory.disruption_budgets, key, |it| it.meta.is_clone()).map(Self::Budget)
            }
            Kind::NetworkPolicy => {
                own(&inventory.network_policies, key, |it| it.meta.is_clone()).map(Self::Policy)
            }
            Kind::EndpointSlice
            | Kind::Pod
            | Kind::DeploymentVersion
            | Kind::Router
            | Kind::HorizontalPodAutoscaler
            | Kind::ConfigMap
            | Kind::Secret => None,
        }
    }

    /// Whether nothing differs that versions are made from: a status is nothing of it, and neither is how many
    /// pods a base runs or when it was last restarted.
    fn is_alike(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Deployment(a), Self::Deployment(b)) => {
                let marks = |it: &DeploymentFacts| {
                    (strip::labels(&it.meta.labels), strip::annotations(&it.meta.annotations))
                };
                (&a.selector, &a.pod_labels) == (&b.selector, &b.pod_labels)
                    && marks(a) == marks(b)
                    && (a.object == b.object || is_alike_spec(a.spec(), b.spec()))
            }
            (Self::Service(a), Self::Service(b)) => {
                (&a.selector, a.object.field("spec")) == (&b.selector, b.object.field("spec"))
            }
            (Self::Budget(a), Self::Budget(b)) => {
                (&a.selector, a.object.field("spec")) == (&b.selector, b.object.field("spec"))
            }
            (Self::Policy(a), Self::Policy(b)) => {
                (&a.pod_selector, a.object.field("spec")) == (&b.pod_selector, b.object.field("spec"))
            }
            _ => false,
        }
    }

    /// What it selects pods by; a Service or budget without a selector selects none.
    fn catcher(&self, who: &ObjectReference) -> Option<Catcher> {
        let selector = match self {
            Self::Deployment(it) => it.selector.clone(),
            Self::Service(it) => Selector::by_labels(it.selecting()?),
            Self::Budget(it) => it.selector.clone()?,
            Self::Policy(it) => it.pod_selector.clone(),
        };
        Some(Catcher { who: who.clone(), selector })
    }

    /// Everything by which it means pods.
    fn selectors(&self, who: &ObjectReference) -> Vec<Selector> {
        let admitted: Vec<Selector> = match self {
            Self::Policy(policy) => confine::peer_selectors(&policy.object.field("spec")).collect(),
            Self::Deployment(_) | Self::Service(_) | Self::Budget(_) => Vec::new(),
        };
        self.catcher(who).map(|catcher| catcher.selector).into_iter().chain(admitted).collect()
    }
}

/// Whether two specs of a base come to the same for its versions.
fn is_alike_spec(a: Value, b: Value) -> bool {
    a.get("selector") == b.get("selector") && strip::deployment_spec(a) == strip::deployment_spec(b)
}

/// A namespace.
#[derive(Debug, Default)]
pub(super) struct Place {
    sources: BTreeMap<ObjectReference, Source>,
    /// Everything that selects pods there, in order. An autoscaler counts the pods that its Deployment selects,
    /// and stands for itself no further.
    catchers: Vec<Catcher>,
}

impl Place {
    pub fn of(inventory: &Inventory, namespace: &Arc<str>) -> Self {
        let deployments =
            inventory.own_deployments(namespace).map(|it| (Kind::Deployment, it.meta.key.clone()));
        let services = inventory.own_services(namespace).map(|it| (Kind::Service, it.meta.key.clone()));
        let budgets =
            inventory.own_budgets(namespace).map(|it| (Kind::PodDisruptionBudget, it.meta.key.clone()));
        let policies = inventory.own_policies(namespace).map(|it| (Kind::NetworkPolicy, it.meta.key.clone()));
        let all = deployments.chain(services).chain(budgets).chain(policies);
        let sources: BTreeMap<ObjectReference, Source> = all
            .filter_map(|(kind, key)| {
                Some((ObjectReference { kind, key: key.clone() }, Source::of(inventory, kind, &key)?))
            })
            .collect();
        let catchers = sources.iter().filter_map(|(who, source)| source.catcher(who)).collect();
        Self { sources, catchers }
    }

    pub fn catchers(&self) -> &[Catcher] {
        &self.catchers
    }

    /// Takes in an object as it is now; what differs for versions, if anything does.
    pub fn renew(&mut self, inventory: &Inventory, kind: Kind, key: &Key) -> Option<Turn> {
        let who = ObjectReference { kind, key: key.clone() };
        let now = Source::of(inventory, kind, key);
        let before = match &now {
            Some(now) => self.sources.insert(who.clone(), now.clone()),
            None => self.sources.remove(&who),
        };
        match (&before, &now) {
            (None, None) => return None,
            (Some(before), Some(now)) if before.is_alike(now) => return None,
            _ => {}
        }
        let selectors = before.iter().chain(&now).flat_map(|source| source.selectors(&who)).collect();
        self.put_catcher(&who);
        Some(Turn { who, selectors })
    }

    fn put_catcher(&mut self, who: &ObjectReference) {
        let new = self.sources.get(who).and_then(|source| source.catcher(who));
        match (self.catchers.binary_search_by(|known| known.who.cmp(who)), new) {
            (Ok(at), Some(new)) => {
                self.catchers.splice(at..=at, [new]);
            }
            (Ok(at), None) => {
                self.catchers.remove(at);
            }
            (Err(at), Some(new)) => self.catchers.insert(at, new),
            (Err(_), None) => {}
        }
    }
}
