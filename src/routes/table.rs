//! The routing table: the one value that the edge asks, read once a request and swapped whole.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method};

use super::find;
use super::hosts::Hosts;
use super::route::Route;
use super::router::RouterTable;

/// What is known of a request when it is routed.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'r> {
    /// The method, case-sensitive (RFC 9110 9.1).
    pub method: &'r Method,
    /// The host: lower-case, without port and trailing dot.
    pub host: &'r str,
    /// The path as it came, already judged by the guard.
    pub path: &'r str,
    /// The query behind `?`, if there is one.
    pub query: Option<&'r str>,
    /// The request's fields.
    pub headers: &'r HeaderMap,
    /// The client's address (behind trusted proxies: as they tell it).
    pub client: IpAddr,
    /// Whether what the peer says of those before it is believed. What others say of that nobody is told, so that no
    /// rule hears of it either.
    pub trusted: bool,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Outcome<'t> {
    /// A version serves it.
    Serve(Choice<'t>),
    /// `/version-2` is the page `/version-2/`: redirect there, the query kept.
    AddSlash(Choice<'t>),
    /// No Router holds the host.
    NoHost,
    /// The request names a version that is not on offer.
    NoVersion {
        /// What it named, as it came.
        named: &'t str,
        /// How it named it.
        reason: Reason<'t>,
    },
    /// The version is known, but nothing serves it now.
    Unavailable(Choice<'t>),
}

/// A version chosen, and how the answer must tell of it.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'t> {
    /// The version's route; clone the [`Arc`] to keep it.
    pub route: &'t Arc<Route>,
    /// Why this version.
    pub reason: Reason<'t>,
    /// How many bytes of the path are the version's prefix, as 10 for `/version-2`; 0 outside path mode.
    pub prefix: usize,
    /// What caches between here and the client must be told.
    pub caching: Caching<'t>,
}

/// Why a version was chosen, in the order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason<'t> {
    /// The override header.
    Header,
    /// The host's subdomain.
    Subdomain,
    /// The first path segment.
    Path,
    /// A rule; the value reads `rule:<name>`.
    Rule(&'t HeaderValue),
    /// The active version.
    Active,
}

impl Reason<'_> {
    /// The value of `x-synkronic-reason`.
    #[must_use]
    pub fn value(&self) -> HeaderValue {
        match self {
            Self::Header => HeaderValue::from_static("header"),
            Self::Subdomain => HeaderValue::from_static("subdomain"),
            Self::Path => HeaderValue::from_static("path"),
            Self::Rule(value) => (*value).clone(),
            Self::Active => HeaderValue::from_static("active"),
        }
    }

    /// Whether the request named the version itself: such answers are not for search engines.
    #[must_use]
    pub fn named_by_request(&self) -> bool {
        match self {
            Self::Header | Self::Subdomain | Self::Path => true,
            Self::Rule(_) | Self::Active => false,
        }
    }
}

/// What a shared cache must be told, so that it never hands one consumer's version to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caching<'t> {
    /// Nothing: the URL alone decides the version.
    ByUrl,
    /// These header names decide it: they are added to `Vary`.
    Vary(&'t HeaderValue),
    /// No header says it all (client address): `Cache-Control: private` in place of a shared one.
    Private,
}

/// The routing table.
#[derive(Debug, Default)]
pub struct Table {
    /// Grows by one with every table that differs from the one before.
    pub generation: u64,
    pub(super) hosts: Hosts,
}

impl Table {
    /// A table of exact hosts, each with one version that is active: for trials of the edge.
    #[must_use]
    pub fn of_hosts(generation: u64, hosts: impl IntoIterator<Item = (Arc<str>, Arc<Route>)>) -> Self {
        let routers = hosts.into_iter().map(|(host, route)| (host, Arc::new(RouterTable::of_route(route))));
        Self { generation, hosts: Hosts::of_exact(routers) }
    }

    /// Which version a request gets, and why. Total, and allocates nothing.
    #[must_use]
    pub fn find<'t>(&'t self, facts: &Facts<'t>) -> Outcome<'t> {
        match self.hosts.read(facts.host) {
            Some(reading) => find::decide(&reading, facts),
            None => Outcome::NoHost,
        }
    }

    /// A version as the Router serves it that holds this host, or the host that this one is made from.
    #[must_use]
    pub fn version_at<'t>(&'t self, host: &'t str, version: &str) -> Option<&'t Arc<Route>> {
        self.hosts.read(host)?.router.versions.get(version).map(|slot| &slot.route)
    }

    /// The Router that holds a host, or the host that a version's host is made from.
    pub(super) fn router_at<'t>(&'t self, host: &'t str) -> Option<&'t RouterTable> {
        self.hosts.read(host).map(|reading| reading.router)
    }
}
