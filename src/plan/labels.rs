//! The labels of a version's pods: as near to the base's as can be, yet caught by nothing that selects the
//! base's pods.
//!
//! A selector is a subset match, so that adding a label hides a pod from no one: for each selector that would
//! catch the version's pods, at least one label it asks for has to read otherwise (or, for `Exists`, to go).
//! The smallest set of keys that does so for all of them is taken. A value `shop` becomes `shop-version-2`.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::{VersionId, names as api_names};
use crate::inventory::names::{fitted, hash8};
use crate::inventory::selector::{Labels, Selector};
use crate::inventory::{Kind, ObjectReference};

/// Something that selects pods.
#[derive(Debug, Clone)]
pub(super) struct Catcher {
    pub who: ObjectReference,
    pub selector: Selector,
}

/// The labels that Synkronic gives the pods of versions, and no others.
const OWN: [&str; 3] = [api_names::LABEL_BASE, api_names::LABEL_VERSION, api_names::LABEL_DPV];

impl Catcher {
    /// Whether it would be better if it did not catch a version's pods. A NetworkPolicy does no harm: it confines
    /// them; and what asks for versions is to have them.
    pub fn is_harmful(&self, of_base: &Labels) -> bool {
        self.who.kind != Kind::NetworkPolicy && !self.asks_for_versions(of_base)
    }

    /// Whether a version whose pods it catches may not run.
    fn is_forbidden(&self, of_base: &Labels) -> bool {
        match self.who.kind {
            Kind::NetworkPolicy => false,
            Kind::PodDisruptionBudget => self.catches(of_base),
            _ => self.is_harmful(of_base),
        }
    }

    /// Whether it selects pods by something that only versions bear: one Service by which all versions are scraped,
    /// or a certain one. A base can bear it, too, as a copy of a clone does; then it is the base's.
    pub fn asks_for_versions(&self, of_base: &Labels) -> bool {
        let labels = self.selector.match_labels.keys();
        let asked = self.selector.match_expressions.iter();
        let asked = asked.filter(|it| matches!(it.operator.as_str(), "In" | "Exists"));
        labels.chain(asked.map(|it| it.key.as_str())).any(|key| OWN.contains(&key)) && !self.catches(of_base)
    }

    /// Whether it selects these pods by something they have.
    pub fn catches(&self, labels: &Labels) -> bool {
        !self.selector.is_empty() && self.selector.matches(labels)
    }
}

/// The labels chosen for a version's pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    pub labels: Labels,
    /// Keys whose value, or presence, differs from what was asked for.
    pub changed: BTreeSet<String>,
    /// What was tried before, and the keys in which it differs: something would have caught it.
    pub given_up: Vec<(BTreeSet<String>, Labels)>,
}

/// How many sets of keys are tried. Where that many do not do, the next ones hardly will.
const TRIES: usize = 64;

/// Chooses the labels of a version's pods.
///
/// `asked` is what the base and the overlay come to, with Synkronic's own labels; `of_base` are the base's; of
/// the keys in `overlays`, which the overlay sets itself, as few as can be change.
///
/// What must not catch the pods are Services and Deployments, and the budgets that select the base's pods; but what
/// asks for versions by Synkronic's own labels may. A budget that is not the base's, and would catch them by what
/// they lack (`NotIn`, `DoesNotExist`), is avoided where it can be.
///
/// # Errors
/// What would catch the pods whatever is changed.
pub(super) fn choose<'c>(
    catchers: &'c [Catcher],
    of_base: &Labels,
    asked: &Labels,
    overlays: &BTreeSet<String>,
    version: &VersionId,
    dpv: &str,
) -> Result<Chosen, Vec<&'c Catcher>> {
    let caught: Vec<&Catcher> =
        catchers.iter().filter(|it| !it.asks_for_versions(of_base) && it.catches(asked)).collect();
    let escapes: Vec<Escape> = caught.iter().map(|catcher| Escape::of(&catcher.selector, asked)).collect();
    let held: Vec<&Catcher> = caught
        .iter()
        .zip(&escapes)
        .filter(|(catcher, escape)| escape.by_drop.is_empty() && catcher.is_forbidden(of_base))
        .map(|(catcher, _)| *catcher)
        .collect();
    if !held.is_empty() {
        return Err(held);
    }
    let escapes: Vec<Escape> = escapes.into_iter().filter(|escape| !escape.by_drop.is_empty()).collect();
    let sets = escaping(&escapes, overlays);
    // A value that is somebody else's already is told apart by a hash.
    let salts = [String::new(), format!("-{}", hash8(dpv))];
    let mut tried: Vec<(BTreeSet<String>, Labels)> = Vec::new();
    // The first that nothing forbidden catches, and what does with the first keys.
    let (mut second_best, mut told) = (None, Vec::new());
    for (moves, salt) in sets.iter().flat_map(|moves| salts.iter().map(move |salt| (moves, salt))) {
        let labels = changed(asked, moves, version, salt);
        let changed = moves.keys().cloned().collect();
        let mut caught: Vec<&Catcher> =
            catchers.iter().filter(|it| it.is_harmful(of_base) && it.catches(&labels)).collect();
        if caught.is_empty() {
            return Ok(Chosen { labels, changed, given_up: tried });
        }
        caught.retain(|it| it.is_forbidden(of_base));
        if caught.is_empty() {
            second_best = second_best.or(Some(tried.len()));
        } else if told.is_empty() && !salt.is_empty() {
            told = caught;
        }
        tried.push((changed, labels));
    }
    let Some(place) = second_best else { return Err(told) };
    let (changed, labels) = tried.remove(place);
    Ok(Chosen { labels, changed, given_up: tried })
}

/// How a pod escapes one selector.
#[derive(Debug, Default)]
struct Escape {
    /// Any of these keys with another value.
    by_change: BTreeSet<String>,
    /// Any of these keys gone; holds `by_change` too.
    by_drop: BTreeSet<String>,
}

impl Escape {
    fn of(selector: &Selector, labels: &Labels) -> Self {
        let mut escape = Self::default();
        let free = |key: &str| labels.contains_key(key) && !OWN.contains(&key);
        for key in selector.match_labels.keys().filter(|key| free(key)) {
            escape.by_change.insert(key.to_owned());
        }
        for requirement in selector.match_expressions.iter().filter(|it| free(&it.key)) {
            match requirement.operator.as_str() {
                "In" => {
                    escape.by_change.insert(requirement.key.clone());
                }
                "Exists" => {
                    escape.by_drop.insert(requirement.key.clone());
                }
                // NotIn holds for another value as it does for none.
                _ => {}
            }
        }
        escape.by_drop.extend(escape.by_change.iter().cloned());
        escape
    }
}

/// Keys to change (`false`) or to drop (`true`).
type Moves = BTreeMap<String, bool>;

/// The sets of keys by which every selector is escaped, the best first: the fewest of the overlay's own, then the
/// fewest, then the fewest dropped, then by [`rank`].
fn escaping(escapes: &[Escape], overlays: &BTreeSet<String>) -> Vec<Moves> {
    let mut keys: Vec<&String> =
        escapes.iter().flat_map(|escape| &escape.by_drop).collect::<BTreeSet<_>>().into_iter().collect();
    keys.sort_by_key(|key| rank(key));
    // Pods with more keys under selectors than this are not known; for them a good set is enough.
    if keys.len() > 12 {
        return vec![moves(escapes, &greedy(escapes, &keys))];
    }
    let sets = (0_u32..1 << keys.len()).map(|mask| {
        let chosen = keys.iter().enumerate().filter(|(i, _)| mask >> i & 1 == 1);
        chosen.map(|(i, key)| (i, *key)).collect::<Vec<_>>()
    });
    let mut sets: Vec<_> = sets
        .filter(|set| escapes.iter().all(|escape| set.iter().any(|(_, key)| escape.by_drop.contains(*key))))
        .map(|set| {
            let chosen: BTreeSet<String> = set.iter().map(|(_, key)| (*key).clone()).collect();
            let places: Vec<usize> = set.iter().map(|(place, _)| *place).collect();
            let moves = moves(escapes, &chosen);
            let dropped = moves.values().filter(|dropped| **dropped).count();
            ((chosen.intersection(overlays).count(), set.len(), dropped, places), moves)
        })
        .collect();
    sets.sort_by(|a, b| a.0.cmp(&b.0));
    sets.truncate(TRIES);
    sets.into_iter().map(|(_, moves)| moves).collect()
}

fn greedy(escapes: &[Escape], keys: &[&String]) -> BTreeSet<String> {
    let mut chosen = BTreeSet::new();
    loop {
        let open: Vec<&Escape> =
            escapes.iter().filter(|escape| escape.by_drop.is_disjoint(&chosen)).collect();
        let covers = |key: &&&String| open.iter().filter(|escape| escape.by_drop.contains(**key)).count();
        // Of equals `max_by_key` takes the last: the list runs backwards, so that the first in rank wins.
        match keys.iter().rev().max_by_key(covers) {
            Some(key) if !open.is_empty() => chosen.insert((*key).clone()),
            _ => return chosen,
        };
    }
}

/// A key is dropped where a selector is escaped in no other way.
fn moves(escapes: &[Escape], chosen: &BTreeSet<String>) -> Moves {
    let by_drop_alone: Vec<&Escape> =
        escapes.iter().filter(|escape| escape.by_change.is_disjoint(chosen)).collect();
    let must_go = |key: &String| by_drop_alone.iter().any(|escape| escape.by_drop.contains(key));
    chosen.iter().map(|key| (key.clone(), must_go(key))).collect()
}

/// The fixed order among equally good keys: what names one installation changes before what names the
/// application, which dashboards and people search by.
fn rank(key: &str) -> (usize, &str) {
    const ORDER: [&str; 8] = [
        "app.kubernetes.io/instance",
        "release",
        "instance",
        "app",
        "k8s-app",
        "name",
        "run",
        "app.kubernetes.io/name",
    ];
    (ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len()), key)
}

fn changed(asked: &Labels, moves: &Moves, version: &VersionId, salt: &str) -> Labels {
    let mut labels = asked.clone();
    for (key, dropped) in moves {
        let before = labels.remove(key).unwrap_or_default();
        if !dropped {
            let joined = if before.is_empty() { version.to_string() } else { format!("{before}-{version}") };
            labels.insert(key.clone(), fitted(&format!("{joined}{salt}")));
        }
    }
    labels
}

#[cfg(test)]
#[path = "labels_tests.rs"]
mod tests;
