//! Laying a read overlay onto a base.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::change::{Change, Fields, Item, Items, List, identity, key_text};
use super::order::{Placed, interleave};
use super::path::Path;
use super::places::{Places, in_order};
use super::rules::{self, OneOf};
use super::table::{KeyRule, table};
use super::{Applied, Fault, TOLD, shown};
use crate::api::nearest;

/// Lays the overlay of a whole `spec` onto it.
pub(super) fn overlay(fields: &Fields, base: Value) -> Result<Applied, Vec<Fault>> {
    let mut layer = Layer::default();
    // The spec itself is never new: `$patch: replace` at the root has nothing to be compared with.
    let spec = layer.fields(&Path::root(), Some(base), fields, None);
    layer.notes.sort();
    if layer.faults.is_empty() {
        Ok(Applied { spec, notes: layer.notes })
    } else {
        layer.faults.sort();
        Err(layer.faults)
    }
}

#[derive(Default)]
struct Layer {
    faults: Vec<Fault>,
    notes: Vec<Fault>,
}

/// What the base's list has instead of an element that it lacks, for the sentence about it.
struct New<'a> {
    there: &'a [String],
    name: &'a str,
}

impl Layer {
    /// One value: what is there after the change, or none.
    fn change(&mut self, path: &Path<'_>, base: Option<Value>, change: &Change) -> Option<Value> {
        match change {
            Change::Remove => None,
            Change::Set(value) => Some(value.clone()),
            Change::Fields(fields) => {
                let new = base.is_none().then_some(New { there: &[], name: "" });
                Some(self.fields(path, base, fields, new))
            }
            Change::List(list) => self.list(path, base, list),
        }
    }

    fn fields(
        &mut self,
        path: &Path<'_>,
        base: Option<Value>,
        fields: &Fields,
        new: Option<New<'_>>,
    ) -> Value {
        let mut map = match base {
            Some(Value::Object(map)) if !fields.replace => map,
            _ => Map::new(),
        };
        if let Some(retain) = &fields.retain {
            map.retain(|key, _| retain.contains(key));
        }
        let ty = fields.of.map(|of| table().get(of));
        if let Some(rule) = ty.and_then(|ty| rules::one_of(&ty.name)) {
            let members: Vec<&str> = ty.iter().flat_map(|ty| ty.fields.keys().map(String::as_str)).collect();
            give_way(rule, &members, fields, &mut map);
        }
        for (name, change) in &fields.members {
            let before = map.remove(name);
            if let Some(after) = self.change(&path.field(name), before, change) {
                map.insert(name.clone(), after);
            }
        }
        if let (Some(ty), Some(new)) = (ty, new) {
            for needed in rules::needed(ty).filter(|needed| !map.contains_key(*needed)) {
                if self.faults.len() < TOLD {
                    self.faults.push(Fault { path: path.to_string(), message: new.lacks(needed) });
                }
            }
        }
        Value::Object(map)
    }

    fn list(&mut self, path: &Path<'_>, base: Option<Value>, list: &List) -> Option<Value> {
        let there = base.is_some();
        let mut elements = match base {
            Some(Value::Array(elements)) => elements,
            _ => Vec::new(),
        };
        let deleted: HashSet<&Value> = list.delete.iter().collect();
        elements.retain(|element| !deleted.contains(element));
        let merged = match &list.items {
            Items::None if !there => return None,
            Items::None => reorder(elements, list.order.as_deref()),
            Items::Whole(changes) => changes
                .iter()
                .enumerate()
                .filter_map(|(index, change)| self.change(&path.index(index), None, change))
                .collect(),
            Items::Add(values) => {
                let known: HashSet<&Value> = elements.iter().collect();
                let new: Vec<Value> = values.iter().filter(|value| !known.contains(value)).cloned().collect();
                elements.extend(new);
                reorder(elements, list.order.as_deref())
            }
            Items::Keyed { rule, replace, items } => {
                if *replace {
                    elements.clear();
                }
                self.keyed(path, elements, rule, items.all(), list.order.as_deref())
            }
        };
        // A directive alone orders or deletes; it doesn't bring a list about.
        (there || !merged.is_empty() || list.order.is_none()).then_some(Value::Array(merged))
    }

    fn keyed(
        &mut self,
        path: &Path<'_>,
        base: Vec<Value>,
        rule: &KeyRule,
        items: &[Item],
        order: Option<&[Value]>,
    ) -> Vec<Value> {
        let mut places = Places::of(rule, &base, items);
        let names: Vec<String> = base.iter().filter_map(|e| e.get(&rule.key)).map(key_text).collect();
        let mut elements: Vec<Placed<Option<Value>>> = base
            .into_iter()
            .enumerate()
            .map(|(index, value)| Placed { value: Some(value), asked: None, base: Some(index) })
            .collect();
        for (asked, item) in items.iter().enumerate() {
            let name = key_text(&item.key);
            let here = path.element(&name);
            let Change::Fields(fields) = &item.change else {
                let gone = places.take(item);
                if gone.is_empty() {
                    self.note_nothing_to_delete(&here, &name, &names);
                }
                for place in gone {
                    if let Some(element) = elements.get_mut(place) {
                        element.value = None;
                    }
                }
                continue;
            };
            let place = places.first(item).unwrap_or(elements.len());
            if place == elements.len() {
                elements.push(Placed { value: None, asked: None, base: None });
            }
            let Some(element) = elements.get_mut(place) else { continue };
            let before = element.value.take();
            self.note_changed_identity(&here, rule, before.as_ref(), item);
            let new = before.is_none().then_some(New { there: &names, name: &name });
            let after = self.fields(&here, before, fields, new);
            places.renew(place, item, &after);
            (element.value, element.asked) = (Some(after), Some(asked));
        }
        elements.retain(|element| element.value.is_some());
        if let Some(order) = order {
            let order = in_order(order);
            for element in &mut elements {
                let key = element.value.as_ref().and_then(|value| value.get(&rule.key));
                element.asked = key.and_then(|key| order.get(key).copied());
            }
        }
        interleave(elements, order.is_some()).into_iter().flatten().collect()
    }

    fn note_nothing_to_delete(&mut self, path: &Path<'_>, name: &str, there: &[String]) {
        if self.notes.len() < TOLD {
            let meant = match nearest(name, there.iter().map(String::as_str)) {
                Some(meant) => format!("; did you mean `{meant}`?"),
                None => String::new(),
            };
            let message = format!("is to be deleted, but isn't in the base{meant}");
            self.notes.push(Fault { path: path.to_string(), message });
        }
    }

    /// A patch finds a port by its number alone: one that says UDP turns the base's TCP port into it.
    fn note_changed_identity(
        &mut self,
        path: &Path<'_>,
        rule: &KeyRule,
        before: Option<&Value>,
        item: &Item,
    ) {
        let Some(before) = before.and_then(Value::as_object).map(|before| identity(rule, before)) else {
            return;
        };
        let Change::Fields(fields) = &item.change else { return };
        for ((key, was), is) in rule.all.iter().zip(&before).zip(&item.identity) {
            if was != is && fields.members.contains_key(key) && self.notes.len() < TOLD {
                let (was, is) = (key_text(was), key_text(is));
                let message =
                    format!("turns from `{key}: {was}` into `{key}: {is}`; to have both, write both");
                self.notes.push(Fault { path: path.to_string(), message });
            }
        }
    }
}

impl New<'_> {
    fn lacks(&self, field: &str) -> String {
        if self.there.is_empty() {
            return format!("needs `{field}`");
        }
        let meant = match nearest(self.name, self.there.iter().map(String::as_str)) {
            Some(meant) => format!("; did you mean `{meant}`?"),
            None => String::new(),
        };
        let there = shown(self.there);
        format!("isn't in the base (which has {there}), so it is new and needs `{field}`{meant}")
    }
}

/// The base's members of a one-of give way to the overlay's.
fn give_way(rule: OneOf, members: &[&str], fields: &Fields, map: &mut Map<String, Value>) {
    let set = |name: &str| fields.members.get(name).is_some_and(|change| !matches!(change, Change::Remove));
    match rule {
        OneOf::Tagged { by, value, member } => match fields.members.get(by) {
            Some(Change::Set(tag)) if tag != value => {
                map.remove(member);
            }
            // The member without its tag: where the base says another, the tag follows.
            None if set(member) && map.get(by).is_some_and(|tag| tag != value) => {
                map.insert(by.to_owned(), value.into());
            }
            _ => {}
        },
        rule => {
            if members.iter().any(|name| rule.excludes(name) && set(name)) {
                map.retain(|name, _| !rule.excludes(name) || set(name));
            }
        }
    }
}

/// A list of scalars in the order asked for.
fn reorder(elements: Vec<Value>, order: Option<&[Value]>) -> Vec<Value> {
    let Some(order) = order else { return elements };
    let order = in_order(order);
    let placed = elements.into_iter().enumerate().map(|(index, value)| {
        let asked = order.get(&value).copied();
        Placed { value, asked, base: Some(index) }
    });
    interleave(placed.collect(), true)
}
