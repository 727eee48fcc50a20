//! What is found about one Router while it is compiled.

use crate::inventory::{Finding, ObjectReference};

/// Findings on one object.
#[derive(Debug)]
pub(super) struct Findings {
    object: ObjectReference,
    found: Vec<Finding>,
}

impl Findings {
    /// None yet.
    pub(super) fn on(object: ObjectReference) -> Self {
        Self { object, found: Vec::new() }
    }

    /// The part that `field` names is not served.
    pub(super) fn reject(
        &mut self,
        reason: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.found.push(Finding::rejected(self.object.clone(), reason, field, message));
    }

    /// It is served, but not as somebody may expect.
    pub(super) fn warn(
        &mut self,
        reason: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.found.push(Finding::warning(self.object.clone(), reason, field, message));
    }

    /// Whether there is any.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them.
    pub(super) fn into_vec(self) -> Vec<Finding> {
        self.found
    }
}
