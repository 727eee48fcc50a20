//! The objects as an API server would hold them: what it adds to a manifest (uid, generation, creation
//! time), whose each object is, and statuses, which no manifest writes. Pure: time is an argument.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::inventory::{Edit, Key, Kind, Object};

/// Whose an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A manifest's.
    File,
    /// Made here so that something is to be seen: a Router for a base that has none.
    Default,
    /// A clone.
    Clone,
    /// A pod's: it, and where it is.
    Pod,
}

/// One object.
#[derive(Debug)]
struct Held {
    value: Value,
    origin: Origin,
}

/// The objects as an API server would hold them.
#[derive(Debug, Default)]
pub struct World {
    held: BTreeMap<(Kind, Key), Held>,
    /// The last number given to an object; no two ever get the same uid.
    last_uid: u64,
}

/// What became of an object that was put in.
#[derive(Debug)]
pub enum Put {
    /// It is there, and differs from what was there.
    Changed(Edit),
    /// Nothing differs.
    Same,
    /// An object of that name is there already, and somebody else's.
    Taken(Origin),
    /// Its kind is none that this program looks at.
    Foreign,
}

impl World {
    /// Takes an object in.
    ///
    /// # Errors
    /// One sentence where it does not have the shape of its kind; what was there stays.
    pub fn put(&mut self, mut value: Value, origin: Origin, now: Timestamp) -> Result<Put, String> {
        let Some(id) = identify(&mut value) else { return Ok(Put::Foreign) };
        let Some(fields) = value.as_object_mut() else { return Ok(Put::Foreign) };
        fields.remove("status");
        let old = self.held.get(&id);
        if let Some(old) = old.filter(|old| old.origin != origin) {
            return Ok(Put::Taken(old.origin));
        }
        let born = match old {
            Some(old) => Birth::of(&old.value, fields),
            None => Birth { uid: uid(self.last_uid + 1), created: now.to_string(), generation: 1 },
        };
        born.write(fields);
        if let Some(status) = old.and_then(|old| old.value.get("status")) {
            fields.insert("status".to_owned(), status.clone());
        }
        if old.is_some_and(|old| old.value == value) {
            return Ok(Put::Same);
        }
        let object = Object::read(value.clone()).map_err(|error| error.to_string())?;
        let Some(object) = object else { return Ok(Put::Foreign) };
        if old.is_none() {
            self.last_uid += 1;
        }
        self.held.insert(id, Held { value, origin });
        Ok(Put::Changed(Edit::Apply(Box::new(object))))
    }

    /// Writes an object's status; none where nothing differs or there is no such object.
    pub fn put_status(&mut self, kind: Kind, key: &Key, status: Value) -> Option<Edit> {
        let held = self.held.get_mut(&(kind, key.clone()))?;
        let fields = held.value.as_object_mut()?;
        if fields.get("status") == Some(&status) {
            return None;
        }
        fields.insert("status".to_owned(), status);
        Object::read(held.value.clone()).ok().flatten().map(|object| Edit::Apply(Box::new(object)))
    }

    /// Takes an object out.
    pub fn remove(&mut self, kind: Kind, key: &Key) -> Option<Edit> {
        self.held.remove(&(kind, key.clone())).map(|_| Edit::Remove(kind, key.clone()))
    }

    /// The objects of one origin, in order.
    pub fn of(&self, origin: Origin) -> impl Iterator<Item = &(Kind, Key)> {
        self.held.iter().filter(move |(_, held)| held.origin == origin).map(|(id, _)| id)
    }

    /// Whose an object is; `None` where there is none.
    #[must_use]
    pub fn origin(&self, kind: Kind, key: &Key) -> Option<Origin> {
        self.held.get(&(kind, key.clone())).map(|held| held.origin)
    }

    /// An object as it is now.
    #[must_use]
    pub fn get(&self, kind: Kind, key: &Key) -> Option<&Value> {
        self.held.get(&(kind, key.clone())).map(|held| &held.value)
    }

    /// A uid that no object has or gets.
    pub fn fresh_uid(&mut self) -> String {
        self.last_uid += 1;
        uid(self.last_uid)
    }
}

/// Which object a document is; its namespace is written where it names none.
#[must_use]
pub fn identify(value: &mut Value) -> Option<(Kind, Key)> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let group = text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
    let kind = text("/kind");
    let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind && known.group() == group)?;
    let namespace = Some(text("/metadata/namespace")).filter(|it| !it.is_empty()).unwrap_or("default");
    let key = Key::new(namespace, text("/metadata/name"));
    let metadata = value.get_mut("metadata").and_then(Value::as_object_mut)?;
    metadata.insert("namespace".to_owned(), Value::from(&*key.namespace));
    Some((kind, key))
}

/// What an API server gives an object once, and its generation.
struct Birth {
    uid: String,
    created: String,
    generation: i64,
}

impl Birth {
    /// Of an object that was there, and comes with these fields now.
    fn of(old: &Value, new: &Map<String, Value>) -> Self {
        let text =
            |pointer: &str| old.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let generation = old.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(1);
        let differs = old.get("spec") != new.get("spec");
        Self {
            uid: text("/metadata/uid"),
            created: text("/metadata/creationTimestamp"),
            generation: generation + i64::from(differs),
        }
    }

    fn write(self, fields: &mut Map<String, Value>) {
        let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) else { return };
        metadata.insert("uid".to_owned(), self.uid.into());
        metadata.insert("creationTimestamp".to_owned(), self.created.into());
        metadata.insert("generation".to_owned(), self.generation.into());
        for field in ["resourceVersion", "managedFields", "selfLink"] {
            metadata.remove(field);
        }
    }
}

/// A number in the form of a uid.
fn uid(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

#[cfg(test)]
#[path = "world_tests.rs"]
mod tests;
