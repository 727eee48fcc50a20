//! Networks of clients, as Routers and flags write them.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// A network as `10.0.0.0/8`, or one address; `None` where it is neither.
///
/// One of IPv4 addresses mapped into IPv6 (RFC 4291 2.5.5.2) is told as what it is: the addresses of clients are, too,
/// or it would meet nobody.
#[must_use]
pub fn network(text: &str) -> Option<IpNet> {
    let one = || text.parse::<IpAddr>().map(IpNet::from).ok();
    let network = text.parse::<IpNet>().ok().or_else(one)?.trunc();
    let plain = match (network.addr().to_canonical(), network.prefix_len().checked_sub(96)) {
        (IpAddr::V4(address), Some(length)) if network.addr().is_ipv6() => Ipv4Net::new(address, length).ok(),
        _ => None,
    };
    Some(plain.map_or(network, IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_addresses() {
        for (written, meant) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("::1", "::1/128"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("::ffff:10.1.2.3", "10.1.2.3/32"),
            // More than what is mapped.
            ("::ffff:0:0/95", "::fffe:0:0/95"),
        ] {
            assert_eq!(network(written).unwrap().to_string(), meant, "{written}");
        }
        for wrong in ["", "10.0.0.0/33", "10.0.0", "office", "::1/129", "10.0.0.0/"] {
            assert_eq!(network(wrong), None, "{wrong}");
        }
    }
}
