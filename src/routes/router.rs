//! One Router as the table holds it.

use std::sync::{Arc, OnceLock};

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

use super::path::PathPattern;
use super::route::Route;
use super::rules::{Depends, Rules};
use super::shards::Shards;
use super::table::Caching;
use crate::api::{Fallback, VersionId};
use crate::inventory::offer::SubdomainPattern;

/// One Router: what its spec says, and its versions as they are now.
#[derive(Debug)]
pub(super) struct RouterTable {
    /// What changes with the Router's spec alone.
    pub plan: Arc<Plan>,
    /// Every id that means something to it.
    pub versions: Shards<Slot>,
    /// The effective active version.
    pub active: Arc<Route>,
    /// The ids on offer, sorted; made when a page first asks for them.
    offered: OnceLock<Box<[Arc<str>]>>,
}

/// One id: where it leads, and who may go there.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    /// Where it leads; without endpoints where there is no such version.
    pub route: Arc<Route>,
    /// Whether a request may name it.
    pub offer: Offer,
}

/// Whether a request may name an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    /// It may.
    Open {
        /// By its path, too; never the base, whose pages are at the bare path.
        by_path: bool,
    },
    /// It may not; the Router itself sends to it: its active version, or a rule's.
    Unlisted,
    /// It may not, but might until lately (30 days): its paths are not the application's yet.
    Gone,
}

impl Slot {
    /// Whether a request may name it.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.offer, Offer::Open { .. })
    }
}

/// What a Router's spec says, ready for use.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// The Router's namespace.
    pub namespace: Arc<str>,
    /// The Router's name.
    pub name: Arc<str>,
    /// The request header that names a version.
    pub header: Option<HeaderName>,
    /// The same as the value of `Vary`.
    pub header_vary: Option<HeaderValue>,
    /// How a version's own host reads.
    pub subdomain: Option<SubdomainPattern>,
    /// How a version's path begins.
    pub path: Option<PathPattern>,
    /// Who is sent to which version.
    pub rules: Rules,
    /// The value of `Vary` where a rule asked for headers: all that rules and the override ask for.
    pub rules_vary: Option<HeaderValue>,
    /// What serves a rule's requests while its version is away.
    pub rules_fallback: Option<Fallback>,
    /// Whether error pages name the versions on offer.
    pub list_versions: bool,
}

impl RouterTable {
    pub(super) fn new(plan: Arc<Plan>, versions: Shards<Slot>, active: Arc<Route>) -> Self {
        Self { plan, versions, active, offered: OnceLock::new() }
    }

    /// The ids that a request may name, sorted.
    pub(super) fn offered(&self) -> &[Arc<str>] {
        self.offered.get_or_init(|| {
            let open = self.versions.iter().filter(|(_, slot)| slot.is_open());
            let mut offered: Vec<Arc<str>> = open.map(|(id, _)| id.clone()).collect();
            offered.sort_unstable();
            offered.into()
        })
    }

    /// A Router that has one version, the active one.
    pub(super) fn of_route(route: Arc<Route>) -> Self {
        let plan = Plan { namespace: route.namespace.clone(), name: route.router.clone(), ..Plan::default() };
        let slot = Slot { route: route.clone(), offer: Offer::Open { by_path: false } };
        let versions = Shards::default().with(vec![(route.version.clone(), Some(slot))]);
        Self::new(plan.into(), versions, route)
    }

    /// The base's route.
    pub(super) fn base(&self) -> Option<&Arc<Route>> {
        self.versions.get(VersionId::BASE).map(|slot| &slot.route)
    }
}

impl Plan {
    /// What caches are told of an answer that depended on this.
    ///
    /// `Vary` names the same headers for every answer of a URL: caches keep one list per URL.
    pub(super) fn caching(&self, seen: Depends) -> Caching<'_> {
        let vary = if seen.headers { &self.rules_vary } else { &self.header_vary };
        match vary {
            _ if seen.client => Caching::Private,
            Some(names) => Caching::Vary(names),
            None => Caching::ByUrl,
        }
    }

    /// What the override header names: its first line's value, trimmed; an empty one names nothing. A value
    /// that is no text is given as U+FFFD, which no version is called.
    pub(super) fn version_of_header<'r>(&self, headers: &'r HeaderMap) -> Option<&'r str> {
        let value = headers.get(self.header.as_ref()?)?;
        let text = value.to_str().map_or("\u{fffd}", str::trim);
        (!text.is_empty()).then_some(text)
    }

    /// The version that `name` names, where `name` reads `<before>{version}<between>`.
    pub(super) fn version_of_host<'r>(&self, name: &'r str) -> Option<&'r str> {
        let pattern = self.subdomain.as_ref()?;
        let version = name.strip_prefix(&*pattern.before)?.strip_suffix(&*pattern.between)?;
        is_version_id(version).then_some(version)
    }
}

/// Whether a text has the form of a version id; the same as [`VersionId::parse`], without making one.
fn is_version_id(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}
