//! An overlay that was read: a tree of changes, in which nothing is left to be refused.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::table::{KeyRule, TypeId};

/// What happens to one value of the base.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// It goes.
    Remove,
    /// It becomes this.
    Set(Value),
    /// A map: its keys change one by one.
    Fields(Fields),
    /// A list.
    List(List),
}

/// What happens to a map.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    /// The type, or none where the keys are free, as labels.
    pub of: Option<TypeId>,
    /// `$patch: replace`: nothing of the base stays.
    pub replace: bool,
    /// `$retainKeys`: of the base only these stay.
    pub retain: Option<BTreeSet<String>>,
    pub members: BTreeMap<String, Change>,
}

impl Fields {
    /// Whether the field at this path, of maps and keyed lists, gets a value.
    pub fn sets(&self, path: &[&str]) -> bool {
        let Some((name, rest)) = path.split_first() else { return true };
        self.members.get(*name).is_some_and(|change| change.sets(rest))
    }
}

impl Change {
    fn sets(&self, path: &[&str]) -> bool {
        match (self, path.split_first()) {
            (Self::Remove, _) => false,
            (_, None) => true,
            (Self::Fields(fields), Some(_)) => fields.sets(path),
            (Self::List(List { items: Items::Keyed { items, .. }, .. }), Some((key, rest))) => {
                items.named(key).any(|item| item.change.sets(rest))
            }
            (Self::Set(_) | Self::List(_), Some(_)) => false,
        }
    }
}

/// What happens to a list.
#[derive(Debug, Clone)]
pub(super) struct List {
    /// The elements that the overlay has.
    pub items: Items,
    /// `$deleteFromPrimitiveList`.
    pub delete: Vec<Value>,
    /// `$setElementOrder`: the keys, or the scalars, in the order to come.
    pub order: Option<Vec<Value>>,
}

/// The elements that an overlay has for a list.
#[derive(Debug, Clone)]
pub(super) enum Items {
    /// Scalars, which the overlay only deletes or orders.
    None,
    /// The list becomes these, each made from nothing.
    Whole(Vec<Change>),
    /// These scalars are added where they lack.
    Add(Vec<Value>),
    /// Elements found by key.
    Keyed { rule: &'static KeyRule, replace: bool, items: Elements },
}

/// The elements that an overlay has for a keyed list, in its order.
#[derive(Debug, Clone, Default)]
pub(super) struct Elements {
    all: Vec<Item>,
    /// Where those are whose key reads so.
    by_name: BTreeMap<String, Vec<usize>>,
}

impl Elements {
    pub fn push(&mut self, item: Item) {
        self.by_name.entry(key_text(&item.key)).or_default().push(self.all.len());
        self.all.push(item);
    }

    pub fn all(&self) -> &[Item] {
        &self.all
    }

    /// Those whose key reads so.
    fn named(&self, name: &str) -> impl Iterator<Item = &Item> {
        self.by_name.get(name).into_iter().flatten().filter_map(|&place| self.all.get(place))
    }
}

/// One element of a keyed list.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub key: Value,
    /// All of the keys that the API server tells elements apart by, in the rule's order.
    pub identity: Vec<Value>,
    pub change: Change,
}

/// All the keys that the API server tells elements apart by.
pub(super) fn identity(rule: &KeyRule, element: &Map<String, Value>) -> Vec<Value> {
    let of = |key: &String| match element.get(key) {
        // The one key with a default: ContainerPort and ServicePort are TCP unless they say otherwise.
        None | Some(Value::Null) if key == "protocol" => Value::from("TCP"),
        Some(value) => value.clone(),
        None => Value::Null,
    };
    if rule.all.is_empty() { vec![of(&rule.key)] } else { rule.all.iter().map(of).collect() }
}

/// A key as paths show it.
pub(super) fn key_text(key: &Value) -> String {
    match key {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
