//! Which endpoint of a version gets a request: the less loaded of two random ones, and none that failed of
//! late, unless all did. It knows slots, and nothing of requests.

use std::rc::Rc;

use super::chance::Chance;
use super::pool::{Slot, Slots};
use crate::routes::Route;

/// What a choice is made with.
pub(crate) struct Balance<'w> {
    pub(crate) slots: &'w Slots,
    pub(crate) chance: &'w Chance,
    pub(crate) now: u64,
}

impl Balance<'_> {
    /// An endpoint of the route, another than `avoid` where there is one; `None` where the route has none.
    pub(crate) fn choose(&self, route: &Route, avoid: Option<u64>) -> Option<Rc<Slot>> {
        let endpoints = &*route.endpoints;
        match endpoints {
            [] => None,
            [one] => Some(self.slots.of(one)),
            [_, _, ..] => {
                let slot = self.better_of_two(route, avoid)?;
                slot.chosen(self.now);
                Some(slot)
            }
        }
    }

    /// Another endpoint than this one, or none.
    pub(crate) fn choose_other(&self, route: &Route, avoid: u64) -> Option<Rc<Slot>> {
        self.choose(route, Some(avoid)).filter(|slot| slot.endpoint.id != avoid)
    }

    /// Whether the route has an endpoint that is not set aside.
    pub(crate) fn has_healthy(&self, route: &Route) -> bool {
        self.any_healthy(route, None).is_some()
    }

    fn better_of_two(&self, route: &Route, avoid: Option<u64>) -> Option<Rc<Slot>> {
        let one = self.random(route, avoid)?;
        let other = self.random(route, Some(one.endpoint.id)).filter(|slot| avoid != Some(slot.endpoint.id));
        let best = match other {
            Some(other) => self.better(one, other),
            None => one,
        };
        if best.healthy(self.now) { Some(best) } else { Some(self.any_healthy(route, avoid).unwrap_or(best)) }
    }

    /// A random endpoint; the next one in order where it is the one to avoid.
    fn random(&self, route: &Route, avoid: Option<u64>) -> Option<Rc<Slot>> {
        let count = route.endpoints.len();
        let at = self.chance.below(count);
        let endpoint = route.endpoints.get(at)?;
        if avoid != Some(endpoint.id) {
            return Some(self.slots.of(endpoint));
        }
        // One of the others, each as likely.
        let step = 1 + self.chance.below(count.saturating_sub(1).max(1));
        route.endpoints.get((at + step) % count).map(|endpoint| self.slots.of(endpoint))
    }

    fn better(&self, one: Rc<Slot>, other: Rc<Slot>) -> Rc<Slot> {
        match (one.healthy(self.now), other.healthy(self.now)) {
            (true, false) => one,
            (false, true) => other,
            (true, true) | (false, false) => {
                if other.load() < one.load() {
                    other
                } else {
                    one
                }
            }
        }
    }

    /// Both picks are set aside: the first healthy one from a random place on.
    fn any_healthy(&self, route: &Route, avoid: Option<u64>) -> Option<Rc<Slot>> {
        let start = self.chance.below(route.endpoints.len());
        let (before, from) = route.endpoints.split_at_checked(start)?;
        let mut rest = from.iter().chain(before).filter(|endpoint| avoid != Some(endpoint.id));
        rest.find_map(|endpoint| Some(self.slots.of(endpoint)).filter(|slot| slot.healthy(self.now)))
    }
}

#[cfg(test)]
mod tests;
