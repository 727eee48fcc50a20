//! All workers' cells added up, as Prometheus' text.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{HistogramOpts, Registry, TextEncoder};

use super::cells::{BOUNDS, Cell, RouteSum, WorkerCells};
use super::control::ControlMeter;

/// Seconds that a table's swap, or a change's way to the table, may take: from 10 µs to 10 s.
const SHORT: [f64; 16] = [
    0.00001, 0.000_025, 0.00005, 0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5,
    1.0, 10.0,
];

/// Why a connection was closed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shed {
    /// There were too many of all.
    Limit,
    /// There were too many of its source.
    Source,
}

/// The process's numbers.
#[derive(Debug)]
pub struct Meter {
    workers: Mutex<Vec<Arc<WorkerCells>>>,
    shed_limit: AtomicU64,
    shed_source: AtomicU64,
    accept_failures: AtomicU64,
    generation: AtomicU64,
    swaps: prometheus::Histogram,
    propagation: prometheus::Histogram,
    registry: Registry,
}

impl Meter {
    /// A meter on which nothing has been counted.
    ///
    /// # Errors
    /// Where the names of the metrics are not sound: never, as they are constants.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let histogram = |name: &str, help: &str| {
            let opts = HistogramOpts::new(name, help).buckets(SHORT.to_vec());
            prometheus::Histogram::with_opts(opts)
        };
        let swaps = histogram("synkronic_table_swap_seconds", "From a new table to its being served.")?;
        let propagation =
            histogram("synkronic_propagation_seconds", "From a change seen to the table that holds it.")?;
        registry.register(Box::new(swaps.clone()))?;
        registry.register(Box::new(propagation.clone()))?;
        Ok(Self {
            workers: Mutex::default(),
            shed_limit: AtomicU64::new(0),
            shed_source: AtomicU64::new(0),
            accept_failures: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            swaps,
            propagation,
            registry,
        })
    }

    /// Cells for a further worker.
    #[must_use]
    pub fn worker(&self) -> Arc<WorkerCells> {
        let cells = Arc::new(WorkerCells::default());
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&cells));
        cells
    }

    /// A connection came beyond the limit and was closed.
    pub fn shed(&self, why: Shed) {
        let count = match why {
            Shed::Limit => &self.shed_limit,
            Shed::Source => &self.shed_source,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// No connection could be accepted for want of resources.
    pub fn accept_failed(&self) {
        self.accept_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// A table was swapped in.
    pub fn swapped(&self, generation: u64, took: Duration) {
        self.generation.store(generation, Ordering::Relaxed);
        self.swaps.observe(took.as_secs_f64());
    }

    /// A change has reached the table.
    pub fn propagated(&self, took: Duration) {
        self.propagation.observe(took.as_secs_f64());
    }

    /// The numbers of a process that follows a cluster; once.
    ///
    /// # Errors
    /// Where they are there already.
    pub fn control(&self) -> Result<ControlMeter, prometheus::Error> {
        ControlMeter::new(&self.registry)
    }

    /// Everything, as Prometheus' text (version 0.0.4), sorted.
    #[must_use]
    pub fn scrape(&self) -> String {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut families = request_families(&workers);
        families.extend(worker_families(&workers));
        families.push(faults(&workers));
        let now = |count: &AtomicU64| count.load(Ordering::Relaxed);
        families.push(counter(
            "synkronic_edge_connections_shed_total",
            "Connections closed at once because there were too many, in all or of their source.",
            vec![
                (vec![("limit", "all")], now(&self.shed_limit)),
                (vec![("limit", "source")], now(&self.shed_source)),
            ],
        ));
        families.push(counter(
            "synkronic_edge_accept_failures_total",
            "How often no connection could be accepted for want of file descriptors or memory.",
            vec![(vec![], now(&self.accept_failures))],
        ));
        families.push(gauge(
            "synkronic_table_generation",
            "The generation of the table in service.",
            self.generation.load(Ordering::Relaxed),
        ));
        families.extend(self.registry.gather());
        families.retain(|family| !family.get_metric().is_empty());
        families.sort_by(|a, b| a.name().cmp(b.name()));
        // The only errors of the encoder are families without name or metric, of which there are none.
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }
}

type Labels<'a> = Vec<(&'static str, &'a str)>;

fn request_families(workers: &[Arc<WorkerCells>]) -> Vec<MetricFamily> {
    let mut sums: BTreeMap<(String, String), RouteSum> = BTreeMap::new();
    for cells in workers.iter().flat_map(|worker| worker.routes()) {
        cells.add_to(sums.entry((cells.router.clone(), cells.version.clone())).or_default());
    }
    let (mut requests, mut received, mut sent) = (Vec::new(), Vec::new(), Vec::new());
    let (mut durations, mut in_flight) = (Vec::new(), Vec::new());
    for ((router, version), sum) in &sums {
        let labels = vec![("router", router.as_str()), ("version", version.as_str())];
        for (code, count) in &sum.codes {
            let mut labels = labels.clone();
            labels.push(("code", code));
            requests.push((labels, *count));
        }
        if let Some(count) = sum.in_flight {
            let mut metric = Metric::from_label(pairs(&labels));
            let mut told = Gauge::default();
            told.set_value(count.into());
            metric.set_gauge(told);
            in_flight.push(metric);
        }
        received.push((labels.clone(), sum.received));
        sent.push((labels.clone(), sum.sent));
        durations.push(histogram(&labels, sum));
    }
    vec![
        counter("synkronic_edge_requests_total", "Requests answered, by version and status.", requests),
        family(
            "synkronic_edge_requests_in_flight",
            "Requests and WebSockets of a version that have not ended.",
            MetricType::GAUGE,
            in_flight,
        ),
        counter("synkronic_edge_request_body_bytes_total", "Bytes of request bodies.", received),
        counter("synkronic_edge_response_body_bytes_total", "Bytes of response bodies.", sent),
        family(
            "synkronic_edge_request_duration_seconds",
            "From a request's head to the last byte of its answer.",
            MetricType::HISTOGRAM,
            durations,
        ),
    ]
}

fn worker_families(workers: &[Arc<WorkerCells>]) -> Vec<MetricFamily> {
    let sum = |cell: fn(&WorkerCells) -> &Cell| workers.iter().map(|worker| cell(worker).get()).sum::<u64>();
    let count = |name, help, cell| counter(name, help, vec![(vec![], sum(cell))]);
    let level = |name, help, cell| gauge(name, help, sum(cell));
    vec![
        level("synkronic_edge_connections", "Connections of clients that are open.", |w| &w.connections),
        count("synkronic_edge_connections_total", "Connections of clients since the start.", |w| {
            &w.connections_total
        }),
        level("synkronic_edge_connections_parked", "Open connections that wait on their bare socket.", |w| {
            &w.parked
        }),
        level("synkronic_edge_tunnels", "WebSockets that are open.", |w| &w.tunnels),
        count("synkronic_edge_upstream_connections_total", "Connections opened to endpoints.", |w| {
            &w.upstream_opened
        }),
        count("synkronic_edge_upstream_reuses_total", "Requests over a pooled connection.", |w| {
            &w.upstream_reused
        }),
        level("synkronic_edge_upstream_idle", "Connections to endpoints that wait in a pool.", |w| {
            &w.upstream_idle
        }),
        count("synkronic_edge_retries_total", "Second attempts.", |w| &w.retries),
        count("synkronic_edge_endpoint_ejections_total", "Endpoints set aside.", |w| &w.ejections),
        count(
            "synkronic_edge_access_log_dropped_total",
            "Lines that did not fit the access log's queue.",
            |w| &w.log_dropped,
        ),
    ]
}

fn faults(workers: &[Arc<WorkerCells>]) -> MetricFamily {
    let mut sums = BTreeMap::new();
    for ((side, fault), count) in workers.iter().flat_map(|worker| worker.faults()) {
        *sums.entry((side, fault)).or_default() += count;
    }
    let metrics = sums.into_iter().map(|((side, fault), n)| (vec![("side", side), ("fault", fault)], n));
    counter(
        "synkronic_edge_faults_total",
        "Requests that went wrong, by whose fault it was.",
        metrics.collect(),
    )
}

fn histogram(labels: &Labels<'_>, sum: &RouteSum) -> Metric {
    let mut told = Histogram::default();
    let mut total = 0;
    let mut buckets = Vec::with_capacity(BOUNDS.len());
    for (bound, count) in BOUNDS.iter().zip(&sum.buckets) {
        total += count;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(Duration::from_micros(*bound).as_secs_f64());
        bucket.set_cumulative_count(total);
        buckets.push(bucket);
    }
    told.set_bucket(buckets);
    told.set_sample_count(sum.buckets.iter().sum());
    told.set_sample_sum(Duration::from_micros(sum.micros).as_secs_f64());
    let mut metric = Metric::from_label(pairs(labels));
    metric.set_histogram(told);
    metric
}

#[allow(clippy::cast_precision_loss, reason = "counts beyond 2^53 are not reached")]
fn counter(name: &str, help: &str, counts: Vec<(Labels<'_>, u64)>) -> MetricFamily {
    let metrics = counts.into_iter().map(|(labels, count)| {
        let mut told = Counter::default();
        told.set_value(count as f64);
        let mut metric = Metric::from_label(pairs(&labels));
        metric.set_counter(told);
        metric
    });
    family(name, help, MetricType::COUNTER, metrics.collect())
}

#[allow(clippy::cast_precision_loss, reason = "levels beyond 2^53 are not reached")]
fn gauge(name: &str, help: &str, level: u64) -> MetricFamily {
    let mut told = Gauge::default();
    told.set_value(level as f64);
    family(name, help, MetricType::GAUGE, vec![Metric::from_gauge(told)])
}

fn family(name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

fn pairs(labels: &Labels<'_>) -> Vec<LabelPair> {
    let pair = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    labels.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[test]
    fn workers_are_added_up_and_versions_go() {
        let meter = Meter::new().unwrap();
        let alive = Arc::new(AtomicU32::new(3));
        let workers = [meter.worker(), meter.worker()];
        for worker in &workers {
            let cells = worker.route("shop/shop".into(), "version-2".into(), Arc::downgrade(&alive));
            cells.request(200, Duration::from_millis(3));
            cells.request(418, Duration::from_secs(100));
            worker.fault("upstream", "reset");
            worker.connections.add(2);
            worker.connections.sub(1);
            worker.unmatched().request(404, Duration::ZERO);
        }
        meter.swapped(7, Duration::from_micros(40));
        let text = meter.scrape();
        for line in [
            r#"synkronic_edge_requests_total{router="shop/shop",version="version-2",code="200"} 2"#,
            r#"synkronic_edge_requests_total{router="shop/shop",version="version-2",code="other"} 2"#,
            r#"synkronic_edge_requests_total{router="",version="",code="404"} 2"#,
            r#"synkronic_edge_request_duration_seconds_bucket{router="shop/shop",version="version-2",le="0.005"} 2"#,
            r#"synkronic_edge_request_duration_seconds_bucket{router="shop/shop",version="version-2",le="+Inf"} 4"#,
            r#"synkronic_edge_faults_total{side="upstream",fault="reset"} 2"#,
            "synkronic_edge_connections 2",
            r#"synkronic_edge_requests_in_flight{router="shop/shop",version="version-2"} 3"#,
            "synkronic_table_generation 7",
            "synkronic_table_swap_seconds_count 1",
        ] {
            assert!(text.lines().any(|l| l == line), "no line {line} in\n{text}");
        }
        drop(alive);
        assert!(!meter.scrape().contains("version-2"));
    }

    #[test]
    fn the_tables_are_in_order() {
        assert!(super::super::cells::CODES.is_sorted());
        assert!(BOUNDS.is_sorted());
    }
}
