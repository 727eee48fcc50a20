//! Variables of one name. The last one is what a pod has, so it stays, where it stands; one that stands before it and
//! after an earlier one reads that by `$(NAME)`, so it gets the earlier one's text in place of that.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use serde_json::Value;

/// So many bytes are written into variables of one `spec`, in all: a variable that reads itself twice, again and
/// again, would grow beyond every measure.
pub(super) const ROOM: usize = 64 * 1024;

/// What is left, and what is lost, by the variable's name.
#[derive(Debug, Default)]
pub(super) struct FoldedEnv {
    pub variables: Vec<Value>,
    pub lost: BTreeMap<String, Lost>,
}

/// What is lost where a variable was there more than once.
#[derive(Debug, Default)]
pub(super) struct Lost {
    /// Variables that read an earlier one whose text is not known, or too long.
    readers: BTreeSet<String>,
    /// Whether the last one may be left out by the pod, which would have the earlier one then.
    falls_back: bool,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is there more than once; the last counts, as it does for a pod")?;
        if self.falls_back {
            f.write_str(", but where what it refers to is missing, there is no earlier one to fall back on")?;
        }
        for reader in &self.readers {
            write!(f, ", and `{reader}` reads an earlier one, which is lost")?;
        }
        Ok(())
    }
}

pub(super) fn fold(variables: Vec<Value>, room: &mut usize) -> FoldedEnv {
    let name_of = |variable: &Value| variable.get("name").and_then(Value::as_str).map(str::to_owned);
    let mut left: HashMap<String, usize> = HashMap::new();
    for name in variables.iter().filter_map(name_of) {
        *left.entry(name).or_default() += 1;
    }
    let mut folded = FoldedEnv::default();
    // What was said of names that are said again, for those who read it meanwhile.
    let mut earlier: HashMap<String, Value> = HashMap::new();
    for mut variable in variables {
        let Some(name) = name_of(&variable) else {
            folded.variables.push(variable);
            continue;
        };
        if let Some(Value::String(text)) = variable.get_mut("value") {
            let (read, unread) = in_place(text, &earlier, room);
            *text = read;
            for of in unread {
                folded.lost.entry(of).or_default().readers.insert(name.clone());
            }
        }
        let before = earlier.remove(&name);
        let is_last = left.get_mut(&name).is_none_or(|left| {
            *left -= 1;
            *left == 0
        });
        if before.is_some_and(|before| before != variable) {
            let lost = folded.lost.entry(name.clone()).or_default();
            lost.falls_back |= is_last && is_optional(&variable);
        }
        if is_last {
            folded.variables.push(variable);
        } else {
            earlier.insert(name, variable);
        }
    }
    folded
}

fn is_optional(variable: &Value) -> bool {
    let source = variable.get("valueFrom").and_then(Value::as_object);
    source.is_some_and(|source| source.values().any(|it| it.get("optional") == Some(&Value::Bool(true))))
}

/// A text with the earlier variables in it in place of their names, as far as they are texts; and of which ones that
/// was not to be.
fn in_place(text: &str, earlier: &HashMap<String, Value>, room: &mut usize) -> (String, BTreeSet<String>) {
    let mut unread = BTreeSet::new();
    let read = Part::of(text).map(|part| match part {
        Part::Text(text) => text.to_owned(),
        Part::Escaped => "$$".to_owned(),
        Part::Lone => "$".to_owned(),
        Part::Variable(name) => {
            let own = || format!("$({name})");
            let Some(variable) = earlier.get(name) else { return own() };
            // Nothing is copied only to be found too long.
            let text = text_of(variable).filter(|text| text.len() <= *room).map(escaped);
            match text.filter(|text| text.len() <= *room) {
                Some(text) => {
                    *room -= text.len();
                    text
                }
                None => {
                    unread.insert(name.to_owned());
                    own()
                }
            }
        }
    });
    (read.collect(), unread)
}

/// A text that means the same wherever it stands: no `$` of it could go together with what follows.
fn escaped(text: &str) -> String {
    let parts = Part::of(text).map(|part| match part {
        Part::Text(text) => text.to_owned(),
        Part::Escaped | Part::Lone => "$$".to_owned(),
        Part::Variable(name) => format!("$({name})"),
    });
    parts.collect()
}

/// A part of a text, as a pod's variables are read.
enum Part<'t> {
    Text(&'t str),
    /// `$$`
    Escaped,
    /// A `$` that begins nothing.
    Lone,
    /// `$(NAME)`
    Variable(&'t str),
}

impl<'t> Part<'t> {
    fn of(text: &'t str) -> impl Iterator<Item = Self> {
        let mut rest = text;
        std::iter::from_fn(move || {
            let (part, behind) = match rest.strip_prefix('$') {
                None if rest.is_empty() => return None,
                None => {
                    let (text, behind) = rest.split_at(rest.find('$').unwrap_or(rest.len()));
                    (Part::Text(text), behind)
                }
                Some(after) => match after.strip_prefix('$') {
                    Some(behind) => (Part::Escaped, behind),
                    None => match after.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
                        Some((name, behind)) => (Part::Variable(name), behind),
                        None => (Part::Lone, after),
                    },
                },
            };
            rest = behind;
            Some(part)
        })
    }
}

fn text_of(variable: &Value) -> Option<&str> {
    match (variable.get("value"), variable.get("valueFrom")) {
        (Some(Value::String(text)), _) => Some(text),
        (None, None) => Some(""),
        _ => None,
    }
}
