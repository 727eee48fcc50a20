//! Free ports of this machine.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

/// Below what Linux, macOS and the IANA give to outgoing connections: the edge's own connections must not
/// take a port before the slow process it was chosen for does.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Gives out ports, each to one pod at a time.
#[derive(Debug)]
pub struct FreePorts {
    next: u16,
    given: BTreeSet<u16>,
}

impl FreePorts {
    /// `seed` tells two of them apart that start at once.
    #[must_use]
    pub fn new(seed: u32) -> Self {
        let offset = u16::try_from(seed % u32::from(RANGE.end - RANGE.start)).unwrap_or(0);
        Self { next: RANGE.start + offset, given: BTreeSet::new() }
    }

    /// A port that nobody listens on; none where all are taken.
    pub fn take(&mut self) -> Option<u16> {
        for _ in RANGE {
            let port = self.next;
            self.next = if port + 1 == RANGE.end { RANGE.start } else { port + 1 };
            if !self.given.contains(&port) && is_free(port) {
                self.given.insert(port);
                return Some(port);
            }
        }
        None
    }

    /// The port's pod is gone.
    pub fn give_back(&mut self, port: u16) {
        self.given.remove(&port);
    }
}

/// Whether nobody listens on a port, on either loopback address: who did would be taken for the pod.
#[must_use]
pub fn is_free(port: u16) -> bool {
    let v6_is_free = match TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
        Ok(_) => true,
        // A machine without IPv6.
        Err(error) => error.kind() != std::io::ErrorKind::AddrInUse,
    };
    v6_is_free && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice_and_none_that_is_taken() {
        let mut ports = FreePorts::new(std::process::id());
        let first = ports.take().unwrap();
        let taken =
            TcpListener::bind((Ipv4Addr::LOCALHOST, ports.next)).map(|it| it.local_addr().unwrap().port());
        let second = ports.take().unwrap();
        assert_ne!(first, second);
        let _ = taken;
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(held.local_addr().unwrap().port()));
        ports.next = first;
        assert_ne!(ports.take().unwrap(), first);
        ports.give_back(first);
        ports.next = first;
        assert_eq!(ports.take(), Some(first));
        ports.next = RANGE.end - 1;
        ports.take().unwrap();
        assert!(ports.next < RANGE.end);
    }
}
