//! How many versions of a base follow its change at a time (`--max-rolling`): those that serve are never all
//! restarted together, and the active one comes last.
//!
//! Only a change of the pod template of Deployments that are there and run pods waits for its turn; creating
//! a version never does, nor does what its own author changed. A roll-out that makes no progress does not
//! keep the others: it counts for [`PATIENCE`].

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::cluster::clock::Now;
use crate::inventory::Key;

/// The versions of one base: its namespace and the label that its clones bear.
pub type Group = Key;

/// A roll-out without progress counts for so long.
pub const PATIENCE: SignedDuration = SignedDuration::from_secs(120);

fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// Whether a Deployment's newest template has not come to all of its pods, as its status tells.
#[must_use]
pub fn is_unfinished(object: &Value) -> bool {
    let status = |field: &str| number(object, &format!("/status/{field}")).unwrap_or(0);
    if status("observedGeneration") < number(object, "/metadata/generation").unwrap_or(0) {
        return true;
    }
    let wanted = number(object, "/spec/replicas").unwrap_or(1);
    let updated = status("updatedReplicas");
    if updated < wanted || status("replicas") > updated {
        return true;
    }
    // Pods that were up once and are no longer are no roll-out.
    let ended = progressing(object).is_some_and(|condition| {
        condition.get("reason").and_then(Value::as_str) == Some("NewReplicaSetAvailable")
    });
    !ended && status("availableReplicas") < updated
}

fn progressing(object: &Value) -> Option<&Value> {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array)?;
    conditions.iter().find(|condition| condition.get("type").and_then(Value::as_str) == Some("Progressing"))
}

/// How far a roll-out has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// When it last came on, as its status tells: the time of another's clock.
    told: Timestamp,
    /// The same on our steady clock.
    pub at: Timestamp,
}

impl Progress {
    /// What a Deployment's status tells of its roll-out; none where that was given up. How long ago it came on is
    /// asked of the wall clock at the first sight alone, and is never to come: afterwards our own clock tells.
    #[must_use]
    pub fn see(before: Option<Self>, object: &Value, now: Now) -> Option<Self> {
        let text = |field: &str| progressing(object).and_then(|it| it.get(field)).and_then(Value::as_str);
        let told: Timestamp =
            text("lastUpdateTime").filter(|_| text("status") != Some("False"))?.parse().ok()?;
        if let Some(before) = before.filter(|before| before.told == told) {
            return Some(before);
        }
        let ago = now.wall.duration_since(told).max(SignedDuration::ZERO);
        Some(Self { told, at: now.steady.checked_sub(ago).unwrap_or(now.steady) })
    }
}

/// Until when an unfinished roll-out counts: by when it last came on, and when its template was written, where
/// that is known.
#[must_use]
pub fn counts_until(progress: Option<Progress>, started: Option<Timestamp>) -> Option<Timestamp> {
    progress.map(|progress| progress.at).max(started)?.checked_add(PATIENCE).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(status: Value) -> Value {
        json!({"metadata": {"generation": 3}, "spec": {"replicas": 2}, "status": status})
    }

    #[test]
    fn a_roll_out_ends_when_all_pods_are_new_and_available() {
        let mut done =
            json!({"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2});
        assert!(!is_unfinished(&deployment(done.clone())));
        for (field, value) in
            [("observedGeneration", 2), ("updatedReplicas", 1), ("replicas", 3), ("availableReplicas", 1)]
        {
            let mut status = done.clone();
            status[field] = json!(value);
            assert!(is_unfinished(&deployment(status)), "{field}");
        }
        done["availableReplicas"] = json!(0);
        done["conditions"] =
            json!([{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]);
        assert!(!is_unfinished(&deployment(done)), "pods that fell over later are no roll-out");
        assert!(!is_unfinished(&json!({"metadata": {"generation": 1}, "spec": {"replicas": 0},
            "status": {"observedGeneration": 1}})));
    }

    #[test]
    fn a_roll_out_without_progress_counts_for_a_while() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let of = |status: &str| {
            deployment(json!({"conditions": [{"type": "Progressing", "status": status,
                "lastUpdateTime": "2026-01-01T12:00:00Z"}]}))
        };
        let (noon, later) = (at("2026-01-01T12:00:00Z"), at("2026-01-01T12:05:00Z"));
        let see =
            |before, status: &str, steady, wall| Progress::see(before, &of(status), Now { steady, wall });
        let fresh = see(None, "True", noon, noon);
        assert_eq!(counts_until(fresh, None), Some(noon + PATIENCE));
        assert_eq!(counts_until(fresh, Some(later)), Some(later + PATIENCE));
        assert_eq!(see(None, "False", noon, noon), None);
        assert_eq!(counts_until(None, Some(noon)), Some(noon + PATIENCE));
        assert_eq!(counts_until(None, None), None);
        // Seen late it is as old as it says; but not younger than new, and whoever sets a clock changes nothing.
        assert_eq!(see(None, "True", later, later), fresh);
        let hour = SignedDuration::from_hours(1);
        assert_eq!(see(fresh, "True", later, later - hour), fresh);
        assert_eq!(see(None, "True", later, later - hour).map(|it| it.at), Some(later));
    }
}
