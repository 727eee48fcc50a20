//! A map from names to values whose copies share what did not change.
//!
//! A table of 10,000 versions is swapped for every endpoint that comes or goes. So the entries lie in
//! shards of a few dozen: a changed copy shares every shard it did not touch. The number of shards follows
//! the number of entries, so that a Router with three versions pays for three.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;

/// Entries per shard that a growing map may reach before it gets more shards.
const FULL: usize = 32;

/// One entry; a shard holds them in order of their hashes.
#[derive(Debug, Clone)]
struct Entry<V> {
    hash: u64,
    name: Arc<str>,
    value: V,
}

/// The map. Cloning it costs a counter per shard.
#[derive(Debug, Clone)]
pub(super) struct Shards<V> {
    shards: Box<[Arc<[Entry<V>]>]>,
    len: usize,
    /// Seeded by the process: names come from tenants, who must not be able to pile them on one place.
    /// Nothing that can be seen depends on it.
    state: RandomState,
}

/// One change: the value a name gets, or that it goes.
pub(super) type Change<V> = (Arc<str>, Option<V>);

impl<V: Clone> Default for Shards<V> {
    fn default() -> Self {
        Self { shards: Box::new([Arc::new([])]), len: 0, state: RandomState::default() }
    }
}

impl<V: Clone> Shards<V> {
    /// The value of a name.
    pub(super) fn get(&self, name: &str) -> Option<&V> {
        let hash = self.state.hash_one(name);
        let shard = self.shards.get(self.place(hash))?;
        let from = shard.partition_point(|entry| entry.hash < hash);
        let mut same = shard.get(from..)?.iter().take_while(|entry| entry.hash == hash);
        same.find(|entry| &*entry.name == name).map(|entry| &entry.value)
    }

    /// The name as the map holds it, with its value.
    #[cfg(test)]
    pub(super) fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All entries, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &V)> {
        self.shards.iter().flat_map(|shard| shard.iter().map(|entry| (&entry.name, &entry.value)))
    }

    /// A copy with these changes; of several changes of one name the last counts.
    #[must_use]
    pub(super) fn with(&self, changes: Vec<Change<V>>) -> Self {
        let mut by_shard: Vec<Vec<(u64, Change<V>)>> = vec![Vec::new(); self.shards.len()];
        for change in changes {
            let hash = self.state.hash_one(&*change.0);
            if let Some(shard) = by_shard.get_mut(self.place(hash)) {
                shard.push((hash, change));
            }
        }
        let mut shards = self.shards.clone();
        for (shard, changes) in shards.iter_mut().zip(by_shard).filter(|(_, changes)| !changes.is_empty()) {
            let mut entries = shard.to_vec();
            for (hash, (name, value)) in changes {
                entries.retain(|entry| entry.hash != hash || entry.name != name);
                entries.extend(value.map(|value| Entry { hash, name, value }));
            }
            entries.sort_by(|a, b| (a.hash, &a.name).cmp(&(b.hash, &b.name)));
            *shard = entries.into();
        }
        let len = shards.iter().map(|shard| shard.len()).sum();
        let changed = Self { shards, len, state: self.state.clone() };
        if changed.fits() { changed } else { changed.spread_anew() }
    }

    /// Which shard a hash belongs to; the number of shards is a power of two.
    fn place(&self, hash: u64) -> usize {
        // The upper bits, which the order within a shard does not already follow, are as good as the lower.
        usize::try_from(hash >> 32).unwrap_or_default() & (self.shards.len() - 1)
    }

    /// Whether the number of shards still fits the number of entries; a factor of 8 between growing and
    /// shrinking keeps a map at the border from being spread anew by every change.
    fn fits(&self) -> bool {
        let shards = self.shards.len();
        self.len <= shards * FULL && (shards == 1 || self.len * 8 >= shards * FULL)
    }

    fn spread_anew(&self) -> Self {
        let shards = (self.len * 2 / FULL).max(1).next_power_of_two();
        let empty: Arc<[Entry<V>]> = Arc::new([]);
        let mut spread =
            Self { shards: vec![empty; shards].into_boxed_slice(), len: self.len, state: self.state.clone() };
        let mut buckets: Vec<Vec<Entry<V>>> = vec![Vec::new(); shards];
        for entry in self.shards.iter().flat_map(|shard| shard.iter()) {
            if let Some(bucket) = buckets.get_mut(spread.place(entry.hash)) {
                bucket.push(entry.clone());
            }
        }
        for (shard, mut bucket) in spread.shards.iter_mut().zip(buckets) {
            bucket.sort_by(|a, b| (a.hash, &a.name).cmp(&(b.hash, &b.name)));
            *shard = bucket.into();
        }
        spread
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn content(map: &Shards<u32>) -> BTreeMap<String, u32> {
        map.iter().map(|(name, value)| (name.to_string(), *value)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_is_a_map(batches in prop::collection::vec(
            prop::collection::vec((0u32..400, prop::option::of(0u32..9)), 0..200), 1..12)) {
            let (mut map, mut plain) = (Shards::<u32>::default(), BTreeMap::new());
            for batch in batches {
                let before = (map.clone(), content(&map));
                map = map.with(batch.iter().map(|(k, v)| (k.to_string().into(), *v)).collect());
                for (name, value) in batch {
                    match value {
                        Some(value) => { plain.insert(name.to_string(), value); }
                        None => { plain.remove(&name.to_string()); }
                    }
                }
                prop_assert_eq!(content(&map), plain.clone());
                prop_assert_eq!(map.len(), plain.len());
                prop_assert!(plain.iter().all(|(name, value)| map.get(name) == Some(value)));
                prop_assert!(!map.contains("absent"));
                prop_assert_eq!(content(&before.0), before.1, "the copy it was made from stays as it was");
            }
        }
    }

    #[test]
    fn a_change_shares_what_it_does_not_touch() {
        let all = (0..10_000u32).map(|n| (n.to_string().into(), Some(n))).collect();
        let map = Shards::default().with(all);
        let next = map.with(vec![("77".into(), Some(0))]);
        let differing = map.shards.iter().zip(&next.shards).filter(|(a, b)| !Arc::ptr_eq(a, b)).count();
        assert_eq!(differing, 1);
        assert!(map.shards.iter().all(|shard| shard.len() <= 2 * FULL));
    }
}
