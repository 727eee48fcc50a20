//! Reading an overlay: JSON in, a tree of changes out, every fault with its path.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Map, Value};

use super::change::{Change, Elements, Fields, Item, Items, List, identity, key_text};
use super::path::Path;
use super::rules::{self, OneOf};
use super::scalar::what;
use super::table::{KeyRule, Kind, ListMerge, Shape, Table, Type, TypeId, table};
use super::{Fault, Root, TOLD};
use crate::api::nearest;

/// Reads a whole overlay.
pub(super) fn overlay(root: Root, overlay: &Map<String, Value>) -> Result<Fields, Vec<Fault>> {
    let mut reader = Reader { table: table(), faults: Vec::new() };
    let Some(of) = reader.table.find(root.type_name()) else {
        return Err(vec![Fault { path: String::new(), message: "the merge table has no such kind".into() }]);
    };
    let change = reader.object(&Path::root(), Some(of), overlay);
    if matches!(change, Some(Change::Remove)) {
        reader.fault(&Path::root().field("$patch"), "`delete` here would leave no spec at all".into());
    }
    reader.faults.sort();
    match change {
        Some(Change::Fields(fields)) if reader.faults.is_empty() => Ok(fields),
        _ => Err(reader.faults),
    }
}

/// What `$patch` says.
#[derive(Clone, Copy, PartialEq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

struct Reader {
    table: &'static Table,
    faults: Vec<Fault>,
}

const PATCH: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const ORDER: &str = "$setElementOrder/";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";

impl Reader {
    fn fault(&mut self, path: &Path<'_>, message: String) {
        if self.faults.len() < TOLD {
            self.faults.push(Fault { path: path.to_string(), message });
        }
    }

    /// A field that its type doesn't have. What is meant is a long search.
    fn unknown_field(&mut self, path: &Path<'_>, ty: &Type, name: &str) {
        if self.faults.len() < TOLD {
            let message = self.unknown(ty, name);
            self.fault(path, message);
        }
    }

    /// One value. None where it has a fault that leaves nothing to go on with.
    fn value(&mut self, path: &Path<'_>, kind: Kind, value: &Value) -> Option<Change> {
        if value.is_null() {
            return Some(Change::Remove);
        }
        match kind {
            Kind::Scalar(scalar) => match scalar.check(value) {
                Ok(()) => Some(Change::Set(value.clone())),
                Err(message) => {
                    self.fault(path, message);
                    None
                }
            },
            Kind::Object(of) => self.map(path, value).and_then(|map| self.object(path, Some(of), map)),
        }
    }

    fn map<'v>(&mut self, path: &Path<'_>, value: &'v Value) -> Option<&'v Map<String, Value>> {
        let map = value.as_object();
        if map.is_none() {
            self.fault(path, format!("must be a map, not {}", what(value)));
        }
        map
    }

    fn list<'v>(&mut self, path: &Path<'_>, value: &'v Value) -> Option<&'v [Value]> {
        let list = value.as_array();
        if list.is_none() {
            self.fault(path, format!("must be a list, not {}", what(value)));
        }
        list.map(Vec::as_slice)
    }

    /// A map with a type.
    fn object(&mut self, path: &Path<'_>, of: Option<TypeId>, map: &Map<String, Value>) -> Option<Change> {
        let directive = self.directive(path, map)?;
        if directive == Directive::Delete {
            return Some(Change::Remove);
        }
        let ty = of.map(|of| self.table.get(of))?;
        let mut fields = Fields { of, replace: directive == Directive::Replace, ..Fields::default() };
        for (name, value) in map {
            let here = path.field(name);
            if name == PATCH {
                continue;
            } else if name == RETAIN {
                fields.retain = self.retain(&here, map, value);
            } else if let Some(list) = name.strip_prefix(ORDER) {
                self.list_directive(path, &here, ty, list, value, &mut fields);
            } else if let Some(list) = name.strip_prefix(DELETE_FROM) {
                self.list_directive(path, &here, ty, list, value, &mut fields);
            } else if let Some(shape) = ty.fields.get(name) {
                let change = self.field(&here, shape, value);
                add(&mut fields.members, name, change);
            } else {
                self.unknown_field(&here, ty, name);
            }
        }
        self.check_one_of(path, ty, &fields);
        self.check_order(path, ty, &fields);
        Some(Change::Fields(fields))
    }

    /// One field, by its shape.
    fn field(&mut self, path: &Path<'_>, shape: &'static Shape, value: &Value) -> Option<Change> {
        if value.is_null() {
            return Some(Change::Remove);
        }
        match shape {
            Shape::One(kind) => self.value(path, *kind, value),
            Shape::Map(kind) => self.map(path, value).and_then(|map| self.free_map(path, *kind, map)),
            Shape::List(kind, merge) => {
                let items = self.list(path, value)?;
                let items = match merge {
                    ListMerge::Atomic => self.whole(path, *kind, items),
                    ListMerge::Set => self.set(path, *kind, items),
                    ListMerge::Keyed(rule) => self.keyed(path, *kind, rule, items),
                };
                Some(Change::List(List { items, delete: Vec::new(), order: None }))
            }
        }
    }

    /// A map whose keys are the user's, as labels.
    fn free_map(&mut self, path: &Path<'_>, kind: Kind, map: &Map<String, Value>) -> Option<Change> {
        let directive = self.directive(path, map)?;
        if directive == Directive::Delete {
            return Some(Change::Remove);
        }
        let mut fields = Fields { replace: directive == Directive::Replace, ..Fields::default() };
        for (name, value) in map {
            let here = path.field(name);
            if name == PATCH {
                continue;
            } else if name == RETAIN {
                fields.retain = self.retain(&here, map, value);
            } else {
                let change = self.value(&here, kind, value);
                add(&mut fields.members, name, change);
            }
        }
        Some(Change::Fields(fields))
    }

    /// A list that is replaced whole.
    fn whole(&mut self, path: &Path<'_>, kind: Kind, items: &[Value]) -> Items {
        let mut whole = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let here = path.index(index);
            match lone_directive(item) {
                Some("replace") => continue,
                Some(_) => {
                    self.fault(&here, "this list is replaced whole; it can't be patched by element".into())
                }
                None if item.is_null() => self.fault(&here, "an element can't be null".into()),
                None => whole.extend(self.value(&here, kind, item)),
            }
            if matches!(whole.last(), Some(Change::Remove)) {
                self.fault(&here, "this list is replaced whole: leave the element out instead".into());
            }
        }
        Items::Whole(whole)
    }

    /// A list of scalars to which an overlay adds.
    fn set(&mut self, path: &Path<'_>, kind: Kind, items: &[Value]) -> Items {
        let Items::Whole(changes) = self.whole(path, kind, items) else { return Items::None };
        let values: Vec<Value> = changes
            .into_iter()
            .filter_map(|c| if let Change::Set(value) = c { Some(value) } else { None })
            .collect();
        let mut seen = HashSet::new();
        for value in values.iter().filter(|value| !seen.insert(*value)) {
            self.fault(&path.element(&key_text(value)), "is in this list twice; keep one".into());
        }
        Items::Add(values)
    }

    /// A list whose elements merge by key.
    fn keyed(&mut self, path: &Path<'_>, kind: Kind, rule: &'static KeyRule, items: &[Value]) -> Items {
        let mut read = Elements::default();
        let mut seen: HashSet<Vec<Value>> = HashSet::new();
        let mut replace = false;
        for (index, item) in items.iter().enumerate() {
            let here = path.index(index);
            let Some(map) = self.map(&here, item) else { continue };
            match lone_directive(item) {
                Some("replace") => {
                    replace = true;
                    continue;
                }
                Some("merge") => continue,
                _ => {}
            }
            let Some(key) = map.get(&rule.key).filter(|key| !key.is_null()) else {
                self.fault(
                    &here,
                    format!("needs its `{}`, by which it is found in the base's list", rule.key),
                );
                continue;
            };
            let named = key_text(key);
            let here = path.element(&named);
            let Some(change) = self.value(&here, kind, item) else { continue };
            let identity = identity(rule, map);
            if !seen.insert(identity.clone()) {
                self.fault(&here, "is in this list twice; keep one".into());
            }
            read.push(Item { key: key.clone(), identity, change });
        }
        Items::Keyed { rule, replace, items: read }
    }

    /// `$patch`; none where it says what no one knows.
    fn directive(&mut self, path: &Path<'_>, map: &Map<String, Value>) -> Option<Directive> {
        match map.get(PATCH) {
            None => Some(Directive::Merge),
            Some(Value::String(word)) if word == "merge" => Some(Directive::Merge),
            Some(Value::String(word)) if word == "replace" => Some(Directive::Replace),
            Some(Value::String(word)) if word == "delete" => Some(Directive::Delete),
            Some(other) => {
                let message = format!("must be `merge`, `replace` or `delete`, not {}", what(other));
                self.fault(&path.field(PATCH), message);
                None
            }
        }
    }

    fn retain(
        &mut self,
        path: &Path<'_>,
        map: &Map<String, Value>,
        value: &Value,
    ) -> Option<BTreeSet<String>> {
        let keys: Option<BTreeSet<String>> = value
            .as_array()
            .and_then(|keys| keys.iter().map(|key| key.as_str().map(str::to_owned)).collect());
        let Some(keys) = keys else {
            self.fault(path, format!("must be a list of field names, not {}", what(value)));
            return None;
        };
        for name in map.keys().filter(|name| !name.starts_with('$') && !keys.contains(*name)) {
            self.fault(path, format!("must name `{name}` too, which the overlay sets beside it"));
        }
        Some(keys)
    }

    /// `$setElementOrder/…` and `$deleteFromPrimitiveList/…`.
    fn list_directive(
        &mut self,
        parent: &Path<'_>,
        path: &Path<'_>,
        ty: &'static Type,
        name: &str,
        value: &Value,
        fields: &mut Fields,
    ) {
        let deletes = path.to_string().contains(DELETE_FROM);
        let Some(shape) = ty.fields.get(name) else { return self.unknown_field(path, ty, name) };
        let Some(values) = self.list(path, value) else { return };
        let wrong = match shape {
            Shape::List(Kind::Scalar(_), _) if deletes => None,
            Shape::List(_, ListMerge::Keyed(_) | ListMerge::Set) if !deletes => None,
            Shape::List(_, ListMerge::Atomic) if !deletes => {
                Some("this list is replaced whole: its order is the overlay's own".to_owned())
            }
            Shape::List(..) => {
                Some("deletes scalars; for an element write `$patch: delete` in it".to_owned())
            }
            Shape::One(_) | Shape::Map(_) => Some(format!("`{}` is no list", parent.field(name))),
        };
        if let Some(message) = wrong {
            return self.fault(path, message);
        }
        let values = match shape {
            Shape::List(_, ListMerge::Keyed(rule)) => self.order_keys(path, rule, values),
            _ => values.to_vec(),
        };
        let items = match shape {
            Shape::List(_, ListMerge::Keyed(rule)) => {
                Items::Keyed { rule, replace: false, items: Elements::default() }
            }
            _ => Items::None,
        };
        let list = fields
            .members
            .entry(name.to_owned())
            .or_insert_with(|| Change::List(List { items, delete: Vec::new(), order: None }));
        if let Change::List(list) = list {
            if deletes {
                list.delete = values;
            } else {
                list.order = Some(values);
            }
        }
    }

    fn order_keys(&mut self, path: &Path<'_>, rule: &KeyRule, values: &[Value]) -> Vec<Value> {
        let mut keys = Vec::new();
        for (index, value) in values.iter().enumerate() {
            match value.get(&rule.key) {
                Some(key) => keys.push(key.clone()),
                None => self.fault(&path.index(index), format!("must be a map with `{}`", rule.key)),
            }
        }
        keys
    }

    /// At most one member of a one-of may be set.
    fn check_one_of(&mut self, path: &Path<'_>, ty: &Type, fields: &Fields) {
        let set =
            |name: &str| fields.members.get(name).is_some_and(|change| !matches!(change, Change::Remove));
        match rules::one_of(&ty.name) {
            None => {}
            Some(OneOf::Tagged { by, value, member }) => {
                let tag = match fields.members.get(by) {
                    Some(Change::Set(Value::String(tag))) => tag,
                    _ => return,
                };
                if tag != value && set(member) {
                    self.fault(
                        &path.field(member),
                        format!("goes with `{by}: {value}`, not with `{by}: {tag}`"),
                    );
                }
            }
            Some(rule) => {
                let members: Vec<String> = fields
                    .members
                    .keys()
                    .filter(|name| rule.excludes(name) && set(name))
                    .map(|name| format!("`{name}`"))
                    .collect();
                if members.len() > 1 {
                    self.fault(path, format!("can have only one of {}", members.join(", ")));
                }
            }
        }
    }

    /// Where both are there, `$setElementOrder` must hold the list's elements in the list's order.
    fn check_order(&mut self, path: &Path<'_>, ty: &Type, fields: &Fields) {
        for name in ty.fields.keys() {
            let Some(Change::List(list)) = fields.members.get(name) else { continue };
            let Some(order) = &list.order else { continue };
            let keys: Vec<&Value> = match &list.items {
                Items::Keyed { items, .. } => items
                    .all()
                    .iter()
                    .filter(|item| !matches!(item.change, Change::Remove))
                    .map(|item| &item.key)
                    .collect(),
                Items::Add(values) => values.iter().collect(),
                Items::None | Items::Whole(_) => continue,
            };
            let mut rest = order.iter();
            if !keys.iter().all(|key| rest.any(|value| value == *key)) {
                let directive = format!("{ORDER}{name}");
                let message =
                    format!("must name every element of `{name}` that the overlay has, in the same order");
                self.fault(&path.field(&directive), message);
            }
        }
    }

    /// The sentence for a field that its type doesn't have.
    fn unknown(&self, ty: &Type, name: &str) -> String {
        if name.starts_with('$') {
            return "no such directive; there are `$patch`, `$retainKeys`, `$setElementOrder/<list>` and \
                    `$deleteFromPrimitiveList/<list>`"
                .to_owned();
        }
        if let Some(meant) = nearest(name, ty.fields.keys().map(String::as_str)) {
            return format!("no such field; did you mean `{meant}`?");
        }
        match self.deeper(ty, name) {
            Some(place) => format!("no such field here; did you mean `{place}`?"),
            None => format!("no such field of {}", ty.name.replacen(".v", "/v", 1)),
        }
    }

    /// Where below `ty` a field of this name is, for overlays that leave out a level.
    fn deeper(&self, ty: &Type, name: &str) -> Option<String> {
        let mut level: Vec<(String, &Type)> = vec![(String::new(), ty)];
        for _ in 0..3 {
            let mut next = Vec::new();
            for (path, ty) in level {
                for (field, shape) in &ty.fields {
                    let path = if path.is_empty() { field.clone() } else { format!("{path}.{field}") };
                    if field == name {
                        return Some(path);
                    }
                    if let Shape::One(Kind::Object(of)) = shape {
                        next.push((path, self.table.get(*of)));
                    }
                }
            }
            level = next;
        }
        None
    }
}

/// Adds a field's change; a directive for the same list may have come first.
fn add(members: &mut BTreeMap<String, Change>, name: &str, change: Option<Change>) {
    let Some(change) = change else { return };
    match (members.get_mut(name), change) {
        (Some(Change::List(there)), Change::List(list)) => there.items = list.items,
        (_, change) => {
            members.insert(name.to_owned(), change);
        }
    }
}

/// The word of an element that is nothing but `$patch: word`.
fn lone_directive(item: &Value) -> Option<&str> {
    let map = item.as_object().filter(|map| map.len() == 1)?;
    map.get(PATCH)?.as_str()
}
