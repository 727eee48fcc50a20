//! Which version a request gets: the order of precedence, from top to bottom.

use std::sync::Arc;

use super::hosts::Reading;
use super::path::PathReading;
use super::route::Route;
use super::router::{Offer, RouterTable, Slot};
use super::rules::{Depends, Rule};
use super::table::{Caching, Choice, Facts, Outcome, Reason};
use crate::api::Fallback;

/// The decision, once the host is read. The first step that applies decides.
pub(super) fn decide<'t>(reading: &Reading<'t>, facts: &Facts<'t>) -> Outcome<'t> {
    let router = reading.router;
    // 1. The override header.
    if let Some(named) = router.plan.version_of_header(facts.headers) {
        return by_name(router, named, Reason::Header);
    }
    // 2. The override query: comes with share links.
    // 3. The host's subdomain.
    if let Some(named) = reading.version {
        return by_name(router, named, Reason::Subdomain);
    }
    // 4. The path's first segment; what a page under it asks for comes with the page cookie.
    if let Some(outcome) = by_path(router, facts.path) {
        return outcome;
    }
    // 5. The pin: comes with share links.
    // 6. Rules, in order.
    let (rule, seen) = router.plan.rules.first(facts);
    let caching = router.plan.caching(seen);
    if let Some(rule) = rule {
        return by_rule(router, rule, caching);
    }
    // 7. The split: comes with its own issue.
    // 8. The active version.
    served(choice(&router.active, Reason::Active, caching))
}

/// What a path names, and the slot of it; nothing where the segment is the application's.
pub(super) fn path_slot<'t>(router: &'t RouterTable, path: &'t str) -> Option<(PathReading<'t>, &'t Slot)> {
    let reading = router.plan.path.as_ref()?.read(path)?;
    let slot = router.versions.get(reading.segment)?;
    match slot.offer {
        Offer::Open { by_path: true } | Offer::Gone => Some((reading, slot)),
        Offer::Open { by_path: false } | Offer::Unlisted => None,
    }
}

fn by_path<'t>(router: &'t RouterTable, path: &'t str) -> Option<Outcome<'t>> {
    let (reading, slot) = path_slot(router, path)?;
    if !slot.is_open() {
        return Some(Outcome::NoVersion { named: reading.segment, reason: Reason::Path });
    }
    let choice = Choice { prefix: reading.prefix, ..choice(&slot.route, Reason::Path, by_url(router)) };
    Some(if reading.bare { Outcome::AddSlash(choice) } else { served(choice) })
}

/// A version that the request names itself: unknown is 404, never another version.
fn by_name<'t>(router: &'t RouterTable, named: &'t str, reason: Reason<'t>) -> Outcome<'t> {
    match router.versions.get(named).filter(|slot| slot.is_open()) {
        Some(slot) => served(choice(&slot.route, reason, by_url(router))),
        None => Outcome::NoVersion { named, reason },
    }
}

/// A rule's version, or what `onUnavailable.rules` puts in its place.
fn by_rule<'t>(router: &'t RouterTable, rule: &'t Rule, caching: Caching<'t>) -> Outcome<'t> {
    // Every rule's target has a slot; were it missing, the answer would be a 503 all the same.
    let Some(Slot { route: wanted, .. }) = router.versions.get(&rule.send) else {
        return Outcome::Unavailable(choice(&router.active, Reason::Rule(&rule.reason), caching));
    };
    let reason = Reason::Rule(&rule.reason);
    let instead = match router.plan.rules_fallback {
        None | Some(Fallback::Fail) => None,
        Some(Fallback::Active) => Some(&router.active),
        Some(Fallback::Base) => router.base(),
    };
    let ready = |route: &&'t Arc<Route>| !route.endpoints.is_empty();
    match Some(wanted).filter(ready).or(instead.filter(ready)) {
        Some(route) => Outcome::Serve(choice(route, reason, caching)),
        None => Outcome::Unavailable(choice(wanted, reason, caching)),
    }
}

fn choice<'t>(route: &'t Arc<Route>, reason: Reason<'t>, caching: Caching<'t>) -> Choice<'t> {
    Choice { route, reason, prefix: 0, caching }
}

fn served(choice: Choice<'_>) -> Outcome<'_> {
    if choice.route.endpoints.is_empty() { Outcome::Unavailable(choice) } else { Outcome::Serve(choice) }
}

/// What caches are told where no rule was asked: the override header alone can change the answer.
fn by_url(router: &RouterTable) -> Caching<'_> {
    router.plan.caching(Depends::default())
}
