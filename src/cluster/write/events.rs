//! Events, as `kubectl describe` shows them: one where the reason of `Ready` changes, one where another version
//! becomes active. Never one for what a reader knows already.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::prepare::hash;
use super::{Act, Write, address};
use crate::api::names;
use crate::cluster::clock::Now;
use crate::inventory::object::Meta;
use crate::inventory::{Kind, ObjectReference};

/// The same reason of the same object is not told again within so long: what flaps is told once.
const QUIET: SignedDuration = SignedDuration::from_secs(300);
/// The longest note that the API server takes, in bytes (events.k8s.io/v1).
const LONGEST_NOTE: usize = 1024;

/// What was told, and when.
#[derive(Debug, Default)]
pub struct EventMemory(BTreeMap<ObjectReference, BTreeMap<String, Timestamp>>);

impl EventMemory {
    pub(super) fn forget(&mut self, about: &ObjectReference) {
        self.0.remove(about);
    }

    /// Whether this is news; if so, it is remembered.
    fn is_news(&mut self, about: &ObjectReference, what: &str, now: Timestamp) -> bool {
        let told = self.0.entry(about.clone()).or_default();
        told.retain(|_, at| now.duration_since(*at) < QUIET);
        let news = !told.contains_key(what);
        if news {
            told.insert(what.to_owned(), now);
        }
        news
    }
}

/// The events that go with a status.
pub(super) fn tell(
    about: &ObjectReference,
    meta: Option<&Meta>,
    before: &Value,
    after: &Value,
    now: Now,
    memory: &mut EventMemory,
) -> Vec<Write> {
    let Some(uid) = meta.and_then(|meta| meta.uid.as_deref()) else { return Vec::new() };
    let mut events = Vec::new();
    let activated = (active(before), active(after));
    if let (earlier, Some(active)) = activated
        && earlier.is_some_and(|earlier| earlier != active)
    {
        let note = format!("`{active}` is active, before it was `{}`", earlier.unwrap_or_default());
        events.push(("Activated".to_owned(), true, note, format!("Activated {active}")));
    }
    let (earlier, ready) = (ready(before), ready(after));
    if let Some(ready) = ready.filter(|ready| earlier.as_ref().is_none_or(|it| it.reason != ready.reason)) {
        let what = format!("Ready {}", ready.reason);
        events.push((ready.reason.to_owned(), is_normal(&ready), ready.message.to_owned(), what));
    }
    let news = events.into_iter().filter(|(_, _, _, what)| memory.is_news(about, what, now.steady));
    news.map(|(reason, normal, note, _)| event(about, uid, &reason, normal, &note, now.wall)).collect()
}

/// The `Ready` condition of a status.
struct Ready<'s> {
    status: &'s str,
    reason: &'s str,
    message: &'s str,
}

fn ready(status: &Value) -> Option<Ready<'_>> {
    let conditions = status.get("conditions")?.as_array()?;
    let ready = conditions.iter().find(|it| it.get("type").and_then(Value::as_str) == Some("Ready"))?;
    let text = |field: &str| ready.get(field).and_then(Value::as_str).unwrap_or_default();
    Some(Ready { status: text("status"), reason: text("reason"), message: text("message") })
}

fn active(status: &Value) -> Option<&str> {
    status.get("active").and_then(Value::as_str)
}

/// What is on its way, or wished for, is no warning.
fn is_normal(ready: &Ready<'_>) -> bool {
    let on_its_way = [
        "Pending",
        "Creating",
        "NotCreated",
        "RollingOut",
        "Applying",
        "WaitingForTurn",
        "Suspending",
        "Suspended",
        "ScaledToZero",
    ];
    ready.status == "True" || on_its_way.contains(&ready.reason)
}

fn event(
    about: &ObjectReference,
    uid: &str,
    reason: &str,
    normal: bool,
    note: &str,
    now: Timestamp,
) -> Write {
    let (api_version, _) = address::resource(about.kind);
    let time = now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    // The same event has the same name, so that one whose answer was lost is not told twice.
    let id = hash(&json!([uid, reason, time]));
    let name = format!("{}.{id}", cut(&about.key.name, 230));
    let object = json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": &*about.key.namespace},
        "eventTime": time,
        "reportingController": format!("{}/{}", names::GROUP, names::MANAGER),
        "reportingInstance": names::MANAGER,
        "action": if about.kind == Kind::Router { "Route" } else { "Clone" },
        "reason": cut(reason, 128),
        "type": if normal { "Normal" } else { "Warning" },
        "note": cut(note, LONGEST_NOTE),
        "regarding": {"apiVersion": api_version, "kind": about.kind.as_str(), "uid": uid,
            "name": &*about.key.name, "namespace": &*about.key.namespace},
    });
    Write { target: about.clone(), cause: about.clone(), act: Act::Event { object } }
}

/// At most so many bytes of a text.
fn cut(text: &str, longest: usize) -> &str {
    let mut end = longest.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
