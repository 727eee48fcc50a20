//! Which of its hosts a Router holds.

use std::collections::BTreeSet;

use super::findings::Findings;
use crate::api::Host;
use crate::inventory::claims::Contender;
use crate::inventory::object::RouterFacts;
use crate::inventory::owners::Kept;
use crate::inventory::{Finding, Inventory};

/// The hosts that a Router holds, and what is wrong with the others.
pub(super) fn judge(inventory: &Inventory, router: &RouterFacts) -> (BTreeSet<Host>, Vec<Finding>) {
    let mut findings = Findings::on(router.reference());
    let mut held = BTreeSet::new();
    for (place, text) in router.spec.hosts.iter().enumerate() {
        let field = format!("spec.hosts[{place}]");
        let host = match Host::parse(text) {
            Ok(host) => host,
            Err(error) => {
                findings.reject("InvalidHost", field, format!("{error}; this host alone is left out"));
                continue;
            }
        };
        if let Some(kept) = inventory.host_owners().refusal(&router.meta.key.namespace, &host) {
            findings.reject("HostNotAllowed", field, not_allowed(&host, &kept));
            continue;
        }
        match inventory.contender(router, &host) {
            None if held.contains(&host) => {
                findings.warn("DuplicateHost", field, format!("`{host}` is listed twice; one is enough"));
            }
            None => {
                held.insert(host);
            }
            Some(Contender { router: holder, versions_of }) => {
                let message = match versions_of {
                    None => format!(
                        "`{host}` is held by the Router `{holder}`, which claimed it first; take it out there, or \
                         choose another host"
                    ),
                    Some(theirs) => format!(
                        "`{host}` would take hosts of the versions of `{theirs}`, which the Router `{holder}` claimed \
                         first; choose another host, or have its `spec.subdomain` changed"
                    ),
                };
                findings.reject("HostTaken", field, message);
            }
        }
    }
    if router.spec.hosts.is_empty() {
        findings.reject("NoHosts", "spec.hosts", "no host leads here; list at least one");
    }
    warn_of_hidden_versions(router, &held, &mut findings);
    (held, findings.into_vec())
}

/// What is said of a host that an administrator keeps for others.
fn not_allowed(host: &Host, kept: &Kept<'_>) -> String {
    match kept {
        Kept::Itself(owners) => format!(
            "`{host}` is kept for {} (`--host-owner`); ask the administrator, or choose another host",
            owners.iter().map(|owner| format!("namespace `{owner}`")).collect::<Vec<_>>().join(", ")
        ),
        Kept::Below { hosts, namespace } => format!(
            "`{host}` covers `{hosts}`, which is kept for namespace `{namespace}` (`--host-owner`); list the hosts \
             that lead here one by one, or ask the administrator"
        ),
    }
}

/// `*.shop.example.com` comes before `version-2.shop.example.com`: the versions of `shop.example.com` then
/// have no hosts.
fn warn_of_hidden_versions(router: &RouterFacts, held: &BTreeSet<Host>, findings: &mut Findings) {
    let Some(pattern) = router.subdomain_pattern().filter(|pattern| pattern.before.is_empty()) else {
        return;
    };
    for (place, text) in router.spec.hosts.iter().enumerate() {
        let Some(host) = Host::parse(text).ok().filter(|host| held.contains(host)) else { continue };
        let Some(suffix) = host.wildcard_suffix() else { continue };
        let hidden = held.iter().find(|other| match &*pattern.between {
            "." => other.as_str() == suffix,
            _ => other.as_str().split_once('.').is_some_and(|(_, rest)| rest == suffix),
        });
        if let Some(hidden) = hidden.filter(|hidden| hidden.wildcard_suffix().is_none()) {
            let message = format!(
                "the wildcard takes the hosts of the versions of `{hidden}`: none of them is reached by its own \
                 host; leave the wildcard out, or change `spec.subdomain`"
            );
            findings.warn("VersionsHidden", format!("spec.hosts[{place}]"), message);
        }
    }
}
