//! Which Router a host leads to: exact, then one-level wildcard, then as a version's own host.
//!
//! Hosts are judged before they come here: each name is held by one Router.

use std::sync::Arc;

use super::router::RouterTable;
use super::shards::{Change, Shards};

/// The longest host name (RFC 1035 2.3.4, without the length bytes).
const LONGEST: usize = 253;

/// What a host leads to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'t> {
    /// The Router.
    pub router: &'t RouterTable,
    /// The version that the host names, where it is a version's own host.
    pub version: Option<&'t str>,
}

/// The hosts of all Routers.
#[derive(Debug, Clone, Default)]
pub(super) struct Hosts {
    exact: Shards<Arc<RouterTable>>,
    /// By what stands behind `*.`.
    wildcard: Shards<Arc<RouterTable>>,
    lengths: Lengths,
}

/// One change: a host as written (`*.` and all), and the Router it leads to now.
pub(super) type HostChange = Change<Arc<RouterTable>>;

impl Hosts {
    /// Exact hosts alone.
    pub(super) fn of_exact(hosts: impl IntoIterator<Item = (Arc<str>, Arc<RouterTable>)>) -> Self {
        Self::default().with(hosts.into_iter().map(|(host, router)| (host, Some(router))).collect())
    }

    /// A copy with these changes.
    #[must_use]
    pub(super) fn with(&self, changes: Vec<HostChange>) -> Self {
        let (mut exact, mut wildcard) = (Vec::new(), Vec::new());
        let mut lengths = self.lengths.clone();
        for (host, router) in changes {
            match host.strip_prefix("*.") {
                Some(suffix) => wildcard.push((suffix.into(), router)),
                None => {
                    match (self.exact.get(&host).is_some(), router.is_some()) {
                        (false, true) => lengths.add(host.len()),
                        (true, false) => lengths.take(host.len()),
                        (true, true) | (false, false) => {}
                    }
                    exact.push((host, router));
                }
            }
        }
        let changed = |map: &Shards<_>, changes: Vec<_>| {
            if changes.is_empty() { map.clone() } else { map.with(changes) }
        };
        Self { exact: changed(&self.exact, exact), wildcard: changed(&self.wildcard, wildcard), lengths }
    }

    /// All hosts as written, with their Routers, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (String, &Arc<RouterTable>)> {
        let exact = self.exact.iter().map(|(host, router)| (host.to_string(), router));
        exact.chain(self.wildcard.iter().map(|(suffix, router)| (format!("*.{suffix}"), router)))
    }

    /// What a host leads to.
    pub(super) fn read<'t>(&'t self, host: &'t str) -> Option<Reading<'t>> {
        if self.lengths.has(host.len())
            && let Some(router) = self.exact.get(host)
        {
            return Some(Reading { router, version: None });
        }
        if self.wildcard.len() > 0
            && let Some((_, suffix)) = host.split_once('.')
            && let Some(router) = self.wildcard.get(suffix)
        {
            return Some(Reading { router, version: None });
        }
        self.version_host(host)
    }

    /// The host as `<before>{version}<between>{host}`; of several readings that with the longest host.
    fn version_host<'t>(&'t self, host: &'t str) -> Option<Reading<'t>> {
        self.lengths.below(host.len()).find_map(|length| {
            let (name, held) = host.split_at_checked(host.len() - length)?;
            if !matches!(name.as_bytes(), [.., b'.' | b'-']) {
                return None;
            }
            let router = self.exact.get(held)?;
            let version = router.plan.version_of_host(name)?;
            Some(Reading { router, version: Some(version) })
        })
    }
}

/// How many exact hosts there are of each length: most readings of a host fail on this alone.
#[derive(Debug, Clone)]
struct Lengths {
    counts: Box<[u32; LONGEST + 1]>,
    held: [u64; 4],
}

impl Default for Lengths {
    fn default() -> Self {
        Self { counts: Box::new([0; LONGEST + 1]), held: [0; 4] }
    }
}

impl Lengths {
    fn has(&self, length: usize) -> bool {
        self.held.get(length / 64).is_some_and(|word| word >> (length % 64) & 1 == 1)
    }

    /// The lengths below this one, the longest first.
    fn below(&self, length: usize) -> impl Iterator<Item = usize> {
        let mut place = length / 64;
        // Hosts have 253 characters at most, and who asks may ask with more.
        let mut left = match self.held.get(place) {
            Some(word) => word & ((1 << (length % 64)) - 1),
            None => {
                place = self.held.len();
                0
            }
        };
        std::iter::from_fn(move || {
            while left == 0 {
                place = place.checked_sub(1)?;
                left = *self.held.get(place)?;
            }
            let highest = 63 - left.leading_zeros() as usize;
            left ^= 1 << highest;
            Some(place * 64 + highest)
        })
    }

    fn add(&mut self, length: usize) {
        self.change(length, |count| count.saturating_add(1));
    }

    fn take(&mut self, length: usize) {
        self.change(length, |count| count.saturating_sub(1));
    }

    fn change(&mut self, length: usize, to: impl Fn(u32) -> u32) {
        if let (Some(count), Some(word)) = (self.counts.get_mut(length), self.held.get_mut(length / 64)) {
            *count = to(*count);
            let bit = 1 << (length % 64);
            *word = if *count > 0 { *word | bit } else { *word & !bit };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_told_from_the_longest_down() {
        let held = [1, 2, 63, 64, 65, 127, 128, 200, 253];
        let mut lengths = Lengths::default();
        held.iter().for_each(|length| lengths.add(*length));
        for below in 0..300 {
            let expected: Vec<usize> = held.iter().rev().copied().filter(|length| *length < below).collect();
            assert_eq!(lengths.below(below).collect::<Vec<_>>(), expected, "below {below}");
        }
    }
}
