//! Where the fields of a document stand: a tree of the document's own shape that holds lines.

use std::collections::BTreeMap;

use serde_json::Value;

/// The line of a value, and of everything below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    line: u32,
    below: Below,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Below {
    Nothing,
    Fields(BTreeMap<String, Lines>),
    Items(Vec<Lines>),
}

/// The fields by which items of Kubernetes lists are told apart, as `containers[web]` and `ports[80]` do.
const ITEM_NAMES: [&str; 9] =
    ["name", "id", "key", "containerPort", "port", "mountPath", "ip", "type", "topologyKey"];

impl Lines {
    pub(super) fn scalar(line: u32) -> Self {
        Self { line, below: Below::Nothing }
    }

    pub(super) fn fields(line: u32, fields: BTreeMap<String, Self>) -> Self {
        Self { line, below: Below::Fields(fields) }
    }

    pub(super) fn items(line: u32, items: Vec<Self>) -> Self {
        Self { line, below: Below::Items(items) }
    }

    pub(super) fn on_line(mut self, line: u32) -> Self {
        self.line = line;
        self
    }

    /// The line on which it begins, from 1; that of its key, where it has one.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The lines of the items of the list at `key`.
    pub(super) fn into_items(self, key: &str) -> Vec<Self> {
        let Below::Fields(mut fields) = self.below else { return Vec::new() };
        fields.remove(key).map(Self::into_list).unwrap_or_default()
    }

    /// The lines of its own items.
    pub(super) fn into_list(self) -> Vec<Self> {
        match self.below {
            Below::Items(items) => items,
            Below::Nothing | Below::Fields(_) => Vec::new(),
        }
    }

    /// The lines below a mapping's `key`.
    pub(super) fn field(&self, key: &str) -> Option<&Self> {
        match &self.below {
            Below::Fields(fields) => fields.get(key),
            Below::Items(_) | Below::Nothing => None,
        }
    }

    /// The line of the field at `path` in `value`, whose lines these are; of the nearest parent that is
    /// there where the field is not.
    #[must_use]
    pub fn at(&self, value: &Value, path: &str) -> u32 {
        let rest = path.trim_start_matches('.');
        let step = match &self.below {
            Below::Nothing => None,
            Below::Fields(fields) => field_step(fields, value, rest),
            Below::Items(items) => item_step(items, value, rest),
        };
        match step {
            Some((lines, value, rest)) => lines.at(value, rest),
            None => self.line,
        }
    }
}

type Step<'a> = (&'a Lines, &'a Value, &'a str);

/// The longest key that `path` begins with: keys may hold dots and slashes, with or without brackets.
fn field_step<'a>(fields: &'a BTreeMap<String, Lines>, value: &'a Value, path: &'a str) -> Option<Step<'a>> {
    let (key, rest) = fields
        .keys()
        .filter_map(|key| Some((key, behind_key(path, key)?)))
        .max_by_key(|(key, _)| key.len())?;
    Some((fields.get(key)?, value.get(key)?, rest))
}

fn behind_key<'a>(path: &'a str, key: &str) -> Option<&'a str> {
    if key.is_empty() {
        return None;
    }
    if let Some(rest) = path.strip_prefix('[').and_then(|rest| rest.strip_prefix(key)) {
        return rest.strip_prefix(']');
    }
    let rest = path.strip_prefix(key)?;
    (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
}

/// The item that `[…]` names: by a field that tells items apart, by its own text, or by its place.
fn item_step<'a>(items: &'a [Lines], value: &'a Value, path: &'a str) -> Option<Step<'a>> {
    let (label, rest) = path.strip_prefix('[')?.split_once(']')?;
    let values = value.as_array()?;
    let reads = |value: &Value| match value {
        Value::String(text) => text == label,
        Value::Number(number) => number.to_string() == label,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    };
    let is_named = |item: &Value| ITEM_NAMES.iter().any(|name| item.get(name).is_some_and(reads));
    let by_place = || label.parse().ok().filter(|place| *place < items.len());
    let by_name = || values.iter().position(|item| is_named(item) || reads(item));
    // A label that says its field, as `[name=web]`.
    let by_pair = || {
        let (field, wanted) = label.split_once('=')?;
        values.iter().position(|item| item.get(field).and_then(Value::as_str) == Some(wanted))
    };
    let place: usize = by_place().or_else(by_name).or_else(by_pair)?;
    Some((items.get(place)?, values.get(place)?, rest))
}
