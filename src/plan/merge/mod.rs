//! The overlay: a strategic merge patch, as Kubernetes defines it, onto a Deployment's or a Service's `spec`.
//!
//! An overlay is read once against a table made from Kubernetes' own OpenAPI marks ([`Overlay::parse`]), which
//! finds every unknown field, wrong type and misused directive with its path; what comes out can only be laid
//! onto a base ([`Overlay::apply`]). Lists with a merge key merge by it, all others are replaced whole, `null`
//! deletes, and the directives `$patch`, `$retainKeys`, `$setElementOrder/…` and `$deleteFromPrimitiveList/…`
//! do what they do in `kubectl patch`.
//!
//! Where it differs from `kubectl patch`, on purpose:
//! - where a one-of changes its member, the overlay's member wins ([`rules`]): the API server would refuse both;
//! - an element that the base lacks goes behind the base's, not before them: the first container stays the
//!   first, and `$(NAME)` in a new environment variable still finds the base's;
//! - `$patch: delete` on a field leaves the field out rather than empty, and `$patch: replace` in an element
//!   that names its merge key replaces that element rather than dropping it;
//! - a directive on what the base lacks does what it says: `$patch: replace` of a field that isn't there is that
//!   field (Kubernetes drops it), `$patch: delete` and `null` in something new are nothing (Kubernetes keeps an
//!   empty element, or reads a quantity of 0);
//! - two ports of one number (TCP and UDP) are told apart by their protocol where both are there.
//!
//! What a base's list has twice is folded before (`fold`): a patch would find only the first.
//!
//! `tests/cluster/merge` compares it, over thousands of overlays, with what an API server makes of each.
//!
//! It refuses to guess: a typo is a fault with the nearest spelling, never a silent no-op. It knows nothing
//! of selectors, names or rights; those are judged on its result.

mod apply;
mod change;
mod fold;
mod order;
mod parse;
mod path;
mod places;
mod remove;
mod rules;
mod scalar;
mod table;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

pub use fold::{Folded, fold};
pub use remove::{RemovePath, remove};

/// Which `spec` an overlay is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// `apps/v1` Deployment.
    Deployment,
    /// `v1` Service.
    Service,
}

impl Root {
    fn type_name(self) -> &'static str {
        match self {
            Self::Deployment => "apps.v1.DeploymentSpec",
            Self::Service => "core.v1.ServiceSpec",
        }
    }
}

/// What is wrong, or worth knowing, at one place of an overlay.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The field's path in the overlay, as `template.spec.containers[web].imgae`; empty at its root.
    pub path: String,
    /// What is wrong there and what to do, without the path.
    pub message: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// So many faults, and so many notes, are told of one overlay. Who has more has more than one mistake to correct,
/// and an overlay has room for a hundred thousand.
const TOLD: usize = 64;

/// The names of a list's elements, for a sentence: the first ones of many.
fn shown(names: &[String]) -> String {
    const SHOWN: usize = 16;
    let mut shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    if let Some(more) = names.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        shown.push(format!("{more} more"));
    }
    shown.join(", ")
}

/// An overlay that fits its kind of `spec`.
#[derive(Debug, Clone)]
pub struct Overlay(change::Fields);

/// What an overlay made of a base.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The whole `spec`.
    pub spec: Value,
    /// What its author may not have meant.
    pub notes: Vec<Fault>,
}

impl Overlay {
    /// Reads an overlay.
    ///
    /// # Errors
    /// Every unknown field, wrong type and misused directive, each with its path; of very many, some.
    pub fn parse(root: Root, overlay: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
        parse::overlay(root, overlay).map(Self)
    }

    /// Lays the overlay onto a base's `spec`.
    ///
    /// # Errors
    /// Where something that the overlay adds lacks a field that it needs, as a new container its image.
    pub fn apply(&self, base: Value) -> Result<Applied, Vec<Fault>> {
        apply::overlay(&self.0, base)
    }

    /// Whether the overlay gives the field at this path a value; an element of a list stands for its key.
    #[must_use]
    pub fn sets(&self, path: &[&str]) -> bool {
        self.0.sets(path)
    }
}

/// Reads an overlay and lays it onto a base's `spec`.
///
/// # Errors
/// As [`Overlay::parse`] and [`Overlay::apply`].
pub fn merge(root: Root, base: Value, overlay: &Map<String, Value>) -> Result<Applied, Vec<Fault>> {
    Overlay::parse(root, overlay)?.apply(base)
}
