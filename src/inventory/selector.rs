//! Label selectors, as Kubernetes defines them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use super::labels::Labels;

/// A label selector (`metav1.LabelSelector`): all of it must hold; an empty one selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Selector {
    /// Labels that must have these values.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub match_labels: Labels,
    /// Requirements on labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<Requirement>,
}

/// One requirement of a selector.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`; another selects nothing.
    pub operator: String,
    /// The values of `In` and `NotIn`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

impl Selector {
    /// A selector by labels alone, as a Service has.
    #[must_use]
    pub fn by_labels(labels: &Labels) -> Self {
        Self { match_labels: labels.clone(), match_expressions: Vec::new() }
    }

    /// Whether it selects everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// Whether an object with these labels is selected.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matches_by(|key| labels.get(key).map(Cow::from))
    }

    /// Whether an object is selected whose label of each key is this.
    pub fn matches_by<'l>(&self, label: impl Fn(&str) -> Option<Cow<'l, str>>) -> bool {
        self.match_labels.iter().all(|(key, value)| label(key).is_some_and(|it| it == value))
            && self.match_expressions.iter().all(|it| it.holds(label(&it.key).as_deref()))
    }
}

impl Requirement {
    fn holds(&self, value: Option<&str>) -> bool {
        let is_listed = |value: &str| self.values.iter().any(|listed| listed == value);
        match self.operator.as_str() {
            "In" => value.is_some_and(is_listed),
            "NotIn" => value.is_none_or(|value| !is_listed(value)),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    }
}
