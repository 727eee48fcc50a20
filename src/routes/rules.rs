//! Rules: who is sent to which version. The first that matches decides.

use http::HeaderValue;

use super::condition::Condition;
use super::table::Facts;

/// A Router's rules, in order.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Rules(pub Vec<Rule>);

/// One rule.
#[derive(Debug, PartialEq)]
pub(super) struct Rule {
    /// Its name.
    pub name: String,
    /// The value of `x-synkronic-reason`: `rule:<name>`.
    pub reason: HeaderValue,
    /// The version id it sends to.
    pub send: String,
    /// Any of these.
    pub entries: Vec<Entry>,
}

/// One way to match: all of its conditions.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    /// Conditions on method, path and query: what a cache tells requests apart by.
    pub url: Vec<Condition>,
    /// Conditions on headers, cookies and the client's address.
    pub consumer: Vec<Condition>,
    /// What the conditions on the consumer ask for.
    pub depends: Depends,
}

/// What an answer depended on, beside method and URL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Depends {
    /// Request headers, cookies among them.
    pub headers: bool,
    /// The client's address.
    pub client: bool,
}

impl Depends {
    /// Either.
    pub(super) fn or(self, other: Self) -> Self {
        Self { headers: self.headers || other.headers, client: self.client || other.client }
    }
}

impl Rules {
    /// The first rule that matches, and what was asked on the way there: an answer that no rule chose
    /// depends on what the rules asked, too.
    pub(super) fn first(&self, facts: &Facts<'_>) -> (Option<&Rule>, Depends) {
        let mut seen = Depends::default();
        let found =
            self.0.iter().find(|rule| rule.entries.iter().any(|entry| entry.matches(facts, &mut seen)));
        (found, seen)
    }
}

impl Entry {
    /// Whether all conditions hold; `seen` takes in what was asked of the consumer.
    pub(super) fn matches(&self, facts: &Facts<'_>, seen: &mut Depends) -> bool {
        if !self.url.iter().all(|condition| condition.holds(facts)) {
            return false;
        }
        *seen = seen.or(self.depends);
        self.consumer.iter().all(|condition| condition.holds(facts))
    }
}
