//! Which labels a version's pods get, and what to tell about that: labels that are not what the overlay asked
//! for, selectors that catch.

use serde_json::Value;

use super::clone::{Overlays, Subject, own_labels, pod_labels};
use super::labels::{self, Catcher, Chosen};
use crate::api::names as api_names;
use crate::inventory::selector::Labels;
use crate::inventory::{Finding, Kind, ObjectReference};

/// Chooses the pods' labels, and says where they are not what the overlay asks for.
pub(super) fn choose(
    subject: &Subject<'_>,
    overlays: &Overlays,
    spec: &Value,
    catchers: &[Catcher],
    warnings: &mut Vec<Finding>,
) -> Result<Chosen, Vec<Finding>> {
    let mut asked = pod_labels(spec);
    let of_overlay = overlays.label_keys(&asked);
    let own = own_labels(subject);
    asked.extend(own.clone());
    let dpv = &subject.dpv.meta.key;
    let (of_base, version) = (&subject.base.pod_labels, &subject.resolved.version);
    let chosen = labels::choose(catchers, of_base, &asked, &of_overlay, version, &dpv.to_string()).map_err(
        |caught| {
            caught.into_iter().map(|catcher| unsafe_selector(subject, catcher, &asked)).collect::<Vec<_>>()
        },
    )?;
    let field = |key: &str| format!("spec.deploymentSpec.template.metadata.labels[{key:?}]");
    for key in chosen.changed.intersection(&of_overlay) {
        let message = match chosen.labels.get(key) {
            Some(value) => {
                format!("a selector would catch the version's pods by it, so it becomes `{value}`")
            }
            None => "a selector would catch the version's pods by it, so it is left out".to_owned(),
        };
        warnings.push(subject.warning("OverlayLabelReplaced", field(key), message));
    }
    for key in of_overlay.iter().filter(|key| own.contains_key(key)) {
        let message = "Synkronic sets this label itself; leave it out of the overlay";
        warnings.push(subject.warning("OverlayLabelReplaced", field(key), message));
    }
    // The base's own selector written out again asks for nothing.
    let written = subject.dpv.deployment_overlay.as_ref().map(|overlay| overlay.field("selector"));
    let restates =
        written.is_some_and(|written| !written.is_null() && subject.spec.get("selector") == Some(&written));
    for (overlay, root) in
        [(&overlays.deployment, "spec.deploymentSpec"), (&overlays.service, "spec.serviceSpec")]
    {
        if overlay.as_ref().is_some_and(|overlay| overlay.sets(&["selector"])) && !restates {
            let message = format!(
                "the overlay's selector gives way: what is made for a version selects its pods by `{}`",
                api_names::LABEL_DPV
            );
            warnings.push(subject.warning("SelectorReplaced", format!("{root}.selector"), message));
        }
    }
    for catcher in catchers {
        warnings.extend(catching_budget(subject, catcher, catchers, &chosen.labels));
    }
    Ok(chosen)
}

fn unsafe_selector(subject: &Subject<'_>, catcher: &Catcher, asked: &Labels) -> Finding {
    let shown: Vec<String> = asked
        .iter()
        .filter(|(key, _)| !key.starts_with("kyaninus.com/"))
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let message = format!(
        "the selector of {} would catch the version's pods ({}) whatever Synkronic changed in their labels; make \
         it ask for a label that the base's pods have, or give the pods another label in \
         `spec.deploymentSpec.template.metadata.labels`",
        catcher.who,
        shown.join(", ")
    );
    subject.rejected("UnsafeSelector", "", message)
}

/// A budget that counts the version's pods, and that nobody may have thought of: it selects every pod, or these
/// by what they lack, or on purpose beside the copy of one of the base's.
fn catching_budget(
    subject: &Subject<'_>,
    catcher: &Catcher,
    catchers: &[Catcher],
    chosen: &Labels,
) -> Option<Finding> {
    if catcher.who.kind != Kind::PodDisruptionBudget {
        return None;
    }
    let who = &catcher.who;
    if catcher.selector.is_empty() {
        let message = format!(
            "{who} selects every pod of the namespace, the version's too; give it a selector if it was meant for \
             the base"
        );
        return Some(subject.warning("BudgetCatchesAll", "", message));
    }
    if !catcher.catches(chosen) {
        return None;
    }
    let of_base = &subject.base.pod_labels;
    if catcher.asks_for_versions(of_base) {
        let is_budget_of_base =
            |it: &&Catcher| it.who.kind == Kind::PodDisruptionBudget && it.catches(of_base);
        let own = &catchers.iter().find(is_budget_of_base)?.who;
        let message = format!(
            "{who} selects the version's pods, as the version's copy of {own} does, and Kubernetes evicts no pod that \
             two budgets select, so that no node with one can be drained; keep one of them"
        );
        return Some(subject.warning("BudgetCatchesVersion", "", message));
    }
    let message = format!(
        "{who} selects the version's pods, though not the base's; make its selector ask for a label that the \
             pods have which it was meant for"
    );
    Some(subject.warning("BudgetCatchesVersion", "", message))
}

/// Says so while pods that run already are caught by a selector that came later.
pub(super) fn watch_the_old(
    subject: &Subject<'_>,
    caught: &[ObjectReference],
) -> impl Iterator<Item = Finding> {
    caught.iter().map(|catcher| {
        let message = format!(
            "{catcher} catches the pods that run now; their labels change, and until that roll-out is done it \
             selects them"
        );
        subject.warning("PodsCaught", "", message)
    })
}
