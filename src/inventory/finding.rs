//! What was found about an object: refused, or worth a warning.

use super::key::ObjectReference;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The object, or the part of it that `field` names, is not served.
    Rejected,
    /// It is served, but not as somebody may expect.
    Warning,
}

/// One finding about one object: what becomes a condition, an event, a line of `synkronic check`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Finding {
    /// The object it is about.
    pub object: ObjectReference,
    /// How bad it is.
    pub severity: Severity,
    /// A CamelCase word for machines, as `VersionTaken`.
    pub reason: &'static str,
    /// The field it is about, as `spec.rules[qa-blue].match[0].headers[0].regex`; empty for the whole object.
    pub field: String,
    /// One sentence for people, with the way out.
    pub message: String,
}

impl Finding {
    /// A finding that refuses the object.
    pub fn rejected(
        object: ObjectReference,
        reason: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { object, severity: Severity::Rejected, reason, field: field.into(), message: message.into() }
    }

    /// A finding that only warns.
    pub fn warning(
        object: ObjectReference,
        reason: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { object, severity: Severity::Warning, reason, field: field.into(), message: message.into() }
    }

    /// Whether it refuses the object.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        self.severity == Severity::Rejected
    }
}
