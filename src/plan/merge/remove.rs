//! `spec.remove`: paths of the base's `spec` to leave out, because `kubectl apply` drops a `null` from an
//! overlay before it is stored.
//!
//! A path reads as a fault's path does: `template.spec.containers[web].livenessProbe`. Brackets name an
//! element of a list by its merge key (a list of scalars: by its value, any other list: by its place, from 0)
//! or a key with dots or slashes, in quotes: `template.metadata.annotations["a.b/c"]`.

use std::fmt;

use serde_json::Value;

use super::change::{identity, key_text};
use super::path::is_plain;
use super::table::{KeyRule, Kind, ListMerge, Shape, Type, table};
use super::{Fault, Root, shown};
use crate::api::nearest;

/// A path that the kind of `spec` can have.
#[derive(Debug, Clone)]
pub struct RemovePath {
    text: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Step {
    /// A field, or a key of a map.
    Field(String),
    /// The element of a list with this merge key.
    Keyed(&'static KeyRule, String),
    /// The scalar of this value, or the element at this place.
    Plain(String),
}

/// A path as it is written.
enum Token {
    Name(String),
    Bracket { text: String, quoted: bool },
}

impl RemovePath {
    /// Reads a path.
    ///
    /// # Errors
    /// Where no `spec` of this kind can have it; with the nearest spelling.
    pub fn parse(root: Root, text: &str) -> Result<Self, Fault> {
        let fault = |message: String| Fault { path: text.to_owned(), message };
        let tokens = tokens(text).map_err(fault)?;
        let steps = walk(root, &tokens).map_err(fault)?;
        Ok(Self { text: text.to_owned(), steps })
    }
}

impl fmt::Display for RemovePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Leaves the paths out of a `spec`, in turn. What comes back is worth knowing: paths that aren't there.
///
/// # Errors
/// Where a path goes through a list element that isn't there: its key is a typo, or the base lost more than
/// the path was meant to remove.
pub fn remove(spec: &mut Value, paths: &[RemovePath]) -> Result<Vec<Fault>, Vec<Fault>> {
    let mut notes = Vec::new();
    let mut faults = Vec::new();
    for path in paths {
        let fault = |message: String| Fault { path: path.text.clone(), message };
        match leave_out(spec, &path.steps) {
            Outcome::Removed => {}
            Outcome::Absent(why) => {
                notes.push(fault(format!("isn't in the base{why}; nothing was removed, the line can go")));
            }
            Outcome::NoSuchElement(why) => faults.push(fault(why)),
        }
    }
    if faults.is_empty() { Ok(notes) } else { Err(faults) }
}

enum Outcome {
    Removed,
    Absent(String),
    NoSuchElement(String),
}

fn leave_out(value: &mut Value, steps: &[Step]) -> Outcome {
    let Some((step, rest)) = steps.split_first() else { return Outcome::Absent(String::new()) };
    match step {
        Step::Field(name) => {
            let Some(map) = value.as_object_mut() else { return Outcome::Absent(String::new()) };
            if rest.is_empty() {
                if map.remove(name).is_some() {
                    return Outcome::Removed;
                }
                return Outcome::Absent(meant(name, map.keys().map(String::as_str)));
            }
            map.get_mut(name).map_or(Outcome::Absent(String::new()), |inner| leave_out(inner, rest))
        }
        Step::Keyed(_, text) | Step::Plain(text) => {
            let Some(list) = value.as_array_mut() else { return Outcome::Absent(String::new()) };
            let found = match find(list, step) {
                Ok(found) => found,
                Err(several) => return Outcome::NoSuchElement(several),
            };
            match found {
                Some(index) if rest.is_empty() => {
                    list.remove(index);
                    Outcome::Removed
                }
                Some(index) => {
                    list.get_mut(index).map_or(Outcome::Absent(String::new()), |e| leave_out(e, rest))
                }
                None => {
                    let names = names(list, step);
                    let meant = meant(text, names.iter().map(String::as_str));
                    if rest.is_empty() {
                        return Outcome::Absent(meant);
                    }
                    Outcome::NoSuchElement(format!(
                        "the base has no element `{text}` there (it has {}){meant}",
                        if names.is_empty() { "none".to_owned() } else { shown(&names) }
                    ))
                }
            }
        }
    }
}

/// Which element a step means. An error where it means several.
fn find(list: &[Value], step: &Step) -> Result<Option<usize>, String> {
    match step {
        Step::Field(_) => Ok(None),
        Step::Plain(text) => {
            let by_value = list.iter().position(|value| !value.is_object() && key_text(value) == *text);
            Ok(by_value.or_else(|| text.parse().ok().filter(|&index: &usize| index < list.len())))
        }
        Step::Keyed(rule, text) => {
            let is = |value: &Value| {
                value.get(&rule.key).is_some_and(|key| key_text(key) == *text)
                    || full_name(rule, value) == *text
            };
            let found: Vec<usize> =
                list.iter().enumerate().filter(|(_, value)| is(value)).map(|(index, _)| index).collect();
            match found.as_slice() {
                [] => Ok(None),
                [one] => Ok(Some(*one)),
                several => {
                    let names: Vec<String> = several
                        .iter()
                        .filter_map(|&index| list.get(index))
                        .map(|value| format!("[{}]", full_name(rule, value)))
                        .collect();
                    let exact =
                        several.iter().find(|&&i| list.get(i).is_some_and(|v| full_name(rule, v) == *text));
                    match exact {
                        Some(&index) => Ok(Some(index)),
                        None => Err(format!(
                            "`[{text}]` could be any of {}; write one of these",
                            names.join(", ")
                        )),
                    }
                }
            }
        }
    }
}

/// An element by all its keys, as `53/UDP`.
fn full_name(rule: &KeyRule, element: &Value) -> String {
    let keys = element.as_object().map(|map| identity(rule, map)).unwrap_or_default();
    keys.iter().map(key_text).collect::<Vec<_>>().join("/")
}

fn names(list: &[Value], step: &Step) -> Vec<String> {
    match step {
        Step::Keyed(rule, _) => list.iter().filter_map(|e| e.get(&rule.key)).map(key_text).collect(),
        Step::Field(_) | Step::Plain(_) => {
            list.iter().filter(|value| !value.is_object()).map(key_text).collect()
        }
    }
}

fn meant<'a>(name: &str, there: impl Iterator<Item = &'a str>) -> String {
    nearest(name, there).map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"))
}

/// Splits `a.b[c]["d.e"]`.
fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    if rest.is_empty() {
        return Err("a path can't be empty".to_owned());
    }
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (token, after) = bracket(inner)?;
            tokens.push(token);
            rest = after;
            continue;
        }
        if !tokens.is_empty() {
            rest =
                rest.strip_prefix('.').ok_or_else(|| format!("a `.` or `[` is missing before `{rest}`"))?;
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() {
            return Err(
                "a field's name is missing: two dots follow each other, or the path ends in one".to_owned()
            );
        }
        tokens.push(Token::Name(name.to_owned()));
        rest = after;
    }
    Ok(tokens)
}

fn bracket(inner: &str) -> Result<(Token, &str), String> {
    if let Some(quote @ ('"' | '\'')) = inner.chars().next() {
        let closing = format!("{quote}]");
        let (text, after) = inner
            .strip_prefix(quote)
            .and_then(|inner| inner.split_once(closing.as_str()))
            .ok_or_else(|| format!("`[{quote}` is not closed by `{closing}`"))?;
        return Ok((Token::Bracket { text: text.to_owned(), quoted: true }, after));
    }
    let (text, after) = inner.split_once(']').ok_or("`[` is not closed by `]`")?;
    Ok((Token::Bracket { text: text.to_owned(), quoted: false }, after))
}

/// Where a walk through the types stands.
enum At {
    Object(&'static Type),
    Map(Kind),
    List(Kind, Option<&'static KeyRule>),
    Scalar,
}

impl At {
    fn kind(kind: Kind) -> Self {
        match kind {
            Kind::Object(of) => Self::Object(table().get(of)),
            Kind::Scalar(_) => Self::Scalar,
        }
    }

    fn shape(shape: &'static Shape) -> Self {
        match shape {
            Shape::One(kind) => Self::kind(*kind),
            Shape::Map(kind) => Self::Map(*kind),
            Shape::List(kind, ListMerge::Keyed(rule)) => Self::List(*kind, Some(rule)),
            Shape::List(kind, ListMerge::Atomic | ListMerge::Set) => Self::List(*kind, None),
        }
    }
}

fn walk(root: Root, tokens: &[Token]) -> Result<Vec<Step>, String> {
    let mut at = table().find(root.type_name()).map_or(At::Scalar, |of| At::kind(Kind::Object(of)));
    let mut steps = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let last = index + 1 == tokens.len();
        let (step, next) = match (&at, token) {
            (At::Object(ty), Token::Name(name) | Token::Bracket { text: name, quoted: true }) => {
                let Some(shape) = ty.fields.get(name) else { return Err(unknown(ty, name, index)) };
                if last && ty.required.contains(name) {
                    return Err(format!("`{name}` is required there and can't be left out"));
                }
                (Step::Field(name.clone()), At::shape(shape))
            }
            (At::Object(_), Token::Bracket { text, .. }) => {
                return Err(format!(
                    "`[{text}]` names an element of a list, but what stands before it is no list"
                ));
            }
            (At::Map(kind), Token::Name(name) | Token::Bracket { text: name, .. }) => {
                if let (Token::Name(_), Kind::Scalar(_), false) = (token, kind, last) {
                    return Err(dotted(tokens, index));
                }
                (Step::Field(name.clone()), At::kind(*kind))
            }
            (At::List(kind, Some(rule)), Token::Bracket { text, .. }) => {
                (Step::Keyed(rule, text.clone()), At::kind(*kind))
            }
            (At::List(kind, None), Token::Bracket { text, .. }) => {
                (Step::Plain(text.clone()), At::kind(*kind))
            }
            (At::List(_, rule), Token::Name(name)) => {
                let by = rule.map_or("place", |rule| rule.key.as_str());
                return Err(format!("before `.{name}` an element must be named by its {by}, in brackets"));
            }
            (At::Scalar, Token::Name(name) | Token::Bracket { text: name, .. }) => {
                return Err(format!("what stands before `{name}` has no parts"));
            }
        };
        steps.push(step);
        at = next;
    }
    Ok(steps)
}

fn unknown(ty: &Type, name: &str, index: usize) -> String {
    if index == 0 && name == "spec" {
        return "paths begin inside the Deployment's spec: leave `spec.` out".to_owned();
    }
    let meant = meant(name, ty.fields.keys().map(String::as_str));
    format!("no such field: `{name}`{meant}")
}

/// The sentence for `annotations.a.b/c`.
fn dotted(tokens: &[Token], index: usize) -> String {
    let rest: Vec<&str> = tokens
        .iter()
        .skip(index)
        .map(|token| match token {
            Token::Name(name) | Token::Bracket { text: name, .. } => name.as_str(),
        })
        .collect();
    let key = rest.join(".");
    debug_assert!(!is_plain(&key), "a key with a dot needs quotes");
    format!("a key with dots is written in quotes and brackets: `[\"{key}\"]`")
}

#[cfg(test)]
#[path = "remove_tests.rs"]
mod tests;
