//! What has been heard of each watch: whether its list was ever complete, whether the server answers, which
//! objects cannot be read. Pure.
//!
//! An object that cannot be read keeps the last form in which it could, as long as it is there: a route that
//! served well is not lost because of a change that this build does not understand, and no other object is
//! harmed. After a restart there is no earlier form, and the object is as good as absent; it is named either
//! way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::kinds::{Read, Subject, Watched};
use super::trouble::{Failure, Trouble};
use super::watch::News;
use crate::inventory::object::Keyed;
use crate::inventory::report::Unread;
use crate::inventory::{Inventory, Key, Kind, Store};

/// A refusal is one for good once it has lasted so long: an API server that starts refuses what it allows a
/// moment later, when it has read its roles and definitions.
pub const LASTING: Duration = Duration::from_secs(30);

/// What is known of one watch.
#[derive(Debug)]
pub struct Book {
    /// The kind.
    pub watched: Watched,
    /// In one namespace, or in all.
    pub namespace: Option<String>,
    /// Whether a list was ever complete.
    pub complete: bool,
    /// The highest version of an object heard of.
    pub reached: u64,
    /// Why the server does not answer; none while it does.
    pub failure: Option<Failure>,
    /// Since when the server refuses, and says nothing else between.
    refused: Option<Instant>,
    /// Whether it has refused for so long that the kind is done without.
    waived: bool,
    /// What a list that is under way has named so far.
    listed: Option<BTreeSet<Key>>,
    /// The objects that cannot be read, and why.
    unreadable: BTreeMap<Key, String>,
}

/// What follows from a piece of news.
#[derive(Debug)]
pub enum Effect {
    /// An object is there as it is.
    Seen(Read),
    /// An object is gone.
    Gone(Key),
    /// A list is complete: of this kind and namespace only these objects are there.
    Sweep(BTreeSet<Key>),
    /// Whether the server answers has changed, or what is missing.
    State,
    /// An object turned out to be unreadable, in other words than before.
    Unreadable(Key, String),
    /// Nothing.
    Nothing,
}

impl Book {
    /// Nothing heard yet.
    #[must_use]
    pub fn new(watched: Watched, namespace: Option<String>) -> Self {
        Self {
            watched,
            namespace,
            complete: false,
            reached: 0,
            failure: None,
            refused: None,
            waived: false,
            listed: None,
            unreadable: BTreeMap::new(),
        }
    }

    /// Takes in a piece of news, heard at that time.
    pub fn hear(&mut self, news: News, at: Instant) -> Effect {
        match news {
            News::Began => {
                self.listed = Some(BTreeSet::new());
                Effect::Nothing
            }
            News::Seen(read) => {
                self.list(read.key());
                if let Read::Object(_, version) = &read {
                    self.reached = self.reached.max(*version);
                }
                self.unreadable.remove(read.key());
                Effect::Seen(read)
            }
            News::Unreadable(key, words) => {
                self.list(&key);
                if self.unreadable.insert(key.clone(), words.clone()).as_ref() == Some(&words) {
                    return Effect::Nothing;
                }
                Effect::Unreadable(key, words)
            }
            News::Gone(key) => {
                self.unreadable.remove(&key);
                Effect::Gone(key)
            }
            News::Complete => {
                self.complete = true;
                let listed = self.listed.take().unwrap_or_default();
                self.unreadable.retain(|key, _| listed.contains(key));
                Effect::Sweep(listed)
            }
            News::Answering => {
                self.refused = None;
                if self.failure.take().is_some() { Effect::State } else { Effect::Nothing }
            }
            News::Failing(failure) => self.fail(failure, at),
        }
    }

    fn fail(&mut self, failure: Failure, at: Instant) -> Effect {
        if failure.trouble.is_ordinary() {
            return Effect::Nothing;
        }
        if failure.trouble.may_stay() {
            let since = *self.refused.get_or_insert(at);
            self.waived |= at.saturating_duration_since(since) >= LASTING;
        } else {
            self.refused = None;
        }
        let before = self.failure.replace(failure).map(|before| before.trouble);
        if before == self.failure.as_ref().map(|now| now.trouble) { Effect::Nothing } else { Effect::State }
    }

    fn list(&mut self, key: &Key) {
        if let Some(listed) = &mut self.listed {
            listed.insert(key.clone());
        }
    }

    /// What was refused so far says nothing: a server that could not tell what cannot be done without was
    /// starting.
    pub fn wait_anew(&mut self) {
        (self.refused, self.waived) = (None, false);
    }

    /// Whether nothing more is to be waited for: the list was complete, or somebody has to give a right or
    /// install a definition first, has not for [`LASTING`], and it can be done without.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.complete || (!self.watched.required && self.waived)
    }

    /// What is followed, in words.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} of namespace {namespace}", self.watched.title()),
            None => self.watched.title(),
        }
    }

    /// What is wrong and what to do, where the server does not answer.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let failure = self.failure.as_ref()?;
        let way_out = match failure.trouble {
            Trouble::Forbidden | Trouble::Unknown => {
                "; let this account get, list and watch them (manifests/ has the roles)"
            }
            Trouble::NotServed => "; install the definition (`kubectl apply -k manifests`)",
            Trouble::Misunderstood
            | Trouble::Outdated
            | Trouble::SetBack
            | Trouble::Busy
            | Trouble::Faulty
            | Trouble::Silent
            | Trouble::Unreachable
            | Trouble::Garbled => "; it is tried again",
        };
        Some(format!("{}: {failure}{way_out}", self.title()))
    }

    /// The kind, where only a right is missing to know its objects and it can be done without.
    #[must_use]
    pub fn unread(&self) -> Option<Unread> {
        let forbidden = self.failure.as_ref().is_some_and(|it| it.trouble == Trouble::Forbidden);
        match self.watched.subject {
            Subject::Objects(kind) if forbidden && !self.watched.required => {
                Some(Unread { kind, namespace: self.namespace.clone() })
            }
            Subject::Objects(_) | Subject::Edges => None,
        }
    }

    /// How many objects cannot be read.
    #[must_use]
    pub fn unreadable(&self) -> usize {
        self.unreadable.len()
    }
}

/// The keys of all objects of a kind, in one namespace or in all.
#[must_use]
pub fn keys(inventory: &Inventory, kind: Kind, namespace: Option<&str>) -> Vec<Key> {
    fn of<T: Keyed + PartialEq>(store: &Store<T>, namespace: Option<&str>) -> Vec<Key> {
        match namespace {
            Some(namespace) => store.of_namespace(namespace).map(|it| it.key().clone()).collect(),
            None => store.iter().map(|it| it.key().clone()).collect(),
        }
    }
    match kind {
        Kind::Deployment => of(&inventory.deployments, namespace),
        Kind::Service => of(&inventory.services, namespace),
        Kind::EndpointSlice => of(&inventory.slices, namespace),
        Kind::Pod => of(&inventory.pods, namespace),
        Kind::DeploymentVersion => of(&inventory.dpvs, namespace),
        Kind::Router => of(&inventory.routers, namespace),
        Kind::PodDisruptionBudget => of(&inventory.disruption_budgets, namespace),
        Kind::HorizontalPodAutoscaler => of(&inventory.autoscalers, namespace),
        Kind::NetworkPolicy => of(&inventory.network_policies, namespace),
        Kind::ConfigMap => of(&inventory.config_maps, namespace),
        Kind::Secret => of(&inventory.secrets, namespace),
    }
}

#[cfg(test)]
#[path = "books_tests.rs"]
mod tests;
