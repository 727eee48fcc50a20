//! Which hosts an administrator keeps for which namespaces (`--host-owner`).

use std::str::FromStr;

use super::offer::IdPattern;
use crate::api::Host;

/// A namespace to which the hosts of a pattern belong: `shop=*.shop.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostOwner {
    namespace: String,
    hosts: IdPattern,
}

impl FromStr for HostOwner {
    type Err = String;

    /// Reads `NAMESPACE=PATTERN`; in the pattern `*` stands for any run of characters, dots too.
    fn from_str(text: &str) -> Result<Self, String> {
        let (namespace, pattern) = text
            .split_once('=')
            .filter(|(namespace, pattern)| !namespace.is_empty() && !pattern.is_empty())
            .ok_or_else(|| format!("`{text}` has to read `NAMESPACE=HOSTS`, as `shop=*.shop.example.com`"))?;
        // What no host looks like would silently guard nothing.
        let sample = pattern.trim_start_matches("*.").replace('*', "x");
        Host::parse(&sample).map_err(|error| format!("`{text}`: {error}"))?;
        Ok(Self { namespace: namespace.to_owned(), hosts: IdPattern::new(&pattern.to_ascii_lowercase()) })
    }
}

/// Everything that an administrator said about hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostOwners(Vec<HostOwner>);

impl HostOwners {
    /// All of them. A host that several patterns meet belongs to the namespaces of all.
    #[must_use]
    pub fn new(owners: impl IntoIterator<Item = HostOwner>) -> Self {
        Self(owners.into_iter().collect())
    }

    /// The namespaces that alone may claim a host; none where every namespace may.
    #[must_use]
    pub fn of(&self, host: &Host) -> Vec<&str> {
        let meeting = self.0.iter().filter(|owner| owner.hosts.matches(host.as_str()));
        meeting.map(|owner| owner.namespace.as_str()).collect()
    }

    /// Whether Routers of a namespace may claim a host.
    #[must_use]
    pub fn admit(&self, namespace: &str, host: &Host) -> bool {
        let owners = self.of(host);
        owners.is_empty() || owners.contains(&namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_for_the_namespaces_whose_patterns_meet_it() {
        let owners = ["shop=*.shop.example.com", "shop=shop.example.com", "qa=*.shop.example.com"];
        let owners = HostOwners::new(owners.map(|text| text.parse().unwrap()));
        let of = |host: &str| owners.of(&Host::parse(host).unwrap());
        assert_eq!(of("shop.example.com"), ["shop"]);
        assert_eq!(of("a.b.shop.example.com"), ["shop", "qa"]);
        assert_eq!(of("*.shop.example.com"), ["shop", "qa"]);
        assert!(of("workshop.example.com").is_empty(), "anybody's");
        assert!(owners.admit("shop", &Host::parse("shop.example.com").unwrap()));
        assert!(!owners.admit("evil", &Host::parse("shop.example.com").unwrap()));
    }

    #[test]
    fn what_guards_nothing_is_refused() {
        for text in ["", "shop", "shop=", "=x.com", "shop=http://x.com", "shop=x_y.com"] {
            assert!(text.parse::<HostOwner>().is_err(), "{text}");
        }
        for text in ["shop=*", "shop=*.example.com", "shop=pr-*.example.com", "shop=Example.com"] {
            assert!(text.parse::<HostOwner>().is_ok(), "{text}: {:?}", text.parse::<HostOwner>());
        }
    }
}
