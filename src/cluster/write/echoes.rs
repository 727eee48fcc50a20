//! What was written and the watch has not shown yet: until it has, nothing is decided on the old view.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::inventory::ObjectReference;
use crate::inventory::object::Meta;

/// A written object is waited for in the watch for so long; then what the watch says is believed.
const WATCH_LAG: SignedDuration = SignedDuration::from_secs(10);

/// The writes that the watch has not shown yet.
#[derive(Debug, Default)]
pub struct Echoes {
    awaited: BTreeMap<ObjectReference, Awaited>,
}

#[derive(Debug, Clone)]
struct Awaited {
    what: Echo,
    until: Timestamp,
}

#[derive(Debug, Clone)]
enum Echo {
    /// The object in this version or a later one.
    Version(String),
    /// That the object of this uid goes.
    Leaving(String),
}

impl Echoes {
    /// The object was written; `live` is what the server made of it.
    pub(super) fn version(&mut self, target: &ObjectReference, live: &Value, now: Timestamp) {
        if let Some(version) = live.pointer("/metadata/resourceVersion").and_then(Value::as_str) {
            self.wait(target, Echo::Version(version.to_owned()), now);
        }
    }

    /// The object of this uid goes, or is gone.
    pub(super) fn leaving(&mut self, target: &ObjectReference, uid: &str, now: Timestamp) {
        self.wait(target, Echo::Leaving(uid.to_owned()), now);
    }

    fn wait(&mut self, target: &ObjectReference, what: Echo, now: Timestamp) {
        let until = now.checked_add(WATCH_LAG).unwrap_or(now);
        self.awaited.insert(target.clone(), Awaited { what, until });
    }

    /// Nothing is waited for of an object any more.
    pub(super) fn forget(&mut self, target: &ObjectReference) {
        self.awaited.remove(target);
    }

    /// Until when the watch is behind what was written to an object; `None` where it is not.
    pub(super) fn is_behind(
        &mut self,
        target: &ObjectReference,
        live: Option<&Meta>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let awaited = self.awaited.get(target)?;
        let seen = match (&awaited.what, live) {
            (Echo::Version(version), Some(live)) => {
                live.resource_version.as_deref().is_none_or(|seen| is_as_late(seen, version))
            }
            (Echo::Version(_), None) => false,
            (Echo::Leaving(_), None) => true,
            (Echo::Leaving(uid), Some(live)) => live.deleting || live.uid.as_ref() != Some(uid),
        };
        if seen || awaited.until <= now {
            self.awaited.remove(target);
            return None;
        }
        Some(awaited.until)
    }
}

/// Versions of objects are numbers that grow (Kubernetes 1.35, KEP-5504); what is none is compared as it is.
fn is_as_late(seen: &str, written: &str) -> bool {
    match (seen.parse::<u128>(), written.parse::<u128>()) {
        (Ok(seen), Ok(written)) => seen >= written,
        (Ok(_) | Err(_), Ok(_) | Err(_)) => seen == written,
    }
}
