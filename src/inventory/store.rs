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
    /// Puts the object there, or takes away what is there; `None` where nothing differs. That only the version
    /// of an object differs is no difference where nobody here writes it: somebody wrote what nobody here reads,
    /// as a status. The newest version is kept all the same.
    pub(super) fn set(&mut self, key: &Key, object: Option<T>) -> Option<Turn<T>> {
        let before = self.0.get(key).cloned();
        match object {
            None => {
                let before = Some(before?);
                self.0.remove(key);
                Some(Turn { before, after: None })
            }
            Some(object) if before.as_deref() == Some(&object) => None,
            Some(object) => {
                let (after, differs) = match before.as_deref() {
                    Some(before) if !before.is_written() => renewed(before, object),
                    _ => (object, true),
                };
                let after = Arc::new(after);
                self.0.insert(key.clone(), after.clone());
                differs.then_some(Turn { before, after: Some(after) })
            }
        }
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

    /// Those of one namespace whose names begin so, in order of their names.
    pub fn beginning<'s>(&'s self, namespace: &str, beginning: &'s str) -> impl Iterator<Item = &'s T> {
        let first = Key::new(namespace, beginning);
        let namespace = first.namespace.clone();
        self.0
            .range(first..)
            .take_while(move |(key, _)| key.namespace == namespace && key.name.starts_with(beginning))
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

/// The object, and whether anything but its version differs from the one before.
fn renewed<T: Keyed + PartialEq>(before: &T, mut object: T) -> (T, bool) {
    let known = before.meta().resource_version.clone();
    let version = std::mem::replace(&mut object.meta_mut().resource_version, known);
    let differs = *before != object;
    object.meta_mut().resource_version = version;
    (object, differs)
}

/// An object before and after an edit.
pub(super) struct Turn<T> {
    pub before: Option<Arc<T>>,
    pub after: Option<Arc<T>>,
}

impl<T> Turn<T> {
    /// What was there and what is there.
    pub fn both(&self) -> impl Iterator<Item = &T> {
        self.before.iter().chain(&self.after).map(|object| &**object)
    }

    /// Whether it came, went, or `same` says no of the two.
    pub fn differs(&self, same: impl FnOnce(&T, &T) -> bool) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => !same(before, after),
            (None, None) => false,
            _ => true,
        }
    }
}
