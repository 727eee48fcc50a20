//! Judges an object of our kinds by its own schema, as an API server would, in words that say the way out.
//!
//! It knows one object at a time: whether a base is there or a host is free is judged elsewhere. A null
//! counts as absent, because the API server drops it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};
use regex::Regex;
use serde_json::Value;

use super::schema::{self, OBJECT_NAME, RULES};
use super::{names, nearest};

/// One thing wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flaw {
    /// The field, as `spec.rules[0].send`; empty for the object as a whole.
    pub field: String,
    /// A CamelCase word for machines, as `UnknownField`.
    pub reason: &'static str,
    /// What is wrong with it, and the way out.
    pub message: String,
}

/// The schemas of both kinds, ready to be asked.
#[derive(Debug)]
pub struct Judge {
    kinds: BTreeMap<String, JSONSchemaProps>,
    patterns: HashMap<String, Regex>,
}

impl Default for Judge {
    fn default() -> Self {
        Self::new()
    }
}

impl Judge {
    /// A judge of both kinds.
    #[must_use]
    pub fn new() -> Self {
        let mut judge = Self { kinds: BTreeMap::new(), patterns: HashMap::new() };
        judge.learn(OBJECT_NAME);
        judge.learn(schema::LABEL);
        for definition in schema::definitions() {
            let version = definition.spec.versions.into_iter().next();
            let Some(schema) = version.and_then(|v| v.schema).and_then(|v| v.open_api_v3_schema) else {
                continue;
            };
            judge.learn_all(&schema);
            judge.kinds.insert(definition.spec.names.kind, schema);
        }
        judge
    }

    fn learn_all(&mut self, schema: &JSONSchemaProps) {
        if let Some(pattern) = &schema.pattern {
            self.learn(pattern);
        }
        for property in schema.properties.iter().flat_map(BTreeMap::values) {
            self.learn_all(property);
        }
        if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
            self.learn_all(item);
        }
    }

    fn learn(&mut self, pattern: &str) {
        if let Ok(regex) = Regex::new(pattern) {
            self.patterns.insert(pattern.to_owned(), regex);
        }
    }

    /// What is wrong with an object, in the order of its fields' names; `None` where it is of another group
    /// than ours.
    #[must_use]
    pub fn judge(&self, object: &Value) -> Option<Vec<Flaw>> {
        let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
        // Without a version it is still ours.
        let api_version = text("apiVersion");
        let (group, version) = api_version.split_once('/').unwrap_or((api_version, ""));
        if group != names::GROUP {
            return None;
        }
        let mut flaws = Flaws { judge: self, found: Vec::new() };
        if version != "v1" {
            let message = match version {
                "" => format!("`{group}` names no version; write `{}`", names::API_VERSION),
                _ => format!("`{group}` has no version `{version}`; write `{}`", names::API_VERSION),
            };
            flaws.add("apiVersion", "UnknownVersion", message);
        }
        match self.kinds.get(text("kind")) {
            Some(schema) => {
                flaws.metadata(object.get("metadata").unwrap_or(&Value::Null));
                flaws.object(schema, object, "");
            }
            None => {
                let known = list(self.kinds.keys().map(String::as_str));
                let message = format!("`{group}` has no kind `{}`; it has {known}", text("kind"));
                flaws.add("kind", "UnknownKind", message);
            }
        }
        Some(flaws.found)
    }
}

/// The flaws of one object, as they are found.
struct Flaws<'j> {
    judge: &'j Judge,
    found: Vec<Flaw>,
}

impl Flaws<'_> {
    fn add(&mut self, field: &str, reason: &'static str, message: impl Into<String>) {
        self.found.push(Flaw { field: field.to_owned(), reason, message: message.into() });
    }

    fn matches(&self, pattern: &str, text: &str) -> bool {
        self.judge.patterns.get(pattern).is_none_or(|regex| regex.is_match(text))
    }

    /// `metadata`, which no schema of ours describes.
    fn metadata(&mut self, metadata: &Value) {
        let fields = match metadata {
            Value::Object(fields) => fields,
            Value::Null => {
                return self.add("metadata", "FieldMissing", "`metadata.name` is missing: give it a name");
            }
            other => return self.add("metadata", "WrongType", wrong_type("an object", other)),
        };
        for (key, pattern, longest) in [("name", OBJECT_NAME, 253), ("namespace", schema::LABEL, 63)] {
            let field = format!("metadata.{key}");
            match fields.get(key) {
                Some(Value::String(text)) => self.text(text, Some(pattern), Some(1), Some(longest), &field),
                None | Some(Value::Null) if key == "name" => {
                    self.add(&field, "FieldMissing", "the name is missing: give the object one");
                }
                None | Some(Value::Null) => {}
                Some(other) => self.add(&field, "WrongType", wrong_type("text", other)),
            }
        }
        for key in ["labels", "annotations"] {
            match fields.get(key) {
                None | Some(Value::Null) => {}
                Some(Value::Object(entries)) => {
                    for (name, value) in entries.iter().filter(|(_, value)| !value.is_string()) {
                        self.add(&format!("metadata.{key}[{name}]"), "WrongType", wrong_type("text", value));
                    }
                }
                Some(other) => {
                    self.add(&format!("metadata.{key}"), "WrongType", wrong_type("an object", other))
                }
            }
        }
    }

    fn value(&mut self, schema: &JSONSchemaProps, value: &Value, field: &str) {
        let before = self.found.len();
        match (schema.type_.as_deref(), value) {
            (Some("object"), Value::Object(_)) => self.object(schema, value, field),
            (Some("array"), Value::Array(items)) => self.array(schema, items, field),
            (Some("string"), Value::String(text)) => self.string(schema, text, field),
            (Some("integer"), Value::Number(number)) if number.is_i64() || number.is_u64() => {
                self.number(schema, value, field);
            }
            (Some("boolean"), Value::Bool(_)) => {}
            (None, Value::Number(number))
                if schema.x_kubernetes_int_or_string == Some(true) && number.is_i64() =>
            {
                self.number(schema, value, field);
            }
            (None, Value::String(text)) if schema.x_kubernetes_int_or_string == Some(true) => {
                self.string(schema, text, field);
            }
            (type_, other) => {
                let wanted = match type_ {
                    Some("object") => "an object",
                    Some("array") => "a list",
                    Some("string") => "text",
                    Some("integer") => "a whole number",
                    Some("boolean") => "true or false",
                    _ => "a number or text",
                };
                self.add(field, "WrongType", wrong_type(wanted, other));
            }
        }
        // A rule is asked of values that are otherwise in order, as the API server does.
        if self.found.len() == before {
            self.rules(schema, value, field);
        }
    }

    fn object(&mut self, schema: &JSONSchemaProps, value: &Value, field: &str) {
        if schema.x_kubernetes_preserve_unknown_fields == Some(true) {
            return;
        }
        let (Some(fields), Some(properties)) = (value.as_object(), &schema.properties) else { return };
        let at_root = field.is_empty();
        let inside = |name: &str| if at_root { name.to_owned() } else { format!("{field}.{name}") };
        for name in schema.required.iter().flatten() {
            let property = properties.get(name);
            let has_default = property.is_some_and(|property| property.default.is_some());
            if fields.get(name).is_none_or(Value::is_null) && !has_default {
                let meaning = property.and_then(|property| property.description.as_deref());
                let meaning = meaning.unwrap_or_default().trim_end_matches('.').replace('\n', " ");
                self.add(field, "FieldMissing", format!("`{name}` is missing: {}", lower_first(&meaning)));
            }
        }
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            match properties.get(name) {
                // A status in a manifest is dropped by the API server.
                Some(_) if at_root && name == "status" => {}
                Some(property) => self.value(property, value, &inside(name)),
                None if at_root && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") => {}
                None => {
                    let known = properties.keys().map(String::as_str);
                    let way_out = match nearest(name, known.clone()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("the fields here are {}", list(known)),
                    };
                    self.add(&inside(name), "UnknownField", format!("there is no field `{name}`; {way_out}"));
                }
            }
        }
    }

    fn array(&mut self, schema: &JSONSchemaProps, items: &[Value], field: &str) {
        let (length, counted) = (items.len(), |most: i64| usize::try_from(most).unwrap_or(usize::MAX));
        if let Some(most) = schema.max_items.filter(|most| length > counted(*most)) {
            self.add(field, "TooMany", format!("{length} entries are more than the {most} that are taken"));
        }
        if let Some(least) = schema.min_items.filter(|least| length < counted(*least)) {
            self.add(field, "TooFew", format!("{length} entries are too few; write at least {least}"));
        }
        if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
            for (place, value) in items.iter().enumerate() {
                self.value(item, value, &format!("{field}[{place}]"));
            }
        }
        let keys = schema.x_kubernetes_list_map_keys.as_deref().unwrap_or_default();
        let mut seen = BTreeSet::new();
        for (place, value) in items.iter().enumerate() {
            let identity = match (schema.x_kubernetes_list_type.as_deref(), keys.first()) {
                (Some("set"), _) => value.as_str(),
                (Some("map"), Some(key)) => value.get(key).and_then(Value::as_str),
                _ => None,
            };
            if let Some(identity) = identity.filter(|identity| !seen.insert(*identity)) {
                let message = format!("`{identity}` is listed twice; keep one");
                self.add(&format!("{field}[{place}]"), "Duplicate", message);
            }
        }
    }

    fn string(&mut self, schema: &JSONSchemaProps, text: &str, field: &str) {
        let allowed = schema.enum_.as_deref().unwrap_or_default();
        if !allowed.is_empty() && !allowed.iter().any(|value| value.0 == *text) {
            let allowed = list(allowed.iter().filter_map(|value| value.0.as_str()));
            return self.add(field, "InvalidValue", format!("`{text}` is none of {allowed}"));
        }
        self.text(text, schema.pattern.as_deref(), schema.min_length, schema.max_length, field);
    }

    fn text(
        &mut self,
        text: &str,
        pattern: Option<&str>,
        least: Option<i64>,
        most: Option<i64>,
        field: &str,
    ) {
        let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        if least.is_some_and(|least| length < least) {
            return self.add(
                field,
                "InvalidValue",
                "an empty text says nothing; write one or leave the field out",
            );
        }
        if let Some(most) = most.filter(|most| length > *most) {
            return self.add(
                field,
                "TooLong",
                format!("{length} characters are more than the {most} that are taken"),
            );
        }
        if let Some(pattern) = pattern.filter(|pattern| !self.matches(pattern, text)) {
            let way_out = match schema::words_for(pattern) {
                Some(words) => words.to_owned(),
                None => format!("it has to match {pattern}"),
            };
            self.add(field, "InvalidValue", format!("`{text}` does not fit: {way_out}"));
        }
    }

    fn number(&mut self, schema: &JSONSchemaProps, value: &Value, field: &str) {
        let Some(number) = value.as_f64() else { return };
        let (least, most) = (schema.minimum.unwrap_or(f64::MIN), schema.maximum.unwrap_or(f64::MAX));
        if number < least || number > most {
            let range = match (schema.minimum, schema.maximum) {
                (Some(least), Some(most)) => format!("from {least} to {most}"),
                (Some(least), None) => format!("of at least {least}"),
                (None, _) => format!("of at most {most}"),
            };
            self.add(field, "InvalidValue", format!("{value} is out of range; write a number {range}"));
        }
    }

    fn rules(&mut self, schema: &JSONSchemaProps, value: &Value, field: &str) {
        for validation in schema.x_kubernetes_validations.iter().flatten() {
            let rule = RULES.iter().find(|rule| rule.cel == validation.rule);
            if let Some(rule) = rule.filter(|rule| !(rule.holds)(value)) {
                self.add(&format!("{field}{}", rule.field), "InvalidValue", rule.message);
            }
        }
    }
}

fn wrong_type(wanted: &str, value: &Value) -> String {
    let found = match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(truth) => format!("the boolean {truth}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().count() <= 40 => format!("the text `{text}`"),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    let way_out = match value {
        Value::Bool(_) | Value::Number(_) if wanted == "text" => "; put quotes around it",
        Value::String(_) if matches!(wanted, "a whole number" | "true or false") => "; leave the quotes out",
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) if wanted == "a list" => {
            "; write it as an entry of a list, as [a, b]"
        }
        _ => "",
    };
    format!("{wanted} belongs here, not {found}{way_out}")
}

fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => "none".to_owned(),
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests;
