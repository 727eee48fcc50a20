//! What stands between this process and readiness, by name. It asks nobody: whoever knows that something is
//! missing holds a [`Missing`] until it is there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The names of all that is missing; ready when there are none.
#[derive(Debug, Default)]
pub struct Readiness {
    missing: Mutex<BTreeMap<String, usize>>,
    notes: Mutex<Vec<String>>,
}

impl Readiness {
    /// Nothing is missing yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Says that something is missing, for as long as what is returned is held: `the first table`.
    #[must_use = "readiness is given as soon as this is dropped"]
    pub fn missing(self: &Arc<Self>, what: impl Into<String>) -> Missing {
        let what = what.into();
        *self.names().entry(what.clone()).or_default() += 1;
        Missing { of: Arc::clone(self), what }
    }

    /// What is missing, sorted.
    #[must_use]
    pub fn list(&self) -> Vec<String> {
        self.names().keys().cloned().collect()
    }

    /// What is to be known beside, though requests are welcome; takes the place of what was noted before.
    pub fn note(&self, notes: Vec<String>) {
        *self.notes.lock().unwrap_or_else(PoisonError::into_inner) = notes;
    }

    /// What is noted.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn names(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, usize>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that is missing; it is there once this is dropped.
#[derive(Debug)]
pub struct Missing {
    of: Arc<Readiness>,
    what: String,
}

impl Drop for Missing {
    fn drop(&mut self) {
        let mut names = self.of.names();
        if let Some(count) = names.get_mut(&self.what) {
            *count -= 1;
            if *count == 0 {
                names.remove(&self.what);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_once_nothing_is_missing() {
        let readiness = Readiness::new();
        assert!(readiness.list().is_empty());
        let (one, same) = (readiness.missing("the first table"), readiness.missing("the first table"));
        let other = readiness.missing("a listener");
        assert_eq!(readiness.list(), ["a listener", "the first table"]);
        drop((one, other));
        assert_eq!(readiness.list(), ["the first table"]);
        drop(same);
        assert!(readiness.list().is_empty());
    }
}
