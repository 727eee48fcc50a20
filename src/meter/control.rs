//! What a controller counts, by the names that controller-runtime gave these things, so that the dashboards
//! and alerts that people have find it; and what it has beyond that, by names of its own.

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

/// Seconds that conclusions or a write may take: from 100 µs to 30 s.
const BOUNDS: [f64; 14] =
    [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// How a write came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconciled {
    /// It is done.
    Success,
    /// It was refused; waiting alone changes nothing.
    Error,
    /// It is tried again.
    RequeueAfter,
}

impl Reconciled {
    fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::RequeueAfter => "requeue_after",
        }
    }
}

/// The numbers of watching, concluding and writing. Series come with their first value.
#[derive(Debug, Clone)]
pub struct ControlMeter {
    reconciles: IntCounterVec,
    errors: IntCounterVec,
    took: HistogramVec,
    active: IntGaugeVec,
    depth: IntGaugeVec,
    leads: IntGaugeVec,
    settles: HistogramVec,
    answering: IntGaugeVec,
    unreadable: IntGaugeVec,
}

impl ControlMeter {
    /// Numbers in a registry that has none of them yet.
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            Ok::<_, prometheus::Error>(gauges)
        };
        let histograms = |name: &str, help: &str, labels: &[&str]| {
            let opts = HistogramOpts::new(name, help).buckets(BOUNDS.to_vec());
            let histograms = HistogramVec::new(opts, labels)?;
            registry.register(Box::new(histograms.clone()))?;
            Ok::<_, prometheus::Error>(histograms)
        };
        Ok(Self {
            reconciles: counters(
                "controller_runtime_reconcile_total",
                "Writes to the API server, by whose they are and how they came out.",
                &["controller", "result"],
            )?,
            errors: counters(
                "controller_runtime_reconcile_errors_total",
                "Writes that the API server refused.",
                &["controller"],
            )?,
            took: histograms(
                "controller_runtime_reconcile_time_seconds",
                "How long a write took.",
                &["controller"],
            )?,
            active: gauges(
                "controller_runtime_active_workers",
                "Writes that are on their way.",
                &["controller"],
            )?,
            depth: gauges("workqueue_depth", "Writes that wait for their turn.", &["name"])?,
            leads: gauges(
                "leader_election_master_status",
                "Whether this process holds the Lease: 1 if so.",
                &["name"],
            )?,
            settles: histograms(
                "synkronic_settle_seconds",
                "From what was heard to all that follows from it: plan, table, statuses.",
                &[],
            )?,
            answering: gauges(
                "synkronic_watch_answering",
                "Whether the API server answers the watch of a kind: 1 if so.",
                &["kind"],
            )?,
            unreadable: gauges(
                "synkronic_unreadable_objects",
                "Objects that this build cannot read; the last form that it could stays in force.",
                &["kind"],
            )?,
        })
    }

    /// A write has come out.
    pub fn reconciled(&self, controller: &str, result: Reconciled, took: Duration) {
        self.reconciles.with_label_values(&[controller, result.as_str()]).inc();
        if result == Reconciled::Error {
            self.errors.with_label_values(&[controller]).inc();
        }
        self.took.with_label_values(&[controller]).observe(took.as_secs_f64());
    }

    /// So many writes are on their way, and so many wait.
    pub fn writing(&self, controller: &str, active: usize, waiting: usize) {
        let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
        self.active.with_label_values(&[controller]).set(number(active));
        self.depth.with_label_values(&[controller]).set(number(waiting));
    }

    /// Whether this process holds the Lease of that name.
    pub fn leads(&self, lease: &str, leads: bool) {
        self.leads.with_label_values(&[lease]).set(leads.into());
    }

    /// Conclusions were drawn.
    pub fn settled(&self, took: Duration) {
        let no_labels: [&str; 0] = [];
        self.settles.with_label_values(&no_labels).observe(took.as_secs_f64());
    }

    /// Whether the API server answers the watch of a kind, and how many of its objects cannot be read.
    pub fn watch(&self, kind: &str, answering: bool, unreadable: usize) {
        self.answering.with_label_values(&[kind]).set(answering.into());
        self.unreadable.with_label_values(&[kind]).set(i64::try_from(unreadable).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Meter;

    #[test]
    fn series_come_with_their_first_value() {
        let meter = Meter::new().unwrap();
        let control = meter.control().unwrap();
        assert!(!meter.scrape().contains("controller_runtime"));
        control.reconciled("deploymentversion", Reconciled::Success, Duration::from_millis(7));
        control.reconciled("deploymentversion", Reconciled::Error, Duration::from_millis(7));
        control.writing("deploymentversion", 3, 40);
        control.leads("synkronic-controller", true);
        control.settled(Duration::from_micros(300));
        control.watch("Router", false, 2);
        let text = meter.scrape();
        for line in [
            "controller_runtime_reconcile_total{controller=\"deploymentversion\",result=\"success\"} 1",
            "controller_runtime_reconcile_errors_total{controller=\"deploymentversion\"} 1",
            "controller_runtime_reconcile_time_seconds_count{controller=\"deploymentversion\"} 2",
            "controller_runtime_active_workers{controller=\"deploymentversion\"} 3",
            "workqueue_depth{name=\"deploymentversion\"} 40",
            "leader_election_master_status{name=\"synkronic-controller\"} 1",
            "synkronic_settle_seconds_count 1",
            "synkronic_watch_answering{kind=\"Router\"} 0",
            "synkronic_unreadable_objects{kind=\"Router\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
