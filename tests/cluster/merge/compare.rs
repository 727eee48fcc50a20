//! Whether two outcomes are the same, or differ in a way that `plan::merge` declares. Pure.

use serde_json::Value;

use super::Outcome;

/// How two outcomes compare.
pub enum Verdict {
    /// Both made the same object.
    Same,
    /// Both are refused, in the same words, or theirs for a one-of's sake and ours for another.
    BothRefused,
    /// Both are refused; ours by the merge itself, before the API server saw it.
    RefusedEarlier,
    /// The same but for where elements stand that the base's list lacked.
    AddedOrder,
    /// The API server holds two members of a one-of against its own merge; ours keeps the overlay's.
    OneOf,
    /// The API server's merge loses a directive's value, or keeps the directive, where the base lacks the field or
    /// element; ours does as it does without the directive.
    NothingToDirect,
    /// Something else.
    Different(String),
}

impl Verdict {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Same => "the same object",
            Self::BothRefused => "refused in the same words",
            Self::RefusedEarlier => "refused by both, ours before it is sent",
            Self::AddedOrder => "declared: the same but for the order of added elements",
            Self::OneOf => "declared: a one-of changes its member, which the API server refuses",
            Self::NothingToDirect => "declared: a directive on what the base lacks has nothing to act on",
            Self::Different(_) => "DIFFERENT",
        }
    }
}

/// The words with which the API server refuses two members of a one-of.
const ONE_OF: [&str; 7] = [
    "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified",
    "may not specify more than 1",
    "may not specify more than one",
    "may not be specified when `value` is not empty",
    "may not be specified when strategy `type` is 'Recreate'",
    "must not be set if session affinity is None",
    "may not have more than one field specified at a time",
];

/// Compares what the API server made of an overlay with what it makes of our merge.
pub fn compare(base: &Value, theirs: &Outcome, ours: &Outcome) -> Verdict {
    match (theirs, ours) {
        (Ok(theirs), Ok(ours)) => {
            let (theirs, ours) = (dealt(&theirs["spec"]), dealt(&ours["spec"]));
            if theirs == ours {
                Verdict::Same
            } else if sorted(&theirs, base) == sorted(&ours, base) {
                Verdict::AddedOrder
            } else {
                Verdict::Different(difference("spec", &sorted(&theirs, base), &sorted(&ours, base)))
            }
        }
        (Err(theirs), Err(ours)) => {
            if ours.iter().all(|cause| cause.starts_with("merge: ")) {
                return Verdict::RefusedEarlier;
            }
            // Two members of a one-of hide what else is wrong with either.
            let left = minus_one_of(theirs);
            if left.len() < words(theirs).len() || left == words(ours) || words(theirs) == words(ours) {
                Verdict::BothRefused
            } else {
                Verdict::Different(format!("refused in other words: {left:?} and {:?}", words(ours)))
            }
        }
        (Err(theirs), Ok(_)) if minus_one_of(theirs).is_empty() => Verdict::OneOf,
        (Err(theirs), Ok(_)) => Verdict::Different(format!("refused by theirs only: {theirs:?}")),
        (Ok(_), Err(ours)) => Verdict::Different(format!("refused by ours only: {ours:?}")),
    }
}

/// An overlay without the directives that stand where the base has nothing: `$patch: replace` of a field that is
/// not there is that field; `$patch: delete` of an element that is not there is nothing, and so is `null` for a
/// field of something new (the API server reads it as a quantity of 0).
pub fn undirected(overlay: &Value, base: &Value) -> Value {
    match overlay {
        Value::Object(map) => {
            let mut map = map.clone();
            if !base.is_object() {
                map.retain(|key, value| !key.starts_with('$') && !value.is_null());
            }
            let inner = map.into_iter().map(|(key, value)| {
                let value = undirected(&value, &base[&key]);
                (key, value)
            });
            Value::Object(inner.collect())
        }
        Value::Array(items) => {
            let lone = |item: &Value| item.get("$patch").is_some() && named(item).is_none();
            let there = base.as_array().map(Vec::as_slice).unwrap_or_default();
            // In a list that is replaced whole, every element is new.
            let bases = if items.iter().any(lone) { &[] } else { there };
            let of = |item: &Value| {
                bases.iter().find(|other| named(other).is_some() && named(other) == named(item))
            };
            let keeps = |item: &&Value| match item.get("$patch") {
                Some(_) if lone(item) => !there.is_empty(),
                Some(directive) => directive != "delete" || of(item).is_some(),
                None => true,
            };
            let inner = |item: &Value| {
                if lone(item) { item.clone() } else { undirected(item, of(item).unwrap_or(&Value::Null)) }
            };
            Value::Array(items.iter().filter(keeps).map(inner).collect())
        }
        other => other.clone(),
    }
}

/// What an element of a list is found by.
fn named(item: &Value) -> Option<String> {
    let keys = ["containerPort", "mountPath", "port", "ip", "topologyKey", "name"];
    let mut found = keys.iter().filter_map(|key| item.get(key)).map(Value::to_string);
    found.next()
}

/// What a failure prints of an outcome.
pub fn spec(outcome: &Outcome) -> String {
    match outcome {
        Ok(object) => object["spec"].to_string(),
        Err(causes) => format!("refused: {}", causes.join("; ")),
    }
}

/// Causes without the places of list elements, which may be ordered differently.
fn words(causes: &[String]) -> Vec<String> {
    let mut words: Vec<String> = causes.iter().map(|cause| without_indexes(cause)).collect();
    words.sort();
    words.dedup();
    words
}

/// Without what two members of a one-of bring about; a volume that has two is no volume to the mounts that name it.
fn minus_one_of(causes: &[String]) -> Vec<String> {
    let one_of = |cause: &&String| ONE_OF.iter().any(|words| cause.contains(words));
    let volume = causes.iter().filter(one_of).any(|cause| cause.contains("volume type"));
    let mount = |cause: &String| cause.contains("volumeMounts[") && cause.contains("].name: Not found");
    let left = causes.iter().filter(|cause| !(one_of(cause) || volume && mount(cause)));
    words(&left.cloned().collect::<Vec<_>>())
}

fn without_indexes(cause: &str) -> String {
    let mut cut = String::new();
    let mut inside = false;
    for c in cause.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            _ if inside && c.is_ascii_digit() => continue,
            _ => {}
        }
        cut.push(c);
    }
    cut
}

/// Without the node ports that a dry run deals at random.
fn dealt(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Some(map) = spec.as_object_mut() {
        map.remove("healthCheckNodePort");
        if let Some(Value::Array(ports)) = map.get_mut("ports") {
            for port in ports.iter_mut().filter_map(Value::as_object_mut) {
                port.remove("nodePort");
            }
        }
    }
    spec
}

/// Lists of maps in an order of their own; the elements that the base has keep theirs, before the others.
fn sorted(value: &Value, base: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let inner = |(key, value): (&String, &Value)| (key.clone(), sorted(value, &base[key]));
            Value::Object(map.iter().map(inner).collect())
        }
        Value::Array(items) => {
            let bases = base.as_array().map(Vec::as_slice).unwrap_or_default();
            let place = |item: &Value| {
                bases.iter().position(|other| named(other).is_some() && named(other) == named(item))
            };
            let mut items: Vec<(Option<usize>, Value)> = items
                .iter()
                .map(|item| {
                    let place = place(item);
                    (place, sorted(item, place.and_then(|place| bases.get(place)).unwrap_or(&Value::Null)))
                })
                .collect();
            if items.iter().all(|(_, item)| named(item).is_some()) {
                // Only what was added moves; the rest stays in the order it has.
                let (kept, mut added): (Vec<_>, Vec<_>) =
                    items.drain(..).partition(|(place, _)| place.is_some());
                added.sort_by_key(|(_, item)| item.to_string());
                items = kept.into_iter().chain(added).collect();
            }
            Value::Array(items.into_iter().map(|(_, item)| item).collect())
        }
        other => other.clone(),
    }
}

/// The first place where two values differ.
fn difference(path: &str, left: &Value, right: &Value) -> String {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            let keys = left.keys().chain(right.keys());
            for key in keys {
                let (l, r) = (left.get(key), right.get(key));
                if l != r {
                    let null = Value::Null;
                    return difference(&format!("{path}.{key}"), l.unwrap_or(&null), r.unwrap_or(&null));
                }
            }
            path.to_owned()
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (l, r)) in left.iter().zip(right).enumerate() {
                if l != r {
                    return difference(&format!("{path}[{index}]"), l, r);
                }
            }
            path.to_owned()
        }
        _ => format!("{path}: theirs {left}, ours {right}"),
    }
}
