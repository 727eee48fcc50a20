//! How many connections one source address has open, where that is limited.
//!
//! A source is an IPv4 address, or the 64 bits of an IPv6 address that one subscriber holds. It decides nothing
//! about who is exempt: the acceptor does.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Connections by source; only sources with an open connection have an entry.
#[derive(Debug)]
pub(crate) struct Sources {
    limit: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection's place among those of its source; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place {
    sources: Arc<Sources>,
    source: IpAddr,
}

impl Sources {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, open: Mutex::default() })
    }

    /// A place for a connection from this address; `None` where its source has as many as it may.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let source = source(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.get(&source).copied().unwrap_or_default();
        if count >= self.limit {
            return None;
        }
        open.insert(source, count + 1);
        Some(Place { sources: Arc::clone(self), source })
    }

    fn leave(&self, source: IpAddr) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(&source) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => {
                open.remove(&source);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.sources.leave(self.source);
    }
}

/// What counts as one source.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (!0 << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_source_has_its_places_and_gives_them_back() {
        let sources = Sources::new(2);
        let first = sources.enter(address("192.0.2.1")).unwrap();
        let _mapped = sources.enter(address("::ffff:192.0.2.1")).unwrap();
        assert!(sources.enter(address("192.0.2.1")).is_none());
        let _other = sources.enter(address("192.0.2.2")).unwrap();
        drop(first);
        let _again = sources.enter(address("192.0.2.1")).unwrap();
        assert!(sources.enter(address("192.0.2.1")).is_none());
    }

    #[test]
    fn an_ipv6_subscriber_is_one_source() {
        let sources = Sources::new(1);
        let place = sources.enter(address("2001:db8:1:2::1")).unwrap();
        assert!(sources.enter(address("2001:db8:1:2:ffff::9")).is_none());
        assert!(sources.enter(address("2001:db8:1:3::1")).is_some());
        drop(place);
        assert!(sources.open.lock().unwrap().is_empty(), "nothing is remembered of who has left");
    }
}
