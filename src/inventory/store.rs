//! Objects of one kind, by key.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::key::Key;
use super::object::Keyed;

/// Objects of one kind, in order of their keys.
#[derive(Debug, Clone)]
pub struct Store<T>(BTreeMap<Key, Arc<T>>);

impl<T> Default for Store<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Keyed + PartialEq> Store<T> {
    /// Takes the object in; tells whether it differs from what was there.
    pub(super) fn insert(&mut self, object: T) -> bool {
        match self.0.get(object.key()) {
            Some(old) if **old == object => false,
            _ => {
                self.0.insert(object.key().clone(), Arc::new(object));
                true
            }
        }
    }

    /// Takes the object out; tells whether it was there.
    pub(super) fn remove(&mut self, key: &Key) -> bool {
        self.0.remove(key).is_some()
    }

    /// The object of this key.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&T> {
        self.0.get(key).map(|object| &**object)
    }

    /// The object of this key, to keep.
    #[must_use]
    pub fn shared(&self, key: &Key) -> Option<Arc<T>> {
        self.0.get(key).cloned()
    }

    /// All, in order of their keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.0.values().map(|object| &**object)
    }

    /// Those of one namespace, in order of their names.
    pub fn of_namespace(&self, namespace: &str) -> impl Iterator<Item = &T> {
        self.0
            .range(Key::new(namespace, "")..)
            .take_while(move |(key, _)| &*key.namespace == namespace)
            .map(|(_, object)| &**object)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
