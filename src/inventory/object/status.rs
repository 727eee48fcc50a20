//! The status of a DeploymentVersion, as an inventory keeps it.
//!
//! Ten thousand of them have seven conditions each and say nearly the same: it is text that is read when a new
//! status is decided on. What is asked more often stands beside it.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::super::document::Document;
use crate::api::{BaseReference, DeploymentVersionStatus, VersionId};

/// The status of a DeploymentVersion, the memory of earlier decisions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VersionStatus {
    /// The name of the base that it was resolved to.
    base: Option<Box<str>>,
    /// The version id that it had.
    version: Option<Box<str>>,
    /// Why it is not ready.
    trouble: Option<Box<str>>,
    text: Document,
}

impl VersionStatus {
    /// Keeps a status.
    #[must_use]
    pub fn of(status: &DeploymentVersionStatus) -> Self {
        let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
        let trouble = ready.filter(|ready| ready.status != "True").map(|ready| ready.reason.as_str().into());
        let base = status.base.as_ref().map(|base| base.name.as_str().into());
        let version = status.version.as_deref().map(Box::from);
        // Every field of it is text, a number or a list of such.
        let text = serde_json::to_value(status).unwrap_or_default();
        Self { base, version, trouble, text: Document::of(&text) }
    }

    /// The name of the base that it was resolved to.
    #[must_use]
    pub fn base(&self) -> Option<&str> {
        self.base.as_deref()
    }

    /// Whether it had this id of this base: nobody who asks for it later takes it away.
    #[must_use]
    pub fn holds(&self, base: &str, version: &VersionId) -> bool {
        self.base.as_deref() == Some(base) && self.version.as_deref() == Some(version.as_str())
    }

    /// Why it is not ready, in the one word of its condition; nothing where it is, or nobody has said.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// The whole status; parsed at each call. Of a light one the base's name, the version id and a condition `Ready`
    /// that says no more than why it is not.
    #[must_use]
    pub fn read(&self) -> DeploymentVersionStatus {
        if let Ok(status) = serde_json::from_value(self.text.value()) {
            return status;
        }
        let base = self.base.as_deref();
        let base = base.map(|name| BaseReference { name: name.to_owned(), ..BaseReference::default() });
        let version = self.version.as_deref().map(str::to_owned);
        let conditions = self.trouble.as_deref().map(not_ready).into_iter().collect();
        DeploymentVersionStatus { base, version, conditions, ..DeploymentVersionStatus::default() }
    }

    /// Keeps nothing but the base's name, the version id and what is wrong.
    pub fn lighten(&mut self) {
        self.text = Document::default();
    }

    /// Its text, to be kept otherwise.
    pub(in crate::inventory) fn text_mut(&mut self) -> &mut Document {
        &mut self.text
    }
}

fn not_ready(reason: &str) -> Condition {
    Condition {
        type_: "Ready".to_owned(),
        status: "False".to_owned(),
        reason: reason.to_owned(),
        message: String::new(),
        observed_generation: None,
        last_transition_time: Time(Timestamp::UNIX_EPOCH),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_reads_back_and_a_light_one_says_what_is_wrong() {
        let status: DeploymentVersionStatus = serde_json::from_value(json!({
            "base": {"name": "shop", "uid": "u", "generation": 3}, "version": "x", "url": "http://x/", "replicas": 2,
            "conditions": [{"type": "Ready", "status": "False", "reason": "Crashing", "message": "m",
                "observedGeneration": 3, "lastTransitionTime": "2026-01-01T00:00:00Z"}]}))
        .unwrap();
        let mut kept = VersionStatus::of(&status);
        assert_eq!((kept.read(), kept.base(), kept.trouble()), (status, Some("shop"), Some("Crashing")));
        kept.lighten();
        let light = kept.read();
        assert_eq!(light.base.map(|base| (base.name, base.uid)), Some(("shop".to_owned(), None)));
        assert_eq!((light.conditions.len(), light.conditions[0].reason.as_str()), (1, "Crashing"));
        assert_eq!((light.conditions[0].message.as_str(), light.version.as_deref()), ("", Some("x")));
        let nothing = VersionStatus::of(&DeploymentVersionStatus::default());
        assert_eq!((nothing.read(), nothing.trouble()), (DeploymentVersionStatus::default(), None));
        assert_eq!(VersionStatus::default().read(), DeploymentVersionStatus::default());
    }
}
