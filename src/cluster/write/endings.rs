//! Namespaces that are being deleted: the API server takes nothing new into them, so one refusal stands for all,
//! and nothing more is asked of it. What is there already is changed and let go as ever.
//!
//! A deletion of a namespace is never taken back. A DeploymentVersion that was not there before means that
//! the namespace is another one of the name.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::inventory::Key;

/// After this long it is tried again: the refusal may have been another's words.
const ENDING: SignedDuration = SignedDuration::from_mins(10);

/// The namespaces that are being deleted, as far as a refusal told.
#[derive(Debug, Default)]
pub struct Endings {
    /// Until when that is believed.
    until: BTreeMap<Arc<str>, Timestamp>,
    /// The uids of the DeploymentVersions that were seen.
    known: BTreeMap<Key, String>,
}

impl Endings {
    /// The API server took nothing new into a namespace because it is being deleted; tells whether that is news.
    pub(super) fn refused(&mut self, namespace: &Arc<str>, now: Timestamp) -> bool {
        let news = !self.ends(namespace, now);
        self.until.insert(namespace.clone(), now.checked_add(ENDING).unwrap_or(now));
        news
    }

    /// Until when a namespace is taken for one that is being deleted; `None` where it is not.
    #[must_use]
    pub fn until(&self, namespace: &str, now: Timestamp) -> Option<Timestamp> {
        self.until.get(namespace).copied().filter(|until| *until > now)
    }

    /// Whether a namespace is being deleted.
    #[must_use]
    pub fn ends(&self, namespace: &str, now: Timestamp) -> bool {
        self.until(namespace, now).is_some()
    }

    /// A DeploymentVersion is there; one that was not before came after its namespace's deletion. Tells whether
    /// it was not.
    pub(super) fn saw(&mut self, dpv: &Key, uid: &str) -> bool {
        let news = self.known.get(dpv).is_none_or(|known| known != uid);
        if news {
            self.known.insert(dpv.clone(), uid.to_owned());
            self.until.remove(&dpv.namespace);
        }
        news
    }

    /// A DeploymentVersion is gone.
    pub(super) fn forget(&mut self, dpv: &Key) {
        self.known.remove(dpv);
    }
}
