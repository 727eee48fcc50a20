//! Where what an overlay names stands in a list. An overlay has room for a hundred thousand elements, and so has a
//! base: whatever compared each with each would stand still for minutes.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value;

use super::change::{Item, identity};
use super::table::KeyRule;

/// The places of a keyed list's elements, by what an overlay finds them by.
pub(super) struct Places<'a> {
    rule: &'a KeyRule,
    /// The merge key alone would mix up elements: there are several of one key.
    whole: bool,
    by_key: HashMap<Vec<Value>, BTreeSet<usize>>,
}

impl<'a> Places<'a> {
    pub fn of(rule: &'a KeyRule, base: &[Value], items: &[Item]) -> Self {
        let whole = rule.all.len() > 1
            && (is_one_twice(base.iter().filter_map(|element| element.get(&rule.key)))
                || is_one_twice(items.iter().map(|item| &item.key)));
        let mut places = Self { rule, whole, by_key: HashMap::new() };
        for (place, element) in base.iter().enumerate() {
            places.put(place, element);
        }
        places
    }

    /// The first element that an item means.
    pub fn first(&self, item: &Item) -> Option<usize> {
        self.by_key.get(self.key_of(item))?.first().copied()
    }

    /// Every element that an item means; they are gone then.
    pub fn take(&mut self, item: &Item) -> BTreeSet<usize> {
        let key = self.key_of(item).to_vec();
        self.by_key.remove(&key).unwrap_or_default()
    }

    /// The element that an item found, or had put there, reads so now.
    pub fn renew(&mut self, place: usize, item: &Item, element: &Value) {
        let key = self.key_of(item).to_vec();
        if let Some(places) = self.by_key.get_mut(&key) {
            places.remove(&place);
        }
        self.put(place, element);
    }

    fn put(&mut self, place: usize, element: &Value) {
        let Some(map) = element.as_object() else { return };
        let key = match self.whole {
            true => identity(self.rule, map),
            false => map.get(&self.rule.key).cloned().into_iter().collect(),
        };
        self.by_key.entry(key).or_default().insert(place);
    }

    fn key_of<'i>(&self, item: &'i Item) -> &'i [Value] {
        if self.whole { &item.identity } else { std::slice::from_ref(&item.key) }
    }
}

/// Whether one of some values is there more than once.
fn is_one_twice<'v>(values: impl Iterator<Item = &'v Value>) -> bool {
    let mut seen = HashSet::new();
    !values.into_iter().all(|value| seen.insert(value))
}

/// The place of each value in an order asked for.
pub(super) fn in_order(order: &[Value]) -> HashMap<&Value, usize> {
    // Of two alike the first counts, which is taken last.
    order.iter().enumerate().rev().map(|(place, value)| (value, place)).collect()
}
