//! What a Router offers: which version ids, and under which addresses.

use super::Inventory;
use super::object::RouterFacts;
use super::settings::Settings;
use super::versions::Version;
use crate::api::{Host, VersionId};

/// A pattern of version ids: literal text with `*` for any run of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdPattern(String);

impl IdPattern {
    /// A pattern as written.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The literal text before the first `*`.
    #[must_use]
    pub fn literal_beginning(&self) -> &str {
        self.0.split('*').next().unwrap_or_default()
    }

    /// Whether the pattern names this id.
    #[must_use]
    pub fn matches(&self, id: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = id.strip_prefix(first) else { return false };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else { return rest.is_empty() };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = rest.get(at + part.len()..).unwrap_or_default();
        }
        rest.ends_with(last)
    }
}

/// How a version's own host reads: `<before>{version}<between>{host}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubdomainPattern {
    /// What stands before the version id.
    pub before: String,
    /// What stands between the version id and the host, as `.` or `-`.
    pub between: String,
}

impl SubdomainPattern {
    /// The default, `{version}.{host}`.
    pub const DEFAULT: &'static str = "{version}.{host}";

    /// Parses a pattern; empty turns subdomains off (`None`).
    ///
    /// # Errors
    /// One sentence, where `{version}` or `{host}` is missing or they are out of place.
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        let misplaced = || {
            format!(
                "`{text}` has to read `…{{version}}…{{host}}`, as `{{version}}.{{host}}` or \
                 `{{version}}-{{host}}`; `\"\"` turns subdomains off"
            )
        };
        let (before, rest) = text.split_once("{version}").ok_or_else(misplaced)?;
        let between = rest.strip_suffix("{host}").ok_or_else(misplaced)?;
        let plain = |part: &str| {
            part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
        };
        // A reading of a host is looked for behind each dot and dash.
        let apart = between.ends_with(['.', '-']);
        if !apart || !plain(before) || !plain(between) {
            return Err(misplaced());
        }
        // The shortest id and host there are: whatever is no label with them is none with others.
        let sample = format!("{before}v{between}h");
        if let Some(label) = sample.split('.').find(|label| label.starts_with('-') || label.ends_with('-')) {
            let end = if label.starts_with('-') { "begins" } else { "ends" };
            return Err(format!(
                "`{text}` makes no host name: a label of it {end} with `-`, which DNS does not allow; take that \
                 dash out"
            ));
        }
        if sample.split('.').any(str::is_empty) {
            return Err(format!("`{text}` makes no host name: nothing stands between two of its dots"));
        }
        Ok(Some(Self { before: before.to_owned(), between: between.to_owned() }))
    }

    /// The host of a version; `None` where that is no host name (too long, a wildcard host).
    #[must_use]
    pub fn host(&self, version: &VersionId, host: &Host) -> Option<Host> {
        if host.wildcard_suffix().is_some() {
            return None;
        }
        Host::parse(&format!("{}{version}{}{host}", self.before, self.between)).ok()
    }

    /// Whether hosts of versions, made from this host, have all behind their first dot in common with a wildcard.
    #[must_use]
    pub fn is_covered(&self, host: &Host, suffix: &str) -> bool {
        if host.wildcard_suffix().is_some() {
            return false;
        }
        let Some((_, before)) = self.before.split_once('.') else {
            return format!("{}{host}", self.between).split_once('.').is_some_and(|(_, rest)| rest == suffix);
        };
        // Behind the first dot the version is still to come.
        let name = suffix.strip_suffix(host.as_str()).and_then(|name| name.strip_suffix(&*self.between));
        name.and_then(|name| name.strip_prefix(before)).is_some_and(|id| VersionId::parse(id).is_ok())
    }
}

impl RouterFacts {
    /// The patterns of the ids on offer; none means all.
    #[must_use]
    pub fn patterns(&self) -> Vec<IdPattern> {
        self.spec.versions.iter().map(|text| IdPattern::new(text)).collect()
    }

    /// Whether the Router offers this id. The base's own id is always on offer, and so is the active one.
    #[must_use]
    pub fn offers(&self, id: &VersionId) -> bool {
        let patterns = &self.spec.versions;
        id.is_base()
            || patterns.is_empty()
            || patterns.iter().any(|pattern| IdPattern::new(pattern).matches(id.as_str()))
    }

    /// How a version's path reads; `None` where paths are off, as they are while a pattern of `spec.versions` has
    /// no literal beginning. Of the path's own form this sees the least that an address is made with.
    #[must_use]
    pub fn version_path(&self) -> Option<&str> {
        let path = self.spec.path.as_deref()?;
        let closed = |pattern: &String| !IdPattern::new(pattern).literal_beginning().is_empty();
        let patterns = &self.spec.versions;
        let usable = path.starts_with('/') && path.ends_with("{version}");
        (usable && !patterns.is_empty() && patterns.iter().all(closed)).then_some(path)
    }

    /// Its subdomain pattern; `None` where subdomains are off or the pattern is refused.
    #[must_use]
    pub fn subdomain_pattern(&self) -> Option<SubdomainPattern> {
        let text = self.spec.subdomain.as_deref().unwrap_or(SubdomainPattern::DEFAULT);
        SubdomainPattern::parse(text).ok().flatten()
    }
}

/// What the addresses of versions through one Router are made of.
#[derive(Debug)]
pub struct Addresses<'r> {
    held: Vec<Host>,
    pattern: Option<SubdomainPattern>,
    path: Option<&'r str>,
}

impl Addresses<'_> {
    /// The addresses of a version on offer, its own hosts first, then by path.
    #[must_use]
    pub fn urls(&self, id: &VersionId, settings: &Settings) -> Vec<String> {
        let own = self.held.iter().filter_map(|host| self.pattern.as_ref()?.host(id, host));
        let mut urls: Vec<String> = own.map(|host| settings.url(host.as_str())).collect();
        if let Some(path) = self.path.filter(|_| !id.is_base()) {
            let path = path.replace("{version}", id.as_str());
            let plain = self.held.iter().filter(|host| host.wildcard_suffix().is_none());
            urls.extend(
                plain.map(|host| format!("{}{}/", settings.url(host.as_str()).trim_end_matches('/'), path)),
            );
        }
        urls
    }
}

impl Inventory {
    /// The versions on offer by a Router, in order of their ids.
    pub fn offered<'i>(&'i self, router: &'i RouterFacts) -> impl Iterator<Item = &'i Version> {
        let versions = self.versions_of(&router.base());
        versions
            .into_iter()
            .flat_map(|versions| versions.values())
            .filter(|version| router.offers(&version.id))
    }

    /// The addresses of a version through one Router, its own host first, then by path.
    #[must_use]
    pub fn urls_through(&self, router: &RouterFacts, id: &VersionId, settings: &Settings) -> Vec<String> {
        let version = self.versions_of(&router.base()).and_then(|versions| versions.get(id));
        let reached = version.is_none_or(|version| self.reaches(router, version));
        if reached && router.offers(id) {
            self.addresses_through(router).urls(id, settings)
        } else {
            Vec::new()
        }
    }

    /// Whether a version has a clone of the Service that a Router goes through, as far as its `spec.services`
    /// says. Not whether there is one: a version has its addresses before it has anything else.
    #[must_use]
    pub fn reaches(&self, router: &RouterFacts, version: &Version) -> bool {
        let dpv = version.dpv.as_ref().and_then(|dpv| self.dpvs.get(dpv));
        let Some(cloned) = dpv.and_then(|dpv| dpv.spec.services.as_ref()) else { return true };
        match &router.spec.service {
            Some(service) => cloned.contains(service),
            // The base's only one, and so the only one that a version can clone.
            None => !cloned.is_empty(),
        }
    }

    /// What the addresses of all versions through one Router are made of.
    #[must_use]
    pub fn addresses_through<'r>(&self, router: &'r RouterFacts) -> Addresses<'r> {
        Addresses {
            held: router.hosts().into_iter().filter(|host| self.holds(router, host)).collect(),
            pattern: router.subdomain_pattern(),
            path: router.version_path(),
        }
    }

    /// The addresses of a version through every Router of its base, the Routers in order of their keys.
    #[must_use]
    pub fn urls_of(&self, base: &super::Key, id: &VersionId, settings: &Settings) -> Vec<String> {
        self.routers_of(base).flat_map(|router| self.urls_through(router, id, settings)).collect()
    }
}
