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

impl HostOwner {
    /// Whether a name one level below a domain meets the pattern: the pattern's beginning is the label then, and the
    /// rest of it the domain; a `*` between them may be of both.
    fn meets_below(&self, domain: &str) -> bool {
        let (pattern, end) = (self.hosts.as_str(), format!(".{domain}"));
        let mut splits = (1..=pattern.len()).filter_map(|at| pattern.split_at_checked(at));
        splits.any(|(label, rest)| {
            let star = if label.ends_with('*') { "*" } else { "" };
            !label.contains('.') && IdPattern::new(&format!("{star}{rest}")).matches(&end)
        })
    }
}

/// Why a host is not for a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept<'o> {
    /// It is kept for these.
    Itself(Vec<&'o str>),
    /// It is a wildcard, and of the names below it some are kept for another: where that one's Router is not there,
    /// the wildcard would take them.
    Below {
        /// The pattern of those names.
        hosts: &'o str,
        /// Whose they are.
        namespace: &'o str,
    },
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

    /// The namespaces whose patterns meet a host as it is written.
    fn of(&self, host: &Host) -> Vec<&str> {
        let meeting = self.0.iter().filter(|owner| owner.hosts.matches(host.as_str()));
        meeting.map(|owner| owner.namespace.as_str()).collect()
    }

    /// Why Routers of a namespace may not claim a host; `None` where they may. Who owns a wildcard by a pattern owns
    /// whatever is below it.
    #[must_use]
    pub fn refusal(&self, namespace: &str, host: &Host) -> Option<Kept<'_>> {
        let owners = self.of(host);
        if owners.contains(&namespace) {
            return None;
        }
        if !owners.is_empty() {
            return Some(Kept::Itself(owners));
        }
        let domain = host.wildcard_suffix()?;
        let mut others = self.0.iter().filter(|owner| owner.namespace != namespace);
        let owner = others.find(|owner| owner.meets_below(domain))?;
        Some(Kept::Below { hosts: owner.hosts.as_str(), namespace: &owner.namespace })
    }

    /// Whether Routers of a namespace may claim a host.
    #[must_use]
    pub fn admit(&self, namespace: &str, host: &Host) -> bool {
        self.refusal(namespace, host).is_none()
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
    fn a_wildcard_is_for_those_who_may_claim_every_name_below_it() {
        let kept = |texts: &[&str]| HostOwners::new(texts.iter().map(|text| text.parse().unwrap()));
        let wildcard = Host::parse("*.example.com").unwrap();
        for (owners, evil) in [
            (&["pay=pay.example.com"][..], false),
            (&["pay=pay-*.example.com"], false),
            (&["pay=*y.example.com"], false),
            (&["pay=*pay*.com"], false),
            (&["pay=*.example.com"], false),
            (&["pay=*"], false),
            // No name below it, or not of one level.
            (&["pay=pay.example.org"], true),
            (&["pay=example.com"], true),
            (&["pay=a.pay.example.com"], true),
            (&["pay=*.pay.example.com"], true),
            (&["pay=pay.*.example.com"], true),
            // Several owners of one host share it.
            (&["pay=pay.example.com", "evil=*.example.com"], true),
            (&["pay=pay.example.com", "evil=*"], true),
            (&["pay=pay.example.com", "evil=pay.example.com"], false),
            (&["pay=pay.example.com", "evil=other.example.com"], false),
            (&["evil=pay.example.com"], true),
            (&[], true),
        ] {
            assert_eq!(kept(owners).admit("evil", &wildcard), evil, "{owners:?}");
        }
        assert!(kept(&["pay=pay.example.com"]).admit("pay", &wildcard), "its own names are all that is kept");
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
