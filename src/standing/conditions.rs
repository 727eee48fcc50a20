//! Conditions as Kubernetes' API conventions want them: a type once, a reason always, and a transition
//! time that moves only with the status.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The longest message that a condition may have (`metav1.Condition`), in bytes here.
const LONGEST_MESSAGE: usize = 32_768;

/// What a condition says, before it has a place in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub status: Standing,
    pub reason: String,
    pub message: String,
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Holds,
    Fails,
    Unknown,
}

impl Verdict {
    pub fn holds(reason: &str, message: impl Into<String>) -> Self {
        Self { status: Standing::Holds, reason: reason.to_owned(), message: message.into() }
    }

    pub fn fails(reason: &str, message: impl Into<String>) -> Self {
        Self { status: Standing::Fails, reason: reason.to_owned(), message: message.into() }
    }

    pub fn unknown(reason: &str, message: impl Into<String>) -> Self {
        Self { status: Standing::Unknown, reason: reason.to_owned(), message: message.into() }
    }

    pub fn is_held(&self) -> bool {
        self.status == Standing::Holds
    }
}

/// The new list of conditions. What stood before keeps its transition time where its status is the same.
pub(super) fn list(
    before: &[Condition],
    generation: Option<i64>,
    now: Timestamp,
    verdicts: impl IntoIterator<Item = (&'static str, Verdict)>,
) -> Vec<Condition> {
    verdicts
        .into_iter()
        .map(|(type_, verdict)| {
            let status = match verdict.status {
                Standing::Holds => "True",
                Standing::Fails => "False",
                Standing::Unknown => "Unknown",
            };
            let since = before
                .iter()
                .find(|known| known.type_ == type_ && known.status == status)
                .map_or(Time(now), |known| known.last_transition_time.clone());
            Condition {
                type_: type_.to_owned(),
                status: status.to_owned(),
                reason: verdict.reason,
                message: cut(verdict.message),
                observed_generation: generation,
                last_transition_time: since,
            }
        })
        .collect()
}

fn cut(mut message: String) -> String {
    if message.len() > LONGEST_MESSAGE {
        let mut end = LONGEST_MESSAGE - 3;
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push('…');
    }
    message
}
