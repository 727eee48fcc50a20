//! Which pods to start and which to end, so that a Deployment gets what it asks for: as a cluster's
//! Deployment controller decides it. Pure.

use k8s_openapi::api::apps::v1::DeploymentStrategy;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// How pods of an old template give way to those of a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// All old ones end before a new one starts.
    Recreate,
    /// So many above, and so few below the wanted number meanwhile.
    Rolling {
        /// Pods that may run beyond the wanted number.
        surge: usize,
        /// Pods that may be missing.
        unavailable: usize,
    },
}

impl Strategy {
    /// Reads a Deployment's strategy for `replicas` pods; a quarter each where nothing is written.
    #[must_use]
    pub fn of(written: Option<&DeploymentStrategy>, replicas: usize) -> Self {
        if written.and_then(|it| it.type_.as_deref()) == Some("Recreate") {
            return Self::Recreate;
        }
        let rolling = written.and_then(|it| it.rolling_update.as_ref());
        let surge = rolling.and_then(|it| it.max_surge.as_ref());
        let unavailable = rolling.and_then(|it| it.max_unavailable.as_ref());
        let quarter = IntOrString::String("25%".to_owned());
        let surge = share(surge.unwrap_or(&quarter), replicas, true);
        let unavailable = share(unavailable.unwrap_or(&quarter), replicas, false).min(replicas);
        match (surge, unavailable) {
            // Neither up nor down would be no way at all.
            (0, 0) => Self::Rolling { surge: 0, unavailable: 1 },
            (surge, unavailable) => Self::Rolling { surge, unavailable },
        }
    }
}

/// A number, or a percentage of `whole`.
fn share(written: &IntOrString, whole: usize, round_up: bool) -> usize {
    match written {
        IntOrString::Int(number) => usize::try_from(*number).unwrap_or(0),
        IntOrString::String(text) => {
            let percent: usize = text.trim_end_matches('%').parse().unwrap_or(25);
            let hundredths = whole.saturating_mul(percent);
            if round_up { hundredths.div_ceil(100) } else { hundredths / 100 }
        }
    }
}

/// What a Deployment wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'w> {
    /// Pods of the newest template.
    pub replicas: usize,
    /// The newest template, hashed.
    pub template: &'w str,
    /// How to get there.
    pub strategy: Strategy,
}

/// One pod as this decision sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing<'p> {
    /// Grows with every pod started: which of two is the older.
    pub id: u64,
    /// Its template, hashed.
    pub template: &'p str,
    /// Whether it serves.
    pub ready: bool,
    /// Whether it is ending already.
    pub ending: bool,
}

/// What to do.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Steps {
    /// So many pods of the newest template to start.
    pub start: usize,
    /// These to end, sorted.
    pub end: Vec<u64>,
}

/// The steps that can be taken now; taken again after every change, they lead to what is wanted.
#[must_use]
pub fn decide(wanted: &Wanted<'_>, pods: &[Standing<'_>]) -> Steps {
    let living = || pods.iter().filter(|pod| !pod.ending);
    let (new, old): (Vec<_>, Vec<_>) = living().partition(|pod| pod.template == wanted.template);
    let mut end = surplus(&new, wanted.replicas);
    let missing = wanted.replicas.saturating_sub(new.len());
    let start = match wanted.strategy {
        Strategy::Recreate => {
            end.extend(old.iter().map(|pod| pod.id));
            let old_is_there = pods.iter().any(|pod| pod.template != wanted.template);
            if old_is_there { 0 } else { missing }
        }
        Strategy::Rolling { surge, unavailable } => {
            let staying = new.len() - end.len();
            let ready = new.iter().filter(|pod| pod.ready && !end.contains(&pod.id)).count();
            let ended = old_ones(&old, ready, wanted.replicas.saturating_sub(unavailable));
            let room = (wanted.replicas + surge).saturating_sub(staying + old.len() - ended.len());
            end.extend(ended);
            missing.min(room)
        }
    };
    end.sort_unstable();
    Steps { start, end }
}

/// The pods beyond `replicas`: those that do not serve first, then the youngest.
fn surplus(new: &[&Standing<'_>], replicas: usize) -> Vec<u64> {
    let mut order: Vec<_> = new.iter().map(|pod| (pod.ready, std::cmp::Reverse(pod.id))).collect();
    order.sort_unstable();
    order.iter().take(new.len().saturating_sub(replicas)).map(|(_, id)| id.0).collect()
}

/// The old pods that can go: what does not serve at once, what serves as far as enough others do.
fn old_ones(old: &[&Standing<'_>], ready_new: usize, needed: usize) -> Vec<u64> {
    let (serving, idle): (Vec<&Standing<'_>>, Vec<&Standing<'_>>) =
        old.iter().copied().partition(|pod| pod.ready);
    let spare = (ready_new + serving.len()).saturating_sub(needed);
    let mut serving: Vec<u64> = serving.iter().map(|pod| pod.id).collect();
    serving.sort_unstable();
    idle.iter().map(|pod| pod.id).chain(serving.into_iter().take(spare)).collect()
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;
